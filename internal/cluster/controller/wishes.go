package controller

import (
	"fmt"
	"maps"

	"github.com/larder-cache/larder/internal/cluster"
)

// Wishes are what operators want beyond the ring's choice. It is one value that
// is kept with the configuration and changed by compare-and-set, so that of two
// operators the second one's request is judged by what the first one's left.
// The zero value: none. It is immutable.
type Wishes struct {
	// Paused: nothing moves for the sake of balance. Partitions leave draining
	// nodes and follow dead ones nevertheless.
	Paused   bool   `json:"paused,omitempty"`
	PausedBy string `json:"paused_by,omitempty"`
	// Pins are partitions that are to be on a certain node, whatever the ring
	// says, as long as that node is alive and active.
	Pins map[int]Pin `json:"pins,omitempty"`
	// AcceptLoss are partitions that may begin empty, since nobody who has all of
	// them is there.
	AcceptLoss map[int]Acceptance `json:"accept_loss,omitempty"`
	// Aside are nodes that own nothing that another node has in sync: what they
	// have stays there as copies.
	Aside map[cluster.NodeID]Aside `json:"aside,omitempty"`
}

// Aside says which process of a node has stepped aside. It counts for that process
// only, so that nobody has to take it back after a restart.
type Aside struct {
	Incarnation uint64 `json:"incarnation"`
	By          string `json:"by"`
}

// Acceptance says who accepts the loss of a partition. It counts at that epoch
// only, so that it never is one of a later loss.
type Acceptance struct {
	Epoch cluster.Epoch `json:"epoch"`
	By    string        `json:"by"`
}

// Pin is where a partition is to be, and who said so.
type Pin struct {
	Node cluster.NodeID `json:"node"`
	By   string         `json:"by"`
}

// RequestKind is what an operator asks for.
type RequestKind string

// The requests.
const (
	Pause   RequestKind = "pause"
	Resume  RequestKind = "resume"
	Move    RequestKind = "move"    // partitions are to be on a node
	Release RequestKind = "release" // partitions are the ring's again; none named: all
	Accept  RequestKind = "accept"  // the loss of partitions that nobody can serve
	Relieve RequestKind = "relieve" // a node steps aside
	Recall  RequestKind = "recall"  // it takes part again
)

// Request is what an operator asks for.
type Request struct {
	Kind       RequestKind
	By         string
	Partitions []int
	Node       cluster.NodeID
	// Incarnation of the node that is to step aside.
	Incarnation uint64
	// Force overrides what another operator asked for.
	Force bool
}

// With returns the wishes after a request, with a line for each thing that was
// so already. It is refused as a whole, with the reason as the error, when it
// cannot be done or goes against another operator's.
func (w Wishes) With(r Request, view *cluster.View) (next Wishes, notes []string, err error) {
	for _, p := range r.Partitions {
		if p < 0 || p >= cluster.Partitions {
			return w, nil, fmt.Errorf("there is no partition %d: they are numbered from 0 to %d", p, cluster.Partitions-1)
		}
	}
	next = w
	next.Pins = maps.Clone(w.Pins)
	switch r.Kind {
	case Pause:
		if w.Paused {
			return w, []string{"rebalancing is paused already, by " + w.PausedBy}, nil
		}
		next.Paused, next.PausedBy = true, r.By
	case Resume:
		if !w.Paused {
			return w, []string{"rebalancing is not paused"}, nil
		}
		if w.PausedBy != r.By && !r.Force {
			return w, nil, fmt.Errorf("rebalancing was paused by %s; use --force to resume it nevertheless", w.PausedBy)
		}
		next.Paused, next.PausedBy = false, ""
	case Move:
		return next.move(r, view)
	case Release:
		return next.release(r)
	case Accept:
		return next.accept(r, view)
	case Relieve, Recall:
		return next.relieve(r)
	default:
		return w, nil, fmt.Errorf("nobody knows the request %q", r.Kind)
	}
	return next, notes, nil
}

