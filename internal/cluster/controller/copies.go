package controller

import (
	"slices"

	"github.com/larder-cache/larder/internal/cluster"
)

// watch notes which rows have changed since the last decision. Of a view that
// this controller sees for the first time all count as having changed.
func (d *draft) watch() {
	seen, now := d.seen, d.in.View
	if now == nil {
		return
	}
	if seen != nil && now.Version > seen.Version+1 {
		seen = nil // somebody else has written one in between
	}
	sameNodes := seen != nil && slices.EqualFunc(seen.Nodes, now.Nodes, func(a, b cluster.Node) bool { return a.ID == b.ID })
	for p := range now.Rows {
		if seen == nil || !sameRow(seen, now, p, sameNodes) {
			d.changedIn[p], d.changedAt[p] = now.Version, d.in.Now
		}
	}
	d.Controller.seen = now
}

func sameRow(a, b *cluster.View, p int, sameNodes bool) bool {
	if sameNodes {
		return a.Rows[p].Equal(&b.Rows[p])
	}
	return a.Rows[p].Epoch == b.Rows[p].Epoch && slices.Equal(holders(a, p), holders(b, p))
}

// holders lists who has what of a partition: its owner, its target, the nodes in
// sync and the learners, with nobody between one sort and the next.
func holders(v *cluster.View, p int) []cluster.NodeID {
	r := &v.Rows[p]
	list := []cluster.NodeID{v.Owner(p), v.Target(p)}
	for _, at := range r.InSync {
		list = append(list, v.Nodes[at].ID)
	}
	list = append(list, "")
	for _, at := range r.Replicas {
		list = append(list, v.Nodes[at].ID)
	}
	return list
}

// copyOf returns what the owner of a partition says of its copy to a node, nil:
// nothing that counts. What it says by a view in which the row was another one is
// of an earlier copy.
func (d *draft) copyOf(said *Report, p int, id cluster.NodeID) *CopyOf {
	if said.View < d.changedIn[p] {
		return nil
	}
	for _, i := range d.said[p] {
		c := &said.Copies[i]
		if c.Node == id && c.Epoch == d.view.Rows[p].Epoch {
			return c
		}
	}
	return nil
}

// hear sorts what owners report of their copies, and of what they have nothing
// of, by partition.
func (d *draft) hear() {
	for at := range d.view.Nodes {
		r, ok := d.in.report(d.view.Nodes[at].ID)
		if !ok {
			continue
		}
		owns := func(p int) bool { return p >= 0 && p < cluster.Partitions && d.view.Rows[p].Owner == int16(at) }
		for _, e := range r.Empty {
			if owns(e.Partition) {
				d.empty[e.Partition] = e.Epoch
			}
		}
		for i := range r.Copies {
			if p := r.Copies[i].Partition; owns(p) {
				d.said[p] = append(d.said[p], i)
			}
		}
	}
}

// settleCopies follows what became of the copies of partitions whose owner is
// there: those that have failed, or whose node is dead, leave at once, so that
// nothing waits for them; a learner that has caught up is in sync.
//
// Invariant: the copies of a partition whose owner is dead do not change before
// one of them follows.
// Invariant: a node gets in sync only by the word of the owner on the process that
// is alive, given in a view in which the row was what it is.
func (d *draft) settleCopies() {
	for p := range d.view.Rows {
		r := &d.view.Rows[p]
		if len(r.Replicas) == 0 || d.touched[p] || d.view.Arriving(p) || d.bereaved(p) {
			continue
		}
		said, _ := d.in.report(d.view.Owner(p))
		var replicas, inSync []int16
		fenced := false
		for _, at := range r.Replicas {
			id := d.view.Nodes[at].ID
			was := slices.Contains(r.InSync, at)
			switch c := d.copyOf(&said, p, id); {
			case !d.in.reachable(id):
				d.leave(p, id, "it is dead")
			case c != nil && c.Stage == Failed:
				fenced = fenced || c.Fenced
				d.leave(p, id, c.Reason)
			case was:
				replicas, inSync = append(replicas, at), append(inSync, at)
			case c != nil && c.Stage == CaughtUp && c.Incarnation == d.in.Alive[id].Incarnation:
				replicas, inSync = append(replicas, at), append(inSync, at)
				d.note(happening{kind: Synced, partition: p, to: id})
			default:
				replicas = append(replicas, at)
			}
		}
		if slices.Equal(replicas, r.Replicas) && slices.Equal(inSync, r.InSync) {
			continue
		}
		d.touch(p)
		r.Replicas, r.InSync = replicas, inSync
		if fenced {
			// What has promised an epoch takes nothing of a lower one, also as a
			// learner: a failover was begun and not ended.
			r.Epoch++
		}
	}
}

