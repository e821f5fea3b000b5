package loadgen

import (
	"errors"
	"math"
	"sync/atomic"
	"time"
)

// clock counts nanoseconds since an arbitrary start, monotonically.
type clock struct{ base time.Time }

func newClock() clock      { return clock{time.Now()} }
func (c clock) now() int64 { return int64(time.Since(c.base)) }
func unlimited(n int64) int64 { // 0 is no limit
	if n == 0 {
		return math.MaxInt64
	}
	return n
}

// phase is what all workers do together for a while.
type phase struct {
	name     Phase
	clock    clock
	begin    int64  // by clock
	deadline int64  // by clock; MaxInt64 is none
	budget   uint64 // requests of all workers; MaxUint64 is no limit
	rate     float64
	arrivals Arrivals
	pipeline int
	timeout  int64 // ns
	stop     atomic.Bool
}

// worker drives some sessions from one goroutine. Everything in it belongs to
// that goroutine while a phase runs, except done.
type worker struct {
	sessions []*session
	gen      *generator
	tally    *tally
	poll     *poller // nil for the blocking driver

	budget   uint64 // requests that may still be sent
	gap      float64
	due      float64 // intended start of the next request, ns of the clock
	draining bool

	_    [64]byte // done is read by the progress goroutine
	done atomic.Uint64
	_    [64]byte
}

// errStalled ends a run whose server has stopped answering.
var errStalled = errors.New("the server has stopped answering")

// errNoConnection ends a run that has lost its last connection.
var errNoConnection = errors.New("all connections are broken")

// prepare readies worker id of several for a phase.
func (w *worker) prepare(ph *phase, id, workers int) {
	w.done.Store(0)
	w.draining = false
	w.budget = ph.budget
	if ph.budget != math.MaxUint64 {
		lo, hi := share(ph.budget, id, workers)
		w.budget = hi - lo
	}
	if ph.rate > 0 {
		w.gap = float64(workers) / ph.rate * 1e9
		w.due = float64(ph.begin) + w.gap*float64(id)/float64(workers)
	}
}

// advance moves to the intended start of the request after the next.
func (w *worker) advance(ph *phase) {
	if ph.arrivals == Poisson {
		w.due += w.gap * w.gen.rnd.ExpFloat64()
		return
	}
	w.due += w.gap
}

// maybeDrain stops sending when the phase is over. In an open loop the requests
// whose start has passed, but for which no connection was free, are the
// backlog: they are charged with the time they have waited.
func (w *worker) maybeDrain(ph *phase, now int64) {
	if w.draining || (w.budget > 0 && now < ph.deadline && !ph.stop.Load()) {
		return
	}
	w.drain(ph, now)
}

// drain stops sending at now, and charges the backlog of an open loop.
func (w *worker) drain(ph *phase, now int64) {
	if w.draining {
		return
	}
	w.draining = true
	if ph.rate == 0 {
		return
	}
	end := min(now, ph.deadline)
	for ; w.budget > 0 && int64(w.due) < end; w.advance(ph) {
		w.tally.unsent++
		w.tally.record(uint16(w.gen.op()), now-int64(w.due), 1)
		w.budget--
	}
}

// publish shows the progress goroutine how far the worker is.
func (w *worker) publish() { w.done.Store(w.tally.requests) }

// drop takes a session that failed with err out of the run.
func (w *worker) drop(s *session, err error, now int64) {
	w.tally.fault([]byte(err.Error()))
	s.abandon(now, w.tally)
	w.tally.dropped++
}

// alive returns the number of sessions that are not broken.
func (w *worker) alive() int {
	n := 0
	for _, s := range w.sessions {
		if !s.broken {
			n++
		}
	}
	return n
}

// giveUp ends a phase that cannot go on: what is in flight is abandoned, the
// backlog charged.
func (w *worker) giveUp(ph *phase, now int64) {
	for _, s := range w.sessions {
		if s.inflight > 0 {
			s.abandon(now, w.tally)
		}
	}
	w.drain(ph, now)
	w.publish()
}
