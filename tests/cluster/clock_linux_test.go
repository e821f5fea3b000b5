package cluster

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// wall asks a node for the time of day.
func wall(t *testing.T, n *nodes.Node) time.Time {
	t.Helper()
	r, err := n.Do(within(t), "TIME")
	if err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.ParseInt(r.List[0].Text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(seconds, 0)
}

// TestClockJumps: when the clock of a node jumps, ahead or back, everything stays in
// sync and is served, and what has a time to live that is longer than the jump is
// kept, also by who follows the node.
func TestClockJumps(t *testing.T) {
	if err := nodes.CheckClocks(); err != nil {
		t.Skip("processes cannot have clocks of their own here:", err)
	}
	c := begin(t, nodes.Options{Clocks: true, Replicas: 1})
	if err := c.Grow(within(t), 3); err != nil {
		t.Fatal(err)
	}
	await(t, c, nodes.Members(3), nodes.Balanced(3), nodes.Copied(1))
	n := c.Nodes()
	put(t, n[0], "k", 1000)
	const long = "20000" // seconds, more than two jumps
	lasting := func(i int) string { return fmt.Sprint("lasting:", i) }
	for i := range 100 {
		if _, err := n[i%3].Do(within(t), "SET", lasting(i), "x", "EX", long); err != nil {
			t.Fatal(err)
		}
	}
	count := 0
	for i, by := range []time.Duration{2 * time.Hour, -2 * time.Hour, 0} {
		if err := n[i].SetClock(by); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the time of the node", func(context.Context) error {
			if off := time.Until(wall(t, n[i])) - by; off.Abs() > time.Minute {
				return fmt.Errorf("it is off by %v", off)
			}
			return nil
		})
		for j := range 30 {
			r, err := n[j%3].Do(within(t), "INCR", "counter")
			if count++; err != nil || r.Int != int64(count) {
				t.Fatalf("INCR number %d: %v, %v", count, r, err)
			}
		}
		await(t, c, nodes.Members(3), nodes.Copied(1))
		check(t, n[2], "k", 1000)
	}
	n[0].Kill()
	eventually(t, "the counter without the first node", func(ctx context.Context) error {
		r, err := n[2].Do(ctx, "GET", "counter")
		if err == nil && r.Text != fmt.Sprint(count) {
			t.Fatalf("the counter is %s, want %d", r.Text, count)
		}
		return err
	})
	for i := range 100 {
		if r, err := n[1].Do(within(t), "GET", lasting(i)); err != nil || r.Text != "x" {
			t.Fatalf("%s: %v, %v", lasting(i), r, err)
		}
	}
	check(t, n[1], "k", 1000)
}
