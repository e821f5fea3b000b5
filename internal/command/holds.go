package command

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/replication"
)

// Held replies
//
// What a command has written, or read, may not be told before the copies of its
// partition have it, or else a failover could take it back. So after every
// command with keys the session's need grows by what its partitions have that is
// not acknowledged, and from the first such command on the output of the batch
// is held:
//
//	Execute ── need, a hole before the reply ── Execute ... End ── one hold
//	   copies acknowledge ── [Executor.LetGo] ── the hole is lifted, output leaves
//
// A connection goes on to execute meanwhile. One that has no event loop waits
// instead: [Executor.AwaitAcknowledged]. When the need is lost nobody knows what
// will have become of the commands, and the connection is closed without a word.
//
// Of keys with `ack: none` the reply to a write leaves at once, that to a read
// when this node is known to be the owner still: see [Executor.SetUnheld].
//
// Only replies are held, and what stands between and behind them in the
// output of the same connection. What others are told of a change leaves at once: messages
// of MONITOR, of keyspace events, of PUBLISH, and invalidations, which are hints
// to look and not values.
//
// Invariant: nothing that stands in the output behind the hole of a hold is sent
// before its need is met.
type holds struct {
	need    replication.Need // of the batch at work
	hole    uint64           // before its first reply that is held
	isOpen  bool             // hole is in the output
	byHole  bool             // the connection has an event loop
	waits   bool             // End waits: an internal session that may block
	inParts bool             // the reply at work is captured, and has no place in the output yet
	lost    bool             // of an internal session: what it has answered must not be told

	ring         []hold // by number; a power of two
	oldest, next uint32 // numbers, which wrap

	limited bool // the client waits until no more than until are left
	until   int

	written *partitionSet // what the client has written to since WAIT has asked; nil: nothing
}

// hold is a batch whose replies are held.
type hold struct {
	hole uint64
	need replication.Need
}

const (
	// maxHolds is how many batches of a client may be held; from then on it waits
	// until half of them are let go.
	maxHolds = 256
	// keptHolds is the number of holds that a client keeps the room for.
	keptHolds = 16
	// lostEvery is how often it is logged that replies were lost.
	lostEvery = 10 * time.Second
)

// replicated is what an executor has to hold replies with.
type replicated struct {
	unheld atomic.Pointer[func(key []byte) bool] // see SetUnheld; nil: none is
	guards atomic.Bool                           // writes may be refused: see guard
	few    atomic.Uint64                         // writes refused, there being too few copies in sync
	behind atomic.Uint64                         // writes refused, the copies being too far behind
	acks   acks
	lost   atomic.Uint64 // connections and requests whose outcome is not known
	toldAt atomic.Int64  // when that was logged, monotonic

	counters *replication.Counters // of the node's streams; nil: there are none
}

// Replicate has replies wait for the copies of what they tell. Without it, or
// with nil, none do. counters are shown. To be called once, before the first
// request.
func (x *Executor) Replicate(l *replication.Logs, counters *replication.Counters) {
	x.replicated.counters = counters
	if x.logs = l; l != nil {
		l.Wake(&x.replicated.acks)
	}
}

// HoldReplies has replies of the session held by holes in its output rather than
// by waiting: its owner calls [Executor.LetGo]. To be called before the first
// request.
func (s *Session) HoldReplies() { s.holds.byHole = true }

// Held reports whether there are replies that LetGo may let go.
func (s *Session) Held() bool { return s.holds.oldest != s.holds.next }

// IsUnacknowledged reports whether [Executor.AwaitAcknowledged] has to be called
// before output is sent.
func (s *Session) IsUnacknowledged() bool { return !s.holds.byHole && s.holds.need.Any() }

// IsFull reports whether so many batches are held that the next has to wait, and
// has Holding report that. To be asked before a batch.
func (s *Session) IsFull() bool {
	if s.holds.len() < maxHolds {
		return false
	}
	s.holds.limit(maxHolds / 2)
	return true
}

