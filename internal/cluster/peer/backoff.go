package peer

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// backoff is the pause between attempts to connect: none for the first attempt
// after a connection that has lived, then doubling from the shortest to the
// longest, each varied by half so that a cluster does not call in step.
type backoff struct {
	shortest, longest time.Duration
	current           time.Duration
	lastLived         bool
}

// lived is told how long a connection was up. A short life counts as a failed
// attempt: a node that accepts and hangs up is not called in a tight loop.
func (b *backoff) lived(d time.Duration) {
	if d >= b.longest {
		b.current, b.lastLived = 0, true
	}
}

// next returns the pause before the next attempt.
func (b *backoff) next() time.Duration {
	if b.lastLived {
		b.lastLived = false
		return 0
	}
	b.current = min(max(2*b.current, b.shortest), b.longest)
	return b.current/2 + rand.N(b.current/2+1)
}

// average is a moving average of durations; the zero value has none. Safe for
// concurrent use, although concurrent adds may lose one.
type average struct{ ns atomic.Int64 }

// averageWeight is how many values the average remembers, roughly.
const averageWeight = 8

func (a *average) add(ns int64) {
	old := a.ns.Load()
	if old == 0 {
		old = ns
	}
	a.ns.Store(max(1, old+(ns-old)/averageWeight))
}

func (a *average) value() time.Duration { return time.Duration(a.ns.Load()) }
