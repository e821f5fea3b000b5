package server

import (
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/resp"
)

// Prefetcher is an [Executor] that wants to hear of keys some time before the
// requests that name them, so that what it knows of them is at hand by then.
type Prefetcher interface {
	// Soon is called with a key that a request will name, a few requests before.
	Soon(s *command.Session, key []byte) command.Ahead
	// Sooner is called with the same some requests later.
	Sooner(s *command.Session, a command.Ahead)
	// Next is called before the request itself is executed.
	Next(s *command.Session, a command.Ahead)
}

// lookahead goes through a pipeline of requests some steps before they are
// executed. The zero value looks at nothing.
//
// Invariant: the next queued requests of the buffer have been looked at, and
// at is where the one behind them begins; the newest elements of keys are theirs.
type lookahead struct {
	exec   Prefetcher // nil: do not look
	at     int
	queued int
	newest uint32
	keys   [aheadRing]command.Ahead
}

const (
	// aheadSteps is how many requests are looked at before one is executed: as
	// many loads of memory as a processor core keeps under way.
	aheadSteps = 10
	// aheadHalf is how many steps after the first look the second one comes.
	aheadHalf = 5
	aheadRing = 16 // a power of two, larger than aheadSteps
	// aheadFrom is the input, in bytes, from which on looking ahead is worth it.
	aheadFrom = 192
)

// look is called before the request at used is executed.
func (a *lookahead) look(s *command.Session, buf []byte, used int) {
	if a.exec == nil || len(buf)-used < aheadFrom && a.queued == 0 {
		return
	}
	if a.queued == 0 {
		a.at = used
	}
	for a.queued < aheadSteps {
		key, n := resp.Glance(buf[a.at:])
		if n == 0 {
			break
		}
		a.newest++
		a.keys[a.newest%aheadRing] = a.exec.Soon(s, key)
		a.at += n
		a.queued++
		a.exec.Sooner(s, a.keys[(a.newest-aheadHalf)%aheadRing])
	}
	if a.queued > 0 {
		a.queued--
		a.exec.Next(s, a.keys[(a.newest-uint32(a.queued))%aheadRing])
	}
}
