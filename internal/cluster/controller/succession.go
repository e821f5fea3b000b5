package controller

import "github.com/larder-cache/larder/internal/cluster"

// abandoned reports whether nobody waits for a dead node: it was told to leave, or
// has been dead for longer than the settings allow.
func (d *draft) abandoned(id cluster.NodeID) bool {
	if d.in.alive(id) {
		return false
	}
	state, known := d.states[id]
	return !known || state == cluster.Left || d.in.deadFor(id) >= d.in.Settings.RebalanceDelay
}

// followDead gives partitions of dead owners, and those that never had one, to
// another node, as far as that is time. With copies that is up to failOver. Without
// only a target that had caught up can follow; the entries of all other partitions
// died with the node. They are given up after the delay in which it may still come
// back (having been unreachable, it still has them).
func (d *draft) followDead() {
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
		switch {
		case d.caughtUp(p):
			d.presumed = append(d.presumed, owner)
			d.note(happening{kind: Inherited, partition: p, from: owner, to: d.view.Target(p)})
			d.set(p, r.Target, cluster.NoNode)
		case d.abandoned(owner):
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
