package controller

import (
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// Succession says who follows the dead owner of a partition.
type Succession func(Bereaved) Verdict

// Bereaved is a partition whose owner is dead.
type Bereaved struct {
	Partition int
	View      *cluster.View
	// DeadFor is how long the owner has been dead. Abandoned: nobody waits for
	// it; it was told to leave, or an operator has given it up, or it was dead
	// for longer than the settings allow.
	DeadFor   time.Duration
	Abandoned bool
	// CaughtUp is the living target that has all but the last writes, NoNode
	// when there is none.
	CaughtUp int16
}

// Verdict says what becomes of a bereaved partition.
type Verdict struct {
	// Heir takes over with what it has. NoNode: see Lost.
	Heir int16
	// Lost: nobody has the partition's entries; who should own it by the ring
	// begins with none. Otherwise, and without an heir, the partition waits for
	// its owner.
	Lost bool
}

// WithoutReplicas is the succession in a cluster that keeps one copy of a
// partition: only a target that had caught up can follow. The entries of all
// other partitions died with the node; they are given up after the delay in
// which it may still come back (having been unreachable, it still has them).
func WithoutReplicas(b Bereaved) Verdict {
	if b.CaughtUp != cluster.NoNode {
		return Verdict{Heir: b.CaughtUp}
	}
	return Verdict{Heir: cluster.NoNode, Lost: b.Abandoned}
}

// abandoned reports whether nobody waits for a dead node.
func (d *draft) abandoned(id cluster.NodeID) bool {
	if d.in.alive(id) {
		return false
	}
	state, known := d.states[id]
	return !known || state == cluster.Left || d.in.deadFor(id) >= d.in.Settings.RebalanceDelay
}

// followDead gives partitions of dead owners, and those that never had one, to
// another node, as far as that is time.
func (d *draft) followDead() {
	succession := d.in.Succession
	if succession == nil {
		succession = WithoutReplicas
	}
	for p := range d.view.Rows {
		r := &d.view.Rows[p]
		if r.Owner == cluster.NoNode {
			d.orphans = append(d.orphans, p)
			continue
		}
		if d.touched[p] || len(r.InSync) > 0 {
			continue
		}
		if d.in.Settings.Replicas == 0 && d.in.alive(d.view.Owner(p)) || d.in.Settings.Replicas > 0 && !d.bereaved(p) {
			continue
		}
		if d.in.Settings.Replicas > 0 {
			d.unserved(p, false)
			continue
		}
		owner := d.view.Owner(p)
		b := Bereaved{Partition: p, View: d.view, DeadFor: d.in.deadFor(owner), Abandoned: d.abandoned(owner), CaughtUp: cluster.NoNode}
		if d.caughtUp(p) {
			b.CaughtUp = r.Target
		}
		switch v := succession(b); {
		case v.Heir != cluster.NoNode:
			d.presumed = append(d.presumed, owner)
			d.note(happening{kind: Inherited, partition: p, from: owner, to: d.view.Nodes[v.Heir].ID})
			d.set(p, v.Heir, cluster.NoNode)
		case v.Lost:
			d.orphans = append(d.orphans, p)
		case d.view.Streaming(p):
			d.giveUp(p, "the source is dead")
		}
	}
	d.place()
	for _, p := range d.orphans {
		heir := d.heir(p)
		if heir == cluster.NoNode {
			continue // nobody is there
		}
		to := d.view.Nodes[heir].ID
		if d.view.Rows[p].Owner == cluster.NoNode {
			d.note(happening{kind: Assigned, partition: p, to: to})
		} else {
			if d.in.Settings.Replicas == 0 && len(d.view.Rows[p].InSync) == 0 { // otherwise see unserved
				d.presumed = append(d.presumed, d.view.Owner(p))
			}
			d.note(happening{kind: Lost, partition: p, from: d.view.Owner(p), to: to})
		}
		if r := &d.view.Rows[p]; r.Owner == heir {
			if len(r.Replicas) == 0 {
				continue // it has nothing to begin anew from
			}
			r.Owner = cluster.NoNode // it begins anew, as another would
		}
		d.set(p, heir, cluster.NoNode)
	}
}

// heir returns who gets a partition that nobody has: the ring's choice when it
// is alive, or who lives and owns least.
func (d *draft) heir(p int) int16 {
	if d.want == nil {
		return cluster.NoNode
	}
	not := int16(cluster.NoNode) // an owner that has nothing does not follow itself
	if r := &d.view.Rows[p]; len(r.Replicas) == 0 {
		not = r.Owner
	}
	if at := d.want[p]; at != cluster.NoNode && d.lives[at] && at != not {
		return at
	}
	best, owned := int16(cluster.NoNode), d.view.Owned()
	for at := range d.view.Nodes {
		n := &d.view.Nodes[at]
		if !d.active(n.ID) || !d.lives[at] || int16(at) == not || n.Weight == 0 {
			continue
		}
		if best == cluster.NoNode || owned[at]*int(d.view.Nodes[best].Weight) < owned[best]*int(n.Weight) {
			best = int16(at)
		}
	}
	return best
}
