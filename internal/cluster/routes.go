package cluster

import "slices"

// Routes is the view as one node's requests need it. It is immutable, but for
// being replaced as a whole.
//
// Invariant: the table that a batch of requests has begun with stays in force
// until the batch ends (command.Executor.Reroute).
type Routes struct {
	// View is what the routes were derived from.
	View *View
	// Self is this node's place in View.Nodes.
	Self int16
	// IsCutOff: see CutOff.
	IsCutOff bool

	places [Partitions]Place
}

// Place tells what a request for a partition has to do.
type Place struct {
	Owner int16 // index into View.Nodes, NoNode when nobody owns the partition
	Kind  PlaceKind
}

// PlaceKind is where a request is executed.
type PlaceKind uint8

const (
	// Here: this node owns the partition and has all of it.
	Here PlaceKind = iota
	// There: another node owns it.
	There
	// Arriving: this node owns it, but its former owner has not handed over the
	// last writes yet. Requests wait.
	Arriving
	// Nowhere: nobody owns it, or its owner has lost it.
	Nowhere
	// Unreached: this node is cut off. It owns the partition, but does not hear the
	// copies that would have to confirm that, or another node does that it does not
	// hear.
	Unreached
)

// NewRoutes derives the routes of the node self, which must be in the view. ready
// tells whether the node has all of a partition that it owns: one that is handed
// over to it may still be on its way.
func NewRoutes(v *View, self NodeID, ready func(partition int) bool) *Routes {
	r := &Routes{View: v, Self: int16(v.Index(self))}
	if r.Self == NoNode {
		panic("cluster: routes of a node that is not in the view")
	}
	for p := range v.Rows {
		switch owner := v.Rows[p].Owner; {
		case owner == NoNode:
			r.places[p] = Place{NoNode, Nowhere}
		case owner != r.Self:
			r.places[p] = Place{owner, There}
		case !ready(p):
			r.places[p] = Place{owner, Arriving}
		default:
			r.places[p] = Place{owner, Here}
		}
	}
	return r
}

// CutOff makes the routes those of a node that is cut off from the nodes missed,
// which are those of most of the nodes. To be called before the routes are in force.
func (r *Routes) CutOff(missed []NodeID) {
	r.IsCutOff = true
	isMissed := func(at int16) bool { return slices.Contains(missed, r.View.Nodes[at].ID) }
	for p := range r.places {
		switch place := &r.places[p]; {
		case place.Kind == Here && slices.ContainsFunc(r.View.Rows[p].InSync, isMissed),
			place.Kind == There && isMissed(place.Owner):
			place.Kind = Unreached
		}
	}
}

// SameWays reports whether a request that goes by r may as well go by the routes of
// the same node that follow it: every partition is where it was, under the same
// epoch, the nodes are those there were, and what this node holds in sync it still
// does. So what differs is who else has copies.
func (r *Routes) SameWays(next *Routes) bool {
	if r.Self != next.Self || r.IsCutOff != next.IsCutOff || r.places != next.places || !slices.Equal(r.View.Nodes, next.View.Nodes) {
		return false
	}
	for p := range r.places {
		a, b := &r.View.Rows[p], &next.View.Rows[p]
		if a.Epoch != b.Epoch || a.Target != b.Target || r.HasCopy(p) && !next.HasCopy(p) {
			return false
		}
	}
	return true
}

// At returns the place of a partition.
func (r *Routes) At(partition int) Place { return r.places[partition] }

// IsHere reports whether requests for the partition are executed on this node.
func (r *Routes) IsHere(partition int) bool { return r.places[partition&(Partitions-1)].Kind == Here }

// HasCopy reports whether this node holds a copy of a partition of another one
// that has every write which was acknowledged, or will have it in a moment.
func (r *Routes) HasCopy(partition int) bool {
	return slices.Contains(r.View.Rows[partition].InSync, r.Self)
}

// Node returns a node by its place in the view. It must not be modified.
func (r *Routes) Node(at int16) *Node { return &r.View.Nodes[at] }

// Version returns the version of the view.
func (r *Routes) Version() uint64 { return r.View.Version }
