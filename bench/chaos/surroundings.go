package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// Bounds of what is done to the network and to disks.
const (
	lossPercent = 30
	// narrow is less than what a node sends under load, in kilobits a second.
	narrow = 300
	// diskBytes has room for the log of etcd, which takes 64 MB twice.
	diskBytes = 256 << 20
)

// partition cuts a node off from the others for 2 to 8 seconds, which is longer
// than its registration lasts or not. Clients reach it all the time, here and below.
func (c *chaos) partition(ctx context.Context) error {
	return c.filter(ctx, "partition", func(others []string) nodes.Filter { return nodes.Filter{To: others, From: others} })
}

// mute loses what a node sends to the others.
func (c *chaos) mute(ctx context.Context) error {
	return c.filter(ctx, "mute", func(others []string) nodes.Filter { return nodes.Filter{To: others} })
}

// deaf loses what the others send to a node.
func (c *chaos) deaf(ctx context.Context) error {
	return c.filter(ctx, "deaf", func(others []string) nodes.Filter { return nodes.Filter{From: others} })
}

// pair loses what a node sends to one of the others: all but these two hear
// everybody.
func (c *chaos) pair(ctx context.Context) error {
	return c.filter(ctx, "pair", func(others []string) nodes.Filter {
		return nodes.Filter{To: []string{others[c.random.IntN(len(others))]}}
	})
}

// loss loses three of ten packets between a node and the others.
func (c *chaos) loss(ctx context.Context) error {
	return c.filter(ctx, "loss", func(others []string) nodes.Filter {
		return nodes.Filter{To: others, From: others, Percent: lossPercent}
	})
}

// filter drops packets of a node for 2 to 8 seconds.
func (c *chaos) filter(ctx context.Context, kind string, which func(others []string) nodes.Filter) error {
	v := c.victim(ctx)
	var others []string
	for _, n := range c.cluster.Nodes() {
		if n != v.Node {
			others = append(others, n.Space.Address)
		}
	}
	f := which(others)
	return c.during(ctx, kind, v, func() error { return v.Space.Drop(f) }, v.Space.Heal)
}

// delay has what a node sends wait in a queue that is always full.
func (c *chaos) delay(ctx context.Context) error {
	v := c.victim(ctx)
	return c.during(ctx, "delay", v, func() error { return v.Space.Throttle(narrow) }, v.Space.Heal)
}

// frozenDisk has every write to a coordinator's disk wait.
func (c *chaos) frozenDisk(ctx context.Context) error {
	v := c.victim(ctx)
	return c.during(ctx, "frozen-disk", v, v.Disk.Freeze, v.Disk.Thaw)
}

// during begins something, and ends it after 2 to 8 seconds.
func (c *chaos) during(ctx context.Context, kind string, v victim, begin, end func() error) error {
	lasts := 2*time.Second + c.upTo(6*time.Second)
	return c.apply(ctx, kind, v, func(ctx context.Context) error {
		err := begin()
		if err == nil {
			c.pause(ctx, lasts)
		}
		return errors.Join(err, end())
	})
}

// fullDisk takes the room on a coordinator's disk, and has the configuration
// written until its member has noticed, or for 8 seconds. Then there is room again,
// and the node is restarted, as operators are told to.
func (c *chaos) fullDisk(ctx context.Context) error {
	v := c.victim(ctx)
	return c.apply(ctx, "full-disk", v, func(ctx context.Context) error {
		if err := v.Disk.Fill(); err != nil {
			return err
		}
		said := strings.Count(v.Tail(logLines), noRoom)
		until := c.record.Now() + 8*time.Second
		for i := 0; c.record.Now() < until && strings.Count(v.Tail(logLines), noRoom) == said; i++ {
			n := c.cluster.Nodes()[i%c.nodes]
			_, _ = n.Do(ctx, "CONFIG", "SET", "slowlog-max-len", fmt.Sprint(100+i%50)) // it may well be refused
		}
		c.pause(ctx, time.Second)
		if err := v.Disk.Empty(); err != nil {
			return err
		}
		if err := v.Stop(ctx); err != nil {
			return err
		}
		return v.Start(ctx)
	})
}

// noRoom is what a node says when its disk is full, in its last lines.
const (
	noRoom   = "no space left"
	logLines = 5000
)

// surround makes the network and finds out whether disks can be made, and leaves
// out the faults that take what is not to be had here.
func (c *chaos) surround(dir string) (nodes.Options, error) {
	var o nodes.Options
	wanted := func(what need) bool {
		return slices.ContainsFunc(c.faults, func(name string) bool { return faults[name].needs == what })
	}
	without := func(what need, err error) {
		fmt.Println("left out:", c.drop(what), "-", err)
	}
	if wanted(network) {
		w, err := nodes.NewNetwork()
		if err != nil {
			without(network, err)
		}
		o.Network = w
	}
	if wanted(disk) {
		d, err := nodes.NewDisk(dir+"/probe", 8<<20)
		if err == nil {
			err = errors.Join(d.Freeze(), d.Thaw(), d.Close())
		}
		if err != nil {
			without(disk, err)
		} else {
			o.DiskBytes = diskBytes
		}
	}
	if wanted(clock) {
		if err := nodes.CheckClocks(); err != nil {
			without(clock, err)
		} else {
			o.Clocks = true
		}
	}
	if len(c.faults) == 0 {
		return o, errors.New("none of these faults can be had here")
	}
	return o, nil
}

// drop takes the faults with a need from those to come, and names them.
func (c *chaos) drop(what need) string {
	var names []string
	c.faults = slices.DeleteFunc(slices.Clone(c.faults), func(name string) bool {
		if faults[name].needs != what {
			return false
		}
		names = append(names, name)
		return true
	})
	return strings.Join(names, ", ")
}
