package source

import "time"

// BreakerState says whether a source is asked.
type BreakerState uint8

const (
	// BreakerClosed: the source answers; every load may ask it.
	BreakerClosed BreakerState = iota
	// BreakerOpen: it failed repeatedly; nobody asks until the rest is over.
	BreakerOpen
	// BreakerHalfOpen: the rest is over; one probe asks, everybody else is
	// still refused.
	BreakerHalfOpen
)

// String returns closed, open or half-open.
func (s BreakerState) String() string {
	return [...]string{"closed", "open", "half-open"}[s]
}

// Breaker is a circuit breaker as a pure state machine: time and randomness
// come in as arguments. It is not safe for concurrent use; its [Gate] guards it.
// The zero value never opens.
type Breaker struct {
	failures int           // in a row that open it; 0: never opens
	openFor  time.Duration // shortest rest

	state BreakerState
	// Invariant: failed < failures while closed.
	failed int
	until  time.Time // end of the rest, while open
	// round rises with every change of state, so that what was admitted in an
	// earlier state cannot decide about a later one.
	round   uint64
	probing bool // the probe is on its way, while half-open
}

// breakerJitter is the largest part of the rest that is added at random, so
// that the nodes of a cluster do not probe in the same instant.
const breakerJitter = 0.2

// NewBreaker returns a closed breaker that opens after so many failures in a
// row, for openFor and up to a fifth more. Zero failures: it never opens.
func NewBreaker(failures int, openFor time.Duration) Breaker {
	return Breaker{failures: failures, openFor: openFor}
}

// Ticket is the admission of one load; it goes back with its outcome.
type Ticket struct{ round uint64 }

// Outcome is what a load says about its source.
type Outcome uint8

const (
	// OutcomeAnswered: the source works, whatever it said.
	OutcomeAnswered Outcome = iota
	// OutcomeFailed: it could not be reached or did not answer.
	OutcomeFailed
	// OutcomeUnknown: the load ended before the source could tell.
	OutcomeUnknown
)

// State returns the state at time now.
func (b *Breaker) State(now time.Time) BreakerState {
	if b.state == BreakerOpen && !now.Before(b.until) {
		return BreakerHalfOpen
	}
	return b.state
}

// WouldAdmit tells whether Admit would succeed, without taking the probe.
func (b *Breaker) WouldAdmit(now time.Time) bool {
	switch b.State(now) {
	case BreakerOpen:
		return false
	case BreakerHalfOpen:
		return !b.probing
	}
	return true
}

// Admit asks to use the source. A ticket must come back through Report.
func (b *Breaker) Admit(now time.Time) (Ticket, bool) {
	if !b.WouldAdmit(now) {
		return Ticket{}, false
	}
	if b.state == BreakerOpen {
		b.become(BreakerHalfOpen)
	}
	b.probing = b.state == BreakerHalfOpen
	return Ticket{b.round}, true
}

// Report returns a ticket. jitter is random in [0, 1). It tells whether the
// breaker opened by it.
func (b *Breaker) Report(t Ticket, o Outcome, now time.Time, jitter float64) (opened bool) {
	if t.round != b.round || b.failures == 0 {
		return false
	}
	b.probing = false
	switch o {
	case OutcomeAnswered:
		b.failed = 0
		if b.state == BreakerHalfOpen {
			b.become(BreakerClosed)
		}
	case OutcomeFailed:
		b.failed++
		if b.state == BreakerHalfOpen || b.failed >= b.failures {
			rest := float64(b.openFor) * (1 + breakerJitter*jitter)
			b.until = now.Add(time.Duration(rest))
			b.become(BreakerOpen)
			return true
		}
	}
	return false
}

func (b *Breaker) become(s BreakerState) {
	b.state = s
	b.round++
	b.failed = 0
	b.probing = false
}
