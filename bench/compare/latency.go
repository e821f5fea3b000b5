package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/larder-cache/larder/bench/stats"
	"github.com/larder-cache/larder/internal/loadgen"
)

// percentiles are the latencies that are reported, by name.
var percentiles = []struct {
	metric
	of func(loadgen.Latency) float64
}{
	{metric{"p50", "us", false}, func(l loadgen.Latency) float64 { return l.P50 }},
	{metric{"p99", "us", false}, func(l loadgen.Latency) float64 { return l.P99 }},
	{metric{"p99.9", "us", false}, func(l loadgen.Latency) float64 { return l.P999 }},
	{metric{"p99.99", "us", false}, func(l loadgen.Latency) float64 { return l.P9999 }},
	{metric{"maximum", "us", false}, func(l loadgen.Latency) float64 { return l.Max }},
}

// tailRatio tells stalls, such as of a garbage collector, from noise that all
// requests share.
var tailRatio = metric{"p99.9 / p99", "ratio", false}

// latency measures in an open loop: at 5 000 requests per second, and at half
// of what the reference reaches without pipelining, the same rate for everyone.
func (b *bench) latency(ctx context.Context) error {
	for _, size := range []int{64, 4096} {
		if err := b.latencyOf(ctx, size); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) latencyOf(ctx context.Context, size int) error {
	list := b.startAll(ctx, b.peers)
	defer func() { stopAll(list) }()
	config := func(s *process, round int) loadgen.Config {
		c := b.load(s, round)
		c.Keys, c.Values = pick[uint64](b, 500_000, 100_000), loadgen.FixedSize(size)
		return c
	}
	for _, s := range list {
		if _, err := loadgen.Preload(ctx, config(s, 0)); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	half, err := b.halfOfReference(ctx, list, config)
	if err != nil {
		return err
	}
	for round := range b.rounds {
		for _, at := range []struct {
			name string
			rate float64
		}{{"5000/s", 5000}, {"half of redis's maximum", half}} {
			for _, s := range turn(list, round) {
				if at.rate == 0 {
					continue
				}
				c := config(s, round)
				c.Rate, c.Duration, c.Warmup = at.rate, pick(b, 8*time.Second, time.Second), pick(b, time.Second, 200*time.Millisecond)
				if err := b.measureLatency(ctx, s, fmt.Sprintf("%d B, 9:1, %s", size, at.name), c); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// halfOfReference returns half of the reference's throughput, 0 when it does
// not take part.
func (b *bench) halfOfReference(ctx context.Context, list []*process, config func(*process, int) loadgen.Config) (float64, error) {
	var rates []float64
	for _, s := range list {
		for round := range b.rounds {
			if s.name != reference {
				continue
			}
			r, err := loadgen.Run(ctx, config(s, round))
			if err != nil || r.Interrupted {
				return 0, fmt.Errorf("%s: %w", s.name, b.fault(ctx, s.name, "saturation", err))
			}
			rates = append(rates, r.PerSec)
		}
	}
	if len(rates) == 0 {
		b.rep.note("redis does not take part, so there is no half of its maximum.")
		return 0, nil
	}
	half := math.Round(stats.Median(rates) / 2)
	b.rep.note("Half of redis's maximum is %.0f requests/s in the suite latency.", half)
	return half, nil
}

func (b *bench) measureLatency(ctx context.Context, s *process, name string, c loadgen.Config) error {
	before := s.cpu()
	r, err := loadgen.Run(ctx, c)
	if err != nil || r.Interrupted {
		return b.fault(ctx, s.name, name, err)
	}
	used := s.cpu() - before
	b.trouble(s.name, name, &r.Part)
	for _, p := range percentiles {
		b.rep.add("latency", p.metric, name, s.name, p.of(r.Latency))
	}
	b.rep.add("latency", tailRatio, name, s.name, r.Latency.P999/r.Latency.P99)
	total := (c.Duration + c.Warmup).Seconds()
	b.rep.add("latency", metric{"server processor time", "% of a core", false}, name, s.name, 100*used.Seconds()/total)
	b.say("%-32s %-10s p50 %5.0f  p99 %6.0f  p99.9 %6.0f  max %6.0f us", name, s.name, r.Latency.P50, r.Latency.P99, r.Latency.P999, r.Latency.Max)
	return nil
}
