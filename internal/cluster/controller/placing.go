package controller

import (
	"maps"
	"slices"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
)

// place finds out who should own what, into d.want. Partitions on their way
// count for where they go.
func (d *draft) place() {
	d.enter()
	at := make([]int16, len(d.members)) // index in the view by index in the ring
	back := make([]int, len(d.view.Nodes))
	for i := range back {
		back[i] = -1
	}
	for i := range d.members {
		at[i] = int16(d.view.Index(cluster.NodeID(d.members[i].ID)))
		back[at[i]] = i
	}
	present := make([]int, cluster.Partitions)
	for p := range present {
		present[p] = -1
		r := &d.view.Rows[p]
		switch pin, pinned := d.pin(p); {
		case pinned:
			present[p] = back[pin]
		case r.Target != cluster.NoNode:
			present[p] = back[r.Target]
		case r.Owner != cluster.NoNode:
			present[p] = back[r.Owner]
		}
	}
	had := make([][]int, len(present))
	for p := range had {
		for _, n := range d.view.Rows[p].Replicas {
			if back[n] >= 0 {
				had[p] = append(had[p], back[n])
			}
		}
		if at := d.view.Rows[p].Owner; at != cluster.NoNode && back[at] >= 0 {
			had[p] = append(had[p], back[at])
		}
	}
	if !d.stillRight(present, had) {
		d.ask(present, had)
	}
	d.want = make([]int16, cluster.Partitions)
	d.wantCopies = make([][]int16, cluster.Partitions)
	for p, n := range d.placed.want {
		d.want[p] = cluster.NoNode
		if n >= 0 {
			d.want[p] = at[n]
		}
		if pin, pinned := d.pin(p); pinned {
			d.want[p] = pin
		}
		for _, n := range d.placed.copies[p] {
			d.wantCopies[p] = append(d.wantCopies[p], at[n])
		}
	}
	d.spare()
	for p, want := range d.want {
		if want != cluster.NoNode && !slices.Contains(d.wantCopies[p], want) {
			d.wantCopies[p] = append(d.wantCopies[p], want)
		}
	}
}

// stillRight reports whether what the ring wanted last is what it wants now: all
// that has changed since are partitions that are, or go, where it wanted them.
// So a rebalance follows one plan to its end.
func (d *draft) stillRight(present []int, had [][]int) bool {
	last := &d.placed
	if last.ring != d.ring || last.replicas != d.in.Settings.Replicas || !maps.Equal(last.pins, d.in.Wishes.Pins) {
		return false
	}
	for p, n := range present {
		if n != last.present[p] && n != last.want[p] {
			return false
		}
		for _, n := range had[p] {
			if last.replicas > 0 && !slices.Contains(last.had[p], n) && !slices.Contains(last.copies[p], n) {
				return false
			}
		}
	}
	return true
}

// ask asks the ring.
func (d *draft) ask(present []int, had [][]int) {
	lists := make([][]int, len(present))
	for p := range lists {
		lists[p] = append(lists[p], present[p])
		if d.in.Settings.Replicas > 0 { // else who had a partition is of no account
			lists[p] = append(lists[p], had[p]...)
		}
	}
	want := make([]int, len(present))
	copies := d.ring.Place(lists, d.in.Settings.Replicas)
	for p, list := range copies {
		want[p] = -1
		if len(list) > 0 {
			want[p] = list[0]
		}
	}
	d.placed = placed{d.ring, d.in.Settings.Replicas, maps.Clone(d.in.Wishes.Pins), present, want, had, copies}
}

// pin returns where operators want a partition, if that is possible.
func (d *draft) pin(p int) (at int16, ok bool) {
	if len(d.in.Wishes.Pins) == 0 {
		return cluster.NoNode, false
	}
	pin, ok := d.in.Wishes.Pins[p]
	if !ok || !d.active(pin.Node) || !d.in.alive(pin.Node) {
		return cluster.NoNode, false
	}
	at = int16(d.view.Index(pin.Node))
	return at, at != cluster.NoNode && d.view.Nodes[at].Weight > 0
}

// enter makes the ring of the nodes that take part: those that live, and the
// dead that own something, or had copies, and may come back for it.
func (d *draft) enter() {
	var members []hashing.RingNode
	owned := d.view.Owned()
	for at := range d.view.Nodes {
		n := &d.view.Nodes[at]
		if d.states[n.ID] == cluster.Active && n.Weight > 0 && (d.in.alive(n.ID) || (owned[at] > 0 || d.in.Settings.Replicas > 0) && !d.abandoned(n.ID)) {
			members = append(members, hashing.RingNode{ID: string(n.ID), Zone: n.Zone, Weight: n.Weight})
		}
	}
	if d.ring == nil || !slices.Equal(members, d.members) {
		d.members, d.ring = members, hashing.NewRing(members, cluster.Partitions)
	}
}
