package controller

import (
	"slices"

	"github.com/larder-cache/larder/internal/cluster"
)

// Aside reports whether a node has stepped aside: it owns nothing that another
// node can own, and stays a copy. It counts for the process that was there when
// it was asked for, so that the node takes part again once it has been restarted.
func (in *Input) Aside(id cluster.NodeID) bool {
	a, ok := in.Wishes.Aside[id]
	return ok && in.Settings.Replicas > 0 && a.Incarnation == in.Alive[id].Incarnation
}

// spare finds other owners for partitions of nodes that have stepped aside, and
// for those that the ring wants there: a copy in sync at once, or who is to have a
// copy. The ring goes on counting on these nodes, so that their copies stay.
func (d *draft) spare() {
	if len(d.in.Wishes.Aside) == 0 {
		return
	}
	owned := d.view.Owned()
	for p := range d.view.Rows {
		r, want := &d.view.Rows[p], d.want[p]
		if r.Owner == cluster.NoNode || want == cluster.NoNode {
			continue
		}
		leaves := d.in.Aside(d.view.Owner(p))
		if !leaves && !d.in.Aside(d.view.Nodes[want].ID) {
			continue
		}
		heir := int16(cluster.NoNode)
		switch {
		case leaves:
			heir = d.leastOwning(r.InSync, owned)
		case slices.Contains(d.wantCopies[p], r.Owner) && d.active(d.view.Owner(p)):
			heir = r.Owner
		default:
			heir = d.leastOwning(d.wantCopies[p], owned)
		}
		if heir == cluster.NoNode {
			heir = r.Owner
		}
		d.want[p] = heir
		owned[r.Owner]--
		owned[heir]++
	}
}

// leastOwning returns who of these nodes is there, may get partitions, and owns
// least; NoNode when nobody is.
func (d *draft) leastOwning(nodes []int16, owned []int) int16 {
	best := int16(cluster.NoNode)
	for _, at := range nodes {
		n := &d.view.Nodes[at]
		if d.lives[at] && d.active(n.ID) && n.Weight > 0 &&
			(best == cluster.NoNode || owned[at]*int(d.view.Nodes[best].Weight) < owned[best]*int(n.Weight)) {
			best = at
		}
	}
	return best
}

// stepAside begins the hand-overs from nodes that have stepped aside. They copy
// nothing, so only Settings.Moves bounds them.
func (d *draft) stepAside() {
	if d.want == nil || len(d.in.Wishes.Aside) == 0 {
		return
	}
	_, _, all := d.underWay()
	for p := range d.view.Rows {
		r, to := &d.view.Rows[p], d.want[p]
		if all >= d.in.Settings.Moves || r.Owner == cluster.NoNode || r.Target != cluster.NoNode || d.touched[p] || d.bereaved(p) ||
			!slices.Contains(r.InSync, to) || !d.in.Aside(d.view.Owner(p)) {
			continue
		}
		d.advance(move{partition: p, to: to})
		all++
	}
}

// Replaceable returns, by index into View.Nodes, how many of the partitions that
// a node owns another one could serve at once, which has a copy in sync; and of
// how many there is none, but another node that could be given one.
func (in *Input) Replaceable() (now, later []int) {
	nodes := in.View.Nodes
	now, later = make([]int, len(nodes)), make([]int, len(nodes))
	takes, takers := make([]bool, len(nodes)), 0
	for at := range nodes {
		n := &nodes[at]
		if in.reachable(n.ID) && n.State == cluster.Active && n.Weight > 0 && !in.Aside(n.ID) && in.Settings.Replicas > 0 {
			takes[at] = true
			takers++
		}
	}
	for p := range in.View.Rows {
		r := &in.View.Rows[p]
		switch {
		case r.Owner == cluster.NoNode:
		case slices.ContainsFunc(r.InSync, func(at int16) bool { return takes[at] }):
			now[r.Owner]++
		case takers > 1 || takers == 1 && !takes[r.Owner]:
			later[r.Owner]++
		}
	}
	return now, later
}
