package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/loadgen"
	"github.com/larder-cache/larder/internal/nodes"
	"github.com/larder-cache/larder/internal/nodes/witness"
)

// What the suite recreate asks for.
const (
	recreateReads  = 5000 // a second
	recreateWrites = 1000 // a second
	recreateDelay  = 5 * time.Second
	recreateBytes  = 1000 // of a value
	recreateMemory = "3gb"
)

// beginsEvery is the pause between two looks whether a copy was begun.
const beginsEvery = 50 * time.Millisecond

// recreate lets a node that keeps copies die with a gigabyte in the cluster, and
// measures GETs at the others while the copies that are missing are made anew: on
// the other nodes once rebalance.delay is over, and later on the node itself, which
// comes back empty.
func (b *bench) recreate(ctx context.Context) (err error) {
	c, end, err := b.begin(ctx, b.nodes, nodes.Options{
		Replicas: 1, Args: []string{"--maxmemory", recreateMemory},
		Settings: []string{"  rebalance:", fmt.Sprint("    delay: ", recreateDelay), "    bytes_per_second: " + b.pace},
	})
	if err != nil {
		return err
	}
	defer end(&err)
	ctx, cancel := context.WithTimeout(ctx, manyWithin)
	defer cancel()
	if b.pace != "0" {
		b.rep.note("recreate: a node copies at most %s in a second.", b.pace)
	}
	if err := c.Await(ctx, nodes.Copied(1)); err != nil {
		return err
	}
	all := c.Nodes()
	r := &recreation{bench: b, c: c, victim: all[len(all)-1], others: all[:len(all)-1],
		values: values{"v:", pick(b, 1_000_000, 100_000), recreateBytes}}
	begun := time.Now()
	if err := r.values.write(ctx, r.addresses()); err != nil {
		return err
	}
	b.say("%d values of %d B written in %.1f s", r.values.count, r.values.bytes, time.Since(begun).Seconds())
	return r.underLoad(ctx)
}

// recreation is a cluster that loses a node.
type recreation struct {
	*bench
	c      *nodes.Cluster
	victim *nodes.Node
	others []*nodes.Node
	values values
	before float64 // p99 of GET with nothing going on, microseconds
}

// addresses are those of the nodes that stay alive, which clients use.
func (r *recreation) addresses() (list []string) {
	for _, n := range r.others {
		list = append(list, n.RESP)
	}
	return list
}

// underLoad plays what happens while others write, and checks every value.
func (r *recreation) underLoad(ctx context.Context) error {
	caller := func(i int) witness.Caller {
		return &witness.Direct{Addresses: r.addresses, Timeout: 30 * time.Second, Random: rand.New(rand.NewPCG(r.seed, uint64(i)))}
	}
	w, err := witness.Start(witness.Config{
		Prefix: "w", Clients: 16, Keys: 500, Batch: 4, Rate: recreateWrites, Bytes: recreateBytes, Caller: caller, Seed: r.seed,
	})
	if err != nil {
		return err
	}
	failed := r.play(ctx)
	sum, err := w.Stop()
	if failed == nil {
		failed = err
	}
	if failed != nil {
		return failed
	}
	name := "in the end"
	r.rep.add("recreate", name, metric{"writes meanwhile", ""}, float64(sum.Requests))
	r.rep.add("recreate", name, metric{"writes failed or unknown", ""}, float64(sum.Failed))
	through := caller(-1)
	defer through.Close() // its connections were only read from
	v := w.Verify(through)
	a, err := r.values.check(ctx, r.addresses())
	if err != nil {
		return err
	}
	bad := v.Lost + v.Wrong + w.Keys() - v.Checked + int(sum.Wrong) + a.count()
	r.rep.add("recreate", name, metric{"values lost or wrong", ""}, float64(bad))
	r.rep.add("recreate", name, metric{"values checked", ""}, float64(v.Checked+r.values.count))
	r.say("%d values checked, %d lost or wrong; of %d writes %d failed or are unknown", v.Checked+r.values.count, bad, sum.Requests, sum.Failed)
	if bad > 0 {
		r.rep.note("recreate: of the values that nobody changed %d are gone, %d wrong (%s); of the others: %q %q", a.lost, a.wrong, a.example, v.Examples, sum.Examples)
	}
	return nil
}

// play kills the node, waits until the others have made its copies anew, and lets
// it come back with nothing.
func (r *recreation) play(ctx context.Context) error {
	calm, cancel := context.WithTimeout(ctx, 5*r.length)
	defer cancel()
	quiet, err := r.reads(calm)
	if err != nil {
		return err
	}
	r.before = quiet.p99
	r.say("p99 of GET before: %.0f us", r.before)
	r.victim.Kill()
	killed := time.Now()
	// Until the others know what is missing, what they begin is of before.
	if err := r.c.Await(ctx, nodes.Without(r.victim)); err != nil {
		return err
	}
	followed := time.Since(killed)
	if err := r.measure(ctx, "copies on the others", nodes.Copied(1)); err != nil {
		return err
	}
	r.rep.add("recreate", "copies on the others", metric{"others own everything after", "s"}, followed.Seconds())
	if err := r.victim.Start(ctx); err != nil {
		return err
	}
	return r.measure(ctx, "copies on the node, which is back", nodes.Members(r.nodes), nodes.Balanced(r.nodes), nodes.Copied(1))
}

