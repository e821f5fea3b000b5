package controller

import (
	"errors"
	"fmt"
	"slices"

	"github.com/larder-cache/larder/internal/cluster"
)

// Check reports what is wrong with next as the view after prev (nil: as the
// first one). Whoever writes a view calls it before; it is the last guard
// against a mistake in a decision, and knows nothing of how it was made.
//
// Invariant: Version rises by one with every view.
// Invariant: a node that has left never comes back.
// Invariant: a partition that has an owner always has one.
// Invariant: the epoch of a row rises by one with its owner, when a move is given
// up, or when a copy leaves that had promised a higher one, and not otherwise.
// Invariant: a row with a target gets no other target, and no owner but that,
// unless it loses the target, too.
// Invariant: those in sync are among the replicas; under one owner a node gets in
// sync only after it was a learner in the view before.
// Invariant: who follows an owner was in sync with it, and so were those that are
// in sync with the one who follows; or it has no copies at all: the partition
// begins empty, or had none.
func Check(prev, next *cluster.View) error {
	if prev == nil {
		prev = cluster.NewView(nil)
	}
	if next.Version != prev.Version+1 {
		return fmt.Errorf("view %d follows %d", next.Version, prev.Version)
	}
	if err := checkNodes(prev, next); err != nil {
		return fmt.Errorf("view %d: %w", next.Version, err)
	}
	for p := range next.Rows {
		if err := checkForm(next, &next.Rows[p]); err != nil {
			return fmt.Errorf("view %d, partition %d: %w", next.Version, p, err)
		}
		if err := checkStep(prev, next, p); err != nil {
			return fmt.Errorf("view %d, partition %d: %w", next.Version, p, err)
		}
	}
	return nil
}

func checkNodes(prev, next *cluster.View) error {
	for i := range next.Nodes {
		n := &next.Nodes[i]
		if i > 0 && next.Nodes[i-1].ID >= n.ID {
			return fmt.Errorf("node %s is out of order", n.ID.Short())
		}
		if old := prev.Node(n.ID); old != nil && old.State == cluster.Left && n.State != cluster.Left {
			return fmt.Errorf("node %s had left and is %s", n.ID.Short(), n.State)
		}
	}
	return nil
}

// checkForm looks at a row alone.
func checkForm(v *cluster.View, r *cluster.Row) error {
	known := func(at int16) bool { return at >= cluster.NoNode && int(at) < len(v.Nodes) }
	if !known(r.Owner) || !known(r.Target) {
		return errors.New("a node that is not in the view")
	}
	if r.Owner == cluster.NoNode && (r.Target != cluster.NoNode || len(r.Replicas) > 0) {
		return errors.New("a target or replicas without an owner")
	}
	for i, at := range r.Replicas {
		if !known(at) || at == cluster.NoNode || at == r.Owner || i > 0 && r.Replicas[i-1] >= at {
			return fmt.Errorf("replicas %v of owner %d", r.Replicas, r.Owner)
		}
	}
	for _, at := range r.InSync {
		if !slices.Contains(r.Replicas, at) {
			return fmt.Errorf("in sync %v, replicas %v", r.InSync, r.Replicas)
		}
	}
	return nil
}

// checkStep looks at what became of a row.
func checkStep(prev, next *cluster.View, p int) error {
	was, is := &prev.Rows[p], &next.Rows[p]
	ownerWas, owner := prev.Owner(p), next.Owner(p)
	targetWas, target := prev.Target(p), next.Target(p)
	swap := target != "" && target == owner && targetWas == ""
	switch {
	case owner == "" && ownerWas != "":
		return fmt.Errorf("it was taken from %s and given to nobody", ownerWas.Short())
	case owner != ownerWas:
		if is.Epoch != was.Epoch+1 {
			return fmt.Errorf("a new owner at epoch %d, after %d", is.Epoch, was.Epoch)
		}
		fromInSync := swap && slices.Contains(ids(prev, was.InSync), owner)
		if target != "" && !fromInSync && (target != owner || target != targetWas) {
			return fmt.Errorf("owner and target change at once, to %s and %s", owner.Short(), target.Short())
		}
	case targetWas != "" && target == "" && !prev.Arriving(p):
		if is.Epoch != was.Epoch+1 {
			return fmt.Errorf("a move was given up at epoch %d, after %d", is.Epoch, was.Epoch)
		}
	case is.Epoch != was.Epoch:
		if is.Epoch != was.Epoch+1 || target != "" || missing(ids(next, is.Replicas), ids(prev, was.Replicas)) == "" {
			return fmt.Errorf("epoch %d after %d without a reason", is.Epoch, was.Epoch)
		}
	case target != targetWas && targetWas != "" && target != "":
		return fmt.Errorf("its move to %s became one to %s", targetWas.Short(), target.Short())
	case target != "" && targetWas == "":
		if target == owner {
			return errors.New("it moves to its own owner")
		}
		if n := next.Node(target); n.State != cluster.Active {
			return fmt.Errorf("it moves to %s, which is %s", target.Short(), n.State)
		}
	}
	return checkCopies(prev, next, p)
}

// checkCopies looks at what became of the copies of a partition.
func checkCopies(prev, next *cluster.View, p int) error {
	was, is := &prev.Rows[p], &next.Rows[p]
	if len(was.Replicas) == 0 && len(is.Replicas) == 0 {
		return nil
	}
	ownerWas, owner := prev.Owner(p), next.Owner(p)
	replicasWere, replicas := ids(prev, was.Replicas), ids(next, is.Replicas)
	inSyncWere, inSync := ids(prev, was.InSync), ids(next, is.InSync)
	if owner == ownerWas {
		if id := missing(replicasWere, inSync); id != "" {
			return fmt.Errorf("%s is in sync without having been a learner", id.Short())
		}
		if added := len(slices.DeleteFunc(replicas, func(id cluster.NodeID) bool { return slices.Contains(replicasWere, id) })); added > 1 {
			return fmt.Errorf("it gets %d learners at once", added)
		}
		return nil
	}
	if !slices.Contains(inSyncWere, owner) {
		if len(replicas) > 0 {
			return fmt.Errorf("%s was not in sync, follows and has copies", owner.Short())
		}
		return nil
	}
	former := inSyncWere
	if next.Arriving(p) {
		former = append(slices.Clone(inSyncWere), ownerWas)
	}
	if id := missing(former, inSync); id != "" {
		return fmt.Errorf("%s was not in sync with the former owner", id.Short())
	}
	if id := missing(append(replicasWere, ownerWas), replicas); id != "" {
		return fmt.Errorf("%s becomes a learner in the view of another owner", id.Short())
	}
	return nil
}

// ids returns nodes by their id.
func ids(v *cluster.View, list []int16) []cluster.NodeID {
	out := make([]cluster.NodeID, len(list))
	for i, at := range list {
		out[i] = v.Nodes[at].ID
	}
	return out
}

// missing returns one of list that is not in all; empty: none.
func missing(all, list []cluster.NodeID) cluster.NodeID {
	for _, id := range list {
		if !slices.Contains(all, id) {
			return id
		}
	}
	return ""
}
