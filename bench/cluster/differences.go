package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/larder-cache/larder/bench/stats"
	"github.com/larder-cache/larder/internal/nodes"
)

// What the suite differences asks for.
const (
	damaged        = 8 // entries, each of another partition
	differWithin   = 2 * time.Minute
	differencesGap = 20 * time.Millisecond // between two looks at the damaged entries
)

// differences measures what it costs to compare copies with their owners while
// nobody uses the cluster, beside a cluster that does not compare; then it damages
// entries of copies and measures until they are found and mended.
func (b *bench) differences(ctx context.Context) (err error) {
	v := values{"v:", pick(b, 1_000_000, 100_000), valueBytes}
	var without []float64
	for _, every := range []string{"0s", "100ms"} {
		config := filepath.Join(b.dir, "differences-"+every+".yaml") // for all nodes: auth is of each
		text := fmt.Sprintf("cluster:\n  replicas: 1\n  sync_interval: %s\nauth:\n  debug: \"yes\"\n", every)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			return err
		}
		with, err := b.compared(ctx, v, config, without)
		if err != nil {
			return fmt.Errorf("sync_interval %s: %w", every, err)
		}
		without = with
	}
	return nil
}

// compared starts a cluster with all values and measures it at rest. With what was
// measured of a cluster that does not compare it goes on to damage copies.
func (b *bench) compared(ctx context.Context, v values, config string, without []float64) (shares []float64, err error) {
	c, end, err := b.begin(ctx, b.nodes, nodes.Options{}, "--config", config)
	if err != nil {
		return nil, err
	}
	defer end(&err)
	if err := c.Await(ctx, nodes.Copied(1)); err != nil {
		return nil, err
	}
	if err := v.write(ctx, c.Addresses()); err != nil {
		return nil, err
	}
	// What writing has left behind is no cost of a cluster at rest.
	if err := wait(ctx, pick(b, 10*time.Second, 3*time.Second)); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%d keys", v.count)
	length := pick(b, 20*time.Second, 4*time.Second) // of a round of all partitions
	for range b.rounds {
		share, err := shareAtRest(ctx, c, length)
		if err != nil {
			return nil, err
		}
		shares = append(shares, share)
	}
	if without == nil {
		b.say("CPU at rest without comparing: %.2f %% of a core", stats.Median(shares))
		return shares, nil
	}
	for i, with := range shares {
		b.rep.add("differences", name, metric{"CPU without comparing", "% of a core"}, without[i])
		b.rep.add("differences", name, metric{"CPU with comparing", "% of a core"}, with)
		b.rep.add("differences", name, metric{"CPU of comparing", "% of a core"}, with-without[i])
	}
	b.say("CPU at rest with comparing: %.2f %% of a core", stats.Median(shares))
	return shares, b.mend(ctx, c, v, name)
}

// entry is one that was damaged: a key, and the node whose copy it is in.
type entry struct {
	at    *nodes.Conn // reads copies
	node  *nodes.Node
	key   string
	value string // what is right
	bad   string // what it was damaged to
	begun time.Time
	found time.Duration // after it was damaged the node has not said bad any more; 0: it does
	right time.Duration // and this is when it said what is right; 0: not yet
}

