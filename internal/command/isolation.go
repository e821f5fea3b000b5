package command

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// isolation keeps everybody else out while a transaction runs. It is safe for
// concurrent use.
//
// A batch of requests is inside from Begin to End, except while it waits. As
// long as nobody uses transactions it only says so, in a word of its own
// session, and looks whether isolation is raised: two event loops share no
// cache line. Once an EXEC has raised it, a batch holds a lane as a reader, and
// EXEC holds all of them as the writer:
//
//  1. EXEC sets raised, then lists the sessions.
//  2. A batch sets its word, then reads raised. Either it sees it and takes a
//     lane instead, or its word was set before EXEC looks.
//  3. EXEC waits until every session listed has been seen outside once. From
//     then on whoever is inside holds a lane, and 1 to 3 need not be repeated
//     until isolation is lowered, some time after the last EXEC.
//
// Sessions off their event loop have a lane of their own, since they may hold
// it for long. EXEC takes that one first, and an event loop that cannot have it
// soon parks the client. The other lanes are held for no longer than a turn of
// an event loop.
//
// Lock order: aside, then lanes by number, before any other lock. Nobody inside
// waits for anything that needs a session to come in.
type isolation struct {
	_      [64]byte
	raised atomic.Bool // read by every batch
	_      [63]byte

	aside sync.RWMutex // the lane of sessions that may block; held as the writer it also is what one EXEC has at a time
	lanes [laneCount]lane

	unseen []*Session // GUARDED_BY(aside): inside since before isolation was raised
	last   time.Time  // GUARDED_BY(aside): end of the last transaction
}

// lane is a lock in a cache line of its own.
type lane struct {
	sync.RWMutex
	_ [40]byte
}

const (
	laneCount = 16
	// lowerAfter is for how long isolation stays raised after a transaction.
	lowerAfter = time.Second
	// patience is how often an event loop tries for what another one is about to
	// give up, some 10 us.
	patience = 64
)

// enter comes before the first request of a batch, and after a wait.
func (i *isolation) enter(s *Session) {
	active := &s.shared.active
	active.Store(active.Load() | 1)
	if i.raised.Load() {
		active.Store(active.Load() &^ 1)
		i.join(s)
	}
}

func (i *isolation) join(s *Session) {
	s.lane = &i.lanes[s.ID%laneCount].RWMutex
	if s.MayBlock {
		s.lane = &i.aside
	}
	s.lane.RLock()
}

// leave comes after the last request of a batch, and before a wait. now is when
// the client was active, Unix milliseconds.
func (i *isolation) leave(s *Session, now int64) {
	if s.lane != nil {
		s.lane.RUnlock()
		s.lane = nil
	}
	s.shared.active.Store(now << 1)
}

// exclude returns when no session but s is inside, and s neither: nobody comes
// in before readmit. It reports false, with s inside as before, when that could
// take long and s must not block.
func (i *isolation) exclude(x *Executor, s *Session) bool {
	i.leave(s, s.ctx.Now)
	if !i.claim(x, s) {
		i.enter(s)
		return false
	}
	for n := range i.lanes {
		i.lanes[n].Lock()
	}
	return true
}

// claim takes aside as the writer, at a time when everybody inside holds a lane.
func (i *isolation) claim(x *Executor, s *Session) bool {
	if s.MayBlock {
		for pause := 10 * time.Microsecond; ; pause = min(2*pause, time.Millisecond) {
			i.aside.Lock()
			if i.settled(x) {
				return true
			}
			i.aside.Unlock()
			time.Sleep(pause)
		}
	}
	for range patience {
		if i.aside.TryLock() {
			if i.settled(x) {
				return true
			}
			i.aside.Unlock()
		}
		runtime.Gosched()
	}
	return false
}

// settled raises isolation if need be and reports whether everybody inside
// holds a lane.
//
// REQUIRES: i.aside held as the writer.
func (i *isolation) settled(x *Executor) bool {
	if !i.raised.Load() {
		i.raised.Store(true)
		i.unseen = x.sessions.everything()
		i.last = time.Now()
		time.AfterFunc(lowerAfter, i.lower)
	}
	if len(i.unseen) > 0 {
		i.unseen = slices.DeleteFunc(i.unseen, func(s *Session) bool { return s.shared.active.Load()&1 == 0 })
	}
	return len(i.unseen) == 0
}

// readmit ends what exclude has begun; s is inside again.
func (i *isolation) readmit(s *Session) {
	i.last = time.Now()
	for n := range i.lanes {
		i.lanes[n].Unlock()
	}
	i.aside.Unlock()
	i.enter(s)
}

// lower makes batches go without lanes again when there was no transaction for
// some time; otherwise it comes back later. From raised on there is one of it
// under way.
func (i *isolation) lower() {
	if !i.aside.TryLock() {
		time.AfterFunc(lowerAfter, i.lower)
		return
	}
	defer i.aside.Unlock()
	if time.Since(i.last) < lowerAfter {
		time.AfterFunc(lowerAfter, i.lower)
		return
	}
	i.raised.Store(false)
	i.unseen = nil
}

// runApart is run for a command that looks at the whole keyspace for long,
// while others write: transactions need not wait for it either.
//
// REQUIRES: s.MayBlock.
func (x *Executor) runApart(s *Session, cmd *Command, args [][]byte, timed bool) Outcome {
	x.isolation.leave(s, s.ctx.Now)
	defer x.enter(s)
	s.apart = true
	defer func() { s.apart = false }()
	return x.run(s, cmd, args, timed)
}
