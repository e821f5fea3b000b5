package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/larder-cache/larder/internal/loadgen"
	"github.com/larder-cache/larder/internal/nodes"
)

// bench is what the suites share.
type bench struct {
	options
	binary string
	dir    string
	rep    *report
	log    io.Writer
}

// suite is a question.
type suite struct {
	name string
	what string
	run  func(b *bench, ctx context.Context) error
}

var suites = []suite{
	{"forwarding", "what a GET through the wrong node costs", (*bench).forwarding},
	{"direct", "a node of a cluster beside one that stands alone", (*bench).direct},
	{"copies", "what it costs that another node has every write", (*bench).copies},
	{"recreate", "what clients notice when copies of a gigabyte are made anew", (*bench).recreate},
	{"differences", "how soon copies that differ are found and mended, and what looking for them costs", (*bench).differences},
	{"moves", "what clients notice when nodes come and go", (*bench).moves},
	{"settings", "how long a change takes to be in force everywhere", (*bench).settings},
	{"linearizable", "whether the configuration is, when coordinators are lost", (*bench).linearizable},
	{"simulated", "100 nodes in virtual time", (*bench).simulated},
	{"idle", "what a cluster takes at rest", (*bench).idle},
	{"many", "many processes, one cluster", (*bench).manyNodes},
	{"zones", "many processes in zones, two of which die one after the other", (*bench).zones},
}

func suiteNames() (list []string) {
	for _, s := range suites {
		list = append(list, s.name)
	}
	return list
}

// say tells who waits how far it is.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.log, "  "+format+"\n", args...) }

// pick returns one of two sizes.
func pick[T any](b *bench, full, quick T) T {
	if b.quick {
		return quick
	}
	return full
}

// formWithin bounds the forming of a cluster of few nodes.
const formWithin = time.Minute

// begin starts a cluster of count nodes and waits until they share the
// partitions. end closes it; with an error it shows the nodes' last words.
func (b *bench) begin(ctx context.Context, count int, o nodes.Options, args ...string) (c *nodes.Cluster, end func(*error), err error) {
	o.Binary, o.Parent = b.binary, b.dir
	if c, err = nodes.Begin(o); err != nil {
		return nil, nil, err
	}
	end = func(failed *error) {
		if *failed != nil && b.keep {
			for _, n := range c.Nodes() {
				fmt.Fprintf(os.Stderr, "%s:\n%s", n.Name, n.Tail(40))
			}
		}
		*failed = errors.Join(*failed, c.Close())
	}
	ctx, cancel := context.WithTimeout(ctx, formWithin)
	defer cancel()
	if err = c.Grow(ctx, count, args...); err == nil {
		err = c.Await(ctx, nodes.Members(count), nodes.Balanced(count))
	}
	if err != nil {
		end(&err)
		return nil, nil, err
	}
	return c, end, nil
}

// lookEvery is the pause between two looks at nodes that are measured meanwhile.
const lookEvery = 200 * time.Millisecond

// awaitGently is [nodes.Cluster.Await] with few looks: each is work for the nodes.
func awaitGently(ctx context.Context, c *nodes.Cluster, conditions ...nodes.Condition) error {
	for {
		missing := c.Look(ctx, conditions...)
		if missing == nil {
			return nil
		}
		if err := wait(ctx, lookEvery); err != nil {
			return fmt.Errorf("%w: %w", err, missing)
		}
	}
}

// load returns the load that suites vary: 50 connections, keys of 16 bytes,
// values of 64.
func (b *bench) load(address string, round int) loadgen.Config {
	c := loadgen.DefaultConfig()
	c.Address, c.Threads, c.Duration, c.Seed = address, b.threads, b.length, b.seed+uint64(round)
	c.Warmup = b.length / 4
	return c
}

// cost is what a load cost the servers.
type cost struct {
	perSecond float64
	cpu       float64 // microseconds of all servers together per request
	latency   loadgen.Latency
}

// run measures a load and the processor time of servers during it.
func (b *bench) run(ctx context.Context, c loadgen.Config, servers ...*nodes.Node) (cost, error) {
	before, err := cpuOf(servers)
	if err != nil {
		return cost{}, err
	}
	// The warm-up is in the processor time, so its requests must be too.
	c.Duration, c.Warmup = c.Duration+c.Warmup, 0
	r, err := loadgen.Run(ctx, c)
	if err != nil {
		return cost{}, err
	}
	if r.Interrupted {
		return cost{}, ctx.Err()
	}
	after, err := cpuOf(servers)
	if err != nil {
		return cost{}, err
	}
	if r.Failed+r.Lost+r.Dropped > 0 {
		return cost{}, fmt.Errorf("%d requests failed, %d were lost: %v", r.Failed, r.Lost, r.Errors)
	}
	if r.Misses > 0 {
		return cost{}, fmt.Errorf("%d of %d reads found nothing", r.Misses, r.Requests)
	}
	return cost{r.PerSec, (after - before).Seconds() * 1e6 / float64(r.Requests), r.Latency}, nil
}

// cpuOf adds the processor time of servers.
func cpuOf(list []*nodes.Node) (sum time.Duration, err error) {
	for _, n := range list {
		used, err := n.CPU()
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}
