package replication

import "sync/atomic"

// turns counts the event loops that are in the middle of a turn. What they write
// meanwhile leaves when a turn ends, in their own goroutine: to wake another for
// each effect would cost more than to send it.
//
// Invariant: what is queued is seen by the end of a turn, or its sender's own
// goroutine is woken: who queues notes it before it asks whether there is a turn,
// and a turn is over before it is asked what was noted.
type turns struct {
	under atomic.Int32 // way
	noted atomic.Bool  // something is queued in some outbox
}

// note says that something is queued, and reports whether the end of a turn will
// send it.
func (t *turns) note() bool {
	if t.under.Load() == 0 {
		return false
	}
	if !t.noted.Load() {
		t.noted.Store(true)
	}
	return t.under.Load() != 0
}

// BeginTurn says that an event loop begins to execute requests. EndTurn has to
// follow soon: what is written meanwhile, by whomever, may be sent only then.
func (l *Logs) BeginTurn() { l.turns.under.Add(1) }

// EndTurn ends what BeginTurn has begun: what was written meanwhile is sent. It
// does not wait.
func (l *Logs) EndTurn() {
	l.turns.under.Add(-1)
	if !l.turns.noted.Load() || !l.turns.noted.Swap(false) {
		return
	}
	if list := l.senders.Load(); list != nil {
		for _, s := range *list {
			if s.out.hot.Load() && s.out.hot.Swap(false) {
				s.flush()
			}
		}
	}
}
