package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/larder-cache/larder/internal/nodes"
	"github.com/larder-cache/larder/internal/nodes/witness"
)

// story is something that operators do to a cluster under load.
type story struct {
	name string
	// prepare comes before the load and says which partitions it is for; nil is all.
	prepare func(ctx context.Context) (partitions []int, err error)
	// act is what the operator does; the story is over when done holds.
	act  func(ctx context.Context) error
	done func() []nodes.Condition
	// after is what is left to do when the load has ended; nil is nothing.
	after func(ctx context.Context) error
	// redirected sends the load through cluster clients.
	redirected bool
}

// moves lets nodes come and go while clients write, and checks every value.
func (b *bench) moves(ctx context.Context) (err error) {
	c, end, err := b.begin(ctx, b.nodes, nodes.Options{})
	if err != nil {
		return err
	}
	defer end(&err)
	t := &theatre{bench: b, c: c}
	var errs []error
	for i, s := range t.stories() {
		if err := t.play(ctx, i, s); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
			b.rep.add("moves", s.name, metric{"moves not finished", ""}, 1)
			break // the next story begins where this one should have ended
		}
	}
	if ctx.Err() == nil {
		t.verifyAll()
	}
	return errors.Join(errs...)
}

// theatre is where stories are played, one after the other, on one cluster.
type theatre struct {
	*bench
	c    *nodes.Cluster
	past []played
}

// played is a story that is over, with who remembers what it wrote.
type played struct {
	name string
	w    *witness.Witness
}

// last returns the node that came last.
func (t *theatre) last() *nodes.Node {
	list := t.c.Serving()
	return list[len(list)-1]
}

// stories returns them in an order in which each begins where the one before
// ends: with all nodes, and one more after the first.
func (t *theatre) stories() []story {
	c, before, more := t.c, t.nodes, t.nodes+1
	join := func(ctx context.Context) error { _, err := c.Add(ctx); return err }
	full := func() []nodes.Condition { return []nodes.Condition{nodes.Members(more), nodes.Balanced(more)} }
	gone := func() []nodes.Condition {
		return []nodes.Condition{nodes.Members(before), nodes.Balanced(before)}
	}
	ofLast := func(ctx context.Context) ([]int, error) { return t.ownedBy(ctx, t.last()) }
	leave := func(ctx context.Context) error { return c.Remove(ctx, t.last(), false) }
	stop := func(ctx context.Context) error { return t.last().Stop(ctx) }
	var byHand []int
	var planned []nodes.Move
	asPlanned := func() []nodes.Condition { return append(full(), nodes.Done(planned)) }
	plan := func(change func(context.Context) error) func(context.Context) ([]int, error) {
		return func(ctx context.Context) (list []int, err error) {
			planned, err = t.plan(ctx, change)
			for _, m := range planned {
				list = append(list, m.Partition)
			}
			return list, err
		}
	}
	return []story{
		{name: "join", act: join, done: full},
		{name: "drain", prepare: ofLast, act: func(ctx context.Context) error { return c.Drain(ctx, t.last()) },
			done: func() []nodes.Condition { return []nodes.Condition{nodes.Empty(t.last())} }},
		{name: "rebalance", prepare: plan(func(ctx context.Context) error { return c.Activate(ctx, t.last()) }),
			act: c.Go, done: asPlanned},
		{name: "move by hand", prepare: func(ctx context.Context) (list []int, err error) {
			byHand, err = t.ownedBy(ctx, c.Nodes()[0])
			byHand = byHand[:len(byHand)/2]
			return byHand, err
		}, act: func(ctx context.Context) error { return c.Move(ctx, c.Nodes()[1], byHand) },
			done: func() []nodes.Condition { return []nodes.Condition{nodes.Holding(c.Nodes()[1], byHand)} }},
		{name: "release", prepare: plan(c.Release), act: c.Go, done: asPlanned},
		{name: "leave", prepare: ofLast, act: leave, done: gone, after: stop},
		{name: "join, cluster clients", act: join, done: full, redirected: true},
		{name: "leave, cluster clients", prepare: ofLast, act: leave, done: gone, after: stop, redirected: true},
	}
}

