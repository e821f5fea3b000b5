package peer

import (
	"fmt"
	"net"
	"sync/atomic"
)

// pauseShare is the part of MaxOutput at which no more requests are served until
// the other node reads.
const pauseShare = 16

// inbound is one accepted connection, from its handshake to its end.
type inbound struct {
	network *Network
	info    Info
	sock    *socket
	traffic traffic
	in      inbox
	out     outbox
	session Session

	// For the reading goroutine alone.
	batch  Batch
	served bool // since the last EndBatch

	// For the goroutine of the heartbeats.
	sent     uint64
	progress int64 // elapsed time when sent last changed or nothing was being sent

	cause atomic.Pointer[error] // why it was ended from outside
}

// prepare makes the connection ready for a session.
func (c *inbound) prepare() {
	c.in = inbox{from: c.sock.stream, maxFrame: uint32(c.network.cfg.MaxFrame)}
	c.batch.maxFrame = c.network.cfg.MaxFrame
	c.sock.dry = c.endBatch
	c.out.open(c.sock)
}

// serve serves requests until the connection ends, and returns why.
func (c *inbound) serve() error {
	for {
		if err := c.serveArrived(); err != nil {
			return err
		}
		if err := c.in.fill(); err != nil {
			return err
		}
	}
}

// serveArrived serves the requests that have arrived whole.
func (c *inbound) serveArrived() error {
	for {
		h, data, ok, err := c.in.next()
		if err != nil || !ok {
			return err
		}
		c.traffic.framesIn.Add(1)
		switch h.typ {
		case frameRequest:
			c.session.Serve(Request{ID: h.id, Kind: h.kind, Data: data, chunk: c.in.chunk}, &c.batch)
			c.served = true
		case framePing:
			c.batch.b.add(header{typ: framePong, id: h.id}, &Payload{})
		default:
			return fmt.Errorf("%w: frame type %d from a calling node", errProtocol, h.typ)
		}
		if pause := c.network.cfg.MaxOutput / pauseShare; c.batch.b.size > pause {
			c.out.hand(&c.batch.b)
			if !c.out.waitBelow(pause) {
				return net.ErrClosed // nobody gets the replies: serve no more
			}
		}
	}
}

// endBatch is called when all that has arrived was served: the replies leave.
func (c *inbound) endBatch() {
	if c.served {
		c.served = false
		c.session.EndBatch(&c.batch)
	}
	c.out.hand(&c.batch.b)
}

// reply is the way of late replies.
func (c *inbound) reply(id uint32, status uint8, p *Payload, soon bool) error {
	if p.size() > c.network.cfg.MaxFrame {
		return ErrTooLarge
	}
	o := &c.out
	o.mu.Lock()
	switch {
	case o.closed:
		o.mu.Unlock()
		return ErrUnreachable
	case o.queued >= c.network.cfg.MaxOutput:
		o.mu.Unlock()
		c.end(errSlow)
		return ErrBusy
	}
	o.addLocked(header{typ: frameReply, status: status, id: id}, p)
	if soon {
		o.wakeUnlock()
	} else {
		o.mu.Unlock()
	}
	return nil
}

// beat ends the connection when the other node gives no sign of life or takes
// nothing of what is sent to it.
func (c *inbound) beat(now, late int64) {
	heard := c.sock.heard.Load()
	c.out.mu.Lock()
	sending := c.out.sending
	if now-heard >= int64(c.network.cfg.Heartbeat) {
		c.out.restLocked()
	}
	c.out.mu.Unlock()
	if sent := c.sock.sent.Load(); !sending || sent != c.sent {
		c.sent, c.progress = sent, now
	}
	c.progress += late
	limit := int64(c.network.cfg.IdleTimeout)
	switch {
	case now-c.progress >= limit:
		c.end(errSlow)
	case now-heard-late >= limit && !sending:
		c.end(errIdle)
	}
}

// end closes the connection from outside; the reading goroutine does the rest.
func (c *inbound) end(cause error) {
	c.cause.CompareAndSwap(nil, &cause)
	c.sock.Close()
}

// close ends the session, after serve.
func (c *inbound) close(err error) {
	c.sock.Close()
	c.out.close()
	c.batch.b.release()
	c.in.close()
	c.session.Close(err)
}