// run executes a command that nothing speaks against, and sees to it that its
// reply is held if it has to be. With timed its own duration is measured;
// otherwise it shares that of its batch.
func (x *Executor) run(s *Session, cmd *Command, args [][]byte, timed bool) Outcome {
	if x.logs == nil {
		return x.runNow(s, cmd, args, timed)
	}
	return x.runHeld(s, cmd, args, timed)
}

func (x *Executor) runHeld(s *Session, cmd *Command, args [][]byte, timed bool) Outcome {
	mark := s.Out.Mark()
	s.fromCopy = false
	out := x.runNow(s, cmd, args, timed)
	if s.routes == nil || out == Park || out == Hold {
		return out
	}
	x.touched(s, cmd, args)
	if h := &s.holds; h.byHole && h.need.Any() && !h.isOpen && !h.inParts && !s.tx.running {
		h.hole, h.isOpen = s.Out.HoleAt(mark), true
	}
	return out
}

// touched adds to the need what the partitions of a request's keys have. Those of
// a request about all keys are added one by one: see sweepHere.
func (x *Executor) touched(s *Session, cmd *Command, args [][]byte) {
	switch k := &cmd.keys; k.form {
	case oneKeyAt:
		p := s.partition
		if s.tx.running {
			p = hashing.PartitionOf(args[k.at])
		}
		x.touch(s, cmd, p, args[k.at])
	case keysAt:
		for at, end := k.at, k.end(len(args)); at < end; at += k.step {
			x.touch(s, cmd, hashing.PartitionOf(args[at]), args[at])
		}
	case keysSought:
		for _, use := range cmd.keyUses(args) {
			x.touch(s, cmd, hashing.PartitionOf(args[use.At]), args[use.At])
		}
	}
}

func (x *Executor) touch(s *Session, cmd *Command, p int, key []byte) {
	if cmd.Flags&Write != 0 {
		s.holds.wrote(p)
	}
	if !s.routes.IsHere(p) {
		return
	}
	switch n := &s.holds.need; {
	case !x.isUnheld(key):
		x.logs.Add(n, p)
	case cmd.Flags&Write != 0:
		x.logs.Own(n, p)
	default:
		x.logs.Confirm(n, p)
	}
}

// holdAgain comes after output was taken back, which may have taken the hole.
func (h *holds) holdAgain(s *Session) {
	if h.isOpen && !s.Out.Has(h.hole) {
		h.hole = s.Out.Hole()
	}
}

// endHeld makes a hold of what the batch needs.
//
// REQUIRES: the session is outside, or does not wait.
func (x *Executor) endHeld(s *Session) {
	h := &s.holds
	switch {
	case h.waits:
		h.lost = !x.AwaitAcknowledged(s) || h.lost
		return
	case !h.byHole:
		return
	case !h.isOpen:
		// The reply was taken back: nothing is told.
		h.need.Recycle()
		return
	}
	h.isOpen = false
	if h.need.State() == replication.Met {
		s.Out.Lift(h.hole)
		h.need.Recycle()
		return
	}
	if h.len() == len(h.ring) {
		h.grow()
	}
	d := h.at(h.next)
	d.hole = h.hole
	d.need, h.need = h.need, d.need
	h.next++
}

// LetGo lets go of the replies that may be told by now: they can be sent. It
// reports false when some never may be; the session is of no use then. To be
// called by the session's goroutine, outside of Begin and End.
func (x *Executor) LetGo(s *Session) bool {
	h := &s.holds
	for h.oldest != h.next {
		d := h.at(h.oldest)
		switch d.need.State() {
		case replication.Open:
			return true
		case replication.Lost:
			x.tellLost()
			return false
		}
		s.Out.Lift(d.hole)
		d.need.Recycle()
		h.oldest++
	}
	if len(h.ring) > keptHolds {
		h.ring = nil
	}
	return true
}

