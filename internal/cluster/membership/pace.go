package membership

import (
	"errors"
	"maps"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/replication"
)

// keepPace gives nodes up that do not acknowledge in time, so that what waits for
// them goes on: see [replication.Limits]. It is apart from the watchdog, which
// waits for the configuration service at times.
func (m *Member) keepPace() {
	m.patiently(func(patience time.Duration) {
		if m.isDeaf() {
			return
		}
		m.moves.mu.Lock()
		senders := maps.Clone(m.moves.senders)
		m.moves.mu.Unlock()
		for id, sender := range senders {
			if err := sender.Judge(patience); errors.Is(err, replication.ErrLate) || errors.Is(err, replication.ErrOverrun) {
				m.giveUp(id, sender, err)
			}
		}
	})
}

// giveUp ends the stream to a node that has not kept up, and lets it rest.
func (m *Member) giveUp(id cluster.NodeID, sender *replication.Sender, why error) {
	s := &m.moves
	s.mu.Lock()
	if s.senders[id] != sender {
		s.mu.Unlock()
		return
	}
	delete(s.senders, id)
	r := s.rests[id].next(m.now())
	s.rests[id] = r
	s.mu.Unlock()
	m.goes(sender.Close)
	m.log.Warn("a node does not keep up: its copies are given up, and begin anew later", "node", id.Short(), "reason", why, "rests", r.pause)
}

// rest is the time in which a node that was given up gets no copy.
type rest struct {
	pause time.Duration // the last one
	until time.Duration // by Member.now
}

// The shortest and the longest rest.
const (
	firstRest = time.Second
	lastRest  = time.Minute
)

// next returns the rest that follows when a node is given up: twice as long as
// the last one, the shortest when that has ended long ago.
func (r rest) next(now time.Duration) rest {
	pause := min(2*r.pause, lastRest)
	if r.pause == 0 || now > r.until+lastRest {
		pause = firstRest
	}
	return rest{pause, now + pause}
}

// isResting reports whether a node rests.
func (s *moves) isResting(id cluster.NodeID, now time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now < s.rests[id].until
}
