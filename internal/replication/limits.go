package replication

import (
	"fmt"
	"slices"
	"time"
)

// Limits say when a node is given up that does not keep up with this one: its
// copies fail, the view is without them, and nothing waits for it any more.
type Limits struct {
	// Timeout is for how long a node whose acknowledgements count may owe one:
	// beyond that it is given up when meanwhile it has acknowledged nothing, and
	// after lateFor times as long when it acknowledges, but always later than
	// that. Not zero.
	Timeout time.Duration
	// Backlog is how many bytes of changes may be queued for one node beside what
	// is under way to it. Not zero.
	Backlog int
}

// DefaultLimits returns 300 ms and 256 MiB.
func DefaultLimits() Limits { return Limits{Timeout: 300 * time.Millisecond, Backlog: 256 << 20} }

const (
	// lateFor is for how many time-outs every acknowledgement may come late.
	lateFor = 4
	// slowestLink is how many bytes per second every link is expected to carry: a
	// batch may take as much longer than the time-out as it takes at this speed.
	slowestLink = 64 << 20
)

// SetLimits replaces the limits, which are the default ones at first.
func (l *Logs) SetLimits(limits Limits) { l.limits.Store(&limits) }

// Limits returns those in force.
func (l *Logs) Limits() Limits { return *l.limits.Load() }

// Judge ends the stream when the node is late, and returns why the stream has
// ended: [ErrLate] for one. Nil: it works. late is by how much this process, too,
// is late with what it does, which is forgiven. It is to be called every few
// milliseconds, by one goroutine.
//
// Only a node whose acknowledgements count is late: one that is learning makes
// nobody wait, and its changes are bounded by Limits.Backlog.
func (s *Sender) Judge(late time.Duration) error {
	s.mu.Lock()
	err, first, moved, idle := s.err, s.flight[(s.acked+1)%maxInFlight], s.moved, s.sent == s.acked
	s.mu.Unlock()
	if err != nil {
		return err
	}
	now := s.cfg.Logs.now()
	allowed := s.cfg.Logs.Limits().Timeout + late + time.Duration(first.bytes)*time.Second/slowestLink
	if idle || now-first.sent <= allowed || !s.isRequired() {
		s.punctual = now
		return nil
	}
	switch silent := now - max(moved, first.sent); {
	case silent > allowed:
		err = fmt.Errorf("%w: nothing for %v", ErrLate, silent.Round(time.Millisecond))
	case now-s.punctual > lateFor*allowed:
		err = fmt.Errorf("%w: each later than after %v", ErrLate, allowed.Round(time.Millisecond))
	default:
		return nil
	}
	s.cfg.Counters.Late.Add(1)
	s.fail(err)
	return s.Err()
}

// isRequired reports whether an acknowledgement of the node counts.
func (s *Sender) isRequired() bool {
	return slices.ContainsFunc(s.Copies(), func(c *Copy) bool { return slices.Contains(*c.log.required.Load(), c) })
}

// bound ends the stream when too much is queued. It is called under the lock of
// a shard, so others do that.
func (s *Sender) bound(queued int) {
	if queued <= s.cfg.Logs.Limits().Backlog {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.isOver {
		return
	}
	s.isOver = true
	s.done.Add(1) // nobody waits yet: who does has set err
	go func() {
		defer s.done.Done()
		s.cfg.Counters.Overrun.Add(1)
		s.fail(ErrOverrun)
	}()
}
