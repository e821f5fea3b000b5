package cluster

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
	"github.com/larder-cache/larder/internal/nodes/witness"
)

// TestJoinUnderLoad adds a third node to two while clients write through all of
// them: nothing may fail, and in the end every key holds what was written last.
func TestJoinUnderLoad(t *testing.T) {
	c := grow(t, 2)
	direct := func(i int) witness.Caller {
		return &witness.Direct{Addresses: c.Addresses, Timeout: 10 * time.Second, Random: rand.New(rand.NewPCG(1, uint64(i)))}
	}
	w, err := witness.Start(witness.Config{
		Prefix: "w", Clients: 8, Keys: 1000, Batch: 8, Reads: 2, Bytes: 100, Rate: 10_000, Caller: direct, Seed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Add(within(t)); err != nil {
		t.Fatal(err)
	}
	await(t, c, nodes.Members(3), nodes.Balanced(3))
	sum, err := w.Stop()
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d requests in %v, longest %v: %s", sum.Requests, sum.Elapsed, sum.Longest.Took, sum.Longest.What)
	if text := sum.Trouble(); text != "" {
		t.Error(text)
	}
	through := direct(-1)
	defer through.Close()
	if v := w.Verify(through); !v.Right() || v.Checked != w.Keys() {
		t.Errorf("%d of %d keys read, %d lost, %d wrong, %d failed: %q", v.Checked, w.Keys(), v.Lost, v.Wrong, v.Failed, v.Examples)
	}
}
