package command

import (
	"context"
	"sync"
	"time"
)

// waitState lets others end the waiting of one client: CLIENT UNBLOCK wakes the
// command at work, Interrupt every one from then on.
type waitState struct {
	once sync.Once
	done chan struct{} // closed by stop

	mu      sync.Mutex
	waiting bool              // GUARDED_BY(mu): wake is the way to end it
	wake    chan unblockCause // capacity 1
}

type unblockCause uint8

const (
	unblockTimeout unblockCause = iota
	unblockError
)

func (w *waitState) init() {
	w.done = make(chan struct{})
	w.wake = make(chan unblockCause, 1)
}

func (w *waitState) stop() { w.once.Do(func() { close(w.done) }) }

// unblock ends a wait that allows it and reports whether there was one.
func (w *waitState) unblock(cause unblockCause) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.waiting {
		return false
	}
	w.waiting = false
	w.wake <- cause
	return true
}

// waitResult says why a wait has ended.
type waitResult uint8

const (
	waitElapsed waitResult = iota // time is up
	waitReady                     // what was waited for has happened
	waitUnblock                   // CLIENT UNBLOCK TIMEOUT
	waitError                     // CLIENT UNBLOCK ERROR
	waitGone                      // the client is gone
)

// waitFor is block for what is not the command's own time.
func (s *Session) waitFor(x *Executor, ready <-chan struct{}, d time.Duration, unblockable bool) waitResult {
	begun := x.clock.monotonic()
	result := s.block(x, ready, d, unblockable)
	s.local.wait(x.clock.monotonic() - begun)
	return result
}

// block waits until ready is closed, d has passed (zero: for ever), the client
// is unblocked (when others may do so) or gone.
//
// REQUIRES: s.MayBlock.
func (s *Session) block(x *Executor, ready <-chan struct{}, d time.Duration, unblockable bool) waitResult {
	w := &s.wait
	if unblockable {
		w.mu.Lock()
		w.waiting = true
		w.mu.Unlock()
		defer func() {
			w.mu.Lock()
			w.waiting = false
			select {
			case <-w.wake:
			default:
			}
			w.mu.Unlock()
		}()
	}
	s.shared.blocked.Store(true)
	x.blocked.Add(1)
	if !s.tx.running {
		x.isolation.leave(s, s.ctx.Now)
		defer x.enter(s)
	}
	defer func() {
		s.shared.blocked.Store(false)
		x.blocked.Add(-1)
	}()
	var elapsed <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		elapsed = t.C
	}
	select {
	case <-ready:
		return waitReady
	case <-elapsed:
		return waitElapsed
	case cause := <-w.wake:
		if cause == unblockError {
			return waitError
		}
		return waitUnblock
	case <-w.done:
		return waitGone
	}
}

// lifetime is the context of what is done on behalf of a client: it ends when
// the client does.
type lifetime struct{ done chan struct{} }

// Deadline implements [context.Context]: there is none.
func (lifetime) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements [context.Context].
func (l lifetime) Done() <-chan struct{} { return l.done }

// Err implements [context.Context].
func (l lifetime) Err() error {
	select {
	case <-l.done:
		return context.Canceled
	default:
		return nil
	}
}

// Value implements [context.Context]: there are none.
func (lifetime) Value(any) any { return nil }