// mend damages entries of the copies of one node's partitions and measures until
// the copies are right again. Then the owner dies, and all values are read of the
// copies that follow.
func (b *bench) mend(ctx context.Context, c *nodes.Cluster, v values, name string) error {
	ctx, cancel := context.WithTimeout(ctx, differWithin)
	defer cancel()
	owner := c.Nodes()[0]
	list, err := b.damage(ctx, c, v, owner)
	if err != nil {
		return err
	}
	defer func() {
		for _, e := range list {
			_ = e.at.Close() // was only read from
		}
	}()
	for missing := len(list); missing > 0; {
		if err := wait(ctx, differencesGap); err != nil {
			return fmt.Errorf("%d damaged entries were not mended: %w", missing, err)
		}
		missing = 0
		for _, e := range list {
			if err := e.look(); err != nil {
				return err
			}
			if e.right == 0 {
				missing++
			}
		}
	}
	worst := time.Duration(0)
	for _, e := range list {
		b.rep.add("differences", name, metric{"found after", "s"}, e.found.Seconds())
		b.rep.add("differences", name, metric{"found and mended", "s"}, e.right.Seconds())
		worst = max(worst, e.right)
	}
	found := 0.0
	for _, n := range c.Nodes() {
		m, err := metricsOf(ctx, n)
		if err != nil {
			return err
		}
		found += m["larder_replication_sync_differences_total"]
	}
	b.rep.add("differences", name, metric{"entries damaged", ""}, float64(len(list)))
	b.rep.add("differences", name, metric{"differences counted", ""}, found)
	b.say("%d entries damaged, %.0f differences counted; the last one is mended after %.1f s", len(list), found, worst.Seconds())
	if err := c.Await(ctx, nodes.Copied(1)); err != nil {
		return err
	}
	if err := b.afterwards(ctx, c, v, name); err != nil {
		return err
	}
	owner.Kill()
	if err := c.Await(ctx, nodes.Empty(owner)); err != nil {
		return err
	}
	return b.afterwards(ctx, c, v, name)
}

// damage has nodes damage entries of their copies of what a node owns.
func (b *bench) damage(ctx context.Context, c *nodes.Cluster, v values, owner *nodes.Node) (list []*entry, err error) {
	s, err := owner.Status(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[int]bool{}
	for i := 0; len(list) < damaged; i++ {
		key := v.key(i)
		p := nodes.PartitionOf(key)
		if s.Owner[p] != owner.ID() || seen[p] {
			continue
		}
		seen[p] = true
		for _, n := range c.Nodes() {
			if !s.CopiedAt(n.ID(), key) {
				continue
			}
			e, err := spoil(ctx, n, key, v.value(i))
			if err != nil {
				return list, err
			}
			list = append(list, e)
		}
	}
	return list, nil
}

// spoil damages an entry of a node's copy.
func spoil(ctx context.Context, n *nodes.Node, key, value string) (*entry, error) {
	at, err := nodes.Dial(ctx, n.RESPCluster)
	if err != nil {
		return nil, err
	}
	e := &entry{at: at, node: n, key: key, value: value}
	if _, err := at.Do("READONLY"); err != nil {
		return nil, errors.Join(err, at.Close())
	}
	if _, err := n.Do(ctx, "DEBUG", "CORRUPT", key); err != nil {
		return nil, errors.Join(err, at.Close())
	}
	e.begun = time.Now()
	r, err := at.Do("GET", key)
	if e.bad = r.Text; err == nil && e.bad == value {
		err = fmt.Errorf("DEBUG CORRUPT %s on %s has changed nothing", key, n.Name)
	}
	if err != nil {
		return nil, errors.Join(err, at.Close())
	}
	return e, nil
}

// look reads the entry of the copy. A node that has none at this moment sends
// clients to the owner.
func (e *entry) look() error {
	if e.right > 0 {
		return nil
	}
	r, err := e.at.Do("GET", e.key)
	now := time.Since(e.begun)
	moved := err != nil && strings.HasPrefix(r.Text, "MOVED")
	switch {
	case moved || err == nil && r.Text != e.bad:
		if e.found == 0 {
			e.found = now
		}
	case err != nil:
		return fmt.Errorf("%s at the copy of %s: %w", e.key, e.node.Name, err)
	}
	if err == nil && r.Text == e.value {
		e.right = now
	}
	return nil
}

// afterwards reads all values, at their owners.
func (b *bench) afterwards(ctx context.Context, c *nodes.Cluster, v values, name string) error {
	a, err := v.check(ctx, c.Addresses())
	if err != nil {
		return err
	}
	b.rep.add("differences", name, metric{"values lost or wrong", ""}, float64(a.count()))
	if a.count() > 0 {
		b.rep.note("differences: %d values are gone, %d wrong: %s", a.lost, a.wrong, a.example)
	}
	b.say("%d values checked, %d lost or wrong", v.count, a.count())
	return nil
}
