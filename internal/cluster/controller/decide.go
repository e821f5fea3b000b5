package controller

import (
	"maps"
	"slices"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
)

// Controller decides. What it remembers between decisions only spares work and
// repetition and may be lost at any time; the zero value is ready. It must not
// be used by two goroutines at once.
type Controller struct {
	ring    *hashing.Ring // of members
	members []hashing.RingNode
	placed  placed
	retry   map[int]time.Duration // when a partition may move again after a failure

	seen      *cluster.View                     // by the last decision
	changedIn [cluster.Partitions]uint64        // the version in which a row, as far as is known, has become what it is
	changedAt [cluster.Partitions]time.Duration // when that was seen
}

// placed is what the ring wants, as it was found out last.
type placed struct {
	ring     *hashing.Ring
	replicas int
	pins     map[int]Pin
	present  []int   // owners that it was asked about, by index in members
	want     []int   // and those that it wants
	had      [][]int // nodes with a copy that it was asked about
	copies   [][]int // and those that it wants, owners first
}

// Output is a decision.
type Output struct {
	// View is what to write, on condition that Input.View is still in force. Nil:
	// nothing is to be changed.
	View *cluster.View
	// CanWait: nobody waits for View, and more is to come: steps that are under way
	// in Input.View. It may be left unwritten for a while, and be decided anew with
	// what has happened until then.
	CanWait bool
	// Presumed are the nodes whose death View relies on, by ID. Whoever writes it
	// does so on condition that none of them is registered at that moment: what
	// this controller knows of them may be old, and a node that has come back may
	// serve by the view before.
	Presumed []cluster.NodeID
	// Events tell people what the new view brings, in order. They are true only
	// once it is written.
	Events []Event
	// Remaining counts the moves that are wanted and have not begun in View.
	Remaining int
	// Prepare is what to ask nodes for, whether View is nil or not, before the
	// partitions of a dead owner can be given to one of them; the answers come
	// back in Input.Promises. It is repeated until they are all there.
	Prepare []Preparation
	// Unavailable are the partitions that nobody can serve, ascending.
	Unavailable []Unavailable
	// Drained are the nodes that were to be emptied and are empty: they may go.
	Drained []cluster.NodeID
	// Held says why moves that are wanted do not begin, when people are the
	// reason; empty otherwise.
	Held string
}

// Preparation asks nodes for a [Promise] on a partition.
type Preparation struct {
	Partition int
	// Epoch is the one to come.
	Epoch cluster.Epoch
	// Ask are the nodes that have not answered yet, ascending.
	Ask []cluster.NodeID
}

// Unavailable is a partition that waits for a copy.
type Unavailable struct {
	Partition int
	Epoch     cluster.Epoch
	// For are the dead nodes that may have all of it, ascending. None: every
	// process that had it has ended; only [Wishes.AcceptLoss] brings it back.
	For []cluster.NodeID
}

// Decide returns what is to be done. Called again with the view it returned and
// all else the same, it returns no view.
func (c *Controller) Decide(in Input) Output {
	d := c.begin(&in)
	d.hear()
	d.settleArrivals()
	d.failOver()
	d.settleMoves()
	d.settleCopies()
	d.followDead()
	d.dropSurplus()
	d.stepAside()
	more := d.outstanding()
	d.beginMoves()
	out := Output{
		Prepare: d.prepare, Unavailable: d.unavailable,
		Events: d.told(), Remaining: d.remaining, Drained: d.drained(), Held: d.held,
		CanWait: more && !slices.ContainsFunc(d.happened, happening.isUrgent),
	}
	if d.changed {
		d.view.Version++
		out.View = d.view
		slices.Sort(d.presumed)
		out.Presumed = slices.Compact(d.presumed)
	}
	return out
}

// draft is a decision in the making.
type draft struct {
	*Controller
	in        *Input
	view      *cluster.View
	states    map[cluster.NodeID]cluster.State
	lives     []bool // by index into view.Nodes: it is there and can be reached
	changed   bool
	touched   [cluster.Partitions]bool // rows that have changed
	happened  []happening
	presumed  []cluster.NodeID
	want      []int16 // owner by partition, by index into view.Nodes; NoNode: nobody can take it
	remaining int
	held      string

	wantCopies  [][]int16                         // nodes by partition
	said        [cluster.Partitions][]int         // indexes into Report.Copies of its owner
	empty       [cluster.Partitions]cluster.Epoch // at which the owner of that epoch has nothing
	prepare     []Preparation
	unavailable []Unavailable
	orphans     []int // partitions that begin empty
}

