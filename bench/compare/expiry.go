package main

import (
	"context"
	"time"

	"github.com/larder-cache/larder/internal/loadgen"
)

var (
	keysGone   = metric{"time until the expired keys are gone", "s after the last expiry", false}
	memoryBack = metric{"time until used memory is back", "s after the last expiry", false}
	usedLeft   = metric{"used memory left", "% of what the keys had taken", false}
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
	if err := b.preloadProbe(ctx, s); err != nil {
		return b.fault(ctx, s.name, name, err)
	}
	w := expiryWatch{bench: b, s: s, name: name}
	if err := w.write(ctx, keys); err != nil {
		return b.fault(ctx, s.name, name, err)
	}
	probe, err := b.probed(ctx, s, round, w.await)
	if err != nil {
		return b.fault(ctx, s.name, name, err)
	}
	b.addProbe("expiry", name, s, probe)
	return nil
}

// expiryWatch follows the keys of one peer to their end.
type expiryWatch struct {
	*bench
	s    *process
	name string
	last time.Time // when the last key expires

	before, full       int64 // used memory without and with the keys; -1 unknown
	beforeRSS, fullRSS int64
}

// write writes the keys.
func (w *expiryWatch) write(ctx context.Context, keys uint64) error {
	w.before, w.beforeRSS = w.s.usedMemory(), w.s.memory("VmRSS")
	c := w.load(w.s, 0)
	c.Keys, c.Values = keys, loadgen.FixedSize(64)
	c.TTL = loadgen.TTL{Min: 8 * time.Second, Max: 10 * time.Second}
	_, err := loadgen.Preload(ctx, c)
	w.last = time.Now().Add(c.TTL.Max)
	w.full, w.fullRSS = w.s.usedMemory(), w.s.memory("VmRSS")
	return err
}

// await waits until the keys and their memory are gone, and records when.
func (w *expiryWatch) await(ctx context.Context) error {
	if err := sleep(ctx, time.Until(w.last)); err != nil {
		return err
	}
	gone, back := -1.0, -1.0
	counted := w.s.keys() >= 0 // some peers do not say how many keys they have
	for gone < 0 && counted || back < 0 && w.before >= 0 {
		late := time.Since(w.last)
		if late > expiryPatience {
			break
		}
		if gone < 0 && w.s.keys() <= probeKeys {
			gone = late.Seconds()
		}
		// A tenth of the growth may stay: tables do not shrink at once.
		if back < 0 && w.before >= 0 && w.s.usedMemory() <= w.before+(w.full-w.before)/10 {
			back = late.Seconds()
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	if counted {
		w.rep.add("expiry", keysGone, w.name, w.s.name, orPatience(gone))
	}
	if w.before >= 0 {
		w.rep.add("expiry", memoryBack, w.name, w.s.name, orPatience(back))
	}
	if err := sleep(ctx, 2*time.Second); err != nil { // what is freed late is freed
		return err
	}
	if grown := w.full - w.before; w.before >= 0 && grown > 0 {
		w.rep.add("expiry", usedLeft, w.name, w.s.name, 100*float64(w.s.usedMemory()-w.before)/float64(grown))
	}
	if grown := w.fullRSS - w.beforeRSS; grown > 0 {
		w.rep.add("expiry", rssLeft, w.name, w.s.name, 100*float64(w.s.memory("VmRSS")-w.beforeRSS)/float64(grown))
	}
	return nil
}

func orPatience(seconds float64) float64 {
	if seconds < 0 {
		return expiryPatience.Seconds()
	}
	return seconds
}
