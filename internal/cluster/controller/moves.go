package controller

import (
	"cmp"
	"slices"

	"github.com/larder-cache/larder/internal/cluster"
)

// settleArrivals looks at partitions whose new owner waits for the handover.
func (d *draft) settleArrivals() {
	for p := range d.view.Rows {
		if !d.view.Arriving(p) {
			continue
		}
		if len(d.view.Rows[p].InSync) > 0 {
			d.settleArrival(p)
			continue
		}
		owner := d.view.Owner(p)
		switch {
		case d.in.arrived(owner, p, d.view.Rows[p].Epoch):
			d.set(p, d.view.Rows[p].Owner, cluster.NoNode)
			d.note(happening{kind: Arrival, partition: p, to: owner})
		case d.in.alive(owner):
			if !d.anyHolds(p) {
				d.set(p, d.view.Rows[p].Owner, cluster.NoNode)
				d.note(happening{kind: Bereft, partition: p, to: owner})
				for i := range d.in.Nodes {
					if id := d.in.Nodes[i].ID; !d.in.alive(id) {
						d.presumed = append(d.presumed, id)
					}
				}
			}
		default:
			if holder := d.holder(p); holder != cluster.NoNode {
				d.presumed = append(d.presumed, owner)
				d.note(happening{kind: Returned, partition: p, from: owner, to: d.view.Nodes[holder].ID})
				d.set(p, holder, cluster.NoNode)
			}
		}
	}
}

// holder returns a living node that still has the copy which it was handing
// over for an arriving partition.
func (d *draft) holder(p int) int16 {
	for at := range d.view.Nodes {
		id := d.view.Nodes[at].ID
		if l := d.in.leaving(id, p, d.view.Rows[p].Epoch); l != nil && l.Stage == HandingOver && d.in.alive(id) {
			return int16(at)
		}
	}
	return cluster.NoNode
}

// anyHolds reports whether any node may have an arriving partition's last writes.
func (d *draft) anyHolds(p int) bool {
	for i := range d.in.Nodes {
		if d.mayHold(d.in.Nodes[i].ID, p) {
			return true
		}
	}
	return false
}

// mayHold reports whether a node, for all that is known, may have the last
// writes of an arriving partition: it says so, or it lives and does not yet know
// that it should.
//
// Invariant: an arriving partition is served without a handover only when
// nobody may hold it.
func (d *draft) mayHold(id cluster.NodeID, p int) bool {
	if id == d.view.Owner(p) || !d.in.alive(id) {
		return false
	}
	r, ok := d.in.report(id)
	if !ok || r.View < d.in.View.Version {
		return true
	}
	return d.in.leaving(id, p, d.view.Rows[p].Epoch) != nil
}

// settleMoves looks at partitions that are being sent to another node.
func (d *draft) settleMoves() {
	for p := range d.view.Rows {
		if !d.view.Streaming(p) || d.touched[p] {
			continue
		}
		r, from, to := &d.view.Rows[p], d.view.Owner(p), d.view.Target(p)
		l := d.in.leaving(from, p, r.Epoch)
		switch {
		case !d.in.alive(to):
			d.giveUp(p, "the target is dead")
		case !d.active(to):
			d.giveUp(p, "the target is to be emptied")
		case d.in.Settings.Replicas > 0 && d.in.alive(from):
			d.giveUp(p, "partitions have copies now and move by them")
		case !d.in.alive(from):
			// followDead decides; it knows whether the target has everything.
		case l == nil || l.Target != to:
		case l.Stage == Failed:
			d.giveUp(p, l.Reason)
			d.rest(p)
		case d.caughtUp(p):
			d.note(happening{kind: Swapped, partition: p, from: from, to: to})
			d.set(p, r.Target, r.Target)
		}
	}
}

