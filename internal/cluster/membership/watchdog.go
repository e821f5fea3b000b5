package membership

import (
	"context"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// Hearing is what a node notices of another one.
type Hearing struct {
	// Gone: its address refuses connections, so its process has ended.
	Gone bool
	// Silent is for how long nothing has been heard of it.
	Silent time.Duration
}

const (
	// silentAfter is from when on a node that cannot be heard counts as dead, as
	// far as promises make that safe.
	silentAfter = 300 * time.Millisecond
	// listenEvery is how often the watchdog looks.
	listenEvery = 50 * time.Millisecond
	// latePatience is how much longer than this goroutine was late a node may be
	// silent.
	latePatience = 4
	// deposeTimeout bounds one attempt to depose a controller.
	deposeTimeout = 500 * time.Millisecond
	// watchers is how many nodes listen to all others when no node is a
	// coordinator: who is elected then knows at once who is dead.
	watchers = 3
)

// watchdog listens to the other nodes: to all of them where this node may follow
// the controller, to the controller elsewhere. It deposes a controller that cannot
// be heard; being wrong about that costs an election. Only with copies is a dead
// node followed before its registration runs out, so only then it runs.
//
// A machine that is too busy to run this goroutine in time is too busy to hear:
// by as much as it is late, it is patient.
func (m *Member) watchdog() {
	tick := time.NewTicker(listenEvery)
	defer tick.Stop()
	var late time.Duration
	for before := m.now(); ; {
		select {
		case <-m.ctx.Done():
			return
		case <-tick.C:
		}
		now := m.now()
		late = max(now-before-listenEvery, late*15/16)
		before = now
		if m.listen(silentAfter + latePatience*late) {
			m.depose()
		}
	}
}

// listen notes who cannot be heard, and reports whether the controller is among
// them.
func (m *Member) listen(patience time.Duration) (deaf bool) {
	m.mu.Lock()
	v, leader := m.view, m.leader
	m.mu.Unlock()
	if v == nil || len(v.Nodes) < 2 {
		return false
	}
	all := leader == m.id || isWatcher(v, m.id)
	changed := false
	for i := range v.Nodes {
		n := &v.Nodes[i]
		if n.ID == m.id || n.State == cluster.Left || !all && n.ID != leader {
			continue
		}
		h := m.cfg.Peers.Hear(n)
		silent := h.Gone || h.Silent >= patience
		changed = m.hear(n.ID, silent) || changed
		deaf = deaf || silent && n.ID == leader
	}
	if changed {
		m.lead.nudge()
	}
	return deaf
}

// isWatcher reports whether a node is to listen to all others.
func isWatcher(v *cluster.View, id cluster.NodeID) bool {
	coordinators, before := 0, 0
	for i := range v.Nodes {
		n := &v.Nodes[i]
		if n.Coordinator {
			coordinators++
		}
		if n.ID < id && n.State == cluster.Active {
			before++
		}
	}
	if n := v.Node(id); n != nil && coordinators > 0 {
		return n.Coordinator
	}
	return before < watchers
}

// hear notes whether a node is silent, and reports whether that is new.
func (m *Member) hear(id cluster.NodeID, silent bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silent[id] == silent {
		return false
	}
	if silent {
		m.silent[id] = true
		m.log.Warn("a node cannot be heard", "node", id.Short())
	} else {
		delete(m.silent, id)
		m.log.Info("a node can be heard again", "node", id.Short())
	}
	return true
}

// depose ends the term of a controller that cannot be heard.
func (m *Member) depose() {
	m.mu.Lock()
	leader := m.leader
	m.mu.Unlock()
	if leader == "" || leader == m.id {
		return
	}
	ctx, cancel := context.WithTimeout(m.ctx, deposeTimeout)
	defer cancel()
	if err := m.cfg.Configuration.Depose(ctx, keyController, string(leader)); err != nil {
		if m.ctx.Err() == nil {
			m.log.Warn("the controller cannot be heard, and could not be deposed", "controller", leader.Short(), "reason", err)
		}
		return
	}
	m.log.Warn("the controller cannot be heard: another one is elected", "controller", leader.Short())
}
