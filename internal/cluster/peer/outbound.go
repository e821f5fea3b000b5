package peer

import (
	"fmt"
	"sync/atomic"
)

const (
	// arrivedBatch is how many replies are matched with their requests at a time.
	arrivedBatch = 64
	// roundTripEvery is how many requests there are for one whose time is taken.
	roundTripEvery = 64
	// maxSinks is how many sinks are remembered for a flush at the end of a batch.
	maxSinks = 8
)

// outbound is one connection of a link, from its handshake to its end.
type outbound struct {
	link *Link
	info Info
	sock *socket
	in   inbox

	// out.mu also guards pending, sample and watch.
	out     outbox
	pending pendingTable
	sample  struct {
		id    uint32
		begun int64 // elapsed time, 0: none
		count int
	}
	watch pulse

	// For the reading goroutine alone.
	arrived [arrivedBatch]arrival
	sinks   [maxSinks]Sink
	nSinks  int

	cause atomic.Pointer[error] // why it was ended from outside
}

// arrival is a reply, and then its request.
type arrival struct {
	header
	data []byte
	req  waiting
	ok   bool
}

func newOutbound(l *Link, s *socket, info Info) *outbound {
	c := &outbound{link: l, info: info, sock: s}
	c.in = inbox{from: s.stream, maxFrame: uint32(l.net.cfg.MaxFrame)}
	s.gather = s.secure != nil
	s.dry = c.flushSinks
	c.out.open(s)
	return c
}

// submit queues a request. With soon it is sent by itself, otherwise by a later
// flush.
func (c *outbound) submit(kind uint8, p *Payload, sink Sink, tag uint64, soon bool) error {
	size := p.size()
	cfg := &c.link.net.cfg
	if size > cfg.MaxFrame {
		return ErrTooLarge
	}
	o := &c.out
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return ErrUnreachable
	}
	if c.pending.n >= cfg.MaxOutstanding || c.pending.bytes >= cfg.MaxOutstandingBytes {
		o.mu.Unlock()
		return ErrBusy
	}
	id := c.pending.add(waiting{sink: sink, tag: tag, size: size + headerSize, batch: o.number})
	if c.sample.count++; c.sample.count >= roundTripEvery && c.sample.begun == 0 {
		c.sample.id, c.sample.begun, c.sample.count = id, c.link.net.elapsed(), 0
	}
	o.addLocked(header{typ: frameRequest, kind: kind, id: id}, p)
	switch {
	case !soon:
		o.mu.Unlock()
	case c.pending.n == 1:
		o.sendUnlock() // alone: a hand-over would cost more than the write
	default:
		o.wakeUnlock()
	}
	return nil
}

// flush sends what was queued, without waiting.
func (c *outbound) flush() {
	c.out.mu.Lock()
	c.out.sendUnlock()
}

// receive delivers replies until the connection ends, and returns why.
func (c *outbound) receive() error {
	for {
		if err := c.deliver(); err != nil {
			return err
		}
		if err := c.in.fill(); err != nil {
			return err
		}
	}
}

// deliver completes the requests whose replies have arrived.
func (c *outbound) deliver() error {
	for {
		n, err := c.collect()
		if n > 0 {
			c.match(n)
			err = firstError(c.complete(n), err)
		}
		if err != nil || n < arrivedBatch {
			return err
		}
	}
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// collect cuts up to arrivedBatch replies out of what has arrived.
func (c *outbound) collect() (n int, err error) {
	for n < arrivedBatch {
		h, data, ok, err := c.in.next()
		if err != nil || !ok {
			return n, err
		}
		c.link.traffic.framesIn.Add(1)
		switch h.typ {
		case frameReply:
			a := &c.arrived[n]
			a.header, a.data = h, data
			n++
		case framePong:
			c.pong()
		default:
			return n, fmt.Errorf("%w: frame type %d on a link", errProtocol, h.typ)
		}
	}
	return n, nil
}

// match finds the requests of the replies, under one lock.
func (c *outbound) match(n int) {
	sampled := int64(0)
	c.out.mu.Lock()
	for i := range c.arrived[:n] {
		a := &c.arrived[i]
		a.req, a.ok = c.pending.take(a.id)
		if a.ok && c.sample.begun != 0 && a.id == c.sample.id {
			sampled, c.sample.begun = c.sample.begun, 0
		}
	}
	c.out.mu.Unlock()
	if sampled != 0 {
		c.link.roundTrip.add(c.link.net.elapsed() - sampled)
	}
}

// complete hands the replies to their sinks.
func (c *outbound) complete(n int) (err error) {
	shared := c.in.chunk
	shared.refs.Add(int32(n))
	for i := range c.arrived[:n] {
		a := &c.arrived[i]
		if !a.ok {
			shared.Release()
			err = fmt.Errorf("%w: reply to no request", errProtocol)
			continue
		}
		c.remember(a.req.sink)
		a.req.sink.Complete(a.req.tag, Reply{Status: a.status, Data: a.data, chunk: shared}, nil)
		*a = arrival{}
	}
	return err
}

// remember notes a sink for the flush.
func (c *outbound) remember(s Sink) {
	if _, ok := s.(*call); ok {
		return
	}
	for _, known := range c.sinks[:c.nSinks] {
		if known == s {
			return
		}
	}
	if c.nSinks == maxSinks {
		c.flushSinks()
	}
	c.sinks[c.nSinks] = s
	c.nSinks++
}

// flushSinks tells the sinks that the batch is over.
func (c *outbound) flushSinks() {
	for i := range c.sinks[:c.nSinks] {
		c.sinks[i].Flush()
		c.sinks[i] = nil
	}
	c.nSinks = 0
}

// end closes the connection from outside; the reading goroutine does the rest.
func (c *outbound) end(cause error) {
	c.cause.CompareAndSwap(nil, &cause)
	c.sock.Close()
}

// close completes what is outstanding. Called by the reading goroutine when it
// has stopped.
func (c *outbound) close(cause error) {
	c.sock.Close()
	c.out.close()
	c.in.close()
	c.out.mu.Lock()
	left := c.pending.takeAll()
	taken := c.out.number
	c.out.mu.Unlock()
	for _, w := range left {
		err := ErrLost
		switch {
		case cause == ErrClosed:
			err = ErrClosed
		case w.batch >= taken:
			err = ErrUnreachable // it never left
		default:
			c.link.lost.Add(1)
		}
		c.remember(w.sink)
		w.sink.Complete(w.tag, Reply{}, err)
	}
	c.flushSinks()
}