// caughtUp reports whether the target of a move has all but the last writes, in
// the process that is alive now.
func (d *draft) caughtUp(p int) bool {
	if !d.view.Streaming(p) {
		return false
	}
	to := d.view.Target(p)
	l := d.in.leaving(d.view.Owner(p), p, d.view.Rows[p].Epoch)
	return l != nil && l.Stage == CaughtUp && l.Target == to && d.in.alive(to) && l.TargetIncarnation == d.in.Alive[to].Incarnation
}

// outstanding reports whether there are moves or copies under way of which nothing
// has been heard that changes their rows.
func (d *draft) outstanding() bool {
	for p := range d.view.Rows {
		r := &d.view.Rows[p]
		if !d.touched[p] && (r.Target != cluster.NoNode || len(r.Replicas) > len(r.InSync)) {
			return true
		}
	}
	return false
}

// move is a partition that is to go to another node.
type move struct {
	partition int
	to        int16
	urgency   int // the lower the sooner
}

// beginMoves walks the view towards the ring, a bounded number of moves at a
// time. Sources take turns, so that one that gets no further does not take all
// the places of a target.
func (d *draft) beginMoves() {
	moves := append(d.missing(), d.wanted()...)
	slices.SortStableFunc(moves, func(a, b move) int { return cmp.Compare(a.urgency, b.urgency) })
	moves = slices.DeleteFunc(moves, func(m move) bool {
		if d.in.Wishes.Paused && m.urgency == balance {
			d.held = "rebalancing is paused by " + d.in.Wishes.PausedBy
			d.remaining++
			return true
		}
		return false
	})
	d.remaining += len(moves)
	from, to, all := d.underWay()
	s := &d.in.Settings
	for turn, more := 0, true; more && turn < s.MovesPerSource; turn++ {
		more = false
		for _, m := range moves {
			if all >= s.Moves {
				return
			}
			owner := d.view.Rows[m.partition].Owner
			_, resting := d.retry[m.partition]
			if !resting && !d.touched[m.partition] && from[owner] > turn {
				more = true // in a later turn
				continue
			}
			if resting || d.touched[m.partition] || to[m.to] >= s.MovesPerTarget || !d.advance(m) {
				continue
			}
			from[owner]++
			to[m.to]++
			all++
			d.remaining--
			more = true
		}
	}
}

// How urgent a move is.
const (
	protecting = iota // too few copies are in sync
	emptying          // the owner is to be emptied
	asked             // an operator wants this very move
	balance           // the ring wants it
)

// wanted lists the partitions that are not where they should be, live and have
// no move yet.
func (d *draft) wanted() (moves []move) {
	for p := range d.view.Rows {
		r := &d.view.Rows[p]
		if d.want == nil || r.Owner == cluster.NoNode || r.Target != cluster.NoNode || d.want[p] == r.Owner || d.want[p] == cluster.NoNode {
			continue
		}
		if !d.lives[r.Owner] || !d.lives[d.want[p]] {
			continue
		}
		if d.bereaved(p) {
			continue
		}
		to := d.view.Nodes[d.want[p]].ID
		m := move{partition: p, to: d.want[p], urgency: balance}
		if len(r.InSync) < d.in.Settings.Replicas && !slices.Contains(r.Replicas, m.to) {
			m.urgency = protecting
		} else if !d.active(d.view.Owner(p)) {
			m.urgency = emptying
		} else if pin, ok := d.in.Wishes.Pins[p]; ok && pin.Node == to {
			m.urgency = asked
		}
		moves = append(moves, m)
	}
	return moves
}

// underWay counts the moves and copies that have begun, by source, target and in
// all.
func (d *draft) underWay() (from, to []int, all int) {
	from, to = make([]int, len(d.view.Nodes)), make([]int, len(d.view.Nodes))
	for p := range d.view.Rows {
		r := &d.view.Rows[p]
		if r.Target != cluster.NoNode {
			all++
			to[r.Target]++
			if r.Target != r.Owner {
				from[r.Owner]++
			}
		}
		for _, at := range r.Replicas {
			if !slices.Contains(r.InSync, at) {
				all++
				from[r.Owner]++
				to[at]++
			}
		}
	}
	return from, to, all
}
