package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
	"github.com/larder-cache/larder/internal/nodes/witness"
)

// manyWithin bounds what many nodes do at once on one machine.
const manyWithin = 5 * time.Minute

// manyNodes forms one cluster of many small processes, writes and reads through
// every one of them, and drains one.
func (b *bench) manyNodes(ctx context.Context) (err error) {
	name := fmt.Sprintf("%d nodes", b.many)
	failed := metric{"not formed, rebalanced or served", ""}
	defer func() {
		value := 0.0
		if err != nil {
			value = 1
		}
		b.rep.add("many", name, failed, value)
	}()
	small := nodes.Options{Args: []string{"--loops", "1", "--maxmemory", "32mb"}, Env: []string{"GOMAXPROCS=1"}}
	c, end, err := b.begin(ctx, 1, small)
	if err != nil {
		return err
	}
	defer end(&err)
	ctx, cancel := context.WithTimeout(ctx, manyWithin)
	defer cancel()
	add := func(m metric, v float64) { b.rep.add("many", name, m, v) }

	begun := time.Now()
	if err := c.GrowAtOnce(ctx, b.many); err != nil {
		return err
	}
	if err := c.Await(ctx, nodes.Members(b.many)); err != nil {
		return err
	}
	add(metric{"all are members", "s"}, time.Since(begun).Seconds())
	if err := c.Await(ctx, nodes.Balanced(b.many)); err != nil {
		return err
	}
	add(metric{"all own their share", "s"}, time.Since(begun).Seconds())
	b.say("%s form and share the partitions in %.1f s", name, time.Since(begun).Seconds())
	if err := b.useMany(ctx, c, name); err != nil {
		return err
	}
	for _, n := range c.Nodes() {
		bytes, err := n.Anonymous()
		if err != nil {
			return err
		}
		add(metric{"anonymous memory per node", "MB"}, float64(bytes)/1e6)
	}
	return nil
}

// useMany works through every node while one of them is drained.
func (b *bench) useMany(ctx context.Context, c *nodes.Cluster, name string) error {
	direct := func(i int) witness.Caller {
		return &witness.Direct{Addresses: c.Addresses, Timeout: 30 * time.Second, Random: rand.New(rand.NewPCG(b.seed, uint64(i)))}
	}
	w, err := witness.Start(witness.Config{
		Prefix: "many", Clients: 8, Keys: pick(b, 2000, 200), Batch: 8, Reads: 5, Rate: 2000, Bytes: valueBytes, Caller: direct, Seed: b.seed,
	})
	if err != nil {
		return err
	}
	if err := wait(ctx, pick(b, 3*time.Second, time.Second)); err != nil {
		return err
	}
	last := c.Nodes()[b.many-1]
	begun := time.Now()
	drained := c.Drain(ctx, last)
	if drained == nil {
		drained = c.Await(ctx, nodes.Empty(last))
	}
	took := time.Since(begun)
	sum, err := w.Stop()
	switch {
	case drained != nil:
		return drained
	case err != nil:
		return err
	case sum.Trouble() != "":
		return fmt.Errorf("reads and writes: %s", sum.Trouble())
	}
	through := direct(-1)
	defer through.Close() // its connections were only read from
	if v := w.Verify(through); !v.Right() {
		return fmt.Errorf("of %d values %d were lost, %d wrong, %d could not be read: %q", v.Checked, v.Lost, v.Wrong, v.Failed, v.Examples)
	}
	b.rep.add("many", name, metric{"one is drained", "s"}, took.Seconds())
	b.rep.add("many", name, metric{"requests served", ""}, float64(sum.Requests))
	b.rep.add("many", name, metric{"longest request meanwhile", "ms"}, milliseconds(sum.Longest.Took))
	b.say("%d requests through all of them, longest %.1f ms; one drained in %.1f s", sum.Requests, milliseconds(sum.Longest.Took), took.Seconds())
	return nil
}
