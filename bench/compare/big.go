package main

import (
	"context"
	"fmt"

	"github.com/larder-cache/larder/internal/loadgen"
)

// big measures values of 1 MiB in both directions, eight connections.
func (b *bench) big(ctx context.Context) error {
	list := b.startAll(ctx, b.peers)
	defer func() { stopAll(list) }()
	config := func(s *process, round int) loadgen.Config {
		c := b.load(s, round)
		c.Connections, c.Keys, c.Values = 8, pick[uint64](b, 500, 100), loadgen.FixedSize(1<<20)
		return c
	}
	for _, s := range list {
		if _, err := loadgen.Preload(ctx, config(s, 0)); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for round := range b.rounds {
		for _, mix := range mixes[:2] {
			for _, s := range turn(list, round) {
				c := config(s, round)
				c.Gets, c.Sets = mix.gets, mix.sets
				if err := b.measureBig(ctx, s, "1 MiB, "+mix.name, c); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *bench) measureBig(ctx context.Context, s *process, name string, c loadgen.Config) error {
	before := s.cpu()
	r, err := loadgen.Run(ctx, c)
	if err != nil || r.Interrupted {
		return b.fault(ctx, s.name, name, err)
	}
	used := s.cpu() - before
	b.trouble(s.name, name, &r.Part)
	rate := (r.ReadPerSec + r.WritePerSec) / 1e6
	b.rep.add("big", metric{"throughput", "MB/s", true}, name, s.name, rate)
	b.rep.add("big", serverCPU, name, s.name, used.Seconds()*1e6/float64(r.Requests))
	b.rep.add("big", metrics99, name, s.name, r.Latency.P99)
	b.say("%-32s %-10s %8.0f MB/s  server %6.0f us/request", name, s.name, rate, used.Seconds()*1e6/float64(r.Requests))
	return nil
}

// metrics99 is the 99th percentile in a closed loop.
var metrics99 = metric{"p99 under full load", "us", false}
