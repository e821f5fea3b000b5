package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/larder-cache/larder/internal/loadgen"
)

var (
	opsPerSecond = metric{"throughput", "requests/s", true}
	serverCPU    = metric{"server processor time", "us/request", false}
	clientCPU    = metric{"client processor time", "us/request", false}
)

// mixes are the ratios of GET to SET that are measured.
var mixes = []struct {
	name       string
	gets, sets int
}{{"GET", 1, 0}, {"SET", 0, 1}, {"9:1", 9, 1}}

// throughput finds what each peer reaches in a closed loop. All peers are
// preloaded and stay up; every round goes through all cases, and in each case
// through all peers.
func (b *bench) throughput(ctx context.Context) error {
	for _, size := range []int{64, 1024} {
		if err := b.throughputOf(ctx, size); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) throughputOf(ctx context.Context, size int) error {
	list := b.startAll(ctx, append(slices.Clone(b.peers), b.oneLoop...))
	defer func() { stopAll(list) }()
	keys := pick[uint64](b, 1_000_000, 100_000)
	for _, s := range list {
		c := b.load(s, 0)
		c.Keys, c.Values = keys, loadgen.FixedSize(size)
		if _, err := loadgen.Preload(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for round := range b.rounds {
		for _, depth := range []int{1, 16, 64} {
			for _, mix := range mixes {
				name := fmt.Sprintf("%d B, %s, pipeline %d", size, mix.name, depth)
				for _, s := range turn(list, round) {
					c := b.load(s, round)
					c.Keys, c.Values, c.Pipeline = keys, loadgen.FixedSize(size), depth
					c.Gets, c.Sets = mix.gets, mix.sets
					if err := b.measureThroughput(ctx, s, name, c); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// measureThroughput runs c once.
func (b *bench) measureThroughput(ctx context.Context, s *process, name string, c loadgen.Config) error {
	before := s.cpu()
	r, err := loadgen.Run(ctx, c)
	if err != nil || r.Interrupted {
		return b.fault(ctx, s.name, name, err)
	}
	used := s.cpu() - before
	b.trouble(s.name, name, &r.Part)
	const suite = "throughput"
	b.rep.add(suite, opsPerSecond, name, s.name, r.PerSec)
	b.rep.add(suite, serverCPU, name, s.name, used.Seconds()*1e6/float64(r.Requests))
	b.rep.add(suite, clientCPU, name, s.name, r.ClientCPUPerCall)
	b.say("%-32s %-10s %10s/s  server %6.2f us  client %6.2f us", name, s.name, short(r.PerSec), used.Seconds()*1e6/float64(r.Requests), r.ClientCPUPerCall)
	return nil
}
