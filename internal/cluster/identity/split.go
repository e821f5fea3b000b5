package identity

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// greetingTime is how long a connection may take to say what it wants, and
	// then until somebody takes it.
	greetingTime = 5 * time.Second
	// maxGreeting is the largest first message of TLS that is looked at.
	maxGreeting = 16 << 10
	// maxUndecided is how many connections may be in that state; further ones are
	// closed at once.
	maxUndecided = 1024
)

// Split shares one listener among the protocols of the peer port. It looks at
// the first message of TLS, takes nothing from the connection, and gives it to
// the listener of the protocol asked for, which does the handshake: [Split.Peers]
// for links, [Split.Joins] for [Gate]. Those who dial back ([Reachable]) it
// answers itself. All others find the connection closed, without a byte.
type Split struct {
	listener     net.Listener
	credentials  *Credentials
	peers, joins *branch
	slots        chan struct{} // one per undecided connection

	strangers, dropped atomic.Uint64

	mu struct {
		sync.Mutex
		open   map[net.Conn]struct{} // undecided
		closed bool
	}
	running sync.WaitGroup
}

// SplitALPN begins to accept from a TCP listener, which belongs to the Split from
// then on. Close must be called.
func SplitALPN(l net.Listener, c *Credentials) *Split {
	s := &Split{listener: l, credentials: c, slots: make(chan struct{}, maxUndecided)}
	s.peers, s.joins = newBranch(l.Addr()), newBranch(l.Addr())
	s.mu.open = make(map[net.Conn]struct{})
	s.running.Go(s.accept)
	return s
}

// Peers returns the listener of links: plain TCP connections on which TLS has
// yet to begin ([Credentials.ServerConfig]). Closing it refuses links only.
func (s *Split) Peers() net.Listener { return s.peers }

// Joins returns the listener of those who ask to join, for [Gate.Serve].
func (s *Split) Joins() net.Listener { return s.joins }

// Strangers returns how many connections spoke none of the protocols, and how
// many were dropped because too many were undecided.
func (s *Split) Strangers() (strangers, dropped uint64) {
	return s.strangers.Load(), s.dropped.Load()
}

// Close closes the listener and what is undecided, and waits for the end of it.
// Connections that were given out stay. It may be called twice.
func (s *Split) Close() error {
	err := s.listener.Close()
	s.mu.Lock()
	if s.mu.closed {
		err = nil
	}
	s.mu.closed = true
	for c := range s.mu.open {
		c.Close()
	}
	s.mu.Unlock()
	s.peers.Close()
	s.joins.Close()
	s.running.Wait()
	return err
}

// accept runs until the listener is closed.
func (s *Split) accept() {
	defer s.peers.Close()
	defer s.joins.Close()
	for {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptors left, for instance: they come back
			if s.pause(50 * time.Millisecond) {
				return
			}
			continue
		}
		select {
		case s.slots <- struct{}{}:
		default:
			s.dropped.Add(1)
			conn.Close()
			continue
		}
		s.running.Go(func() {
			defer func() { <-s.slots }()
			s.decide(conn)
		})
	}
}

// pause waits; true: the Split was closed.
func (s *Split) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false
	case <-s.peers.done:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.mu.closed
	}
}

// decide finds out what a connection wants and gives it away, or closes it.
func (s *Split) decide(conn net.Conn) {
	if !s.hold(conn) {
		return
	}
	deadline := time.Now().Add(greetingTime)
	protocol := s.protocol(conn, deadline)
	switch protocol {
	case ProtocolPeer:
		s.give(s.peers, conn, deadline)
	case ProtocolJoin:
		s.give(s.joins, conn, deadline)
	case ProtocolReach:
		s.answerReach(conn, deadline)
	default:
		s.strangers.Add(1)
		s.release(conn)
		conn.Close()
	}
}

// hold makes Close close the connection; false: it has done so.
func (s *Split) hold(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		conn.Close()
		return false
	}
	s.mu.open[conn] = struct{}{}
	return true
}

func (s *Split) release(conn net.Conn) {
	s.mu.Lock()
	delete(s.mu.open, conn)
	s.mu.Unlock()
}

// protocol returns what the first message of TLS asks for, empty when it asks
// for nothing known or does not come in time.
func (s *Split) protocol(conn net.Conn, deadline time.Time) (found string) {
	if conn.SetReadDeadline(deadline) != nil {
		return ""
	}
	err := peek(conn, make([]byte, maxGreeting), func(seen []byte) (enough bool) {
		found, enough = wanted(seen)
		return enough
	})
	if err != nil || conn.SetReadDeadline(time.Time{}) != nil {
		return ""
	}
	return found
}

// give hands a connection on.
func (s *Split) give(to *branch, conn net.Conn, deadline time.Time) {
	s.release(conn)
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case to.arrived <- conn:
	case <-to.done:
		conn.Close()
	case <-timer.C:
		conn.Close()
	}
}

// answerReach proves whose port this is: the handshake does.
func (s *Split) answerReach(conn net.Conn, deadline time.Time) {
	defer s.release(conn)
	defer conn.Close()
	if conn.SetDeadline(deadline) != nil {
		return
	}
	c := tls.Server(conn, s.credentials.reachConfig())
	if c.HandshakeContext(context.Background()) == nil { // the deadline ends it
		_, _ = io.CopyN(io.Discard, c, 1) // until the other side has seen it and closes
	}
}

// branch is the listener of one protocol.
type branch struct {
	addr    net.Addr
	arrived chan net.Conn // unbuffered: who gives waits until it is taken
	done    chan struct{}
	once    sync.Once
}

func newBranch(addr net.Addr) *branch {
	return &branch{addr: addr, arrived: make(chan net.Conn), done: make(chan struct{})}
}

func (b *branch) Accept() (net.Conn, error) {
	select {
	case c := <-b.arrived:
		return c, nil
	case <-b.done:
		return nil, net.ErrClosed
	}
}

func (b *branch) Close() error {
	b.once.Do(func() { close(b.done) })
	return nil
}

func (b *branch) Addr() net.Addr { return b.addr }

// errSeen ends the handshake that wanted uses to read the first message.
var errSeen = errors.New("seen")

// wanted returns which of our protocols the first message of TLS asks for. It
// is done when the message is complete, or is none.
func wanted(seen []byte) (protocol string, done bool) {
	message := &replay{Reader: bytes.NewReader(seen)}
	complete := false
	err := tls.Server(message, &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			complete = true
			for _, p := range []string{ProtocolPeer, ProtocolJoin, ProtocolReach} {
				if slices.Contains(hello.SupportedProtos, p) {
					protocol = p
					break
				}
			}
			return nil, errSeen
		},
	}).HandshakeContext(context.Background())
	if complete {
		return protocol, true
	}
	// cut off: wait for more; anything else is not TLS
	return "", !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)
}

// replay is a connection on which certain bytes arrive and all that is sent is
// lost.
type replay struct{ *bytes.Reader }

func (r *replay) Write(b []byte) (int, error)      { return len(b), nil }
func (r *replay) Close() error                     { return nil }
func (r *replay) LocalAddr() net.Addr              { return nil }
func (r *replay) RemoteAddr() net.Addr             { return nil }
func (r *replay) SetDeadline(time.Time) error      { return nil }
func (r *replay) SetReadDeadline(time.Time) error  { return nil }
func (r *replay) SetWriteDeadline(time.Time) error { return nil }

// Interface check: tls.Server wants a whole net.Conn.
var _ net.Conn = (*replay)(nil)
