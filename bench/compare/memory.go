package main

import (
	"context"
	"fmt"
	"time"

	"github.com/larder-cache/larder/internal/loadgen"
)

var (
	perKeyAdded = metric{"resident bytes per key", "B, resident memory since the start / keys", false}
	perKeyWhole = metric{"resident bytes per key, whole process", "B, resident memory / keys", false}
	fillRate    = metric{"fill rate", "writes/s", true}
)

// memory fills a fresh process of each peer and reads its resident memory. The
// result is the same every time, so that one round is enough.
func (b *bench) memory(ctx context.Context) error {
	for _, keys := range pick(b, []uint64{1_000_000, 5_000_000}, []uint64{200_000}) {
		for _, size := range []int{64, 1024} {
			for _, ttl := range []time.Duration{0, 24 * time.Hour} {
				for _, p := range b.peers {
					if err := b.measureMemory(ctx, p, keys, size, ttl); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func (b *bench) measureMemory(ctx context.Context, p peer, keys uint64, size int, ttl time.Duration) error {
	name := fmt.Sprintf("%s keys of 16 B, %d B", countText(keys), size)
	if ttl > 0 {
		name += ", with ttl"
	}
	s := b.start(ctx, p, 0)
	if s == nil {
		return ctx.Err()
	}
	defer s.stop()
	c := b.load(s, 0)
	c.Keys, c.Values, c.TTL = keys, loadgen.FixedSize(size), loadgen.TTL{Min: ttl, Max: ttl}
	part, err := loadgen.Preload(ctx, c)
	if err != nil {
		return b.fault(ctx, p.name, name, err)
	}
	if err := sleep(ctx, 2*time.Second); err != nil { // what is freed late is freed
		return err
	}
	rss := s.memory("VmRSS")
	if n := s.keys(); n >= 0 && uint64(n) != keys {
		b.rep.note("%s holds %d of %d keys in the suite memory, %s.", p.name, n, keys, name)
	}
	b.rep.add("memory", perKeyAdded, name, p.name, float64(rss-s.baseRSS)/float64(keys))
	b.rep.add("memory", perKeyWhole, name, p.name, float64(rss)/float64(keys))
	b.rep.add("memory", fillRate, name, p.name, part.PerSec)
	b.say("%-40s %-10s %7.1f B per key", name, p.name, float64(rss-s.baseRSS)/float64(keys))
	return nil
}

// countText writes whole thousands and millions as people say them.
func countText(n uint64) string {
	switch {
	case n%1_000_000 == 0:
		return fmt.Sprintf("%d M", n/1_000_000)
	case n%1000 == 0:
		return fmt.Sprintf("%d k", n/1000)
	}
	return fmt.Sprint(n)
}
