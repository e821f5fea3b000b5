package memory

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/larder-cache/larder/internal/eviction"
)

// keepsUse reports whether a policy knows when an entry was used last.
func keepsUse(policy eviction.Name, timed bool) bool {
	switch policy {
	case eviction.AllKeysLFU, eviction.S3FIFO, eviction.Sieve, eviction.WTinyLFU:
		return false
	case eviction.VolatileLFU:
		return !timed
	}
	return true
}

// TestIdle writes, reads, moves and grows entries under all policies, which change
// meanwhile, and compares what is said of their last use.
func TestIdle(t *testing.T) {
	inModes(t, 2, func(t *testing.T, c Config) { rapid.Check(t, func(rt *rapid.T) { testIdle(rt, c) }) })
}

func testIdle(t *rapid.T, c Config) {
	now := testStart
	var clock atomic.Int64 // now, for the store's own goroutines
	clock.Store(now)
	c.Clock = clock.Load
	policy := rapid.SampledFrom(eviction.Names())
	c.Policy = policy.Draw(t, "policy")
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	type entry struct {
		used  int64
		timed bool
	}
	model := map[string]entry{}
	for range rapid.IntRange(1, 100).Draw(t, "steps") {
		now += rapid.Int64Range(0, 3000).Draw(t, "time")
		clock.Store(now)
		key := fmt.Sprint(rapid.IntRange(0, 20).Draw(t, "key"))
		h := s.Lock(0, []byte(key), now)
		e, found := h.Peek()
		m, known := model[key]
		if found != known {
			t.Fatalf("%s: found %v, want %v", key, found, known)
		}
		if found {
			idle, ok := s.Idle(e, now)
			if ok != keepsUse(s.shards[0].rules.name, m.timed) {
				t.Fatalf("%s under %s: idle time known %v", key, s.shards[0].rules.name, ok)
			}
			if off := idle - time.Duration(now-m.used)*time.Millisecond; ok && (off < -time.Second || off > time.Second) {
				t.Fatalf("%s under %s is idle for %v, want %d ms", key, s.shards[0].rules.name, idle, now-m.used)
			}
		}
		expireAt := int64(0)
		if rapid.Bool().Draw(t, "timed") {
			expireAt = now + 1e9
		}
		op := rapid.IntRange(0, 6).Draw(t, "op")
		switch {
		case op < 2:
			h.Set(make([]byte, rapid.SampledFrom([]int{0, 50, 1000, 5000, 100_000}).Draw(t, "size")), expireAt)
			model[key] = entry{now, expireAt != 0}
		case op == 2 && found:
			h.Delete()
			delete(model, key)
		case op == 3 && found:
			h.Find()
			h.SetExpiry(expireAt)
			model[key] = entry{now, expireAt != 0}
		case op == 4 && found:
			seconds := rapid.Int64Range(0, 10_000).Draw(t, "idle")
			h.SetIdle(e, seconds)
			if keepsUse(s.shards[0].rules.name, m.timed) {
				m.used = now - 1000*seconds
			}
			model[key] = m
		case found:
			h.Find()
			m.used = now
			model[key] = m
		}
		h.Release()
		if op == 5 && rapid.Bool().Draw(t, "change policy") {
			before, after := s.Policy(), policy.Draw(t, "next policy")
			if err := s.SetPolicy(after); err != nil {
				t.Fatal(err)
			}
			for key, m := range model {
				if !keepsUse(before, m.timed) {
					m.used = now
				}
				model[key] = m
			}
		}
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
}

// TestLongIdle restores an entry that has not been used for longer than the clock
// of entries goes back.
func TestLongIdle(t *testing.T) {
	s := open(t, Config{Policy: eviction.NoEviction})
	put(s, "k", nil, 0)
	h := s.Lock(0, []byte("k"), testStart)
	defer h.Release()
	e, _ := h.Peek()
	h.SetIdle(e, 1<<62)
	if idle, ok := s.Idle(e, testStart); !ok || idle/time.Millisecond < time.Duration(testStart-expiryBase-1000) {
		t.Errorf("idle for %v", idle)
	}
}

// TestSetFrequency: the entry with the lowest counter leaves first.
func TestSetFrequency(t *testing.T) {
	s := open(t, Config{Shards: 1, Policy: eviction.AllKeysLFU})
	for i, f := range []uint8{30, 0, 255, 4} {
		put(s, fmt.Sprint(i), nil, 0)
		h := s.Lock(0, []byte(fmt.Sprint(i)), testStart)
		e, _ := h.Peek()
		h.SetFrequency(e, f)
		if got, ok := s.Frequency(e); got != f || !ok {
			t.Errorf("frequency %d, want %d", got, f)
		}
		h.Release()
	}
	sh := s.shards[0]
	for _, want := range []string{"1", "3", "0", "2"} {
		sh.mu.Lock()
		r := sh.policy.Victim()
		if got := string(sh.key(r)); got != want {
			t.Errorf("%s leaves, want %s", got, want)
		}
		sh.policy.Evicted(r)
		sh.drop(r, Evicted, false)
		sh.unlock()
	}
}