func (c *Controller) begin(in *Input) *draft {
	d := &draft{Controller: c, in: in, states: make(map[cluster.NodeID]cluster.State, len(in.Nodes))}
	for i := range in.Nodes {
		d.states[in.Nodes[i].ID] = in.Nodes[i].State
	}
	if in.View == nil {
		d.view = cluster.NewView(nil)
	} else {
		d.view = in.View.Clone()
	}
	d.watch()
	maps.DeleteFunc(c.retry, func(_ int, at time.Duration) bool { return at <= in.Now })
	d.syncNodes()
	d.lives = make([]bool, len(d.view.Nodes))
	for at := range d.lives {
		d.lives[at] = in.reachable(d.view.Nodes[at].ID)
	}
	return d
}

// active reports whether a node may get partitions.
func (d *draft) active(id cluster.NodeID) bool {
	return d.states[id] == cluster.Active && !d.in.Aside(id)
}

// syncNodes takes what is known of the nodes into the view.
func (d *draft) syncNodes() {
	referred := d.view.Referred()
	var nodes []cluster.Node
	for _, n := range d.in.Nodes {
		at := d.view.Index(n.ID)
		if n.State != cluster.Left || at != cluster.NoNode && referred[at] {
			nodes = append(nodes, n)
		}
	}
	for at, n := range d.view.Nodes {
		// What a row refers to stays, whatever became of its registration.
		if _, known := d.states[n.ID]; !known && referred[at] {
			nodes = append(nodes, n)
		}
	}
	slices.SortFunc(nodes, func(a, b cluster.Node) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	if slices.Equal(nodes, d.view.Nodes) {
		return
	}
	for _, n := range nodes {
		if old := d.view.Node(n.ID); old == nil {
			d.note(happening{kind: Joined, partition: -1, to: n.ID})
		} else if old.State != n.State {
			d.note(happening{kind: Changed, partition: -1, to: n.ID, why: "is now " + string(n.State)})
		} else if *old != n {
			d.note(happening{kind: Changed, partition: -1, to: n.ID, why: "has changed"})
		}
	}
	for _, n := range d.view.Nodes {
		if !slices.ContainsFunc(nodes, func(o cluster.Node) bool { return o.ID == n.ID }) {
			d.note(happening{kind: Gone, partition: -1, to: n.ID})
		}
	}
	next, err := d.view.WithNodes(nodes)
	if err != nil {
		panic("controller: " + err.Error()) // whom rows refer to was kept
	}
	d.view, d.changed = next, true
}

// set changes a row; the epoch rises with the owner, and copies are those of the
// former owner no more.
//
// Invariant: a decision takes each row one step further at most.
func (d *draft) set(partition int, owner, target int16) {
	d.touch(partition)
	r := &d.view.Rows[partition]
	if r.Owner != owner {
		r.Epoch++
		r.Replicas, r.InSync = nil, nil
	}
	r.Owner, r.Target = owner, target
}

func (d *draft) touch(partition int) {
	if d.touched[partition] {
		panic("controller: two changes of one row")
	}
	d.touched[partition], d.changed = true, true
}

// giveUp ends a move that has not led to a change of owner.
func (d *draft) giveUp(partition int, why string) {
	d.touch(partition)
	r := &d.view.Rows[partition]
	d.note(happening{kind: GivenUp, partition: partition, from: d.view.Owner(partition), to: d.view.Target(partition), why: why})
	r.Target = cluster.NoNode
	r.Epoch++
}

// rest lets a partition be for a while after a failure.
func (d *draft) rest(partition int) {
	if d.retry == nil {
		d.retry = make(map[int]time.Duration)
	}
	d.retry[partition] = d.in.Now + d.in.Settings.RetryAfter
}

// drained lists the nodes that are to be emptied and hold nothing any more.
func (d *draft) drained() (list []cluster.NodeID) {
	referred := d.view.Referred()
	for _, n := range d.in.Nodes {
		if n.State == cluster.Active {
			continue
		}
		at := d.view.Index(n.ID)
		if (at == cluster.NoNode || !referred[at]) && !d.holdsArriving(n.ID) {
			list = append(list, n.ID)
		}
	}
	slices.Sort(list)
	return list
}

// holdsArriving reports whether a node may have what another one waits for.
func (d *draft) holdsArriving(id cluster.NodeID) bool {
	for p := range d.view.Rows {
		if d.view.Arriving(p) && d.mayHold(id, p) {
			return true
		}
	}
	return false
}
