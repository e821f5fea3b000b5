package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
	"github.com/larder-cache/larder/internal/nodes/witness"
)

// What the suite zones asks for.
const (
	zonesDelay   = 2 * time.Second // until copies that a dead node had are made anew
	zonesClients = 8
	zonesRate    = 800 // writes a second to the partitions of the node that dies, and as many to others
)

// zones lets two nodes of different zones die, the second one when the copies that
// the first one had are made anew, and checks every acknowledged write.
func (b *bench) zones(ctx context.Context) (err error) {
	small := nodes.Options{
		Replicas: 1, Settings: []string{"  rebalance:", fmt.Sprint("    delay: ", zonesDelay)},
		Args: []string{"--loops", "1", "--maxmemory", "64mb"}, Env: []string{"GOMAXPROCS=1"}, Zones: []string{"a", "b", "c"},
	}
	c, end, err := b.begin(ctx, 1, small)
	if err != nil {
		return err
	}
	defer end(&err)
	z := &zoned{bench: b, c: c, name: fmt.Sprintf("%d nodes, 3 zones", b.many), random: rand.New(rand.NewPCG(b.seed, 1))}
	ctx, cancel := context.WithTimeout(ctx, manyWithin)
	defer cancel()
	begun := time.Now()
	if err := c.GrowAtOnce(ctx, b.many); err != nil {
		return err
	}
	if err := z.whole(ctx); err != nil {
		return err
	}
	b.rep.add("zones", z.name, metric{"all have their share and copies", "s"}, time.Since(begun).Seconds())
	b.say("%s are whole after %.1f s", z.name, time.Since(begun).Seconds())
	for pair := range pick(b, 3, 1) {
		if err := z.pair(ctx, pair); err != nil {
			return err
		}
	}
	return nil
}

// zoned is a cluster whose nodes stand in zones.
type zoned struct {
	*bench
	c      *nodes.Cluster
	name   string
	random *rand.Rand
}

// whole waits until all nodes have their share, and each partition its copy.
func (z *zoned) whole(ctx context.Context) error {
	return z.c.Await(ctx, nodes.Members(z.many), nodes.Balanced(z.many), nodes.Copied(1))
}

// pair lets two nodes die, one after the other, and come back.
func (z *zoned) pair(ctx context.Context, number int) error {
	victims, err := z.victims(ctx)
	if err != nil {
		return err
	}
	var all []*witness.Witness
	for i, v := range victims {
		list, err := z.lose(ctx, fmt.Sprintf("pair%d:%d", number, i), v)
		all = append(all, list...)
		if err != nil {
			z.verify(all)
			return err
		}
	}
	z.verify(all)
	for _, v := range victims {
		if err := v.Start(ctx); err != nil {
			return err
		}
	}
	if err := z.whole(ctx); err != nil {
		return err
	}
	z.verify(all)
	return nil
}

// victims returns the controller, and a node of another zone. That one is no
// coordinator: without two of three nobody could decide what follows.
func (z *zoned) victims(ctx context.Context) ([]*nodes.Node, error) {
	first, err := z.c.Controller(ctx)
	if err != nil {
		return nil, err
	}
	if first == nil {
		return nil, errors.New("there is no controller")
	}
	coordinators, _, err := z.c.Coordinators(ctx)
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(z.c.Nodes(), func(n *nodes.Node) bool {
		return n.Zone == first.Zone || slices.Contains(coordinators, n)
	})
	if len(others) == 0 {
		return nil, errors.New("there is no other node in another zone: give more with -many")
	}
	return []*nodes.Node{first, others[z.random.IntN(len(others))]}, nil
}

