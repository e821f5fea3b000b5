package membership

import (
	"context"
	"fmt"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/replication"
)

var _ replication.Guard = (*Member)(nil)

// viewPatience is for how long a batch waits until this node knows of a move
// that its sender knows of already.
const viewPatience = 2 * time.Second

// Incoming implements [replication.Guard]. When it reports true the partition
// does not become active before Applied. It goes by the view in force: by one
// that the agent has not acted on yet, the agent could drop what is stored.
func (m *Member) Incoming(p int, from string, version uint64) bool {
	m.mu.Lock()
	v := m.routed.view
	m.mu.Unlock()
	if version > 0 && (v == nil || v.Version < version) {
		ctx, cancel := context.WithTimeout(m.ctx, viewPatience)
		defer cancel()
		if m.AwaitView(ctx, version) != nil {
			return false
		}
		m.mu.Lock()
		v = m.routed.view
		m.mu.Unlock()
	}
	return v != nil && m.takes(v, p, cluster.NodeID(from))
}

// takes reports whether this node is to store what another sends of a partition;
// if so arriving is held as a reader.
func (m *Member) takes(v *cluster.View, p int, from cluster.NodeID) bool {
	m.arriving.RLock()
	r := &v.Rows[p]
	switch {
	case v.Owner(p) == from && (v.Target(p) == m.id || hasNode(v, r.Replicas, m.id)):
	case v.Arriving(p) && hasNode(v, r.Replicas, from) && hasNode(v, r.Replicas, m.id):
		// The last effects of the former owner: it hands over when they are here.
	case v.Owner(p) == m.id && v.Arriving(p) && !m.has.arrived(p, r.Epoch):
	default:
		m.arriving.RUnlock()
		return false
	}
	if m.has.get(p) == nothing {
		m.awaitDropped(p)
		m.has.set(p, incoming)
	}
	return true
}

// Applied implements [replication.Guard].
func (m *Member) Applied() { m.arriving.RUnlock() }

// Differs implements [replication.Guard]. Of many differences some are logged, the
// counters have all.
func (m *Member) Differs(d replication.Difference) {
	if m.told.Allow() {
		m.log.Error("a copy differs from what its owner has, and is made anew",
			"partition", d.Partition, "owner", cluster.NodeID(d.Owner).Short(), "database", d.DB,
			"hashes", fmt.Sprintf("%08x-%08x", d.From, d.Last), "entries", d.Has.Entries, "owner_entries", d.Want.Entries)
	}
}

// HandedOver implements [replication.Guard]. What the former owner says is right
// whenever it comes: under that epoch it writes no more.
func (m *Member) HandedOver(p int, _ string, _, epoch uint64) error {
	m.arriving.Lock()
	m.has.handedOver(p, cluster.Epoch(epoch))
	m.arriving.Unlock()
	m.nudge()
	return nil
}
