package cluster

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/larder-cache/larder/internal/nodes"
	"github.com/larder-cache/larder/internal/nodes/witness"
)

// load is what clients do in these tests.
func load(caller func(i int) witness.Caller) witness.Config {
	return witness.Config{
		Prefix: "w", Clients: 8, Keys: 500, Batch: 8, Reads: 2, Bytes: 100, Rate: 8000, Caller: caller, Seed: 1,
	}
}

// through returns clients that take any node for each batch.
func through(c *nodes.Cluster) func(i int) witness.Caller {
	return func(i int) witness.Caller {
		return &witness.Direct{Addresses: c.Addresses, Timeout: patience, Random: rand.New(rand.NewPCG(1, uint64(i)))}
	}
}

// whatOperatorsDo lets a third node join, empties it, fills it again, moves some
// partitions by hand and lets it leave. Between two steps the clients go on.
func whatOperatorsDo(t *testing.T, c *nodes.Cluster, w *witness.Witness) {
	t.Helper()
	var third *nodes.Node
	byHand := []int{1, 2, 3, 500, 501, 1000}
	for _, step := range []struct {
		name string
		act  func(context.Context) error
		done func() []nodes.Condition
	}{
		{"join", func(ctx context.Context) (err error) { third, err = c.Add(ctx); return err },
			func() []nodes.Condition { return []nodes.Condition{nodes.Members(3), nodes.Balanced(3)} }},
		{"drain", func(ctx context.Context) error { return c.Drain(ctx, third) },
			func() []nodes.Condition { return []nodes.Condition{nodes.Members(3), nodes.Empty(third)} }},
		{"activate", func(ctx context.Context) error { return c.Activate(ctx, third) },
			func() []nodes.Condition { return []nodes.Condition{nodes.Balanced(3)} }},
		{"move", func(ctx context.Context) error { return c.Move(ctx, third, byHand) },
			func() []nodes.Condition { return []nodes.Condition{nodes.Holding(third, byHand)} }},
		{"leave", func(ctx context.Context) error { return c.Remove(ctx, third, false) },
			func() []nodes.Condition { return []nodes.Condition{nodes.Members(2), nodes.Balanced(2)} }},
	} {
		if err := step.act(within(t)); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		await(t, c, step.done()...)
		sum := w.Cut()
		t.Logf("%s: %d requests in %v, longest %v", step.name, sum.Requests, sum.Elapsed, sum.Longest.Took)
		if text := sum.Trouble(); text != "" {
			t.Errorf("%s: %s", step.name, text)
		}
	}
}

// finish ends the load and compares every key.
func finish(t *testing.T, c *nodes.Cluster, w *witness.Witness) {
	t.Helper()
	sum, err := w.Stop()
	if err != nil {
		t.Error(err)
	}
	if text := sum.Trouble(); text != "" {
		t.Error(text)
	}
	anyone := through(c)(-1)
	defer anyone.Close()
	if v := w.Verify(anyone); !v.Right() || v.Checked != w.Keys() {
		t.Errorf("%d of %d keys read, %d lost, %d wrong, %d failed: %q", v.Checked, w.Keys(), v.Lost, v.Wrong, v.Failed, v.Examples)
	}
}

// TestMovesUnderLoad has clients write through random nodes, the one that leaves
// among them: nothing may fail, and in the end every key holds what was written
// to it last.
func TestMovesUnderLoad(t *testing.T) {
	c := grow(t, 2)
	w, err := witness.Start(load(through(c)))
	if err != nil {
		t.Fatal(err)
	}
	whatOperatorsDo(t, c, w)
	finish(t, c, w)
}

// TestMovesUnderClusterClients is the same with a client that knows where keys
// are: it is redirected, and its callers do not see that.
func TestMovesUnderClusterClients(t *testing.T) {
	c := grow(t, 2)
	var addresses []string
	for _, n := range c.Nodes() {
		addresses = append(addresses, n.RESPCluster)
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addresses})
	defer client.Close()
	w, err := witness.Start(load(func(int) witness.Caller { return witness.Redirected{Client: client} }))
	if err != nil {
		t.Fatal(err)
	}
	whatOperatorsDo(t, c, w)
	finish(t, c, w)
}
