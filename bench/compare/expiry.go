package main

import (
	"context"
	"time"

	"github.com/larder-cache/larder/internal/loadgen"
)

var (
	keysGone   = metric{"time until the expired keys are gone", "s after the last expiry", false}
	memoryBack = metric{"time until used memory is back", "s after the last expiry", false}
	rssLeft    = metric{"resident memory left", "% of what the keys had taken", false}
)

// expiryPatience is how long after the last expiry a peer is watched; a peer
// that has not freed everything by then is recorded with it.
const expiryPatience = 30 * time.Second

// expiry writes keys that expire within a few seconds of each other, and
// watches latency and memory until they are gone.
func (b *bench) expiry(ctx context.Context) error {
	for round := range pick(b, min(b.rounds, 3), 1) {
		for _, p := range turn(b.peers, round) {
			if err := b.expirePeer(ctx, p, round); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) expirePeer(ctx context.Context, p peer, round int) error {
	s := b.start(ctx, p, 0)
	if s == nil {
		return ctx.Err()
	}
	defer s.stop()
	keys := pick[uint64](b, 1_000_000, 200_000)
	name := countText(keys) + " keys expire within 5 s"
	probe, err := b.probed(ctx, s, round, func(ctx context.Context) error {
		return b.watchExpiry(ctx, s, keys, name)
	})
	if err != nil {
		return b.fault(ctx, s.name, name, err)
	}
	b.addProbe("expiry", name, s, probe)
	return nil
}

// watchExpiry writes the keys and waits until they are gone.
func (b *bench) watchExpiry(ctx context.Context, s *process, keys uint64, name string) error {
	before, beforeRSS := s.usedMemory(), s.memory("VmRSS")
	c := b.load(s, 0)
	c.Keys, c.Values = keys, loadgen.FixedSize(64)
	c.TTL = loadgen.TTL{Min: 8 * time.Second, Max: 10 * time.Second}
	if _, err := loadgen.Preload(ctx, c); err != nil {
		return err
	}
	last := time.Now().Add(c.TTL.Max)
	full, fullRSS := s.usedMemory(), s.memory("VmRSS")
	if err := sleep(ctx, time.Until(last)); err != nil {
		return err
	}
	gone, back := -1.0, -1.0
	for gone < 0 || back < 0 && before >= 0 {
		late := time.Since(last)
		if late > expiryPatience {
			break
		}
		if gone < 0 && s.keys() <= probeKeys {
			gone = late.Seconds()
		}
		// A tenth of the growth may stay: tables do not shrink at once.
		if back < 0 && before >= 0 && s.usedMemory() <= before+(full-before)/10 {
			back = late.Seconds()
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	b.rep.add("expiry", keysGone, name, s.name, orPatience(gone))
	if before >= 0 {
		b.rep.add("expiry", memoryBack, name, s.name, orPatience(back))
	}
	if err := sleep(ctx, 2*time.Second); err != nil { // what is freed late is freed
		return err
	}
	if grown := fullRSS - beforeRSS; grown > 0 {
		b.rep.add("expiry", rssLeft, name, s.name, 100*float64(s.memory("VmRSS")-beforeRSS)/float64(grown))
	}
	return nil
}

func orPatience(seconds float64) float64 {
	if seconds < 0 {
		return expiryPatience.Seconds()
	}
	return seconds
}