// move and release change w, which is a copy already.
func (w Wishes) move(r Request, view *cluster.View) (Wishes, []string, error) {
	n := view.Node(r.Node)
	switch {
	case n == nil:
		return w, nil, fmt.Errorf("there is no node %s", r.Node)
	case n.State != cluster.Active:
		return w, nil, fmt.Errorf("node %s is %s and gets no partitions", n.ID.Short(), n.State)
	case n.Weight == 0:
		return w, nil, fmt.Errorf("node %s has weight 0 and gets no partitions", n.ID.Short())
	case len(r.Partitions) == 0:
		return w, nil, fmt.Errorf("no partition is named")
	}
	var notes []string
	if w.Pins == nil {
		w.Pins = make(map[int]Pin)
	}
	for _, p := range r.Partitions {
		old, pinned := w.Pins[p]
		switch {
		case pinned && old.Node == r.Node:
			notes = append(notes, fmt.Sprintf("partition %d was sent there already, by %s", p, old.By))
			continue
		case pinned && old.By != r.By && !r.Force:
			return w, nil, fmt.Errorf("partition %d was sent to %s by %s; use --force to send it elsewhere", p, old.Node.Short(), old.By)
		case view.Owner(p) == r.Node && view.Target(p) == "":
			notes = append(notes, fmt.Sprintf("partition %d is there already, and stays", p))
		case view.Streaming(p) && view.Target(p) != r.Node:
			notes = append(notes, fmt.Sprintf("partition %d is on its way to %s and goes on from there", p, view.Target(p).Short()))
		}
		w.Pins[p] = Pin{Node: r.Node, By: r.By}
	}
	return w, notes, nil
}

func (w Wishes) release(r Request) (Wishes, []string, error) {
	var notes []string
	list := r.Partitions
	if len(list) == 0 {
		for p := range cluster.Partitions {
			if _, ok := w.Pins[p]; ok {
				list = append(list, p)
			}
		}
	}
	for _, p := range list {
		pin, ok := w.Pins[p]
		switch {
		case !ok:
			notes = append(notes, fmt.Sprintf("partition %d is the ring's already", p))
		case pin.By != r.By && !r.Force:
			return w, nil, fmt.Errorf("partition %d was sent to %s by %s; use --force to release it", p, pin.Node.Short(), pin.By)
		}
		delete(w.Pins, p)
	}
	return w, notes, nil
}

// accept notes that partitions may begin empty. Whether that is necessary is
// seen when the next view is decided: one that can still be had is not lost.
func (w Wishes) accept(r Request, view *cluster.View) (Wishes, []string, error) {
	if len(r.Partitions) == 0 {
		return w, nil, fmt.Errorf("no partition is named")
	}
	standing := w.AcceptLoss
	w.AcceptLoss = make(map[int]Acceptance)
	for p, a := range standing {
		if view.Rows[p].Epoch <= a.Epoch+1 { // the next owner looks at it, too
			w.AcceptLoss[p] = a
		}
	}
	var notes []string
	for _, p := range r.Partitions {
		if a, ok := w.AcceptLoss[p]; ok && a.Epoch == view.Rows[p].Epoch {
			notes = append(notes, fmt.Sprintf("the loss of partition %d was accepted already, by %s", p, a.By))
			continue
		}
		w.AcceptLoss[p] = Acceptance{view.Rows[p].Epoch, r.By}
	}
	return w, notes, nil
}

// relieve lets a node step aside, or takes that back.
func (w Wishes) relieve(r Request) (Wishes, []string, error) {
	old, was := w.Aside[r.Node]
	w.Aside = maps.Clone(w.Aside)
	switch {
	case r.Kind == Recall:
		delete(w.Aside, r.Node)
		return w, nil, nil
	case was && old.Incarnation == r.Incarnation:
		return w, []string{fmt.Sprintf("node %s has stepped aside already, as %s has asked", r.Node.Short(), old.By)}, nil
	case w.Aside == nil:
		w.Aside = make(map[cluster.NodeID]Aside)
	}
	w.Aside[r.Node] = Aside{r.Incarnation, r.By}
	return w, nil, nil
}
