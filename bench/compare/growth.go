package main

import (
	"context"
	"time"

	"github.com/larder-cache/larder/internal/loadgen"
)

var longestPause = metric{"longest GC pause", "us", false}

// growth inserts entries at a fixed rate, the same for everyone, while a probe
// reads other keys: what stalls the probe is the growth of the index, or the
// garbage collector.
func (b *bench) growth(ctx context.Context) error {
	for round := range pick(b, min(b.rounds, 2), 1) {
		for _, p := range turn(b.peers, round) {
			if err := b.growPeer(ctx, p, round); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) growPeer(ctx context.Context, p peer, round int) error {
	s := b.start(ctx, p, 0)
	if s == nil {
		return ctx.Err()
	}
	defer s.stop()
	entries := pick[uint64](b, 10_000_000, 1_000_000)
	name := countText(entries) + " entries inserted at 200 k/s"
	if err := b.preloadProbe(ctx, s); err != nil {
		return b.fault(ctx, s.name, name, err)
	}
	c := b.load(s, round)
	c.Keys, c.Distribution, c.Gets, c.Sets = entries, loadgen.Sequential, 0, 1
	c.Connections, c.Threads, c.Pipeline, c.Rate = 2, 1, 64, 200_000
	c.Duration, c.Requests = 0, entries
	probe, err := b.probed(ctx, s, round, func(ctx context.Context) error {
		r, err := loadgen.Run(ctx, c)
		if err == nil && !r.Interrupted {
			b.trouble(s.name, name, &r.Part)
			b.rep.add("growth", metric{"insertions reached", "/s", true}, name, s.name, r.PerSec)
		}
		return err
	})
	if err != nil {
		return b.fault(ctx, s.name, name, err)
	}
	b.addProbe("growth", name, s, probe)
	if pause, ok := s.longestGC(ctx); ok {
		b.rep.add("growth", longestPause, name, s.name, float64(pause.Microseconds()))
	} else if s.metrics {
		b.rep.note("%s does not tell the pauses of its garbage collector: no go_gc_duration_seconds in its /metrics.", s.name)
	}
	return nil
}

// Probes read a few keys of their own at a low rate.
const (
	probeRate   = 2000
	probeKeys   = 10_000
	probePrefix = "probe:"
)

// preloadProbe writes the keys that a probe reads.
func (b *bench) preloadProbe(ctx context.Context, s *process) error {
	c := b.load(s, 0)
	c.KeyPrefix, c.Keys = probePrefix, probeKeys
	_, err := loadgen.Preload(ctx, c)
	return err
}

// probed runs work while a probe reads from s, and returns the probe's result.
// The probe's keys must have been written.
func (b *bench) probed(ctx context.Context, s *process, round int, work func(context.Context) error) (*loadgen.Result, error) {
	c := b.load(s, round)
	c.KeyPrefix, c.Keys, c.Gets, c.Sets = probePrefix, probeKeys, 1, 0
	c.Connections, c.Threads, c.Rate, c.Duration = 4, 1, probeRate, time.Hour
	probing, stop := context.WithCancel(ctx)
	defer stop()
	type outcome struct {
		r   *loadgen.Result
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := loadgen.Run(probing, c)
		done <- outcome{r, err}
	}()
	err := work(ctx)
	stop()
	o := <-done
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return o.r, o.err
}

// addProbe records the latencies of a probe.
func (b *bench) addProbe(suite, name string, s *process, r *loadgen.Result) {
	for _, p := range percentiles {
		m := p.metric
		m.Name = "probe " + m.Name
		b.rep.add(suite, m, name, s.name, p.of(r.Latency))
	}
	b.say("%-40s %-10s probe p99 %.0f  p99.9 %.0f  max %.0f us", name, s.name, r.Latency.P99, r.Latency.P999, r.Latency.Max)
}