// lose ends a node at once while clients write to its partitions and to others,
// and waits until there is a copy of everything again.
func (z *zoned) lose(ctx context.Context, prefix string, v *nodes.Node) (all []*witness.Witness, err error) {
	s, err := v.Status(ctx)
	if err != nil {
		return nil, err
	}
	own, err := z.write(prefix+":own", func(p int) bool { return s.Owner[p] == v.ID() })
	if err != nil {
		return nil, err
	}
	other, err := z.write(prefix+":other", func(p int) bool { return s.Owner[p] != v.ID() && !slices.Contains(s.InSync[p], v.ID()) })
	if err != nil {
		_, stopErr := own.Stop()
		return nil, errors.Join(err, stopErr)
	}
	all = []*witness.Witness{own, other}
	copied, err := z.kill(ctx, v, own, other)
	if err == nil {
		err = wait(ctx, time.Second)
	}
	mine, stopErr := own.Stop()
	err = errors.Join(err, stopErr)
	others, stopErr := other.Stop()
	if err = errors.Join(err, stopErr); err != nil {
		return all, err
	}
	add := func(m metric, value float64) { z.rep.add("zones", z.name, m, value) }
	add(metric{"writes to its partitions refused", "ms"}, milliseconds(mine.Gap.Took))
	add(metric{"writes to partitions without it, longest gap", "ms"}, milliseconds(others.Gap.Took))
	add(metric{"a copy of everything again", "s"}, copied.Seconds())
	add(metric{"writes failed or unknown", ""}, float64(mine.Failed+others.Failed))
	add(metric{"values lost or wrong", ""}, float64(mine.Wrong+others.Wrong))
	z.say("%s of zone %s dies: writes to its partitions refused for %.0f ms, longest gap of others %.0f ms; all copied again after %.1f s",
		v.Name, v.Zone, milliseconds(mine.Gap.Took), milliseconds(others.Gap.Took), copied.Seconds())
	for _, t := range []witness.Tally{mine, others} {
		if text := t.Trouble(); text != "" {
			z.say("%s", text)
		}
	}
	if mine.Wrong+others.Wrong > 0 {
		z.rep.note("zones: wrong replies: %q %q", mine.Examples, others.Examples)
	}
	return all, nil
}

// kill ends a node some time after clients have begun, and returns how long it
// took until there was a copy of everything without it. What was counted before is
// forgotten.
func (z *zoned) kill(ctx context.Context, v *nodes.Node, writing ...*witness.Witness) (time.Duration, error) {
	if err := wait(ctx, 500*time.Millisecond); err != nil {
		return 0, err
	}
	for _, w := range writing {
		w.Cut()
	}
	begun := time.Now()
	v.Kill()
	err := awaitGently(ctx, z.c, nodes.Without(v), nodes.Copied(1))
	return time.Since(begun), err
}

// caller sends through any node that serves.
func (z *zoned) caller(i int) *witness.Direct {
	return &witness.Direct{Addresses: z.c.Addresses, Timeout: 30 * time.Second, Random: rand.New(rand.NewPCG(z.seed, uint64(i)))}
}

// write lets clients write to some partitions, one request at a time: the longest
// gap between two replies is then for how long none of these was served.
func (z *zoned) write(prefix string, within func(int) bool) (*witness.Witness, error) {
	return witness.Start(witness.Config{
		Prefix: prefix, Clients: zonesClients, Keys: pick(z.bench, 500, 200), Batch: 1, Rate: zonesRate, Bytes: valueBytes,
		Within: within, Caller: func(i int) witness.Caller { return z.caller(i) }, Seed: z.seed,
	})
}

// verify reads every value that was written.
func (z *zoned) verify(all []*witness.Witness) {
	through := z.caller(-1)
	defer through.Close() // its connections were only read from
	checked, bad := 0, 0
	for _, w := range all {
		v := w.Verify(through)
		checked, bad = checked+v.Checked, bad+v.Lost+v.Wrong+w.Keys()-v.Checked
		if !v.Right() {
			z.rep.note("zones: of %d values %d were lost, %d wrong, %d could not be read: %q", v.Checked, v.Lost, v.Wrong, v.Failed, v.Examples)
		}
	}
	z.rep.add("zones", z.name, metric{"values lost or wrong", ""}, float64(bad))
	z.rep.add("zones", z.name, metric{"values checked", ""}, float64(checked))
	z.say("%d values checked, %d lost or wrong", checked, bad)
}
