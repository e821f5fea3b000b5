package nodes

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// errNoMember is that no node of the cluster serves.
var errNoMember = errors.New("no node of the cluster serves")

// Operate sends LARDER CLUSTER and words to the first member that serves, as an
// operator would. It returns when the wish is known, not when it is fulfilled:
// see [Cluster.Await].
func (c *Cluster) Operate(ctx context.Context, words ...string) (Reply, error) {
	for _, n := range c.Serving() {
		if !n.Member() {
			continue
		}
		r, err := n.Do(ctx, append([]string{"LARDER", "CLUSTER"}, words...)...)
		if err != nil {
			return r, fmt.Errorf("LARDER CLUSTER %s: %w", words[0], err)
		}
		return r, nil
	}
	return Reply{}, errNoMember
}

// Drain empties a node, which stays a member.
func (c *Cluster) Drain(ctx context.Context, n *Node) error {
	_, err := c.Operate(ctx, "DRAIN", n.ID())
	return err
}

// Activate lets a drained node hold partitions again.
func (c *Cluster) Activate(ctx context.Context, n *Node) error {
	_, err := c.Operate(ctx, "ACTIVATE", n.ID())
	return err
}

// Remove empties a node and lets it go; with force one that is dead. Its process
// goes on, and forwards what it is asked, but is no member any more: what is
// awaited need not hold there.
func (c *Cluster) Remove(ctx context.Context, n *Node, force bool) error {
	words := []string{"REMOVE", n.ID()}
	if force {
		words = append(words, "FORCE")
	}
	if _, err := c.Operate(ctx, words...); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.removed = true
	return nil
}

// Move sends partitions to a node, where they stay until Release.
func (c *Cluster) Move(ctx context.Context, to *Node, partitions []int) error {
	words := []string{"MOVE", to.ID()}
	for _, p := range partitions {
		words = append(words, strconv.Itoa(p))
	}
	_, err := c.Operate(ctx, words...)
	return err
}

// Release gives all partitions that were moved by hand back to the ring, whoever
// moved them.
func (c *Cluster) Release(ctx context.Context) error {
	_, err := c.Operate(ctx, "RELEASE", "FORCE")
	return err
}

// Hold stops moves for the sake of balance until Go.
func (c *Cluster) Hold(ctx context.Context) error {
	_, err := c.Operate(ctx, "PAUSE")
	return err
}

// Go lets moves go on that Hold has stopped.
func (c *Cluster) Go(ctx context.Context) error {
	_, err := c.Operate(ctx, "RESUME", "FORCE")
	return err
}

// Controller returns the node that assigns partitions, as the first member that
// serves sees it; nil when it sees none.
func (c *Cluster) Controller(ctx context.Context) (*Node, error) {
	r, err := c.Operate(ctx, "STATUS", "JSON")
	if err != nil {
		return nil, err
	}
	var status struct {
		Controller string `json:"controller"`
	}
	if err := json.Unmarshal([]byte(r.Text), &status); err != nil {
		return nil, fmt.Errorf("LARDER CLUSTER STATUS JSON: %w", err)
	}
	for _, n := range c.Nodes() {
		if n.ID() == status.Controller {
			return n, nil
		}
	}
	return nil, nil
}

// ServiceLeader returns the node whose member leads the configuration service, nil
// when none does.
func (c *Cluster) ServiceLeader(ctx context.Context) (*Node, error) {
	_, leader, err := c.Coordinators(ctx)
	return leader, err
}

// Coordinators returns the nodes that run a member of the configuration service,
// and the one of them that leads it; nil when none does.
func (c *Cluster) Coordinators(ctx context.Context) (all []*Node, leader *Node, err error) {
	r, err := c.Operate(ctx, "COORDINATORS", "JSON")
	if err != nil {
		return nil, nil, err
	}
	var list []struct {
		Node   string `json:"node"`
		Leader bool   `json:"leader"`
	}
	if err := json.Unmarshal([]byte(r.Text), &list); err != nil {
		return nil, nil, fmt.Errorf("LARDER CLUSTER COORDINATORS JSON: %w", err)
	}
	for _, n := range c.Nodes() {
		for _, one := range list {
			if n.ID() != one.Node {
				continue
			}
			all = append(all, n)
			if one.Leader {
				leader = n
			}
		}
	}
	return all, leader, nil
}

// Move is a partition that is to be at a node.
type Move struct {
	Partition int    `json:"partition"`
	To        string `json:"to"` // the id of the node
}

// Planned returns the moves that are wanted, by partition, whether they are held
// or not.
func (c *Cluster) Planned(ctx context.Context) ([]Move, error) {
	r, err := c.Operate(ctx, "PLAN", "JSON")
	if err != nil {
		return nil, err
	}
	var plan struct {
		Moves []Move `json:"moves"`
	}
	if err := json.Unmarshal([]byte(r.Text), &plan); err != nil {
		return nil, fmt.Errorf("LARDER CLUSTER PLAN JSON: %w", err)
	}
	slices.SortFunc(plan.Moves, func(a, b Move) int { return cmp.Compare(a.Partition, b.Partition) })
	return plan.Moves, nil
}

// Done holds when all of these moves are done and nothing is moving.
func Done(moves []Move) Condition {
	return func(s *Status) error {
		for _, m := range moves {
			if s.Owner[m.Partition] != m.To {
				return fmt.Errorf("partition %d is not at node %.8s", m.Partition, m.To)
			}
		}
		return Still(s)
	}
}
