package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// need is what a fault takes beside processes.
type need uint8

const (
	nothing need = iota
	network      // nodes in network namespaces
	disk         // data directories on disks of their own
	clock        // processes with wall clocks of their own
)

// faults are what can be done to a cluster, by the name on the command line. Each
// returns when it is over and all copies are in sync again.
var faults = map[string]struct {
	needs need
	does  func(*chaos, context.Context) error
}{
	"kill":        {nothing, (*chaos).kill},
	"kill-chief":  {nothing, (*chaos).killChief},
	"stop":        {nothing, (*chaos).stop},
	"stop-chief":  {nothing, (*chaos).stopChief},
	"restart":     {nothing, (*chaos).restart},
	"partition":   {network, (*chaos).partition},
	"mute":        {network, (*chaos).mute},
	"deaf":        {network, (*chaos).deaf},
	"pair":        {network, (*chaos).pair},
	"loss":        {network, (*chaos).loss},
	"delay":       {network, (*chaos).delay},
	"full-disk":   {disk, (*chaos).fullDisk},
	"frozen-disk": {disk, (*chaos).frozenDisk},
	clockFault:    {clock, (*chaos).jump},
}

// clockFault is a fault under which nobody can say when a key expires.
const clockFault = "clock"

// fault is one that was applied. Times are those of the recorder.
type fault struct {
	Kind       string        `json:"kind"`
	Node       string        `json:"node"`
	Controller bool          `json:"controller"` // the node was it
	Leader     bool          `json:"leader"`     // the node led the configuration service
	Begin      time.Duration `json:"begin_ns"`
	Healed     time.Duration `json:"healed_ns"`  // the node is as it was
	Settled    time.Duration `json:"settled_ns"` // all copies are in sync again
	Problem    string        `json:"problem,omitempty"`

	before *nodes.Status // what the cluster was like; nil: nobody said
	id     string        // of the node, before
}

// victim is a node that something is done to, and what it is.
type victim struct {
	*nodes.Node
	controller, leader bool
}

// kill ends a process at once and starts it again after up to 4 seconds; one time
// in four straight away, before anybody may have noticed.
func (c *chaos) kill(ctx context.Context) error {
	down := c.upTo(4 * time.Second)
	if c.random.IntN(4) == 0 {
		down = 0
	}
	return c.killFor(ctx, "kill", c.victim(ctx), down)
}

// killChief is kill of an owner that is the controller and leads the configuration
// service.
func (c *chaos) killChief(ctx context.Context) error {
	return c.killFor(ctx, "kill-chief", c.chief(ctx), time.Second+c.upTo(3*time.Second))
}

func (c *chaos) killFor(ctx context.Context, kind string, v victim, down time.Duration) error {
	return c.apply(ctx, kind, v, func(ctx context.Context) error {
		v.Kill()
		c.pause(ctx, down)
		return v.Start(ctx)
	})
}

// stop lets a process hang for 2 to 5 seconds.
func (c *chaos) stop(ctx context.Context) error { return c.stopFor(ctx, "stop", c.victim(ctx)) }

// stopChief is stop of an owner that is the controller and leads the configuration
// service.
func (c *chaos) stopChief(ctx context.Context) error {
	return c.stopFor(ctx, "stop-chief", c.chief(ctx))
}

func (c *chaos) stopFor(ctx context.Context, kind string, v victim) error {
	hangs := 2*time.Second + c.upTo(3*time.Second)
	return c.apply(ctx, kind, v, func(ctx context.Context) error {
		if err := v.Pause(); err != nil {
			return err
		}
		c.clients.Avoid(v.RESP)
		c.pause(ctx, hangs)
		c.clients.Allow(v.RESP)
		return v.Resume()
	})
}

// jump lets the wall clock of a node jump by up to an hour, ahead or back, and by as
// much to where it was 2 to 8 seconds later.
func (c *chaos) jump(ctx context.Context) error {
	v := c.victim(ctx)
	return c.apply(ctx, clockFault, v, func(ctx context.Context) error {
		by := time.Second + c.upTo(time.Hour)
		if c.random.IntN(2) == 0 {
			by = -by
		}
		if err := v.SetClock(by); err != nil {
			return err
		}
		c.pause(ctx, 2*time.Second+c.upTo(6*time.Second))
		return v.SetClock(0)
	})
}

