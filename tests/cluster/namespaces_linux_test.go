package cluster

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/nodes"
)

// newNetwork makes a network, which is gone with the test.
func newNetwork(t *testing.T) *nodes.Network {
	t.Helper()
	w, err := nodes.NewNetwork()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		missing(t, "%v", err)
	case err != nil:
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// cut lets nothing more from one node arrive at another; the other way stays open.
func cut(t *testing.T, from, to *nodes.Node) {
	t.Helper()
	if err := from.Space.Drop(nodes.Filter{To: []string{to.Space.Address}}); err != nil {
		t.Fatal(err)
	}
}

func heal(t *testing.T, n *nodes.Node) {
	t.Helper()
	if err := n.Space.Heal(); err != nil {
		t.Fatal(err)
	}
}

// TestMachines forms a cluster of nodes on machines of their own: without a token
// nobody joins; what is advertised is what others use; packets that are lost in
// one direction do harm to those two alone, and are forgotten afterwards.
func TestMachines(t *testing.T) {
	c := begin(t, nodes.Options{Network: newNetwork(t)})
	first, err := c.Add(within(t))
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := c.Add(within(t), "--token", "")
	refused(t, err, stranger, "token")
	second, err := c.Add(within(t))
	if err != nil {
		t.Fatal(err)
	}
	// The third listens for others on all its addresses, and says which one is for others.
	address := strings.TrimSuffix(first.Space.Address, "1") + "4"
	third, err := c.Add(within(t), "--peer-addr", "0.0.0.0:7380", "--advertise", address)
	if err != nil {
		t.Fatal(err)
	}
	await(t, c, nodes.Members(3), nodes.Balanced(3))
	r, err := first.Do(within(t), "CLUSTER", "NODES")
	if err != nil || !strings.Contains(r.Text, third.Space.Address+":7379@") {
		t.Errorf("CLUSTER NODES: %s, %v", r.Text, err)
	}
	put(t, first, "k", 1000)
	check(t, second, "k", 1000)

	cut(t, first, second)
	eventually(t, "CONFIG SET at the third", func(ctx context.Context) error {
		_, err := third.Do(ctx, "CONFIG", "SET", "slowlog-max-len", "88")
		return err
	})
	s, err := third.Status(within(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("while the way from the first to the second is cut: view %d, %d of %d partitions served", s.View, s.Serving, nodes.Partitions)
	heal(t, first)
	await(t, c, nodes.Members(3), nodes.Balanced(3))
	for _, n := range c.Serving() {
		put(t, n, "after:", 1000)
		check(t, n, "after:", 1000)
	}
	cut(t, second, first)
	cut(t, second, third)
	eventually(t, "that the second is missed", func(context.Context) error {
		out, err := larder(t, third, "cluster", "status")
		if err == nil && !strings.Contains(out, "down") {
			err = errors.New(out)
		}
		return err
	})
	heal(t, second)
	await(t, c, nodes.Members(3), nodes.Balanced(3))
	for _, n := range c.Serving() {
		put(t, n, "again:", 1000)
		check(t, n, "again:", 1000)
	}
}

// TestDeafOwner: nothing arrives at an owner, while what it says arrives at the others.
// They take over every partition of its, whatever it thinks of their copies; it tells
// its own clients that it hears nobody.
func TestDeafOwner(t *testing.T) {
	c := begin(t, nodes.Options{Network: newNetwork(t), Replicas: 1})
	if err := c.Grow(within(t), 3); err != nil {
		t.Fatal(err)
	}
	await(t, c, nodes.Members(3), nodes.Balanced(3), nodes.Copied(1))
	list := c.Nodes()
	for _, deaf := range []*nodes.Node{list[2], list[0]} {
		var others []*nodes.Node
		var from []string
		for _, n := range list {
			if n != deaf {
				others, from = append(others, n), append(from, n.Space.Address)
			}
		}
		if err := deaf.Space.Drop(nodes.Filter{From: from}); err != nil {
			t.Fatal(err)
		}
		for _, n := range others {
			for i := range 300 {
				key := fmt.Sprintf("%s:%d", deaf.Name, i)
				eventually(t, "SET while the owner may be deaf", func(ctx context.Context) error {
					_, err := n.Do(ctx, "SET", key, "x")
					return err
				})
			}
		}
		eventually(t, "the refusal of the deaf node", func(ctx context.Context) error {
			if _, err := deaf.Do(ctx, "GET", "k"); err == nil || !strings.Contains(err.Error(), "does not hear most of the others") {
				return fmt.Errorf("its answer: %w", err)
			}
			return nil
		})
		heal(t, deaf)
		await(t, c, nodes.Members(3), nodes.Copied(1))
		for i := range 300 {
			if r, err := deaf.Do(within(t), "GET", fmt.Sprintf("%s:%d", deaf.Name, i)); err != nil || r.Text != "x" {
				t.Fatalf("after that: %v, %v", r, err)
			}
		}
	}
}
