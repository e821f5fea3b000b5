package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/nodes"
	"github.com/larder-cache/larder/internal/ports"
)

// applied waits until a setting is in force at every node that runs.
func applied(t *testing.T, c *nodes.Cluster, name, want string) {
	t.Helper()
	eventually(t, name, func(ctx context.Context) error {
		for _, n := range c.Serving() {
			r, err := n.Do(ctx, "CONFIG", "GET", name)
			if err != nil {
				return err
			}
			if len(r.List) != 2 || r.List[1].Text != want {
				return fmt.Errorf("node %s has %+v", n.Name, r.List)
			}
		}
		return nil
	})
}

// TestMinorityLost kills one coordinator of three: nothing is refused.
func TestMinorityLost(t *testing.T) {
	c := grow(t, 3, "--zone", "z")
	c.Nodes()[0].Kill() // it leads, having been first
	eventually(t, "CONFIG SET", func(ctx context.Context) error {
		_, err := c.Nodes()[1].Do(ctx, "CONFIG", "SET", "slowlog-max-len", "77")
		return err
	})
	applied(t, c, "slowlog-max-len", "77")
	if err := c.Nodes()[0].Start(within(t)); err != nil {
		t.Fatal(err)
	}
	applied(t, c, "slowlog-max-len", "77")
	await(t, c, nodes.Members(3), nodes.Still)
	put(t, c.Nodes()[0], "k", 500)
	check(t, c.Nodes()[2], "k", 500)
}

// TestQuorumLost kills two coordinators of three, beside a node that is none:
// what the living nodes hold is served, and what needs the service says why not.
func TestQuorumLost(t *testing.T) {
	c := grow(t, 4)
	n, last := c.Nodes(), c.Nodes()[3]
	put(t, last, "k", 2000)
	s, err := last.Status(within(t))
	if err != nil {
		t.Fatal(err)
	}
	n[0].Kill()
	n[1].Kill()
	living, dead := 0, 0
	for i := range 2000 {
		key := fmt.Sprint("k", i)
		r, err := last.Do(within(t), "CLUSTER", "KEYSLOT", key)
		if err != nil {
			t.Fatal(err)
		}
		owner := s.Owner[r.Int/nodes.SlotsPerPartition]
		if owner != n[2].ID() && owner != last.ID() {
			if dead++; dead == 1 { // whose it was nobody may decide
				if _, err := last.Do(within(t), "GET", key); !errors.Is(err, nodes.ErrReply) || !strings.Contains(err.Error(), "CLUSTERDOWN ") {
					t.Errorf("GET %s of a dead node: %v", key, err)
				}
			}
			continue
		}
		if living++; living > 50 {
			break
		}
		for _, node := range []*nodes.Node{n[2], last} {
			if r, err := node.Do(within(t), "GET", key); err != nil || r.Text != fmt.Sprint(i) {
				t.Fatalf("GET %s at %s: %+v, %v", key, node.Name, r, err)
			}
			if _, err := node.Do(within(t), "SET", key, fmt.Sprint(i)); err != nil {
				t.Fatalf("SET %s at %s: %v", key, node.Name, err)
			}
		}
	}
	for _, node := range []*nodes.Node{n[2], last} {
		_, err := node.Do(within(t), "CONFIG", "SET", "slowlog-max-len", "55")
		if !errors.Is(err, nodes.ErrReply) || !strings.Contains(err.Error(), "NOQUORUM ") || !strings.Contains(err.Error(), "start the coordinators that are down") {
			t.Errorf("CONFIG SET at %s: %v", node.Name, err)
		}
	}
	if _, err := last.Do(within(t), "LARDER", "CLUSTER", "DRAIN", last.ID()); !errors.Is(err, nodes.ErrReply) {
		t.Errorf("DRAIN: %v", err)
	}
	if out := mustLarder(t, last, "cluster", "coordinators"); !strings.Contains(out, "No quorum: ") {
		t.Errorf("larder cluster coordinators:\n%s", out)
	}
	if out := mustLarder(t, last, "cluster", "status"); !strings.Contains(out, "has no quorum: data is served, changes are refused") {
		t.Errorf("larder cluster status:\n%s", out)
	}
	if err := n[1].Start(within(t)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "CONFIG SET with a quorum", func(ctx context.Context) error {
		_, err := last.Do(ctx, "CONFIG", "SET", "slowlog-max-len", "55")
		return err
	})
	applied(t, c, "slowlog-max-len", "55")
	if err := n[0].Start(within(t)); err != nil {
		t.Fatal(err)
	}
	await(t, c, nodes.Members(4), nodes.Still)
}

// TestReplaceCoordinator gives the part of a dead coordinator to another node.
func TestReplaceCoordinator(t *testing.T) {
	c := grow(t, 4)
	n := c.Nodes()
	n[1].Kill()
	out := mustLarder(t, n[3], "cluster", "coordinator", "replace", n[1].Name)
	if !strings.Contains(out, "n4") || !strings.Contains(out, "n2") {
		t.Errorf("replace: %s", out)
	}
	coordinators := func(ctx context.Context) (string, error) {
		out, err := larder(t, n[0], "cluster", "coordinators")
		return out, err
	}
	eventually(t, "three coordinators", func(ctx context.Context) error {
		out, err := coordinators(ctx)
		if err != nil || strings.Count(out, "well") != 3 || !strings.Contains(out, "n4") || strings.Contains(out, "n2 ") {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	// The new one counts: another one may be lost.
	n[0].Kill()
	eventually(t, "CONFIG SET with the new coordinator", func(ctx context.Context) error {
		_, err := n[2].Do(ctx, "CONFIG", "SET", "slowlog-max-len", "66")
		return err
	})
	// The one that was replaced comes back as a node without that part.
	for _, back := range []*nodes.Node{n[1], n[0]} {
		if err := back.Start(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	applied(t, c, "slowlog-max-len", "66")
	await(t, c, nodes.Members(4), nodes.Still)
	if out, err := coordinators(within(t)); err != nil || strings.Contains(out, "n2 ") {
		t.Errorf("coordinators: %v\n%s", err, out)
	}
	put(t, n[1], "k", 500)
	check(t, n[0], "k", 500)
}

// TestCoordinatorThatCannotBegin: the port of a node that is to be a coordinator is
// taken. It joins and serves without, and is a coordinator as soon as it can be.
func TestCoordinatorThatCannotBegin(t *testing.T) {
	c := grow(t, 1)
	b, err := ports.Claim()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Release)
	taken, err := net.Listen("tcp", b.Address(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	n, err := c.Add(within(t), configured(t, "cluster:", "  etcd:", "    peer: "+b.Address(0))...)
	if err != nil {
		t.Fatal(err)
	}
	await(t, c, nodes.Members(2), nodes.Balanced(2))
	put(t, n, "k", 100)
	if out := n.Tail(100); !strings.Contains(out, "could not become a coordinator") || !strings.Contains(out, b.Address(0)) {
		t.Errorf("it does not say why it is none:\n%s", out)
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "two coordinators", func(context.Context) error {
		if out, err := larder(t, n, "cluster", "coordinators"); err != nil || strings.Count(out, "well") != 2 {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	check(t, c.Nodes()[0], "k", 100)
}
