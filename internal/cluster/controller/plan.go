package controller

import (
	"slices"

	"github.com/larder-cache/larder/internal/cluster"
)

// Planned is what a rebalance would do, for people: `rebalance --dry-run`.
type Planned struct {
	// Moves are by partition; those under way are among them.
	Moves []PlannedMove
	// Nodes are all that own something before or after, by ID.
	Nodes []PlannedNode
	// Copies counts those that are wanted and not in sync.
	Copies int
}

// PlannedMove is one partition that is not where it should be.
type PlannedMove struct {
	Partition int
	From, To  cluster.NodeID // From is empty for one that nobody owns
	Begun     bool
}

// PlannedNode counts what a node owns and what it gains and loses.
type PlannedNode struct {
	ID                     cluster.NodeID
	Before, After, In, Out int
}

// Plan returns what Decide walks towards with this input, were nothing paused
// and nothing limited.
func Plan(in Input) Planned {
	var c Controller
	d := c.begin(&in)
	d.place()
	count := make([]PlannedNode, len(d.view.Nodes))
	for at := range count {
		count[at].ID = d.view.Nodes[at].ID
	}
	var plan Planned
	for p := range d.view.Rows {
		r := &d.view.Rows[p]
		for _, at := range d.copies(p) {
			if at != r.Owner && !slices.Contains(r.InSync, at) {
				plan.Copies++
			}
		}
		to := r.Owner
		if d.want != nil && d.want[p] != cluster.NoNode {
			to = d.want[p]
		}
		if r.Owner != cluster.NoNode {
			count[r.Owner].Before++
		}
		if to != cluster.NoNode {
			count[to].After++
		}
		if to == r.Owner {
			continue
		}
		plan.Moves = append(plan.Moves, PlannedMove{p, d.view.Owner(p), d.view.Nodes[to].ID, d.view.Streaming(p) && r.Target == to || slices.Contains(r.Replicas, to)})
		count[to].In++
		if r.Owner != cluster.NoNode {
			count[r.Owner].Out++
		}
	}
	plan.Nodes = slices.DeleteFunc(count, func(n PlannedNode) bool { return n.Before == 0 && n.After == 0 })
	return plan
}