// leave notes that a copy ends against everyone's will, and lets the partition
// rest before the next.
func (d *draft) leave(p int, id cluster.NodeID, why string) {
	d.note(happening{kind: Unsynced, partition: p, to: id, why: why})
	d.rest(p)
}

// dropSurplus takes copies away that nobody wants: learners at once, others when
// all that are wanted are in sync.
func (d *draft) dropSurplus() {
	if d.want == nil {
		return
	}
	for p := range d.view.Rows {
		r := &d.view.Rows[p]
		if len(r.Replicas) == 0 || d.touched[p] || r.Target != cluster.NoNode || d.bereaved(p) {
			continue
		}
		wanted := d.copies(p)
		complete := true
		for _, at := range wanted {
			complete = complete && (at == r.Owner || slices.Contains(r.InSync, at))
		}
		surplus := func(at int16) bool {
			return !slices.Contains(wanted, at) && (complete || d.in.Settings.Replicas == 0 || !slices.Contains(r.InSync, at))
		}
		if !slices.ContainsFunc(r.Replicas, surplus) {
			continue
		}
		d.touch(p)
		for _, at := range r.Replicas {
			if surplus(at) {
				d.note(happening{kind: Dropped, partition: p, to: d.view.Nodes[at].ID})
			}
		}
		r.Replicas, r.InSync = slices.DeleteFunc(r.Replicas, surplus), slices.DeleteFunc(r.InSync, surplus)
	}
}

// copies returns the nodes that should have a partition, the owner among them;
// none that should have it without anybody keeping copies.
func (d *draft) copies(p int) []int16 {
	if d.in.Settings.Replicas == 0 {
		return nil
	}
	return d.wantCopies[p]
}

// missing lists the copies that are wanted and not begun.
func (d *draft) missing() (moves []move) {
	for p := range d.view.Rows {
		r := &d.view.Rows[p]
		if d.want == nil || r.Owner == cluster.NoNode || r.Target != cluster.NoNode || d.bereaved(p) {
			continue
		}
		for _, at := range d.copies(p) {
			if at == r.Owner || at == d.want[p] || slices.Contains(r.Replicas, at) || !d.lives[at] {
				continue // the one that is to own it is a move
			}
			m := move{partition: p, to: at, urgency: balance}
			if len(r.InSync) < d.in.Settings.Replicas {
				m.urgency = protecting
			}
			moves = append(moves, m)
		}
	}
	return moves
}

// advance takes a move, or a copy, one step further, and reports whether it did.
// With copies a partition moves in two: the node becomes one in sync, and then
// the owner.
func (d *draft) advance(m move) bool {
	r := &d.view.Rows[m.partition]
	from, to := d.view.Owner(m.partition), d.view.Nodes[m.to].ID
	switch {
	case d.in.Settings.Replicas == 0:
		if len(r.Replicas) > 0 {
			return false // they leave first
		}
		d.set(m.partition, r.Owner, m.to)
		d.note(happening{kind: Begun, partition: m.partition, from: from, to: to})
	case slices.Contains(r.InSync, m.to) && !d.isInSync(m.partition, to):
		return false // it may have been started anew
	case slices.Contains(r.InSync, m.to):
		owner := r.Owner
		other := func(at int16) bool { return at == m.to }
		replicas := insert(slices.DeleteFunc(slices.Clone(r.Replicas), other), owner)
		inSync := insert(slices.DeleteFunc(slices.Clone(r.InSync), other), owner)
		d.set(m.partition, m.to, m.to)
		r.Replicas, r.InSync = replicas, inSync
		d.note(happening{kind: Swapped, partition: m.partition, from: from, to: to})
	case slices.Contains(r.Replicas, m.to):
		return false // it is on its way
	default:
		d.touch(m.partition)
		r.Replicas = insert(r.Replicas, m.to)
		d.note(happening{kind: Learning, partition: m.partition, from: from, to: to})
	}
	return true
}

// isInSync reports whether the process of a node that is alive is the one that the
// view means when it has the node in sync, by the word of the partition's owner.
func (d *draft) isInSync(p int, id cluster.NodeID) bool {
	said, ok := d.in.report(d.view.Owner(p))
	if !ok || said.View < d.changedIn[p] || said.InSync[id] != d.in.Alive[id].Incarnation {
		return false
	}
	c := d.copyOf(&said, p, id)
	return c == nil || c.Stage != Failed
}

// insert puts a node into an ascending list.
func insert(list []int16, at int16) []int16 {
	i, _ := slices.BinarySearch(list, at)
	return slices.Insert(list, i, at)
}
