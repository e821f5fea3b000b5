package loadgen

import (
	"errors"
	"net"
)

// pending is a request in flight.
type pending struct {
	start int64 // intended start, ns of the run's clock
	op    uint16
}

// session is one connection: what is to be sent, what is awaited, and how far
// the reply under way has been read. It belongs to one worker.
//
// Invariant: 0 <= inflight <= len(ring); len(ring) is a power of two >= Pipeline.
type session struct {
	conn   net.Conn
	out    outbox
	reader replyReader

	ring     []pending
	first    uint32 // position in ring of the oldest request in flight
	inflight int
	broken   bool
}

func newSession(conn net.Conn, p Protocol, pipeline int) *session {
	size := 1
	for size < pipeline {
		size *= 2
	}
	return &session{conn: conn, reader: newReplyReader(p), ring: make([]pending, size)}
}

// fill appends n requests of intended start, chosen by g, to what is to be sent.
func (s *session) fill(n int, start int64, g *generator) {
	mask := uint32(len(s.ring) - 1)
	for range n {
		i := g.op()
		g.ops[i].encode(&s.out, g)
		s.ring[(s.first+uint32(s.inflight))&mask] = pending{start, uint16(i)}
		s.inflight++
	}
}

var errUnasked = errors.New("the server sent a reply to no request")

// feed reads what arrived at now into t.
func (s *session) feed(p []byte, now int64, t *tally) error {
	t.bytesIn += uint64(len(p))
	mask := uint32(len(s.ring) - 1)
	for len(p) > 0 {
		n, r, err := s.reader.next(p)
		if err != nil {
			return err
		}
		p = p[n:]
		if r == nil {
			continue
		}
		if s.inflight == 0 {
			return errUnasked
		}
		t.reply(s.ring[s.first&mask], now, r)
		s.first = (s.first + 1) & mask
		s.inflight--
	}
	t.flush()
	return nil
}

// abandon gives up the requests in flight: they count as lost, with the time
// they have taken so far as latency. The session must not be used any more.
func (s *session) abandon(now int64, t *tally) {
	t.flush()
	mask := uint32(len(s.ring) - 1)
	for i := range s.inflight {
		p := s.ring[(s.first+uint32(i))&mask]
		t.record(p.op, now-p.start, 1)
	}
	t.lost += uint64(s.inflight)
	s.inflight, s.broken = 0, true
}
