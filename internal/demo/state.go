package demo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// State is what a cluster says of itself: the part of LARDER CLUSTER STATUS JSON
// that is shown.
type State struct {
	Controller string `json:"controller"` // id
	Nodes      []struct {
		ID         string `json:"id"`
		Name       string `json:"name"`
		Alive      bool   `json:"alive"`
		Partitions int    `json:"partitions"`
		Coming     int    `json:"moving_in"`
	} `json:"nodes"`
	Unowned  int        `json:"unowned"`
	Unserved int        `json:"unserved"`
	Moves    []struct{} `json:"moves"`
	Done     int        `json:"done"`
	All      int        `json:"all"`
}

// Resting reports whether nothing moves, nor is about to, and all is served.
func (s *State) Resting() bool {
	return len(s.Moves) == 0 && s.Done >= s.All && s.Unowned == 0 && s.Unserved == 0
}

// Owned returns how many partitions a node owns, and whether it is a member.
func (s *State) Owned(name string) (count int, member bool) {
	for _, n := range s.Nodes {
		if n.Name == name {
			return n.Partitions, true
		}
	}
	return 0, false
}

// Controls reports whether a node is the controller.
func (s *State) Controls(name string) bool {
	for _, n := range s.Nodes {
		if n.Name == name {
			return n.ID == s.Controller
		}
	}
	return false
}

// askWithin is how long a node may take to answer an operator.
const askWithin = 5 * time.Second

// errNobody is that no node runs.
var errNobody = errors.New("no node of the cluster answers")

// ask sends a command to the first node that answers.
func (f *Fleet) ask(ctx context.Context, args ...string) (Reply, error) {
	err := errNobody
	for _, n := range f.Running() {
		var r Reply
		if r, err = askNode(ctx, n.RESP, args); err == nil {
			return r, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return Reply{}, err
}

func askNode(ctx context.Context, addr string, args []string) (Reply, error) {
	c, err := Dial(ctx, addr, 16<<10)
	if err != nil {
		return Reply{}, err
	}
	defer c.Close()
	if err := c.Expire(time.Now().Add(askWithin)); err != nil {
		return Reply{}, err
	}
	r, err := c.Do(args...)
	if err == nil && r.Err != "" {
		err = fmt.Errorf("%s %s: %s", args[0], args[1], r.Err)
	}
	return r, err
}

// State asks the cluster for its state.
func (f *Fleet) State(ctx context.Context) (s State, err error) {
	r, err := f.ask(ctx, "LARDER", "CLUSTER", "STATUS", "JSON")
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(r.Data, &s); err != nil {
		return s, fmt.Errorf("state of the cluster: %w", err)
	}
	return s, nil
}

// Spread waits until every node that runs owns partitions, nothing moves any
// more, and every partition has as many copies as are to be kept.
func (f *Fleet) Spread(ctx context.Context) (State, error) {
	copies := f.Replicas(ctx)
	limit := time.Now().Add(patience)
	for {
		s, err := f.State(ctx)
		if err == nil {
			complete := 0
			if complete, err = f.Copied(ctx, copies); err == nil && complete == partitions && s.Resting() && f.shares(&s) {
				return s, nil
			}
			err = cmp.Or(err, errPatience)
		}
		if ctx.Err() != nil || time.Now().After(limit) {
			return s, fmt.Errorf("partitions for all nodes: %w within %v", err, patience)
		}
		until(ctx, time.Now().Add(lookEvery))
	}
}

// shares reports whether every node that runs owns partitions.
func (f *Fleet) shares(s *State) bool {
	for _, n := range f.Running() {
		if owned, _ := s.Owned(n.Name); owned == 0 {
			return false
		}
	}
	return true
}

// Drain moves what a node owns to the others; it stays a member.
func (f *Fleet) Drain(ctx context.Context, n *Member) error {
	_, err := f.ask(ctx, "LARDER", "CLUSTER", "DRAIN", n.Name)
	return err
}

// Remove lets a node go once it is empty.
func (f *Fleet) Remove(ctx context.Context, n *Member) error {
	_, err := f.ask(ctx, "LARDER", "CLUSTER", "REMOVE", n.Name)
	return err
}

// replicaSettings is what the number of copies is set by.
const replicaSettings = "cluster.replicas"

// Replicas returns how many copies the cluster is told to keep of each partition
// beside the owner's; 0 also for nodes that cannot keep any.
func (f *Fleet) Replicas(ctx context.Context) int {
	r, err := f.ask(ctx, "LARDER", "CONFIG", "GET", replicaSettings)
	if err != nil || len(r.List) == 0 || len(r.List[0].List) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(string(r.List[0].List[1].Data)) // no number is none
	return n
}

// Slots of a partition, and all partitions.
const (
	slotsPerPartition = 16
	partitions        = 1024
)

// Copied returns how many partitions have at least so many complete copies
// beside the owner's.
func (f *Fleet) Copied(ctx context.Context, copies int) (int, error) {
	r, err := f.ask(ctx, "CLUSTER", "SLOTS")
	if err != nil {
		return 0, err
	}
	slots := 0
	for _, run := range r.List {
		if len(run.List) < 3+copies {
			continue
		}
		first, err1 := strconv.Atoi(string(run.List[0].Data))
		last, err2 := strconv.Atoi(string(run.List[1].Data))
		if err := errors.Join(err1, err2); err != nil {
			return 0, fmt.Errorf("reply to CLUSTER SLOTS: %w", err)
		}
		slots += last - first + 1
	}
	return slots / slotsPerPartition, nil
}