// measure waits until copies are begun, and measures GETs until all are there.
func (r *recreation) measure(ctx context.Context, name string, done ...nodes.Condition) error {
	before, err := r.count(ctx)
	if err != nil {
		return err
	}
	for now := before; now.begun == before.begun; {
		if err := wait(ctx, beginsEvery); err != nil {
			return fmt.Errorf("%s: none is begun: %w", name, err)
		}
		if now, err = r.count(ctx); err != nil {
			return err
		}
	}
	began := time.Now()
	cpu, err := cpuOf(r.others)
	if err != nil {
		return err
	}
	reading, stop := context.WithCancel(ctx)
	awaited := make(chan error, 1)
	go func() {
		defer stop()
		awaited <- awaitGently(ctx, r.c, done...)
	}()
	during, err := r.reads(reading)
	stop()
	if missing := <-awaited; missing != nil {
		return fmt.Errorf("%s: %w", name, missing)
	}
	took := time.Since(began)
	if err != nil {
		return err
	}
	after, err := r.count(ctx)
	if err != nil {
		return err
	}
	used, err := cpuOf(r.others)
	if err != nil {
		return err
	}
	sent := (after.bytes - before.bytes) / 1e6
	add := func(m metric, v float64) { r.rep.add("recreate", name, m, v) }
	add(metric{"duration", "s"}, took.Seconds())
	add(metric{"sent to copies", "MB"}, sent)
	add(metric{"copies begun", ""}, after.begun-before.begun)
	add(metric{"CPU of the nodes that stay", "% of a core"}, 100*(used-cpu).Seconds()/took.Seconds())
	add(metric{"views", ""}, after.view-before.view)
	add(metric{"GET/s", ""}, during.perSecond)
	add(metric{"p99 of GET before", "us"}, r.before)
	add(metric{"p50 of GET", "us"}, during.p50)
	add(metric{"p99 of GET", "us"}, during.p99)
	add(metric{"longest GET", "ms"}, during.longest/1e3)
	add(metric{"values lost or wrong", ""}, float64(during.missed))
	add(metric{"failed GETs", ""}, float64(during.failed))
	r.say("%s: %.0f MB in %.1f s; %.0f GET/s, p50 %.0f us, p99 %.0f us (%.0f us before), longest %.1f ms, %d failed, %d found nothing",
		name, sent, took.Seconds(), during.perSecond, during.p50, during.p99, r.before, during.longest/1e3, during.failed, during.missed)
	return nil
}

// copying counts what nodes have done for copies since they were started, and the
// version of the view.
type copying struct{ begun, bytes, view float64 }

// count adds up what the nodes that stay alive say.
func (r *recreation) count(ctx context.Context) (sum copying, err error) {
	for _, n := range r.others {
		m, err := metricsOf(ctx, n)
		if err != nil {
			return sum, err
		}
		sum.begun += m["larder_replication_copies_begun_total"]
		sum.bytes += m["larder_replication_sent_bytes_total"]
		sum.view = max(sum.view, m["larder_cluster_view_version"])
	}
	return sum, nil
}

// readings are GETs through all nodes that stay alive at once: their sum, and the
// latencies of the node that is worst. Times are microseconds.
type readings struct {
	perSecond, p50, p99, longest float64
	failed, missed               uint64
}

// reads sends GETs at a steady rate, the same to each node, until ctx ends.
func (r *recreation) reads(ctx context.Context) (sum readings, err error) {
	results := make([]*loadgen.Result, len(r.others))
	errs := make([]error, len(r.others))
	var group sync.WaitGroup
	for i, n := range r.others {
		load := r.values.gets(r.load(n.RESP, i))
		load.Connections /= len(r.others)
		load.Rate = recreateReads / float64(len(r.others))
		load.Warmup, load.Duration = 0, manyWithin
		group.Go(func() { results[i], errs[i] = loadgen.Run(ctx, load) })
	}
	group.Wait()
	for i, one := range results {
		if errs[i] != nil {
			return sum, errs[i]
		}
		sum.perSecond += one.PerSec
		sum.p50, sum.p99, sum.longest = max(sum.p50, one.Latency.P50), max(sum.p99, one.Latency.P99), max(sum.longest, one.Latency.Max)
		sum.failed += one.Failed + one.Lost + one.Dropped
		sum.missed += one.Misses
	}
	return sum, nil
}