// ownedBy returns the partitions of a node.
func (t *theatre) ownedBy(ctx context.Context, n *nodes.Node) (list []int, err error) {
	s, err := n.Status(ctx)
	if err != nil {
		return nil, err
	}
	for p, owner := range s.Owner {
		if owner == n.ID() {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("node %s owns nothing", n.Name)
	}
	return list, nil
}

// plan changes what is wanted while moves are held, and returns the moves that
// are to come once they are not.
func (t *theatre) plan(ctx context.Context, change func(context.Context) error) (list []nodes.Move, err error) {
	if err := t.c.Hold(ctx); err != nil {
		return nil, err
	}
	if err := change(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, formWithin)
	defer cancel()
	for {
		if list, err = t.c.Planned(ctx); err != nil || len(list) > 0 {
			return list, err
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return nil, fmt.Errorf("nothing is planned: %w", err)
		}
	}
}

// restWithin is for how long more may be planned once a story is over.
const restWithin = 2 * time.Second

// atRest waits until nothing is planned any more, and notes what is planned but
// does not move.
func (t *theatre) atRest(ctx context.Context, name string) error {
	for begun := time.Now(); ; {
		list, err := t.c.Planned(ctx)
		if err != nil || len(list) == 0 {
			return err
		}
		if time.Since(begun) > restWithin {
			t.rep.note("moves, %s: the plan still has %d partitions when all is over.", name, len(list))
			t.say("the plan still has %d partitions", len(list))
			return nil
		}
		if err := wait(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// Shape of the load.
const (
	writers     = 32
	readsOfTen  = 1
	recordBytes = 256
)

// work is the load of a story.
func (t *theatre) work(number int, s story, partitions []int) (witness.Config, func() error) {
	cfg := witness.Config{
		Prefix: fmt.Sprintf("story%d", number), Clients: writers, Keys: pick(t.bench, 4000, 500), Batch: 16,
		Reads: readsOfTen, Rate: t.writes * 10 / (10 - readsOfTen), Bytes: recordBytes, Seed: t.seed + uint64(number),
		Caller: func(i int) witness.Caller { return t.direct(i) },
	}
	if partitions != nil {
		cfg.Within = func(p int) bool { _, found := slices.BinarySearch(partitions, p); return found }
	}
	if !s.redirected {
		return cfg, func() error { return nil }
	}
	var addresses []string
	for _, n := range t.c.Serving() {
		addresses = append(addresses, n.RESPCluster)
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addresses, PoolSize: writers})
	cfg.Caller = func(int) witness.Caller { return witness.Redirected{Client: client} }
	return cfg, client.Close
}

// direct returns a caller through any node.
func (t *theatre) direct(i int) *witness.Direct {
	return &witness.Direct{Addresses: t.c.Addresses, Timeout: 30 * time.Second, Random: rand.New(rand.NewPCG(t.seed, uint64(i)))}
}

// play plays one story.
func (t *theatre) play(ctx context.Context, number int, s story) (err error) {
	ctx, cancel := context.WithTimeout(ctx, t.within)
	defer cancel()
	var partitions []int
	if s.prepare != nil {
		if partitions, err = s.prepare(ctx); err != nil {
			return err
		}
	}
	cfg, release := t.work(number, s, partitions)
	w, err := witness.Start(cfg)
	if err != nil {
		return errors.Join(err, release())
	}
	moved, acting, err := t.act(ctx, w, s)
	tail, stopErr := w.Stop()
	err = errors.Join(err, stopErr, release())
	if acting != nil {
		t.tell(s.name, moved, acting, &tail)
	}
	t.past = append(t.past, played{s.name, w})
	t.verify(t.past[len(t.past)-1])
	if err == nil && s.after != nil {
		err = s.after(ctx)
	}
	return err
}

// act lets the load run, does what the story is about, and waits for its end. It
// returns the partitions that have another owner, and what was counted.
func (t *theatre) act(ctx context.Context, w *witness.Witness, s story) (moved []int, acting *witness.Tally, err error) {
	if err := wait(ctx, pick(t.bench, 2*time.Second, 300*time.Millisecond)); err != nil {
		return nil, nil, err
	}
	t.calm(s.name, w.Cut())
	before, err := t.c.Serving()[0].Status(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err = s.act(ctx); err == nil {
		err = t.c.Await(ctx, s.done()...)
	}
	sum := w.Cut()
	if err == nil {
		err = t.atRest(ctx, s.name)
	}
	if err == nil {
		t.rep.add("moves", s.name, metric{"moves not finished", ""}, 0)
	}
	after, statusErr := t.c.Serving()[0].Status(context.WithoutCancel(ctx))
	if statusErr != nil {
		return nil, &sum, errors.Join(err, statusErr)
	}
	for p := range after.Owner {
		if after.Owner[p] != before.Owner[p] {
			moved = append(moved, p)
		}
	}
	return moved, &sum, errors.Join(err, wait(ctx, 300*time.Millisecond))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// calm reports the load before anything moves: what is long here is the
// machine's own doing.
func (t *theatre) calm(name string, sum witness.Tally) {
	add := func(m metric, v float64) { t.rep.add("moves", name, m, v) }
	add(metric{"longest request before", "ms"}, milliseconds(sum.Longest.Took))
	if text := sum.Trouble(); text != "" {
		t.rep.note("moves, %s, before anything moved: %s", name, text)
	}
}

// tell reports what the clients noticed. The time behind the last move counts
// for failures and long requests.
func (t *theatre) tell(name string, moved []int, sum, tail *witness.Tally) {
	add := func(m metric, v float64) { t.rep.add("moves", name, m, v) }
	seconds := sum.Elapsed.Seconds()
	of := func(p int) bool { _, found := slices.BinarySearch(moved, p); return found }
	add(metric{"duration", "s"}, seconds)
	add(metric{"partitions moved", ""}, float64(len(moved)))
	add(metric{"writes/s to them", ""}, float64(sum.WritesTo(of))/seconds)
	add(metric{"writes/s", ""}, float64(sum.WritesTo(func(int) bool { return true }))/seconds)
	add(metric{"failed requests", ""}, float64(sum.Failed+tail.Failed))
	add(metric{"p99", "ms"}, milliseconds(sum.Quantile(0.99)))
	longest, gap := sum.Longest, sum.Gap
	if tail.Longest.Took > longest.Took {
		longest = tail.Longest
	}
	if tail.Gap.Took > gap.Took {
		gap = tail.Gap
	}
	add(metric{"longest request", "ms"}, milliseconds(longest.Took))
	add(metric{"longest gap", "ms"}, milliseconds(gap.Took))
	t.say("%-22s %4d partitions in %5.2f s, %6.0f writes/s to them, %d failed, %d wrong, longest %.1f ms, gap %.1f ms",
		name, len(moved), seconds, float64(sum.WritesTo(of))/seconds, sum.Failed+tail.Failed, sum.Wrong+tail.Wrong,
		milliseconds(longest.Took), milliseconds(gap.Took))
	t.say("%-22s longest: %s at %s", "", longest.What, longest.End.Format("15:04:05.000"))
	for _, s := range []*witness.Tally{sum, tail} {
		if text := s.Trouble(); text != "" {
			t.rep.note("moves, %s: %s", name, text)
			t.say("%s", text)
		}
		add(metric{"values lost or wrong", ""}, float64(s.Wrong))
	}
}

// verify reads every value of a story through all nodes.
func (t *theatre) verify(p played) {
	through := t.direct(-1)
	defer through.Close()
	v := p.w.Verify(through)
	t.rep.add("moves", p.name, metric{"values lost or wrong", ""}, float64(v.Lost+v.Wrong+p.w.Keys()-v.Checked))
	t.rep.add("moves", p.name, metric{"values checked", ""}, float64(v.Checked))
	if !v.Right() {
		t.rep.note("moves, %s: of %d values %d were lost, %d wrong, %d could not be read: %q", p.name, v.Checked, v.Lost, v.Wrong, v.Failed, v.Examples)
		t.say("%d lost, %d wrong, %d unread: %q", v.Lost, v.Wrong, v.Failed, v.Examples)
	}
}

// verifyAll reads the values of all stories once more: they have been through
// the stories behind their own.
func (t *theatre) verifyAll() {
	for _, p := range t.past {
		t.verify(p)
	}
}
