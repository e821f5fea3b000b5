package replication

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// found returns what the guard was told of.
func (g *guard) found() []Difference {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.differences
}

// compare sends the digests of a partition and waits until they are judged.
func (p *pair) compare(t *testing.T, partition int) {
	t.Helper()
	s := newSyncer(p.logs, &p.out)
	s.sync(context.Background(), partition)
	s.send()
	p.sender.flushed()
}

// changeAtRandom makes n changes of all sorts. What expires within syncMargin the
// copy, whose clock is ahead, removes before its owner.
func changeAtRandom(p *pair, r *rand.Rand, n int) {
	for range n {
		key, db := fmt.Sprintf("{a}%d", r.IntN(500)), r.IntN(2)
		soon := p.from.Now() + int64(r.IntN(200))
		later := p.from.Now() + int64(5000+r.IntN(20_000)) // about syncMargin
		h := p.from.Lock(db, []byte(key), p.from.Now())
		switch r.IntN(12) {
		case 0, 1:
			h.Delete()
		case 2:
			h.Set([]byte("soon"), soon)
		case 3:
			h.Set([]byte("later"), later)
		case 4:
			h.SetExpiry(later)
		case 5:
			h.SetExpiry(0)
		case 6:
			copy(h.Resize(r.IntN(300)), "in place")
			h.Modified()
		case 7:
			h.FillNegative(later)
		case 8:
			h.Fill([]byte("filled"), later)
		case 9:
			if r.IntN(10) == 0 {
				h.Set(make([]byte, memory.PinThreshold+r.IntN(1000)), 0)
			}
		default:
			h.Set(fmt.Appendf(nil, "%x", r.Uint64()), 0)
		}
		h.Release()
		switch r.IntN(2000) {
		case 0:
			p.from.Flush(db)
		case 1:
			p.from.SwapDB(0, 1)
		}
	}
}

// TestDigestsUnderWritesAgree compares a copy all the time while its partition
// changes in all ways: no difference is found, since there is none.
func TestDigestsUnderWritesAgree(t *testing.T) {
	p, g, c := replica(t, 0)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 2))
			for {
				select {
				case <-stop:
					return
				default:
					changeAtRandom(p, r, 50)
				}
			}
		})
	}
	for began := time.Now(); time.Since(began) < 700*time.Millisecond; {
		p.compare(t, 968)
	}
	close(stop)
	writers.Wait()
	p.compare(t, 968)
	if len(p.guard.found()) > 0 || c.State() != CaughtUp || p.in.SyncLate.Load() > 0 {
		t.Fatalf("differences %+v, the copy is %v, %d not judged", p.guard.found(), c.State(), p.in.SyncLate.Load())
	}
	if p.in.SyncEntries.Load() < 100 || p.out.SyncEntries.Load() != p.in.SyncEntries.Load() {
		t.Errorf("%d entries digested here, %d there", p.out.SyncEntries.Load(), p.in.SyncEntries.Load())
	}
	if !g.Flushed(time.Minute) {
		t.Fatal("the last writes are not acknowledged")
	}
}

// TestDamageIsFound damages one entry of a copy in every way: it is found, the
// copy is not promoted, and a new one repairs it.
func TestDamageIsFound(t *testing.T) {
	for name, damage := range map[string]func(s *memory.Store, key string, e memory.Entry){
		"a value": func(s *memory.Store, key string, e memory.Entry) {
			set(s, 0, key, strings.ToUpper(string(e.Value())), e.ExpireAt())
		},
		"an expiry": func(s *memory.Store, key string, e memory.Entry) {
			set(s, 0, key, string(e.Value()), s.Now()+1_000_000)
		},
		"a missing entry":        func(s *memory.Store, key string, _ memory.Entry) { del(s, 0, key) },
		"one more entry":         func(s *memory.Store, key string, _ memory.Entry) { set(s, 0, key+"+", "x", 0) },
		"one more in a database": func(s *memory.Store, key string, _ memory.Entry) { set(s, 1, key, "x", 0) },
		"a bit of a large value": func(s *memory.Store, _ string, _ memory.Entry) { corrupt(s, 0, "{a}large") },
	} {
		t.Run(name, func(t *testing.T) {
			p, g, c := replica(t, 0)
			set(p.from, 0, "{a}large", strings.Repeat("large", 50_000), 0)
			for i := range 1000 {
				set(p.from, 0, fmt.Sprintf("{a}%d", i), fmt.Sprintf("value %d", i), 0)
			}
			if g.Flushed(time.Minute); len(contents(p.to, 968)) != 1001 {
				t.Fatal("the copy is not there")
			}
			key := fmt.Sprintf("{a}%d", rand.IntN(1000))
			h := p.from.Lock(0, []byte(key), p.from.Now())
			e, _ := h.Peek()
			damage(p.to, key, e)
			h.Release()
			p.compare(t, 968)
			found := p.guard.found()
			if len(found) != 1 || found[0].Partition != 968 || found[0].Owner != "a" || found[0].Want.Entries > 100 {
				t.Fatalf("found %+v", found)
			}
			if <-c.Done(); !errors.Is(c.Err(), ErrDiffers) || p.out.SyncRepairs.Load() != 1 || p.in.SyncDifferences.Load() != 1 {
				t.Errorf("the copy has ended with %v", c.Err())
			}
			if _, whole := p.receiver.Promise(968, 1); whole {
				t.Error("a copy that differs may be promoted")
			}
			set(p.from, 0, key, "written meanwhile", 0)
			if n := need(p); n.State() != Open {
				t.Errorf("what the refused copy should have is %v", n.State())
			}
			again := p.copy(t, 968, 2)
			for again.State() != CaughtUp {
				if !p.sender.flushed() {
					t.Fatal(p.sender.Err())
				}
			}
			same(t, contents(p.from, 968), contents(p.to, 968))
			p.compare(t, 968)
			if len(p.guard.found()) != 1 || again.State() != CaughtUp {
				t.Errorf("after the repair: %+v", p.guard.found()[1:])
			}
			if _, whole := p.receiver.Promise(968, 2); !whole {
				t.Error("a repaired copy may not be promoted")
			}
		})
	}
}

