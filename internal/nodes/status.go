package nodes

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/hashing"
)

// Partitions is the number of partitions, each of [SlotsPerPartition] slots.
const (
	Partitions        = 1024
	SlotsPerPartition = 16
)

// Status is what one node says about the cluster.
type Status struct {
	View    uint64 // version of the view it acts by
	Members int    // nodes that it knows of
	Moving  int    // partitions under way
	Serving int    // partitions whose owner is alive, as it sees it
	// Owner has the id of every partition's owner, empty where there is none.
	Owner [Partitions]string
	// InSync has the ids of the nodes beside the owner that have all of a partition.
	InSync [Partitions][]string
}

// CopiedAt reports whether a node beside the owner has all of a key's partition.
func (s *Status) CopiedAt(id, key string) bool {
	return slices.Contains(s.InSync[PartitionOf(key)], id)
}

// PartitionOf returns the partition of a key.
func PartitionOf(key string) int { return hashing.PartitionOf([]byte(key)) }

// OwnerOf returns the id of the owner of a key, empty where there is none.
func (s *Status) OwnerOf(key string) string { return s.Owner[PartitionOf(key)] }

// Owned returns how many partitions a node owns.
func (s *Status) Owned(id string) (count int) {
	for _, owner := range s.Owner {
		if owner == id {
			count++
		}
	}
	return count
}

// Status asks the node for its view of the cluster.
func (n *Node) Status(ctx context.Context) (*Status, error) {
	c, err := Dial(ctx, n.RESP)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", n.Name, err)
	}
	defer c.Close()
	if err := c.Expire(time.Now().Add(statusWithin)); err != nil {
		return nil, err
	}
	for {
		s, again, err := statusOver(c)
		if err != nil {
			return nil, fmt.Errorf("status of node %s: %w", n.Name, err)
		}
		if !again {
			return s, nil
		}
	}
}

// statusWithin is how long a node may take to tell.
const statusWithin = 5 * time.Second

// statusOver asks for everything at once. It is to be asked again when the view
// has changed between the answers.
func statusOver(c *Conn) (s *Status, again bool, err error) {
	c.Send("CLUSTER", "INFO")
	c.Send("CLUSTER", "SLOTS")
	c.Send("CLUSTER", "INFO")
	if err := c.Flush(); err != nil {
		return nil, false, err
	}
	var replies [3]Reply
	for i := range replies {
		if replies[i], err = c.Receive(); err != nil {
			return nil, false, err
		}
	}
	for _, r := range replies {
		if err := r.Err(); err != nil {
			return nil, false, err
		}
	}
	before, after := fields(replies[0].Text), fields(replies[2].Text)
	if before["cluster_view_version"] != after["cluster_view_version"] {
		return nil, true, nil
	}
	s = &Status{
		View: uint64(after["cluster_view_version"]), Members: int(after["cluster_known_nodes"]),
		Moving: int(after["cluster_partitions_moving"]), Serving: int(after["cluster_slots_ok"]) / SlotsPerPartition,
	}
	return s, false, s.addOwners(replies[1])
}

// fields reads the numbers of «name:number» lines.
func fields(text string) map[string]int64 {
	m := map[string]int64{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			m[name] = n
		}
	}
	return m
}

// addOwners reads a reply to CLUSTER SLOTS: first slot, last slot, owner, nodes
// with copies that are in sync.
func (s *Status) addOwners(r Reply) error {
	for _, span := range r.List {
		if len(span.List) < 3 || len(span.List[2].List) < 3 {
			return fmt.Errorf("CLUSTER SLOTS has a range of %d parts", len(span.List))
		}
		first, last := span.List[0].Int, span.List[1].Int
		if first < 0 || last < first || last >= Partitions*SlotsPerPartition {
			return fmt.Errorf("CLUSTER SLOTS has slots %d to %d", first, last)
		}
		var copies []string
		for _, n := range span.List[3:] {
			if len(n.List) < 3 {
				return fmt.Errorf("CLUSTER SLOTS has a node of %d parts", len(n.List))
			}
			copies = append(copies, n.List[2].Text)
		}
		for p := first / SlotsPerPartition; p <= last/SlotsPerPartition; p++ {
			s.Owner[p], s.InSync[p] = span.List[2].List[2].Text, copies
		}
	}
	return nil
}

// ID returns the node's id in the cluster, empty before its first start and for
// one that stands alone.
func (n *Node) ID() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.id
}

// learnID asks a member for its id.
func (n *Node) learnID(ctx context.Context) error {
	if n.Peer == "" {
		return nil
	}
	r, err := n.Do(ctx, "CLUSTER", "MYID")
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.id = r.Text
	return nil
}

// Members holds when so many nodes are known.
func Members(count int) Condition {
	return func(s *Status) error {
		if s.Members != count {
			return fmt.Errorf("%d members, not %d", s.Members, count)
		}
		return nil
	}
}

// Still holds when every partition is served and none is moving.
func Still(s *Status) error {
	if s.Moving != 0 || s.Serving != Partitions {
		return fmt.Errorf("%d partitions are moving, %d of %d served", s.Moving, s.Serving, Partitions)
	}
	return nil
}

// Balanced holds when count nodes own a fair share each, all partitions
// together, and none is moving. Fair is at most a fifth off.
func Balanced(count int) Condition {
	return func(s *Status) error {
		if err := Still(s); err != nil {
			return err
		}
		owned := map[string]int{}
		for _, owner := range s.Owner {
			owned[owner]++
		}
		if len(owned) != count {
			return fmt.Errorf("%d nodes own partitions, not %d", len(owned), count)
		}
		for owner, have := range owned {
			if share := Partitions / count; 5*have < 4*share || 5*have > 6*share+5 {
				return fmt.Errorf("node %.8s owns %d partitions of %d", owner, have, Partitions)
			}
		}
		return nil
	}
}

// Copied holds when so many nodes beside the owner have every partition in sync,
// and none is moving.
func Copied(replicas int) Condition {
	return func(s *Status) error {
		missing := 0
		for _, have := range s.InSync {
			if len(have) < replicas {
				missing++
			}
		}
		if missing > 0 {
			return fmt.Errorf("%d partitions have fewer than %d copies in sync", missing, replicas)
		}
		return Still(s)
	}
}

// Empty holds when the nodes own nothing and nothing is moving.
func Empty(list ...*Node) Condition {
	return func(s *Status) error {
		for _, n := range list {
			if have := s.Owned(n.ID()); have != 0 {
				return fmt.Errorf("node %s still owns %d partitions", n.Name, have)
			}
		}
		return Still(s)
	}
}

// Without holds when a node owns nothing and keeps no copy that counts.
func Without(n *Node) Condition {
	return func(s *Status) error {
		for p := range s.Owner {
			if s.Owner[p] == n.ID() || slices.Contains(s.InSync[p], n.ID()) {
				return fmt.Errorf("partition %d is still with node %s", p, n.Name)
			}
		}
		return nil
	}
}

// Holding holds when a node owns all of these partitions and none is moving.
func Holding(n *Node, partitions []int) Condition {
	return func(s *Status) error {
		for _, p := range partitions {
			if s.Owner[p] != n.ID() {
				return fmt.Errorf("partition %d is not at node %s", p, n.Name)
			}
		}
		return Still(s)
	}
}
