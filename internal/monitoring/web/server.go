// Package web is the HTTP listener of a node: liveness, readiness, metrics, the
// status as JSON, and a page that shows it. It only reads; what clients store
// and fetch goes another way.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Limits of the listener. A scraper, a few pages and a probe are what it is for.
const (
	maxConnections = 128
	maxHeaderBytes = 16 << 10
	maxBodyBytes   = 1 << 10 // no request has a body
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = 15 * time.Second
	idleTimeout    = 60 * time.Second
	// profileTimeout is how long a profile may be recorded and sent.
	profileTimeout = 2 * time.Minute
)

// Server serves HTTP. See [Listen].
type Server struct {
	http     *http.Server
	listener net.Listener
	done     sync.WaitGroup
}

// ErrInUse is in the error of [Listen] when something else listens there.
var ErrInUse = errors.New("something else listens there already; stop it, or choose another address with http.listen or --http-addr, or none with \"\"")

// Listen opens the address, "host:port", and serves in the background until
// [Server.Shutdown].
func Listen(address string, node Node, log *slog.Logger) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s for HTTP: %w", address, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP: %w", err)
	}
	s := &Server{listener: l, http: &http.Server{
		Handler:           Handler(node, isLoopback(l.Addr())),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		// The time to write is set per request: a profile takes longer.
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	s.done.Go(func() {
		err := s.http.Serve(&limited{Listener: l, free: make(chan struct{}, maxConnections)})
		if !errors.Is(err, http.ErrServerClosed) {
			log.Error("HTTP stopped", "error", err)
		}
	})
	return s, nil
}

// Addr returns the address listened on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Shutdown takes no more requests and waits for those that run until ctx is
// done, then cuts them off.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close()
	}
	s.done.Wait()
	return err
}

func isLoopback(a net.Addr) bool {
	ap, err := netip.ParseAddrPort(a.String())
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// limited is a listener of at most cap(free) connections at once; more wait in
// the queue of the kernel.
type limited struct {
	net.Listener
	free chan struct{}
}

// Accept waits until there are fewer connections than the limit, and for one
// more.
func (l *limited) Accept() (net.Conn, error) {
	l.free <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &counted{Conn: c, free: l.free}, nil
}

// counted is a connection that gives its place back when it is closed.
type counted struct {
	net.Conn
	once sync.Once
	free chan struct{}
}

// Close implements [net.Conn].
func (c *counted) Close() error {
	c.once.Do(func() { <-c.free })
	return c.Conn.Close()
}
