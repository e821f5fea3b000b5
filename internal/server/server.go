package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/ticks"
)

// Server serves the connections of all listeners. Its methods are safe for
// concurrent use. See [New].
type Server struct {
	cfg  Config
	keys Prefetcher // exec, when it wants to know keys in advance
	away Forwarder  // exec, when other nodes may answer
	hold Holder     // exec, when replies may be held
	exec Executor
	log  *slog.Logger

	pool    pool
	started time.Time
	parked  atomic.Int64 // commands that wait, at most cfg.MaxParked
	refused acceptCounters

	mu       sync.Mutex
	phase    phase         // GUARDED_BY(mu)
	backend  backend       // GUARDED_BY(mu) until started; then constant
	addrs    []net.Addr    // GUARDED_BY(mu) until started; then constant
	stopping chan struct{} // closed when Shutdown begins
	stopTick chan struct{}
	ticking  sync.WaitGroup
	stopped  chan struct{} // closed when everything has ended
}

type phase uint8

const (
	phaseNew phase = iota
	phaseServing
	phaseStopping
)

// backend serves connections in one of the two modes.
type backend interface {
	// serve takes over the listeners.
	serve(listeners []net.Listener) error
	// tick is called every tickEvery, for what depends on time.
	tick()
	// drain stops accepting and closes each connection once it has nothing
	// under way.
	drain()
	// cut closes all connections that are left.
	cut()
	// wait returns when all connections and goroutines have ended.
	wait()
	stats() []LoopStats
}

// tickEvery is how often time-outs are looked at.
const tickEvery = 100 * time.Millisecond

// leaveAfter is for how long a client that has closed its side while its
// command waits may still want the reply: one that has only shut down writing
// looks the same as one that has gone.
const leaveAfter = time.Second

// ErrStarted is returned by a second call of [Server.Start].
var ErrStarted = errors.New("server: already started")

// New returns a server that is not started yet. The error is that of
// [Config.Validate].
func New(cfg Config, exec Executor, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	keys, _ := exec.(Prefetcher)
	away, _ := exec.(Forwarder)
	hold, _ := exec.(Holder)
	return &Server{
		cfg: cfg, exec: exec, keys: keys, away: away, hold: hold, log: log, started: time.Now(),
		stopping: make(chan struct{}), stopTick: make(chan struct{}), stopped: make(chan struct{}),
	}, nil
}

// Start opens the listeners and serves in the background until [Server.Shutdown].
// On an error nothing is left open.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != phaseNew {
		return ErrStarted
	}
	listeners, err := listen(s.cfg)
	if err != nil {
		return err
	}
	s.backend, err = s.newBackend()
	if err == nil {
		err = s.backend.serve(listeners)
	}
	if err != nil {
		closeAll(listeners)
		return err
	}
	for _, l := range listeners {
		s.addrs = append(s.addrs, l.Addr())
	}
	s.phase = phaseServing
	s.ticking.Go(s.tick)
	return nil
}

func (s *Server) newBackend() (backend, error) {
	if s.cfg.Mode == ModeGoroutines || !haveLoops && s.cfg.Mode != ModeLoops {
		return newGoroutines(s), nil
	}
	return newLoops(s)
}

// Addrs returns the addresses listened on, in the order of the settings, the
// Unix socket last; nil before Start. The caller must not modify the slice.
func (s *Server) Addrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addrs
}

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	b := s.backend
	s.mu.Unlock()
	stats := Stats{
		Parked:             s.parked.Load(),
		RefusedClients:     s.refused.clients.Load(),
		RefusedDescriptors: s.refused.descriptors.Load(),
		AcceptErrors:       s.refused.errors.Load(),
	}
	if b != nil {
		stats.Loops = b.stats()
	}
	for _, l := range stats.Loops {
		stats.Total.add(l)
	}
	return stats
}

// Shutdown stops: no connection is accepted any more, requests that have
// arrived are executed and their replies sent, idle connections are closed.
// When ctx ends the connections left are closed as they are and waiting
// commands interrupted. It returns when everything has ended: nil, or the
// error of ctx when that cut connections. Further calls wait for the first.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	first := s.phase == phaseServing
	if s.phase == phaseNew {
		close(s.stopped)
	}
	s.phase = phaseStopping
	s.mu.Unlock()
	if !first {
		<-s.stopped
		return nil
	}
	defer close(s.stopped)
	close(s.stopping)
	s.backend.drain()
	drained := make(chan struct{})
	go func() {
		s.backend.wait()
		close(drained)
	}()
	var err error
	select {
	case <-drained:
	case <-ctx.Done():
		err = ctx.Err()
		s.backend.cut()
		<-drained
	}
	close(s.stopTick)
	s.ticking.Wait()
	return err
}

// tick drives what depends on time until the server has stopped.
func (s *Server) tick() {
	for range ticks.Every(s.stopTick, tickEvery) {
		s.backend.tick()
	}
}

// now returns a monotonic time in milliseconds, above zero.
func (s *Server) now() int64 { return time.Since(s.started).Milliseconds() + 1 }