// BeginTurn says that an event loop, or who reads the requests of another node,
// begins to execute some; see [replication.Logs.BeginTurn].
func (x *Executor) BeginTurn() {
	if x.logs != nil {
		x.logs.BeginTurn()
	}
}

// EndTurn ends what BeginTurn has begun.
func (x *Executor) EndTurn() {
	if x.logs != nil {
		x.logs.EndTurn()
	}
}

// AwaitAcknowledged waits until what the session has answered may be told. It
// reports false when it never may be, or the client is gone. To be called by the
// session's goroutine, outside of Begin and End.
func (x *Executor) AwaitAcknowledged(s *Session) bool {
	n := &s.holds.need
	state := n.State()
	if state == replication.Open {
		state = x.logs.Wait(n, s.wait.done)
	}
	n.Recycle()
	if state == replication.Lost {
		x.tellLost()
	}
	return state == replication.Met
}

// tellLost counts a client, or a request, whose replies were lost.
func (x *Executor) tellLost() {
	r := &x.replicated
	r.lost.Add(1)
	now, last := int64(x.clock.monotonic()), r.toldAt.Load()
	if x.hooks.Log == nil || last != 0 && now-last < int64(lostEvery) || !r.toldAt.CompareAndSwap(last, now) {
		return
	}
	x.hooks.Log("this node is not the owner of some partitions any more: what was not acknowledged by their copies is answered to nobody")
}

func (h *holds) len() int { return int(h.next - h.oldest) }

// underway returns how many holds there are, with that of the batch at work.
func (h *holds) underway() int {
	if h.need.Any() {
		return h.len() + 1
	}
	return h.len()
}

func (h *holds) at(number uint32) *hold { return &h.ring[number&uint32(len(h.ring)-1)] }

func (h *holds) grow() {
	old := h.ring
	h.ring = make([]hold, max(4, 2*len(old)))
	for n := h.oldest; n != h.next; n++ {
		*h.at(n) = old[n&uint32(len(old)-1)]
	}
}

// limit has the client wait until no more than n are left.
func (h *holds) limit(n int) { h.limited, h.until = true, n }

func (h *holds) holding() bool {
	if h.limited && h.underway() <= h.until {
		h.limited = false
	}
	return h.limited
}

// acks tells everybody who waits that something may have been acknowledged. It
// is the [replication.Waker] of an executor.
type acks struct {
	wakers atomic.Pointer[[]replication.Waker]
	asked  atomic.Bool // changed is not nil

	mu      sync.Mutex
	changed chan struct{} // GUARDED_BY(mu): closed when something may have been acknowledged
}

// Acknowledged implements [replication.Waker].
func (a *acks) Acknowledged() {
	if list := a.wakers.Load(); list != nil {
		for _, w := range *list {
			w.Acknowledged()
		}
	}
	if a.asked.Load() {
		a.mu.Lock()
		if a.changed != nil {
			close(a.changed)
		}
		a.changed = nil
		a.asked.Store(false)
		a.mu.Unlock()
	}
}

// next returns a channel that is closed when something may have been
// acknowledged since.
func (a *acks) next() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.changed == nil {
		a.changed = make(chan struct{})
		a.asked.Store(true)
	}
	return a.changed
}

// WakeOnAcknowledged has w told when replies may be let go: see [Executor.LetGo].
// It is told from any goroutine, must not block, and may be told once more after
// stop has returned. w must be comparable.
func (x *Executor) WakeOnAcknowledged(w replication.Waker) (stop func()) {
	a := &x.replicated.acks
	a.change(func(list []replication.Waker) []replication.Waker { return append(list, w) })
	return func() {
		a.change(func(list []replication.Waker) []replication.Waker {
			return slices.DeleteFunc(list, func(o replication.Waker) bool { return o == w })
		})
	}
}

func (a *acks) change(f func([]replication.Waker) []replication.Waker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []replication.Waker
	if old := a.wakers.Load(); old != nil {
		list = slices.Clone(*old)
	}
	list = f(list)
	a.wakers.Store(&list)
}
