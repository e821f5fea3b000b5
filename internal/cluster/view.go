package cluster

import (
	"fmt"
	"slices"

	"github.com/larder-cache/larder/internal/hashing"
)

// Partitions is the number of partitions, the unit of ownership and of moving.
const Partitions = hashing.Partitions

// NoNode stands in a [Row] where there is no node.
const NoNode = -1

// Epoch is the version of one partition's ownership. It rises with every change
// of owner and never falls; what carries a lower one is of the past.
type Epoch uint64

// View says who holds what. It is immutable: who wants another one takes
// [View.Clone], changes that, and raises Version.
//
// Invariant: Nodes ascend by ID; every index in Rows is NoNode or one of Nodes.
// Invariant: Version rises with every view, the epoch of a row with every owner.
type View struct {
	// Version counts the views of a cluster from 1. Zero: there is none yet.
	Version uint64
	// Nodes are all that rows refer to, and every other known node that has not
	// left, by ID.
	Nodes []Node
	// Rows are the partitions by number.
	Rows [Partitions]Row
}

// Row says who holds one partition. Nodes are indexes into View.Nodes.
type Row struct {
	Owner int16 // NoNode: nobody has been given the partition yet
	// Target is the node that the partition is moving to, NoNode when it is not.
	// When it is the owner itself the last step of the move is under way: see
	// [View.Arriving].
	Target int16
	Epoch  Epoch
	// Replicas hold copies, InSync those of them that must have a write before
	// it is acknowledged. Both ascend and never contain Owner.
	Replicas []int16
	InSync   []int16
}

// Equal reports whether two rows say the same, of views with the same nodes.
func (r *Row) Equal(o *Row) bool {
	return r.Epoch == o.Epoch && r.Owner == o.Owner && r.Target == o.Target &&
		slices.Equal(r.Replicas, o.Replicas) && slices.Equal(r.InSync, o.InSync)
}

// NewView returns the view of a cluster in which nobody owns anything.
func NewView(nodes []Node) *View {
	v := &View{Nodes: slices.Clone(nodes)}
	slices.SortFunc(v.Nodes, byID)
	for p := range v.Rows {
		v.Rows[p] = Row{Owner: NoNode, Target: NoNode}
	}
	return v
}

func byID(a, b Node) int {
	switch {
	case a.ID < b.ID:
		return -1
	case a.ID > b.ID:
		return 1
	}
	return 0
}

// Clone returns a copy to be changed.
func (v *View) Clone() *View {
	c := *v
	c.Nodes = slices.Clone(v.Nodes)
	for p := range c.Rows {
		c.Rows[p].Replicas = slices.Clone(v.Rows[p].Replicas)
		c.Rows[p].InSync = slices.Clone(v.Rows[p].InSync)
	}
	return &c
}

// Index returns the place of a node in Nodes, NoNode when it is not there.
func (v *View) Index(id NodeID) int {
	if at, ok := slices.BinarySearchFunc(v.Nodes, Node{ID: id}, byID); ok {
		return at
	}
	return NoNode
}

// Node returns what is known of a node, nil when it is not in the view. It must
// not be modified.
func (v *View) Node(id NodeID) *Node {
	if at := v.Index(id); at != NoNode {
		return &v.Nodes[at]
	}
	return nil
}

// Owner returns the id of a partition's owner, empty when there is none.
func (v *View) Owner(partition int) NodeID { return v.id(v.Rows[partition].Owner) }

// Target returns where a partition is moving to, empty when it is not.
func (v *View) Target(partition int) NodeID { return v.id(v.Rows[partition].Target) }

func (v *View) id(at int16) NodeID {
	if at == NoNode {
		return ""
	}
	return v.Nodes[at].ID
}

// Owned returns how many partitions each node owns, by index.
func (v *View) Owned() []int {
	n := make([]int, len(v.Nodes))
	for p := range v.Rows {
		if at := v.Rows[p].Owner; at != NoNode {
			n[at]++
		}
	}
	return n
}

// Moving returns the partitions that have a target.
func (v *View) Moving() (list []int) {
	for p := range v.Rows {
		if v.Rows[p].Target != NoNode {
			list = append(list, p)
		}
	}
	return list
}

// WithNodes returns a clone in which the known nodes are these: rows keep
// referring to the same ids. A node that a row refers to must not be missing.
func (v *View) WithNodes(nodes []Node) (*View, error) {
	c := v.Clone()
	c.Nodes = slices.Clone(nodes)
	slices.SortFunc(c.Nodes, byID)
	place := make([]int16, len(v.Nodes))
	for i := range v.Nodes {
		place[i] = int16(c.Index(v.Nodes[i].ID))
	}
	move := func(at int16) (int16, error) {
		if at == NoNode {
			return NoNode, nil
		}
		if place[at] == NoNode {
			return NoNode, fmt.Errorf("cluster: node %s is still in the view", v.Nodes[at].ID)
		}
		return place[at], nil
	}
	for p := range c.Rows {
		r := &c.Rows[p]
		var err error
		if r.Owner, err = move(r.Owner); err != nil {
			return nil, err
		}
		if r.Target, err = move(r.Target); err != nil {
			return nil, err
		}
		for _, list := range [][]int16{r.Replicas, r.InSync} {
			for i := range list {
				if list[i], err = move(list[i]); err != nil {
					return nil, err
				}
			}
			slices.Sort(list)
		}
	}
	return c, nil
}
