package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
	"github.com/larder-cache/larder/internal/nodes/history"
)

// chaos is a run.
type chaos struct {
	options
	cluster *nodes.Cluster
	clients *history.Clients
	record  *history.Recorder
	random  *rand.Rand
	done    []*fault
}

// Bounds of what is waited for outside of faults, of an operation of a client, and
// of the check of one key.
const (
	clientTimeout = 2 * time.Second
	formWithin    = 2 * time.Minute
	readWithin    = time.Minute
	explainWithin = 20 * time.Second
	checkWithin   = 20 * time.Second
)

// run starts the cluster and the clients, does what is to be done, and judges.
func run(ctx context.Context, o options, binary, dir string) (err error) {
	fmt.Printf("seed %d, %d nodes with %d copies, faults %v %s; results in %s\n", o.seed, o.nodes, o.replicas, o.faults, o.extent(), o.out)
	c := &chaos{options: o, random: rand.New(rand.NewPCG(o.seed, 0))}
	around, err := c.surround(dir)
	if around.Network != nil {
		defer func() { err = errors.Join(err, around.Network.Close()) }()
	}
	if err != nil {
		return err
	}
	around.Binary, around.Parent, around.Replicas = binary, dir, c.replicas
	around.Args = []string{"--maxmemory", "256mb", "--loops", "1"}
	if c.cluster, err = nodes.Begin(around); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.keepLogs(), c.cluster.Close()) }()
	if err := c.form(ctx); err != nil {
		return fmt.Errorf("form the cluster: %w", err)
	}
	file, err := os.Create(filepath.Join(o.out, "history.jsonl"))
	if err != nil {
		return err
	}
	c.record = history.NewRecorder(file)
	c.clients, err = history.Start(history.Config{
		Clients: o.clients, Think: o.think, Timeout: clientTimeout, Addresses: c.cluster.Addresses, Seed: o.seed, Recorder: c.record,
		Lasting: slices.Contains(c.faults, clockFault),
	})
	if err != nil {
		return err
	}
	failed := c.hurt(ctx)
	c.clients.Stop()
	if failed == nil && ctx.Err() != nil {
		failed = errors.New("interrupted")
	}
	reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), readWithin)
	defer cancel()
	failed = errors.Join(failed, c.clients.ReadAll(reading), c.record.Flush(), file.Close())
	if failed != nil {
		c.explain()
	}
	return errors.Join(failed, c.judge())
}

// form starts the nodes and waits until every partition has its copies.
func (c *chaos) form(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, formWithin)
	defer cancel()
	if err := c.cluster.Grow(ctx, c.nodes); err != nil {
		return err
	}
	return c.cluster.Await(ctx, nodes.Members(c.nodes), nodes.Balanced(c.nodes), nodes.Copied(c.replicas))
}

// extent says when a run ends.
func (o *options) extent() string {
	if o.count > 0 {
		return fmt.Sprintf("%d times", o.count)
	}
	return "for " + o.length.String()
}

// hurt applies faults until the time is over, or until there have been as many as
// wanted: all kinds in a random order, then all again. What is begun is finished. An error is a cluster that does not come
// back.
func (c *chaos) hurt(ctx context.Context) error {
	until := c.record.Now() + c.length
	for {
		for _, i := range c.random.Perm(len(c.faults)) {
			enough := c.count > 0 && len(c.done) >= c.count
			if enough || !c.pause(ctx, time.Second+c.upTo(time.Second)) || c.record.Now() > until {
				return nil
			}
			if err := faults[c.faults[i]].does(c, ctx); err != nil {
				return err
			}
		}
	}
}

// pause waits; it returns false when ctx has ended.
func (c *chaos) pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (c *chaos) upTo(d time.Duration) time.Duration { return time.Duration(c.random.Int64N(int64(d))) }

// explain keeps, of a cluster that does not come back, what each node says of it,
// and has its process end with its goroutines in the log.
func (c *chaos) explain() {
	ctx, cancel := context.WithTimeout(context.Background(), explainWithin)
	defer cancel()
	for _, n := range c.cluster.Serving() {
		if r, err := n.Do(ctx, "LARDER", "CLUSTER", "STATUS", "JSON"); err != nil {
			fmt.Fprintln(os.Stderr, err)
		} else if err := os.WriteFile(filepath.Join(c.out, n.Name+"-status.json"), []byte(r.Text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		if err := n.Signal(syscall.SIGQUIT); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	for len(c.cluster.Serving()) > 0 && c.pause(ctx, 50*time.Millisecond) {
	}
}

// keepLogs puts what the nodes said beside the results.
func (c *chaos) keepLogs() error {
	var errs []error
	for _, n := range c.cluster.Nodes() {
		b, err := os.ReadFile(n.Log)
		errs = append(errs, err)
		if err == nil {
			errs = append(errs, os.WriteFile(filepath.Join(c.out, n.Name+".log"), b, 0o644))
		}
	}
	return errors.Join(errs...)
}

// judge checks the history, and prints and draws what happened.
func (c *chaos) judge() error {
	r := newReport(c, history.Judge(c.record.Ops(), checkWithin))
	if err := r.save(); err != nil {
		return err
	}
	return r.fault()
}
