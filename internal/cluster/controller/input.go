package controller

import (
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// Input is all that a decision depends on. Nothing in it is modified or kept,
// but the view and the nodes are shared with the view that is returned.
type Input struct {
	// Now is the time on a clock that never goes back; only differences to
	// Since matter.
	Now time.Duration
	// View is the view in force, nil when there is none yet.
	View *cluster.View
	// Nodes are all known nodes with what operators want of them, in any order.
	Nodes []cluster.Node
	// Alive says which nodes are there. A node that is not listed has not been
	// seen since this controller began, and counts as dead since time zero.
	Alive map[cluster.NodeID]Liveness
	// Reports are the last words of each node on the moves that it takes part in.
	Reports map[cluster.NodeID]Report
	// Promises are what nodes answered to [Output.Prepare], by partition, as this
	// controller has heard them in its term. Those of other epochs than the one
	// to come, or of processes that are no more, are ignored.
	Promises map[int][]Promise
	// Wishes are what operators asked for and have not taken back.
	Wishes Wishes
	// Settings limit what is done at a time.
	Settings Settings
}

// Liveness says whether a node is there.
type Liveness struct {
	Alive bool
	// Silent: it is registered, but the controller cannot reach it. It counts as
	// dead where a promise, or the owner's word, makes that safe: it is followed by
	// a copy in sync, or leaves those in sync. It is alive for all else.
	Silent bool
	// Since is when the node came or went. Of a node that was dead already when
	// this controller began, it is when the controller began.
	Since time.Duration
	// Incarnation is the process that is, or was last seen, alive.
	Incarnation uint64
}

// Report is what a node says about its moves. It is complete: what is not in it
// the node knows nothing of.
type Report struct {
	// View is the version of the view that the node follows.
	View uint64
	// Incarnation is the process that reports.
	Incarnation uint64
	// Leaving are partitions that the node sends or hands over to another.
	Leaving []Leaving
	// Arrived are partitions that the node owns and serves although the view
	// still has them as arriving.
	Arrived []Arrived
	// Copies are those of partitions that the node owns to the nodes of
	// Row.Replicas. What goes on well with a node in Row.InSync may be left out.
	Copies []CopyOf
	// InSync are the processes that have this node's copies in sync, by node, those
	// that the node knows to have failed left out: the view names nodes, and a
	// process that has just been started has nothing.
	InSync map[cluster.NodeID]uint64
	// Empty are partitions that the view gives to the node and of which its
	// process has nothing: it was started anew. It does not serve them.
	Empty []Arrived
}

// CopyOf is what an owner says of one of its copies.
type CopyOf struct {
	Partition int
	// Epoch is that of the row which the owner acts on.
	Epoch cluster.Epoch
	// Node has the copy, in this incarnation.
	Node        cluster.NodeID
	Incarnation uint64
	// Stage is Sending, CaughtUp or Failed.
	//
	// Invariant: CaughtUp is said only after the owner has begun to require the
	// node's acknowledgements and the node has acknowledged everything that the
	// owner had executed until then. From then on the owner neither stops to
	// require them nor begins the copy anew before a view without the node in
	// Row.Replicas.
	Stage Stage
	// Fenced: the node refused because it has promised a higher epoch.
	Fenced bool
	// Reason of a failure, for people.
	Reason string
}

// Promise is the answer of a node to a [Preparation]: it takes nothing from
// owners of lower epochs any more.
type Promise struct {
	Node cluster.NodeID
	// Incarnation is the process that answered.
	Incarnation uint64
	// Epoch is that of the preparation.
	Epoch cluster.Epoch
	// Seq is the last effect that it has, Whole whether it has all up to there.
	Seq   uint64
	Whole bool
}

// Leaving is one partition on its way from the node that reports.
type Leaving struct {
	Partition int
	// Epoch is that of the row which the node acts on: before the swap the
	// epoch of its own ownership, when handing over that of the new owner.
	Epoch cluster.Epoch
	// Target is who gets it, in which incarnation.
	Target            cluster.NodeID
	TargetIncarnation uint64
	Stage             Stage
	// Bytes have been sent of about Total.
	Bytes, Total uint64
	// Reason of a failure, for people.
	Reason string
}

// Stage is how far a move is, as its source sees it.
type Stage uint8

// The stages.
const (
	// Sending: the target does not have everything yet.
	Sending Stage = iota
	// CaughtUp: the target has everything but the changes of the last moments.
	CaughtUp
	// Failed: the source has given up.
	Failed
	// HandingOver: the target owns the partition; the source still has all of
	// it and does not yet know that the target has.
	HandingOver
)

// Arrived is a partition that its new owner has begun to serve.
type Arrived struct {
	Partition int
	Epoch     cluster.Epoch
}

// Settings limit what is done at a time.
type Settings struct {
	// Moves is how many partitions may move at once, MovesPerSource and
	// MovesPerTarget how many of them from or to one node. At least 1.
	Moves, MovesPerSource, MovesPerTarget int
	// RebalanceDelay is how long a dead node keeps its place. Zero: not at all.
	RebalanceDelay time.Duration
	// RetryAfter is how long a partition rests after a move that failed.
	RetryAfter time.Duration
	// Replicas is the number of copies beside the owner's. Zero: none are kept,
	// and the partitions of a dead owner are given up after RebalanceDelay. The
	// copies that are being made count as moves.
	Replicas int
}

// DefaultSettings are those of a cluster on a local network.
func DefaultSettings() Settings {
	return Settings{Moves: 32, MovesPerSource: 4, MovesPerTarget: 4, RebalanceDelay: 30 * time.Second, RetryAfter: 2 * time.Second}
}

// alive reports whether a node is there.
func (in *Input) alive(id cluster.NodeID) bool { return in.Alive[id].Alive }

// deadFor is how long a dead node has been so.
func (in *Input) deadFor(id cluster.NodeID) time.Duration { return in.Now - in.Alive[id].Since }

// report returns what the present (or last) process of a node has said.
func (in *Input) report(id cluster.NodeID) (Report, bool) {
	r, ok := in.Reports[id]
	return r, ok && r.Incarnation == in.Alive[id].Incarnation
}

// leaving returns what a node says about a partition at an epoch, nil: nothing.
func (in *Input) leaving(id cluster.NodeID, partition int, epoch cluster.Epoch) *Leaving {
	r, ok := in.report(id)
	if !ok {
		return nil
	}
	for i := range r.Leaving {
		if l := &r.Leaving[i]; l.Partition == partition && l.Epoch == epoch {
			return l
		}
	}
	return nil
}

// arrived reports whether a node says that it serves a partition.
func (in *Input) arrived(id cluster.NodeID, partition int, epoch cluster.Epoch) bool {
	r, ok := in.report(id)
	for i := range r.Arrived {
		if a := r.Arrived[i]; ok && a.Partition == partition && a.Epoch == epoch {
			return true
		}
	}
	return false
}
