package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// unavailable is what the status says of partitions that nobody can serve.
type unavailable []waiting

// waiting are partitions that wait for the same nodes.
type waiting struct {
	Partitions []int
	For        []string
}

// awaitUnavailable waits until the unavailable partitions are as a condition wants.
func awaitUnavailable(t *testing.T, n *nodes.Node, what string, holds func(unavailable) bool) {
	t.Helper()
	var s struct{ Unavailable unavailable }
	ctx, cancel := context.WithTimeout(within(t), 30*time.Second)
	defer cancel()
	for {
		text, err := larder(t, n, "cluster", "status", "--json")
		if err == nil {
			s.Unavailable = nil
			if err = json.Unmarshal([]byte(text), &s); err == nil && holds(s.Unavailable) {
				return
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%s: %v, %v", what, s.Unavailable, err)
		}
	}
}

// TestAllCopiesGone: partitions whose every copy is away are not served, and not
// empty; they are served again when a process that has them is back, and when none
// can be, by the word of an operator.
func TestAllCopiesGone(t *testing.T) {
	c := growCopied(t, 4)
	const keys = 2000
	leader, err := c.Controller(within(t))
	if err != nil || leader == nil {
		t.Fatalf("there is no controller: %v", err)
	}
	last := c.Nodes()[3] // no coordinator: the others keep their quorum
	other := c.Nodes()[slices.IndexFunc(c.Nodes(), func(n *nodes.Node) bool { return n != leader && n != last })]
	if leader == last {
		t.Fatal("the last node is the controller")
	}
	put(t, leader, "k", keys)
	forBoth := func(u unavailable) bool {
		return slices.ContainsFunc(u, func(g waiting) bool {
			return slices.Contains(g.For, last.ID()) && slices.Contains(g.For, other.ID())
		})
	}
	for _, n := range []*nodes.Node{last, other} {
		if err := n.Pause(); err != nil {
			t.Fatal(err)
		}
	}
	awaitUnavailable(t, leader, "both that have them are stopped", forBoth)
	refused := 0
	pipeline(t, leader, keys, func(i int) []string { return []string{"GET", fmt.Sprint("k", i)} }, func(i int, r nodes.Reply) {
		switch err := r.Err(); {
		case err != nil && strings.HasPrefix(r.Text, "CLUSTERDOWN "):
			refused++
		case err != nil || r.Text != fmt.Sprint(i):
			t.Errorf("key %d is %q, %v", i, r.Text, err)
		}
	})
	if refused == 0 || refused > keys/2 {
		t.Errorf("%d of %d reads were refused", refused, keys)
	}
	if err := last.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := other.Resume(); err != nil {
		t.Fatal(err)
	}
	await(t, c, nodes.Members(4), nodes.Copied(1))
	check(t, leader, "k", keys)

	last.Kill()
	other.Kill()
	awaitUnavailable(t, leader, "both that had them are dead", forBoth)
	for _, n := range []*nodes.Node{last, other} {
		if err := n.Start(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	awaitUnavailable(t, leader, "they are back and have nothing", func(u unavailable) bool { return len(u) == 1 && len(u[0].For) == 0 })
	if said := strings.Join(strings.Fields(mustLarder(t, leader, "cluster", "status")), " "); !strings.Contains(said, "larder cluster accept-loss lets it begin empty") {
		t.Errorf("the status says %s", said)
	}
	mustLarder(t, leader, "cluster", "accept-loss", "--all")
	await(t, c, nodes.Members(4), nodes.Copied(1))
	lost := 0
	for i, got := range values(t, leader, "k", keys) {
		if got == "" {
			lost++
		} else if got != fmt.Sprint(i) {
			t.Errorf("key %d is %q", i, got)
		}
	}
	if lost == 0 || lost > keys/2 {
		t.Errorf("%d of %d keys are lost", lost, keys)
	}
	if said := mustLarder(t, leader, "cluster", "accept-loss", "--all"); !strings.Contains(said, "nothing is lost") {
		t.Errorf("when nothing is lost it says %s", said)
	}
}
