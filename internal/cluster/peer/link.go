package peer

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Link is the asking side of the connection to one node for one lane. It
// connects by itself, and again when the connection breaks, until it is closed.
// Safe for concurrent use. Requests that one goroutine submits reach the other
// node in that order, as long as the connection lasts.
type Link struct {
	net        *Network
	node, lane string
	ctx        context.Context // ends with Close
	cancel     context.CancelFunc
	watched    atomic.Bool
	wake       chan struct{} // has an element when it is worth trying to connect at once

	conn       atomic.Pointer[outbound] // nil: down
	traffic    traffic
	busy, down atomic.Uint64
	lost       atomic.Uint64
	roundTrip  average
	heard      atomic.Int64 // elapsed time of the last byte of earlier connections, 0: none

	mu      sync.Mutex
	addr    string
	failure error         // of the last attempt or connection
	changed chan struct{} // closed, and replaced, when the link goes up
}

// Submit queues a request and sees to it that it is sent; requests that are
// submitted at the same time leave together. It does not wait: ErrBusy says
// that the link is full, ErrUnreachable that it is down, ErrTooLarge that the
// request exceeds MaxFrame, and then nothing was taken: the sink hears nothing
// and the attachment is still the caller's. Otherwise sink gets the outcome
// exactly once, possibly before Submit returns.
func (l *Link) Submit(kind uint8, p Payload, sink Sink, tag uint64) error {
	return l.submit(kind, &p, sink, tag, true)
}

// Queue is Submit for callers with a batch: nothing need leave before Flush.
func (l *Link) Queue(kind uint8, p Payload, sink Sink, tag uint64) error {
	return l.submit(kind, &p, sink, tag, false)
}

func (l *Link) submit(kind uint8, p *Payload, sink Sink, tag uint64, soon bool) error {
	c := l.conn.Load()
	if c == nil {
		l.down.Add(1)
		return ErrUnreachable
	}
	err := c.submit(kind, p, sink, tag, soon)
	switch err {
	case nil:
	case ErrBusy:
		l.busy.Add(1)
	case ErrUnreachable:
		l.down.Add(1)
	}
	return err
}

// Flush sends what was queued. It writes to the socket itself when the kernel
// takes the bytes at once and never waits, so an event loop may call it.
func (l *Link) Flush() {
	if c := l.conn.Load(); c != nil {
		c.flush()
	}
}

// IsUp reports whether the link is connected.
func (l *Link) IsUp() bool { return l.conn.Load() != nil }

// Node returns the id of the node at the other end, Lane the link's purpose.
func (l *Link) Node() string { return l.node }

// Lane returns the purpose of the link.
func (l *Link) Lane() string { return l.lane }

// Watch says whether somebody judges by this link if the node is alive: it then
// has heartbeats at the full rate also when it is idle.
func (l *Link) Watch(on bool) { l.watched.Store(on) }

// LastHeard returns when a byte last arrived on this link, the zero time if
// none ever did.
func (l *Link) LastHeard() time.Time { return l.net.at(l.heardAt()) }

func (l *Link) heardAt() int64 {
	if c := l.conn.Load(); c != nil {
		return c.sock.heard.Load()
	}
	return l.heard.Load()
}

// Peer returns what is known of the other node; ok is false while the link is down.
func (l *Link) Peer() (info Info, ok bool) {
	if c := l.conn.Load(); c != nil {
		return c.info, true
	}
	return Info{}, false
}

// Err returns why the link is down, nil while it is up or has not failed yet.
func (l *Link) Err() error {
	if l.conn.Load() != nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

// WaitUp returns when the link is up, with the cause when ctx ends before, with
// ErrClosed when the link is closed.
func (l *Link) WaitUp(ctx context.Context) error {
	for {
		l.mu.Lock()
		changed := l.changed
		l.mu.Unlock()
		if l.conn.Load() != nil {
			return nil
		}
		select {
		case <-changed:
		case <-l.ctx.Done():
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Stats returns a snapshot of the link.
func (l *Link) Stats() LinkStats {
	l.mu.Lock()
	addr := l.addr
	l.mu.Unlock()
	s := LinkStats{
		Node: l.node, Lane: l.lane, Addr: addr,
		LastHeard: l.LastHeard(), RoundTrip: l.roundTrip.value(),
		Busy: l.busy.Load(), Down: l.down.Load(), Lost: l.lost.Load(),
		Traffic: l.traffic.snapshot(),
	}
	if c := l.conn.Load(); c != nil {
		c.out.mu.Lock()
		s.Up, s.Outstanding, s.OutstandingBytes = true, c.pending.n, c.pending.bytes
		c.out.mu.Unlock()
	}
	return s
}

// Close ends the link; what is outstanding completes with ErrClosed, which may
// be after Close has returned. It may be called more than once.
func (l *Link) Close() {
	l.net.forget(l)
	l.cancel()
}

// run keeps the link connected until it is closed.
func (l *Link) run() {
	defer l.net.gone.Done()
	pause := backoff{shortest: l.net.cfg.BackoffMin, longest: l.net.cfg.BackoffMax}
	for {
		c, err := l.connect()
		if err == nil {
			began := l.net.elapsed()
			err = l.serve(c)
			pause.lived(time.Duration(l.net.elapsed() - began))
		}
		if l.ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		l.failure = err
		l.mu.Unlock()
		if d := pause.next(); d > 0 {
			select {
			case <-l.net.cfg.Clock.After(d):
			case <-l.wake:
				pause.current = 0
			case <-l.ctx.Done():
				return
			}
		}
	}
}

// retry makes a link that is down try again at once.
func (l *Link) retry() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// connect makes one attempt.
func (l *Link) connect() (*outbound, error) {
	n := l.net
	ctx, cancel := context.WithTimeout(l.ctx, n.cfg.HandshakeTimeout)
	defer cancel()
	l.mu.Lock()
	addr := l.addr
	l.mu.Unlock()
	tcp, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		n.counters.failures[FailedDial].Add(1)
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { tcp.Close() })
	s := newSocket(tcp, n.elapsed, &l.traffic)
	info, err := n.greet(s, l.node, l.lane)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		tcp.Close()
		n.countHandshakeFailure(err)
		return nil, err
	}
	return newOutbound(l, s, info), nil
}

// serve uses a connection until it ends, and returns why.
func (l *Link) serve(c *outbound) error {
	stop := context.AfterFunc(l.ctx, func() { c.end(ErrClosed) })
	defer stop()
	l.net.counters.connects.Add(1)
	l.mu.Lock()
	l.conn.Store(c)
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()

	err := c.receive()
	l.heard.Store(c.sock.heard.Load())
	l.conn.Store(nil)
	if cause := c.cause.Load(); cause != nil {
		err = *cause
	}
	c.close(err)
	if !errors.Is(err, ErrClosed) {
		l.net.counters.failures[reasonOf(err)].Add(1)
	}
	return err
}