// restart ends each process as an operator does, and starts it again; the next
// one when all copies are in sync.
func (c *chaos) restart(ctx context.Context) error {
	for _, n := range c.cluster.Nodes() {
		v := c.look(ctx, n)
		err := c.apply(ctx, "restart", v, func(ctx context.Context) error {
			if err := v.Stop(ctx); err != nil {
				return err
			}
			return v.Start(ctx)
		})
		if err != nil || !c.pause(ctx, time.Second) {
			return err
		}
	}
	return nil
}

// victim chooses a node, one time in three the controller.
func (c *chaos) victim(ctx context.Context) victim {
	all := c.cluster.Nodes()
	wanted, one := c.random.IntN(3) == 0, all[c.random.IntN(len(all))]
	if leader, err := c.cluster.Controller(ctx); err == nil && leader != nil && wanted {
		one = leader
	}
	return c.look(ctx, one)
}

// look sees what a node is. Who cannot be asked is nothing.
func (c *chaos) look(ctx context.Context, n *nodes.Node) victim {
	controller, _ := c.cluster.Controller(ctx)
	leader, _ := c.cluster.ServiceLeader(ctx)
	return victim{n, n == controller, n == leader}
}

// chiefTries is how often a controller is made to lose its election, so that the
// one that leads the configuration service may win it.
const chiefTries = 6

// chief returns the node that is controller and leads the configuration service.
// When it cannot be brought about, it is the controller: the report says so.
func (c *chaos) chief(ctx context.Context) victim {
	var v victim
	for range chiefTries {
		n, err := c.cluster.Controller(ctx)
		if err != nil || n == nil {
			n = c.cluster.Nodes()[0]
		}
		if v = c.look(ctx, n); v.controller && v.leader || v.Pause() != nil {
			break
		}
		c.pause(ctx, time.Second)
		if v.Resume() != nil || c.settle(ctx) != nil {
			break
		}
	}
	return v
}

// apply does something to a node, waits until the cluster is whole again, and
// notes it. An operator who interrupts does so between two faults.
func (c *chaos) apply(ctx context.Context, kind string, v victim, do func(context.Context) error) error {
	f := &fault{Kind: kind, Node: v.Name, Controller: v.controller, Leader: v.leader, id: v.ID()}
	f.before, _ = v.Status(ctx)
	f.Begin = c.record.Now()
	c.done = append(c.done, f)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.patience)
	defer cancel()
	err := do(ctx)
	f.Healed = c.record.Now()
	if err == nil {
		err = c.settle(ctx)
	}
	f.Settled = c.record.Now()
	if err != nil {
		f.Problem = err.Error()
		fmt.Fprintln(os.Stderr, f)
		return fmt.Errorf("%s of %s: %w", kind, v.Name, err)
	}
	fmt.Fprintln(os.Stderr, f)
	return nil
}

// steady is for how long a cluster must be whole to be believed: right after a
// fault nodes may still tell the view of before.
const steady = time.Second

// settle waits until all copies are in sync, at two looks.
func (c *chaos) settle(ctx context.Context) error {
	whole := []nodes.Condition{nodes.Members(c.nodes), nodes.Copied(c.replicas)}
	if err := c.cluster.Await(ctx, whole...); err != nil {
		return err
	}
	c.pause(ctx, steady)
	return c.cluster.Await(ctx, whole...)
}

// who names the node of a fault, and what it was.
func (f *fault) who() string {
	who := f.Node
	if f.Controller {
		who += ", controller"
	}
	if f.Leader {
		who += ", etcd leader"
	}
	return who
}

func (f *fault) String() string {
	text := fmt.Sprintf("%8.2fs  %-11s %-28s healed after %6.2fs, whole after %6.2fs",
		f.Begin.Seconds(), f.Kind, f.who(), (f.Healed - f.Begin).Seconds(), (f.Settled - f.Begin).Seconds())
	if f.Problem != "" {
		text += "  " + f.Problem
	}
	return text
}
