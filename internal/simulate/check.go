package simulate

import (
	"fmt"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
)

// check watches what must hold at all times.
//
// Invariant: in one epoch of a partition only one node executes requests.
// Invariant: once a request was executed in an epoch, none is in an earlier one,
// except by a process that the store has taken for dead.
// Invariant: no node goes back to an older view, or to an older epoch.
// Invariant: a partition that moves loses no write, as long as no process dies
// or is taken for dead.
type check struct {
	w     *World
	last  [cluster.Partitions]struct{ epoch, by, writes uint64 }
	loose [cluster.Partitions]bool // writes may have been lost; the next one says how many there are
	// since is the epoch before which executions are lost: its owner began with
	// what there was, after a death.
	since [cluster.Partitions]cluster.Epoch
	moves int
}

// saved is called before a view takes the place of the one before.
func (c *check) saved(prev, next *cluster.View, events []controller.Event) {
	if err := controller.Check(prev, next); err != nil {
		c.w.fail("the store takes a wrong view: %v", err)
	}
	for p := range next.Rows {
		if prev != nil && prev.Owner(p) != "" && prev.Owner(p) != next.Owner(p) {
			c.moves++
		}
	}
	for _, e := range events {
		if e.Kind == controller.Lost && c.w.cfg.Settings.Replicas > 0 {
			for _, p := range e.Partitions {
				c.w.replicas.lost(prev, p)
			}
		}
		switch e.Kind {
		case controller.Lost, controller.Inherited, controller.Bereft, controller.Returned:
			for _, p := range e.Partitions {
				c.loose[p], c.since[p] = true, next.Rows[p].Epoch
			}
		}
		c.w.tracef("view %d: %s", next.Version, shortly(e, c.w.name))
		if c.w.said != nil {
			c.w.said(e)
		}
	}
}

// followed is called before a node puts a view into force.
func (c *check) followed(n *node, view *cluster.View) {
	if n.view == nil {
		return
	}
	if view.Version <= n.view.Version {
		c.w.fail("%s goes back from view %d to %d", n.name, n.view.Version, view.Version)
	}
	for p := range view.Rows {
		if view.Rows[p].Epoch < n.view.Rows[p].Epoch {
			c.w.fail("partition %d goes back from epoch %d to %d", p, n.view.Rows[p].Epoch, view.Rows[p].Epoch)
		}
	}
}

// executed is called after a node has executed a request.
func (c *check) executed(n *node, p int, epoch cluster.Epoch) {
	last, by := &c.last[p], uint64(n.place)
	writes := n.parts[p].writes
	if uint64(epoch) == last.epoch && by != last.by {
		c.w.fail("%s and %s both execute partition %d in epoch %d", n.name, c.w.nodes[last.by].name, p, epoch)
	}
	if n.deposed || uint64(epoch) < last.epoch {
		if !n.deposed {
			c.w.fail("%s executes partition %d in epoch %d, %s did in epoch %d", n.name, p, epoch, c.w.nodes[last.by].name, last.epoch)
		}
		c.loose[p] = true
	}
	if uint64(epoch) < last.epoch {
		return
	}
	if !c.loose[p] && writes != last.writes+1 {
		c.w.fail("partition %d on %s has seen %d writes, there were %d", p, n.name, writes, last.writes+1)
	}
	last.epoch, last.by, last.writes = uint64(epoch), by, writes
	c.loose[p] = n.deposed || epoch < c.since[p]
}

// crashed is called before a process dies. What it served or was handing over is
// lost; what it was being sent is not.
func (c *check) crashed(n *node) {
	for p := range n.parts {
		if have := &n.parts[p]; have.serving > 0 || have.out != nil && have.out.stage == controller.HandingOver {
			c.loose[p] = true
		}
	}
}

// serving says which partition is not served by its owner alone, or nothing.
func (c *check) serving() string {
	if c.w.cfg.Settings.Replicas > 0 {
		return c.w.replicas.serving()
	}
	v := c.w.store.view
	for p := range v.Rows {
		for _, n := range c.w.nodes {
			if n.up && (n.parts[p].serving > 0) != (v.Owner(p) == n.id) {
				return fmt.Sprintf("partition %d: %s is served wrongly", p, n.name)
			}
		}
		if owner := c.w.byID[v.Owner(p)]; owner == nil || !owner.up {
			return fmt.Sprintf("partition %d has no living owner", p)
		}
	}
	return ""
}
