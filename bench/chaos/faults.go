package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// faults are what can be done to a cluster, by the name on the command line. Each
// returns when it is over and all copies are in sync again.
var faults = map[string]func(*chaos, context.Context) error{
	"kill":    (*chaos).kill,
	"stop":    (*chaos).stop,
	"restart": (*chaos).restart,
}

// fault is one that was applied. Times are those of the recorder.
type fault struct {
	Kind       string        `json:"kind"`
	Node       string        `json:"node"`
	Controller bool          `json:"controller"` // the node was it
	Begin      time.Duration `json:"begin_ns"`
	Healed     time.Duration `json:"healed_ns"`  // the node runs again
	Settled    time.Duration `json:"settled_ns"` // all copies are in sync again
	Problem    string        `json:"problem,omitempty"`
}

// kill ends a process at once and starts it again after up to 4 seconds; one time
// in four straight away, before anybody may have noticed.
func (c *chaos) kill(ctx context.Context) error {
	n, leads := c.victim(ctx)
	down := c.upTo(4 * time.Second)
	if c.random.IntN(4) == 0 {
		down = 0
	}
	return c.apply(ctx, "kill", n, leads, func(ctx context.Context) error {
		n.Kill()
		c.pause(ctx, down)
		return n.Start(ctx)
	})
}

// stop lets a process hang for 2 to 5 seconds.
func (c *chaos) stop(ctx context.Context) error {
	n, leads := c.victim(ctx)
	hangs := 2*time.Second + c.upTo(3*time.Second)
	return c.apply(ctx, "stop", n, leads, func(ctx context.Context) error {
		if err := n.Pause(); err != nil {
			return err
		}
		c.clients.Avoid(n.RESP)
		c.pause(ctx, hangs)
		c.clients.Allow(n.RESP)
		return n.Resume()
	})
}

// restart ends each process as an operator does, and starts it again; the next
// one when all copies are in sync.
func (c *chaos) restart(ctx context.Context) error {
	for _, n := range c.cluster.Nodes() {
		leader, _ := c.cluster.Controller(ctx)
		err := c.apply(ctx, "restart", n, n == leader, func(ctx context.Context) error {
			if err := n.Stop(ctx); err != nil {
				return err
			}
			return n.Start(ctx)
		})
		if err != nil || !c.pause(ctx, time.Second) {
			return err
		}
	}
	return nil
}

// victim chooses a node, one time in three the controller.
func (c *chaos) victim(ctx context.Context) (n *nodes.Node, leads bool) {
	all := c.cluster.Nodes()
	wanted, one := c.random.IntN(3) == 0, all[c.random.IntN(len(all))]
	leader, err := c.cluster.Controller(ctx)
	if err == nil && leader != nil && wanted {
		return leader, true
	}
	return one, one == leader
}

// apply does something to a node, waits until the cluster is whole again, and
// notes it. An operator who interrupts does so between two faults.
func (c *chaos) apply(ctx context.Context, kind string, n *nodes.Node, leads bool, do func(context.Context) error) error {
	f := &fault{Kind: kind, Node: n.Name, Controller: leads, Begin: c.record.Now()}
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
		return fmt.Errorf("%s of %s: %w", kind, n.Name, err)
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

func (f *fault) String() string {
	who := f.Node
	if f.Controller {
		who += " (controller)"
	}
	text := fmt.Sprintf("%8.2fs  %-8s %-15s healed after %6.2fs, whole after %6.2fs",
		f.Begin.Seconds(), f.Kind, who, (f.Healed - f.Begin).Seconds(), (f.Settled - f.Begin).Seconds())
	if f.Problem != "" {
		text += "  " + f.Problem
	}
	return text
}