func corrupt(s *memory.Store, db int, key string) {
	h := s.Lock(db, []byte(key), s.Now())
	h.Corrupt()
	h.Release()
}

// TestSyncGoesRound runs the rounds themselves: damage in any partition is found
// within one, and what has no copies costs nothing.
func TestSyncGoesRound(t *testing.T) {
	p, _, c := replica(t, 0)
	set(p.from, 0, "{a}1", "x", 0)
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { p.logs.Sync(ctx, 100*time.Microsecond, &p.out) })
	for p.out.SyncRounds.Load() == 0 || p.in.SyncEntries.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	corrupt(p.to, 0, "{a}1")
	<-c.Done()
	rounds := p.out.SyncRounds.Load()
	for p.out.SyncRounds.Load() < rounds+2 {
		time.Sleep(time.Millisecond)
	}
	stop()
	done.Wait()
	if !errors.Is(c.Err(), ErrDiffers) {
		t.Errorf("the copy has ended with %v", c.Err())
	}
	entries := p.out.SyncEntries.Load()
	newSyncer(p.logs, &p.out).sync(context.Background(), 968)
	if p.out.SyncEntries.Load() != entries {
		t.Error("a partition without copies is digested")
	}
}

// TestLateDigestIsNotJudged: a copy whose clock says that entries may have expired
// keeps its peace.
func TestLateDigestIsNotJudged(t *testing.T) {
	p, _, c := replica(t, 0)
	set(p.from, 0, "{a}1", "x", 0)
	p.compare(t, 968)
	corrupt(p.to, 0, "{a}1")
	r := memory.HashRange{Partition: 968, Last: 1<<32 - 1, After: p.to.Now() - 1}
	p.sender.out.append(func(b []byte) []byte { return appendDigest(b, r, memory.Digest{Entries: 7}) })
	p.sender.flushed()
	if len(p.guard.found()) > 0 || c.State() != CaughtUp || p.in.SyncLate.Load() != 1 {
		t.Errorf("found %+v, %d not judged", p.guard.found(), p.in.SyncLate.Load())
	}
}

// TestThinnedCopy: what a copy has evicted is missing for a reason as long as its
// node is short of memory, and for none afterwards. More than the owner has, or
// something else, never is.
func TestThinnedCopy(t *testing.T) {
	p, g, c := replica(t, 0)
	for i := range 4000 {
		set(p.from, 0, fmt.Sprintf("{a}%d", i), strings.Repeat("x", 1000), 0)
	}
	g.Flushed(time.Minute)
	p.to.SetMaxBytes(p.to.Stats().Resident) // half of it at most is for entries
	for i := 0; p.to.EvictedUntold(968) == 0; i++ {
		if i == 1000 {
			t.Fatalf("nothing is evicted: %+v", p.to.Stats())
		}
		p.to.Tick(p.to.Now(), true)
	}
	p.compare(t, 968)
	if len(p.guard.found()) > 0 || p.in.SyncThinned.Load() == 0 || p.in.CopyEvictions.Load() == 0 || c.State() != CaughtUp {
		t.Fatalf("short of memory: found %+v, thinned %d, evicted %d", p.guard.found(), p.in.SyncThinned.Load(), p.in.CopyEvictions.Load())
	}
	p.to.SetMaxBytes(0)
	p.compare(t, 968)
	if found := p.guard.found(); len(found) != 1 || found[0].Has.Entries >= found[0].Want.Entries {
		t.Fatalf("with memory again: found %+v", found)
	}
	again := p.copy(t, 968, 2)
	for again.State() != CaughtUp {
		p.sender.flushed()
	}
	p.compare(t, 968)
	if len(p.guard.found()) != 1 {
		t.Errorf("copied anew: found %+v", p.guard.found()[1:])
	}
}
