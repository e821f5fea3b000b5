package main

import (
	"context"
	"fmt"

	"github.com/larder-cache/larder/internal/loadgen"
)

var (
	overMaximum = metric{"highest resident memory", "x maximum", false}
	refused     = metric{"refused writes", "% of writes", false}
	held        = metric{"data held", "keys and values of this phase, x maximum", true}
)

// churnPhase writes values of one size until an old-fashioned allocator has
// bound its memory to that size; the next phase wants another.
type churnPhase struct {
	name   string
	prefix string
	sizes  string
	mean   int  // bytes of a value
	mixed  bool // with deletes, at random
}

var churnPhases = []churnPhase{
	{"1: 100 B", "a:", "100", 100, false},
	{"2: 1 KiB", "b:", "1KiB", 1024, false},
	{"3: 10 KiB", "c:", "10KiB", 10 << 10, false},
	{"4: mixed with deletes", "d:", "100:60,1KiB:30,10KiB:10", 1391, true},
	{"5: 100 B again", "e:", "100", 100, false},
}

// churn is the calcification test: a full cache whose values change their size
// must give memory of old sizes to new ones, stay below its maximum and refuse
// no write, since there is always something to evict.
func (b *bench) churn(ctx context.Context) error {
	maximum := pick[int64](b, 512<<20, 128<<20)
	for round := range pick(b, min(b.rounds, 3), 1) {
		for _, p := range turn(b.peers, round) {
			if err := b.churnPeer(ctx, p, maximum, round); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) churnPeer(ctx context.Context, p peer, maximum int64, round int) error {
	s := b.start(ctx, p, maximum)
	if s == nil {
		return ctx.Err()
	}
	defer s.stop()
	for _, ph := range churnPhases {
		if err := s.resetPeak(); err != nil {
			return fmt.Errorf("reset the peak of resident memory: %w", err)
		}
		if err := b.churnPhase(ctx, s, ph, maximum, round); err != nil {
			return err
		}
	}
	return nil
}

// churnPhase writes twice as many bytes of values as the maximum, and then
// reads all keys of the phase to see what is left of them.
func (b *bench) churnPhase(ctx context.Context, s *process, ph churnPhase, maximum int64, round int) error {
	sizes, err := loadgen.ParseSizes(ph.sizes)
	if err != nil {
		return err
	}
	c := b.load(s, round)
	c.Keys = uint64(2 * maximum / int64(ph.mean))
	c.KeyPrefix, c.Values, c.Pipeline = ph.prefix, sizes, 16
	c.Distribution, c.Duration, c.Requests = loadgen.Sequential, 0, c.Keys
	c.Gets, c.Sets = 0, 1
	if ph.mixed && !s.speaksMemcached() {
		c.Distribution, c.Requests = loadgen.Uniform, 2*c.Keys
		c.Commands = []loadgen.Command{{Template: "SET __key__ __data__", Weight: 3}, {Template: "DEL __key__", Weight: 1}}
	}
	r, err := loadgen.Run(ctx, c)
	if err != nil || r.Interrupted {
		return b.fault(ctx, s.name, "churn "+ph.name, err)
	}
	peak := float64(s.peakMemory()) / float64(maximum)
	writes := float64(r.Commands[0].Requests)
	b.rep.add("churn", overMaximum, ph.name, s.name, peak)
	b.rep.add("churn", refused, ph.name, s.name, 100*float64(r.Failed)/writes)
	for text, n := range r.Errors {
		b.rep.note("%s refuses writes in the suite churn: %d x %q.", s.name, n, text)
	}
	c.Commands, c.Gets, c.Sets = nil, 1, 0
	c.Distribution, c.Requests = loadgen.Sequential, c.Keys
	r, err = loadgen.Run(ctx, c)
	if err != nil || r.Interrupted {
		return b.fault(ctx, s.name, "churn "+ph.name, err)
	}
	// Framing is about ten bytes of a hit and five of a miss.
	read := r.ReadPerSec*r.Seconds - 10*float64(r.Hits) - 5*float64(r.Misses)
	data := (read + float64(c.KeyLength)*float64(r.Hits)) / float64(maximum)
	b.rep.add("churn", held, ph.name, s.name, data)
	b.say("%-24s %-10s peak %.3f x maximum, data %.2f x", ph.name, s.name, peak, data)
	return nil
}
