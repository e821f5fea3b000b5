package controller

import (
	"maps"
	"slices"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
)

// place finds out who should own what, into d.want; nil when all is where it
// should be. Partitions on their way count for where they go.
func (d *draft) place() {
	d.enter()
	if r := &d.rest; r.ring == d.ring && r.version == d.view.Version && !d.changed && maps.Equal(r.pins, d.in.Wishes.Pins) {
		return
	}
	at := make([]int16, len(d.members)) // index in the view by index in the ring
	back := make([]int, len(d.view.Nodes))
	for i := range back {
		back[i] = -1
	}
	for i := range d.members {
		at[i] = int16(d.view.Index(cluster.NodeID(d.members[i].ID)))
		back[at[i]] = i
	}
	present := make([][]int, cluster.Partitions)
	for p := range present {
		present[p] = []int{-1}
		r := &d.view.Rows[p]
		switch pin, pinned := d.pin(p); {
		case pinned:
			present[p][0] = back[pin]
		case r.Target != cluster.NoNode:
			present[p][0] = back[r.Target]
		case r.Owner != cluster.NoNode:
			present[p][0] = back[r.Owner]
		}
		for _, n := range r.Replicas {
			present[p] = append(present[p], back[n])
		}
	}
	d.want = make([]int16, cluster.Partitions)
	differs := false
	for p, list := range d.ring.Place(present, d.in.Settings.Replicas) {
		d.want[p] = cluster.NoNode
		if len(list) > 0 {
			d.want[p] = at[list[0]]
		}
		if pin, pinned := d.pin(p); pinned {
			d.want[p] = pin
		}
		differs = differs || d.want[p] != d.view.Rows[p].Owner
	}
	if !differs && !d.changed {
		d.rest = rest{d.ring, d.view.Version, maps.Clone(d.in.Wishes.Pins)}
	}
}

// pin returns where operators want a partition, if that is possible.
func (d *draft) pin(p int) (at int16, ok bool) {
	pin, ok := d.in.Wishes.Pins[p]
	if !ok || !d.active(pin.Node) || !d.in.alive(pin.Node) {
		return cluster.NoNode, false
	}
	at = int16(d.view.Index(pin.Node))
	return at, at != cluster.NoNode && d.view.Nodes[at].Weight > 0
}

// enter makes the ring of the nodes that take part: those that live, and the
// dead that own something and may come back for it.
func (d *draft) enter() {
	var members []hashing.RingNode
	owned := d.view.Owned()
	for at := range d.view.Nodes {
		n := &d.view.Nodes[at]
		if d.active(n.ID) && n.Weight > 0 && (d.in.alive(n.ID) || owned[at] > 0 && !d.abandoned(n.ID)) {
			members = append(members, hashing.RingNode{ID: string(n.ID), Zone: n.Zone, Weight: n.Weight})
		}
	}
	if d.ring == nil || !slices.Equal(members, d.members) {
		d.members, d.ring = members, hashing.NewRing(members, cluster.Partitions)
	}
}
