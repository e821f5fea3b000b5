package server

import (
	"sync"
	"sync/atomic"
)

// loopHolds tells a loop that copies have acknowledged something, once for all
// that has come together, and only when one of its connections waits for that.
// It implements [replication.Waker] and is safe for concurrent use but for conns.
type loopHolds struct {
	l    *loop
	stop func() // nil: nothing is ever held

	conns  []*loopConn // the loop's: those that may have held replies
	wanted atomic.Bool // there are some

	mu     sync.Mutex
	noted  bool // GUARDED_BY(mu): the loop has been told
	closed bool // GUARDED_BY(mu): the loop has ended
}

// Acknowledged implements [replication.Waker].
func (h *loopHolds) Acknowledged() {
	if !h.wanted.Load() {
		return
	}
	h.mu.Lock()
	tell := !h.noted && !h.closed
	h.noted = h.noted || tell
	h.mu.Unlock()
	if tell {
		h.l.send(note{kind: noteAcks})
	}
}

// close has the loop told no more. It reports false when a note is on its way.
func (h *loopHolds) close() bool {
	h.mu.Lock()
	if h.noted && !h.closed {
		h.mu.Unlock()
		return false
	}
	h.closed = true
	h.mu.Unlock()
	if h.stop != nil {
		h.stop()
	}
	return true
}

// hold sees to it that the replies of a connection leave when they may. Some may
// by now: the list comes first, so that nothing is missed.
func (l *loop) hold(c *loopConn) {
	if !c.held {
		c.held = true
		l.holds.conns = append(l.holds.conns, c)
		l.holds.wanted.Store(true)
	}
	c.letGo()
}

// letGo lets go of what may be told. When some never may the connection is cut
// after what stands before that.
func (c *loopConn) letGo() {
	if !c.drop && !c.srv.hold.LetGo(c.session) {
		c.flush()
		c.cut(ClosedFenced)
	}
}

// takeAcks looks at every connection with held replies, in the order in which
// they began to wait.
func (l *loop) takeAcks() {
	h := &l.holds
	h.mu.Lock()
	h.noted = false
	h.mu.Unlock()
	list := h.conns
	kept := list[:0]
	for _, c := range list {
		if c.closed {
			continue
		}
		if !c.away && c.session.Held() {
			before := c.session.InFlight()
			c.letGo()
			if c.drop || c.session.InFlight() != before {
				c.wrote, c.active = 0, l.ticks
				l.settle(c)
			}
		}
		if !c.closed && (c.away || c.session.Held()) {
			kept = append(kept, c)
			continue
		}
		c.held = false
	}
	l.forget(kept, list)
}

// forget makes kept, which is at the start of list, the connections that wait.
func (l *loop) forget(kept, list []*loopConn) {
	clear(list[len(kept):])
	h := &l.holds
	h.conns = kept
	if len(kept) == 0 {
		h.wanted.Store(false)
	}
}

// Sizes of the memory for output that waits.
var roomSizes = [...]int{1 << 10, 16 << 10}

// keptOutRooms is how much of each size a loop keeps.
const keptOutRooms = 256

// outputRoom returns memory for n bytes of output that has to wait, which comes
// back through reclaim.
func (l *loop) outputRoom(n int) []byte {
	for i, size := range roomSizes {
		if n > size {
			continue
		}
		if last := len(l.sized[i]) - 1; last >= 0 {
			room := l.sized[i][last]
			l.sized[i] = l.sized[i][:last]
			return room
		}
		return make([]byte, 0, size)
	}
	return make([]byte, 0, n)
}

// reclaim takes back memory of output.
func (l *loop) reclaim(former []byte) {
	for i, size := range roomSizes {
		if cap(former) == size {
			if len(l.sized[i]) < keptOutRooms {
				l.sized[i] = append(l.sized[i], former[:0])
			}
			return
		}
	}
	if former != nil && l.out == nil && cap(former) <= keptOut {
		l.out = former[:0]
	}
}
