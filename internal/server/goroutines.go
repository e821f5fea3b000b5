package server

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// goroutines is the backend that gives each connection a goroutine of its own.
type goroutines struct {
	srv       *Server
	counts    counters
	listeners []net.Listener
	accepting sync.WaitGroup
	serving   sync.WaitGroup

	mu       sync.Mutex
	conns    map[*goConn]struct{} // GUARDED_BY(mu)
	draining bool                 // GUARDED_BY(mu): new connections are closed at once
}

func newGoroutines(srv *Server) *goroutines {
	return &goroutines{srv: srv, conns: map[*goConn]struct{}{}}
}

func (b *goroutines) serve(listeners []net.Listener) error {
	b.listeners = listeners
	for _, ln := range listeners {
		b.accepting.Go(func() { b.accept(ln) })
	}
	return nil
}

// accept runs until the listener is closed.
func (b *goroutines) accept(ln net.Listener) {
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			b.welcome(nc)
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
			b.srv.refused.descriptors.Add(1)
			b.pause(err)
		default:
			b.srv.refused.errors.Add(1)
			b.pause(err)
		}
	}
}

// pause keeps a failing listener from being asked again and again.
func (b *goroutines) pause(err error) {
	b.srv.log.Warn("connection not accepted", "error", err)
	select {
	case <-time.After(tickEvery):
	case <-b.srv.stopping:
	}
}

func (b *goroutines) welcome(nc net.Conn) {
	if refusal := b.srv.exec.Admit(); refusal != "" {
		b.srv.refused.clients.Add(1)
		nc.SetWriteDeadline(time.Now().Add(tickEvery))
		nc.Write([]byte(refusal))
		nc.Close()
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.draining {
		nc.Close()
		return
	}
	b.counts.live.Add(1)
	b.counts.accepted.Add(1)
	c := newGoConn(b, nc)
	b.conns[c] = struct{}{}
	b.serving.Go(func() {
		c.serve()
		b.mu.Lock()
		delete(b.conns, c)
		b.mu.Unlock()
	})
}

// all returns the connections there are.
func (b *goroutines) all() []*goConn {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]*goConn, 0, len(b.conns))
	for c := range b.conns {
		list = append(list, c)
	}
	return list
}

func (b *goroutines) tick() {
	for _, c := range b.all() {
		c.tick()
	}
}

func (b *goroutines) drain() {
	closeAll(b.listeners)
	b.accepting.Wait()
	b.mu.Lock()
	b.draining = true
	b.mu.Unlock()
	for _, c := range b.all() {
		c.draining.Store(true)
		c.wake()
	}
}

func (b *goroutines) cut() {
	for _, c := range b.all() {
		c.endBy(killNow, ClosedShutdown)
	}
}

func (b *goroutines) wait()              { b.serving.Wait() }
func (b *goroutines) stats() []LoopStats { return []LoopStats{b.counts.snapshot()} }

// peerOf returns the addresses of a connection.
func peerOf(nc net.Conn) ends {
	if _, ok := nc.(*net.UnixConn); ok {
		return ends{path: nc.LocalAddr().String()}
	}
	port := func(a net.Addr) netip.AddrPort {
		t, ok := a.(*net.TCPAddr)
		if !ok {
			return netip.AddrPort{}
		}
		p := t.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return ends{from: port(nc.RemoteAddr()), to: port(nc.LocalAddr())}
}

// setKeepAlive has dead peers found; see setTCPOptions. Go sets TCP_NODELAY.
func setKeepAlive(nc net.Conn, after time.Duration) {
	t, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	t.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: after > 0, Idle: after, Interval: max(time.Second, after/3), Count: 3,
	})
}
