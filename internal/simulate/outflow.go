package simulate

import (
	"slices"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// outflow is the stream of one partition from its owner to a copy.
type outflow struct {
	number      uint64
	to          int
	incarnation uint64
	resume      bool
	start       int           // what the copy has to have for resume
	again       bool          // or less, having had it from this very process
	ready       time.Duration // when a copy from the beginning is whole
	acked       int
	confirmed   bool // it has been taken
	waiting     time.Duration
	need        int // acknowledged by a learner before it is reported
	failed      bool
	fenced      bool // by a promise
}

func (h *held) stream(to int) *outflow {
	for _, s := range h.streams {
		if s.to == to {
			return s
		}
	}
	return nil
}

// connect begins the copies that the view wants, ends those it does not, and
// sends what there is.
func (c *copies) connect(p int) {
	n, h, r := c.n, &c.parts[p], &c.n.view.Rows[p]
	wanted := func(place int) bool {
		return slices.ContainsFunc(r.Replicas, func(at int16) bool { return n.placeOf(at) == place })
	}
	h.streams = slices.DeleteFunc(h.streams, func(s *outflow) bool { return !wanted(s.to) })
	h.offered = slices.DeleteFunc(h.offered, func(place int) bool { return !wanted(place) })
	for _, at := range r.Replicas {
		if place := n.placeOf(at); h.stream(place) == nil {
			h.streams = append(h.streams, &outflow{number: n.w.number(), to: place, ready: n.w.now + n.w.transferTime()/8, waiting: n.w.now})
		}
	}
	for _, s := range h.streams {
		c.offer(p, s)
		c.push(p, s)
	}
	c.release(p)
}

// offer requires a copy that has caught up and is not in sync. A copy that was in
// sync may be a learner again by a view that this node has not seen the cause of.
func (c *copies) offer(p int, s *outflow) {
	h := &c.parts[p]
	if s.confirmed && !c.n.inSync(&c.n.view.Rows[p], s.to) && !slices.Contains(h.offered, s.to) {
		h.offered = append(h.offered, s.to)
		s.need = len(h.data)
	}
}

// push sends a copy what the owner has. What is lost comes again.
func (c *copies) push(p int, s *outflow) {
	n, h := c.n, &c.parts[p]
	if s.failed {
		return
	}
	if s.acked >= len(h.data) && s.confirmed {
		s.waiting = n.w.now
		return
	}
	if n.w.now-s.waiting > copyTimeout && n.w.now > s.ready+copyTimeout {
		s.failed = true
		c.reportSoon()
		return
	}
	to, mine, number, epoch := n.w.nodes[s.to], n.incarnation, s.number, h.serving
	m := message{number: number, epoch: epoch, from: n.place, resume: s.resume, start: s.start, again: s.again, data: slices.Clip(h.data), whole: n.w.now >= s.ready}
	n.w.net.send(n.place, s.to, 0, func() {
		if !to.up || to.copies == nil {
			return
		}
		seq, what := to.copies.take(p, m)
		theirs := to.incarnation
		n.w.net.send(s.to, n.place, 0, func() {
			if n.up && n.incarnation == mine && s.number == number && h.serving == epoch && h.stream(s.to) == s {
				c.acknowledged(p, s, seq, what, theirs)
			}
		})
	})
}

// message is what an owner sends to a copy.
type message struct {
	number uint64
	epoch  cluster.Epoch
	from   int
	resume bool
	start  int
	again  bool
	data   history
	whole  bool
}

type answer int

const (
	begun   answer = iota // the copy is not whole yet
	applied               // it has everything up to the number
	refusal
	promised // refused: it has promised a higher epoch
)

// take applies what an owner sends.
func (c *copies) take(p int, m message) (seq int, what answer) {
	h := &c.parts[p]
	switch {
	case m.epoch < h.floor:
		return 0, promised
	case h.serving > 0 || m.number < h.taken:
		return 0, refusal
	}
	if m.number != h.taken {
		if m.resume && (!h.whole || len(h.data) != m.start && !m.again) {
			return 0, refusal
		}
		if !m.resume {
			h.data, h.whole = nil, false
		}
		h.taken, h.from, h.floor = m.number, m.from, m.epoch
	}
	switch {
	case !h.whole && !m.whole:
		return 0, begun
	case len(m.data) > len(h.data) || !h.whole:
		if !h.data.within(m.data) {
			c.n.w.fail("partition %d: %s has another history than its owner %s: %v, %v", p, c.n.name, c.n.w.nodes[m.from].name, h.data, m.data)
		}
		h.data, h.whole = m.data, true
	}
	return len(h.data), applied
}

// acknowledged learns what a copy has.
func (c *copies) acknowledged(p int, s *outflow, seq int, what answer, incarnation uint64) {
	n, h := c.n, &c.parts[p]
	if s.incarnation != 0 && s.incarnation != incarnation {
		what = refusal // another process, which has nothing
	}
	s.incarnation = incarnation
	s.waiting = n.w.now
	switch what {
	case refusal, promised:
		s.failed, s.fenced = true, s.fenced || what == promised
		c.reportSoon()
		return
	case begun:
		return
	}
	news := !s.confirmed
	s.confirmed = true
	s.acked = max(s.acked, seq)
	c.offer(p, s)
	if news || s.acked < len(h.data) {
		c.reportSoon()
		c.push(p, s)
	}
	c.release(p)
}
