package membership

import (
	"maps"
	"slices"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// A node that is cut off from most others
//
// The others have taken over, or will, what it owns. It knows nothing of that, and
// could neither acknowledge a write nor answer a read: who asks it is told so at
// once, rather than after the time-out of the link or of the client. What it owns
// together with nodes that it hears, it serves.

// cutOffAfter is for how long a node has been lonely until it believes to be cut off.
const cutOffAfter = 200 * time.Millisecond

// noteLonely notes at each look of the watchdog whether this node is lonely: it
// hears less than half of the nodes, or unanswered says that it hears neither the
// controller nor anybody who could be asked about that. In either case it listens to
// all others, which decides.
func (m *Member) noteLonely(unanswered bool) {
	now, alone := m.now(), m.alone()
	switch {
	case !alone && !unanswered:
		m.lonelySince = 0
	case m.lonelySince == 0:
		m.lonelySince = now
	}
	m.mu.Lock()
	was, missed := m.missed, []cluster.NodeID(nil)
	if alone && now-m.lonelySince >= cutOffAfter {
		missed = slices.Sorted(maps.Keys(m.sounds))
	}
	m.missed = missed
	m.mu.Unlock()
	switch {
	case was == nil && missed != nil:
		m.log.Warn("this node hears less than half of the nodes: it answers nothing that takes the others")
	case was != nil && missed == nil:
		m.log.Info("this node hears the others again")
	}
	if !slices.Equal(was, missed) {
		m.nudge()
	}
}

// cutOffFrom returns the nodes that this one is cut off from, nil when it is not.
func (m *Member) cutOffFrom() []cluster.NodeID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.missed
}

// dropMissed ends what waits for the nodes that this one is cut off from.
func (m *Member) dropMissed(v *cluster.View, missed []cluster.NodeID) {
	if slices.Equal(m.routed.missed, missed) {
		return
	}
	m.routed.missed = missed
	names := make([]string, len(missed))
	for i, id := range missed {
		names[i] = string(id)
		if n := v.Node(id); n != nil {
			m.cfg.Peers.Abandon(n)
		}
	}
	m.logs.Miss(names)
}
