package controller

import (
	"cmp"
	"slices"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// arrivalPatience is how long a partition whose new owner has all of it waits
// for the former one to hand over.
const arrivalPatience = time.Second

// reachable reports whether a node is there and answers the controller.
func (in *Input) reachable(id cluster.NodeID) bool {
	l := in.Alive[id]
	return l.Alive && !l.Silent
}

// bereaved reports whether the owner of a partition is not there to serve it:
// it cannot be reached, or its process has nothing of it.
func (d *draft) bereaved(p int) bool {
	owner := d.view.Rows[p].Owner
	return owner != cluster.NoNode && (!d.lives[owner] || d.empty[p] == d.view.Rows[p].Epoch)
}

// failOver gives partitions to a copy in sync when their owners are dead, all
// that is ready in one view, and asks for the promises that are missing. That
// an owner is dead may be a mistake: with the promise of one node in sync it
// can neither have a write acknowledged nor answer a read any more.
//
// Invariant: a partition with copies in sync gets another owner without a
// handover only by the promise of that node, which has every effect that was
// ever acknowledged.
func (d *draft) failOver() {
	owned := d.view.Owned()
	for p := range d.view.Rows {
		r := &d.view.Rows[p]
		if r.Owner == cluster.NoNode || len(r.InSync) == 0 || d.touched[p] || !d.bereaved(p) {
			continue
		}
		ask, answers := d.canvass(p)
		if len(ask) > 0 {
			d.prepare = append(d.prepare, Preparation{p, r.Epoch + 1, ask})
			continue
		}
		if heir := d.best(answers, owned); heir != nil {
			owned[r.Owner]--
			owned[d.view.Index(heir.Node)]++
			d.promote(p, heir, answers)
			continue
		}
		d.unserved(p, len(answers) > 0)
	}
}

// Batch is what to ask one node for.
type Batch struct {
	Node       cluster.NodeID
	Partitions []int // ascending
	Epochs     []cluster.Epoch
}

// Batches sorts preparations by whom to ask, by ID, so that each node is called once.
func Batches(list []Preparation) (batches []Batch) {
	at := make(map[cluster.NodeID]int)
	for _, a := range list {
		for _, id := range a.Ask {
			i, ok := at[id]
			if !ok {
				i = len(batches)
				at[id] = i
				batches = append(batches, Batch{Node: id})
			}
			batches[i].Partitions = append(batches[i].Partitions, a.Partition)
			batches[i].Epochs = append(batches[i].Epochs, a.Epoch)
		}
	}
	slices.SortFunc(batches, func(a, b Batch) int { return cmp.Compare(a.Node, b.Node) })
	return batches
}

// canvass returns the nodes in sync that are there and have not answered yet,
// and the answers of the others.
func (d *draft) canvass(p int) (ask []cluster.NodeID, answers []Promise) {
	r := &d.view.Rows[p]
	for _, at := range r.InSync {
		id := d.view.Nodes[at].ID
		if !d.in.reachable(id) {
			continue
		}
		i := slices.IndexFunc(d.in.Promises[p], func(a Promise) bool {
			return a.Node == id && a.Epoch == r.Epoch+1 && a.Incarnation == d.in.Alive[id].Incarnation
		})
		if i < 0 {
			ask = append(ask, id)
		} else {
			answers = append(answers, d.in.Promises[p][i])
		}
	}
	return ask, answers
}

// best returns who has most, nil when nobody has all: of equals one that is
// not to be emptied, then the one that owns least.
func (d *draft) best(answers []Promise, owned []int) *Promise {
	var best *Promise
	rank := func(a *Promise) int {
		if d.active(a.Node) {
			return 1
		}
		return 0
	}
	for i := range answers {
		a := &answers[i]
		if !a.Whole {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(a.Seq, best.Seq), rank(a)-rank(best),
			owned[d.view.Index(best.Node)]-owned[d.view.Index(a.Node)]) > 0 {
			best = a
		}
	}
	return best
}

// promote makes a node that has promised the owner. Who has as much as it stays
// in sync, who has less becomes a learner.
func (d *draft) promote(p int, heir *Promise, answers []Promise) {
	r := &d.view.Rows[p]
	from, owner := d.view.Owner(p), int16(d.view.Index(heir.Node))
	var replicas, inSync []int16
	for _, at := range r.Replicas {
		id := d.view.Nodes[at].ID
		if at == owner || !d.in.reachable(id) {
			continue
		}
		replicas = append(replicas, at)
		if slices.ContainsFunc(answers, func(a Promise) bool { return a.Node == id && a.Whole && a.Seq == heir.Seq }) {
			inSync = append(inSync, at)
		}
	}
	d.note(happening{kind: Promoted, partition: p, from: from, to: heir.Node})
	d.set(p, owner, cluster.NoNode)
	r.Replicas, r.InSync = replicas, inSync
}

// unserved deals with a partition that nobody who is there has all of. fenced:
// somebody in sync has promised, so that the owner cannot be serving.
//
// Invariant: a partition of a cluster that keeps copies begins empty only when an
// operator says so; its new owner, at the epoch after the one that was accepted,
// knows by that acceptance, and by nothing else, that it may.
func (d *draft) unserved(p int, fenced bool) {
	r, owner := &d.view.Rows[p], d.view.Owner(p)
	var waitFor []cluster.NodeID
	for _, at := range append([]int16{r.Owner}, r.InSync...) {
		if id := d.view.Nodes[at].ID; !d.in.reachable(id) {
			waitFor = append(waitFor, id)
		}
	}
	slices.Sort(waitFor)
	// An owner that is not fenced may be serving as long as it is registered.
	free := !fenced && !d.in.reachable(owner)
	a, ok := d.in.Wishes.AcceptLoss[p]
	if ok && a.Epoch == r.Epoch && !(free && d.in.alive(owner)) {
		d.orphans = append(d.orphans, p)
		if free {
			d.presumed = append(d.presumed, owner)
		}
		return
	}
	d.unavailable = append(d.unavailable, Unavailable{p, r.Epoch, waitFor})
}

// settleArrival looks at a partition whose new owner was in sync before: it has
// every acknowledged write and needs no handover but for the pause that it
// spares. The former owner is among those in sync now.
func (d *draft) settleArrival(p int) {
	r, owner := &d.view.Rows[p], d.view.Owner(p)
	switch {
	case d.bereaved(p): // failOver asks the others, the former owner among them
	case d.in.arrived(owner, p, r.Epoch):
		d.set(p, r.Owner, cluster.NoNode)
		d.note(happening{kind: Arrival, partition: p, to: owner})
	case !d.anyHandsOver(p) || d.in.Now-d.changedAt[p] >= arrivalPatience:
		d.set(p, r.Owner, cluster.NoNode)
		d.note(happening{kind: Relieved, partition: p, to: owner})
	}
}

// anyHandsOver reports whether a node that is there is handing over a partition,
// or does not yet know that it should.
func (d *draft) anyHandsOver(p int) bool {
	r := &d.view.Rows[p]
	for _, at := range r.InSync {
		id := d.view.Nodes[at].ID
		if !d.in.reachable(id) {
			continue
		}
		said, ok := d.in.report(id)
		if !ok || said.View < d.changedIn[p] || d.in.leaving(id, p, r.Epoch) != nil {
			return true
		}
	}
	return false
}
