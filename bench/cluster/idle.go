package main

import (
	"context"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// idle measures a cluster that nobody uses.
func (b *bench) idle(ctx context.Context) (err error) {
	c, end, err := b.begin(ctx, b.nodes, nodes.Options{})
	if err != nil {
		return err
	}
	defer end(&err)
	// What starting has left behind is no idle cost.
	if err := wait(ctx, pick(b, 5*time.Second, time.Second)); err != nil {
		return err
	}
	length := pick(b, 10*time.Second, 3*time.Second)
	for range b.rounds {
		share, err := shareAtRest(ctx, c, length)
		if err != nil {
			return err
		}
		b.rep.add("idle", "at rest", metric{"CPU of all nodes", "% of a core"}, share)
		b.say("%.2f %% of a core", share)
	}
	for _, n := range c.Nodes() {
		bytes, err := n.Anonymous()
		if err != nil {
			return err
		}
		b.rep.add("idle", "at rest", metric{"anonymous memory per node", "MB"}, float64(bytes)/1e6)
		b.say("%s has %.1f MB of anonymous memory", n.Name, float64(bytes)/1e6)
	}
	return nil
}

// shareAtRest returns the processor time of all nodes in percent of a core.
func shareAtRest(ctx context.Context, c *nodes.Cluster, length time.Duration) (float64, error) {
	before, err := cpuOf(c.Nodes())
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := wait(ctx, length); err != nil {
		return 0, err
	}
	after, err := cpuOf(c.Nodes())
	return 100 * (after - before).Seconds() / time.Since(begun).Seconds(), err
}

// wait returns after a time, or with the error of ctx.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
