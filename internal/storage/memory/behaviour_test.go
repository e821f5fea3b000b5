package memory

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larder-cache/larder/internal/eviction"
)

func put(s *Store, key string, value []byte, expireAt int64) {
	h := s.Lock(0, []byte(key), testStart)
	h.Set(value, expireAt)
	h.Release()
}

func has(s *Store, key string, now int64) bool {
	h := s.Lock(0, []byte(key), now)
	defer h.Release()
	_, ok := h.Peek()
	return ok
}

// TestScanDuringGrowth scans while the tables grow and shrink many times over:
// what was there before and after is returned exactly once.
func TestScanDuringGrowth(t *testing.T) { inModes(t, 2, testScanDuringGrowth) }

func testScanDuringGrowth(t *testing.T, c Config) {
	s := open(t, c)
	const stay = 3000
	for i := range stay {
		put(s, fmt.Sprintf("stay:%d", i), nil, 0)
	}
	seen := map[string]int{}
	cursor, next := uint64(0), 0
	for {
		cursor = s.Scan(0, cursor, 10, testStart, func(e Entry) { seen[string(e.Key())]++ })
		if cursor == 0 {
			break
		}
		for range 100 {
			if next < 20_000 {
				put(s, fmt.Sprintf("more:%d", next), nil, 0)
			} else {
				h := s.Lock(0, fmt.Appendf(nil, "more:%d", next-20_000), testStart)
				h.Delete()
				h.Release()
			}
			next++
		}
	}
	for i := range stay {
		if n := seen[fmt.Sprintf("stay:%d", i)]; n != 1 {
			t.Fatalf("stay:%d was returned %d times", i, n)
		}
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// TestExpiryFreesMemory lets many entries expire unasked: a tick a second later
// has removed all of them and given the memory back.
func TestExpiryFreesMemory(t *testing.T) { inModes(t, 4, testExpiryFreesMemory) }

func testExpiryFreesMemory(t *testing.T, c Config) {
	s := open(t, c)
	empty := s.Stats().Resident
	const n = 50_000
	for i := range n {
		put(s, fmt.Sprintf("key:%d", i), make([]byte, 100), testStart+60_000+int64(i%5000))
	}
	s.Tick(testStart+59_000, true)
	if got := s.Len(0); got != n {
		t.Fatalf("%d of %d keys before the first expires", got, n)
	}
	now := testStart + 60_000 + 5000 + 1000
	for range 20 {
		s.Tick(now, true)
	}
	st := s.Stats()
	if s.Len(0) != 0 || s.Expires(0) != 0 || st.Expired != n {
		t.Errorf("%d keys are left, %d expired", s.Len(0), st.Expired)
	}
	if st.Resident > empty+4*(segmentBytes+64<<10) {
		t.Errorf("%d bytes are still resident, %d at the start", st.Resident, empty)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// TestExpiryIsExactForReaders: the wheel is coarse, readers are not.
func TestExpiryIsExactForReaders(t *testing.T) {
	s := open(t, Config{})
	put(s, "k", nil, testStart+5)
	if !has(s, "k", testStart+4) || has(s, "k", testStart+5) {
		t.Error("not there a millisecond before its expiry, or there at it")
	}
}

func TestLRUIsExact(t *testing.T) {
	s := open(t, Config{Shards: 1, MaxBytes: 1, Policy: eviction.NoEviction})
	if err := s.SetPolicy(eviction.AllKeysLRU); err != nil {
		t.Fatal(err)
	}
	s.SetMaxBytes(0)
	for i := range 10 {
		put(s, fmt.Sprint(i), nil, 0)
	}
	for _, k := range []string{"0", "3"} {
		h := s.Lock(0, []byte(k), testStart)
		h.Find()
		h.Release()
	}
	sh := s.shards[0]
	for _, want := range []string{"1", "2", "4", "5", "6", "7", "8", "9", "0", "3"} {
		sh.mu.Lock()
		got := string(sh.key(sh.policy.Victim()))
		sh.evict()
		sh.mu.Unlock()
		if got != want {
			t.Fatalf("evicted %s, want %s", got, want)
		}
	}
}

func TestVolatilePoliciesSpareOthers(t *testing.T) {
	for _, p := range []eviction.Name{eviction.VolatileTTL, eviction.VolatileLRU, eviction.VolatileRandom} {
		t.Run(string(p), func(t *testing.T) {
			s := open(t, Config{Shards: 1, Policy: p})
			put(s, "stays", nil, 0)
			put(s, "late", nil, testStart+10_000)
			put(s, "soon", nil, testStart+1000)
			put(s, "kept", nil, testStart+5000)
			h := s.Lock(0, []byte("kept"), testStart)
			h.SetExpiry(0)
			h.Release()
			sh := s.shards[0]
			sh.mu.Lock()
			first := string(sh.key(sh.victimEntry()))
			for sh.evict() != 0 {
			}
			sh.mu.Unlock()
			if p == eviction.VolatileTTL && first != "soon" {
				t.Errorf("%s goes first", first)
			}
			if !has(s, "stays", testStart) || !has(s, "kept", testStart) || s.Len(0) != 2 {
				t.Errorf("%d keys are left", s.Len(0))
			}
		})
	}
}

func TestNoEvictionRefuses(t *testing.T) {
	s := open(t, Config{Shards: 2, MaxBytes: 24 << 20, Policy: eviction.NoEviction})
	n := 0
	for ; n < 1_000_000; n++ {
		if err := s.Reserve(0); err != nil {
			if !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			break
		}
		put(s, fmt.Sprintf("key:%d", n), make([]byte, 1000), 0)
	}
	st := s.Stats()
	if n == 1_000_000 || st.Evicted != 0 || st.Resident+st.Overhead > 26<<20 {
		t.Errorf("refused after %d writes, %d evicted, %d bytes resident", n, st.Evicted, st.Resident+st.Overhead)
	}
	for i := range n / 2 {
		h := s.Lock(0, fmt.Appendf(nil, "key:%d", i), testStart)
		h.Delete()
		h.Release()
	}
	if err := s.Reserve(0); err != nil {
		t.Errorf("with half of the keys gone: %v", err)
	}
}

// TestPinnedValueSurvives reads a large value while it is replaced and deleted.
func TestPinnedValueSurvives(t *testing.T) {
	s := open(t, Config{})
	value := bytes.Repeat([]byte("x"), 1<<20)
	put(s, "big", value, 0)
	h := s.Lock(0, []byte("big"), testStart)
	e, _ := h.Peek()
	got, release, ok := h.Pin(e)
	h.Release()
	if !ok {
		t.Fatal("a value of 1 MiB can not be pinned")
	}
	put(s, "big", bytes.Repeat([]byte("y"), 1<<20), 0)
	h = s.Lock(0, []byte("big"), testStart)
	h.Delete()
	h.Release()
	put(s, "other", bytes.Repeat([]byte("z"), 1<<20), 0)
	if !bytes.Equal(got, value) {
		t.Error("the pinned value has changed")
	}
	release()
	put(s, "other", nil, 0)
	if held := s.Stats().Blocks; held > 1<<16 {
		t.Errorf("%d bytes are held after the release", held)
	}
}

func TestStagedValue(t *testing.T) {
	s := open(t, Config{})
	g := s.Stage(0, []byte("big"), 1<<20)
	copy(g.Bytes(), bytes.Repeat([]byte("v"), 1<<20))
	h := s.Lock(0, []byte("big"), testStart)
	h.Adopt(g, testStart+1000)
	e, ok := h.Peek()
	if !ok || len(e.Value()) != 1<<20 || e.Value()[12345] != 'v' || e.ExpireAt() != testStart+1000 || string(e.Key()) != "big" {
		t.Error("the staged value is not what was stored")
	}
	h.Release()
	s.Stage(0, []byte("gone"), 1<<20).Discard()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

func TestWatch(t *testing.T) { inModes(t, 16, testWatch) }

func testWatch(t *testing.T, c Config) {
	var voided []string
	c.Voided = func(_ int, key []byte) { voided = append(voided, string(key)) }
	s := open(t, c)
	watch := func() uint64 {
		h := s.Lock(0, []byte("k"), testStart)
		defer h.Release()
		return h.Watch()
	}
	valid := func(token uint64) bool {
		h := s.Lock(0, []byte("k"), testStart)
		defer h.Release()
		return h.Unwatch(token)
	}
	if !valid(watch()) {
		t.Error("void without a write")
	}
	for name, write := range map[string]func(*Handle){
		"set":     func(h *Handle) { h.Set(nil, 0) },
		"delete":  func(h *Handle) { h.Delete() },
		"expiry":  func(h *Handle) { h.SetExpiry(testStart + 99) },
		"resize":  func(h *Handle) { h.Resize(3) },
		"restore": func(h *Handle) { h.Restore(nil, 0, String, Filled) },
	} {
		put(s, "k", nil, 0)
		token := watch()
		h := s.Lock(0, []byte("k"), testStart)
		write(&h)
		h.Release()
		if valid(token) {
			t.Errorf("%s: the token is still valid", name)
		}
	}
	if len(voided) != 5 {
		t.Errorf("told of %d voided tokens, want 5", len(voided))
	}
	put(s, "k", nil, 0)
	token := watch()
	s.Flush(0)
	if valid(token) {
		t.Error("flush: the token is still valid")
	}
}

// TestConcurrentUse is for the race detector: all operations on few keys.
func TestConcurrentUse(t *testing.T) { inModes(t, 16, testConcurrentUse) }

func testConcurrentUse(t *testing.T, c Config) {
	c.MaxBytes = 64 << 20
	s := open(t, c)
	var work sync.WaitGroup
	for g := range 4 {
		work.Go(func() {
			for i := range 3000 {
				key := fmt.Appendf(nil, "key:%d", (i*7+g)%50)
				h := s.Lock(i%2, key, testStart+int64(i))
				switch (i + g) % 6 {
				case 0:
					h.Set(make([]byte, i%1000), 0)
				case 1:
					h.Set(make([]byte, 70_000), testStart+int64(i)+100)
				case 2:
					h.Delete()
				case 3:
					h.SetExpiry(testStart + int64(i) + 50)
				default:
					if e, ok := h.Find(); ok {
						if value, release, ok := h.Pin(e); ok {
							defer release()
							_ = value[0]
						}
					}
				}
				h.Release()
				switch i % 500 {
				case 0:
					s.Scan(0, 0, 100, testStart, func(Entry) {})
				case 1:
					s.SwapDB(0, 1)
				case 2:
					s.Random(0, testStart)
				case 3:
					both := s.LockAll([]KeyRef{{0, []byte("key:1")}, {1, []byte("key:2")}, {0, []byte("key:1")}}, testStart)
					both.At(0).Set([]byte("x"), 0)
					both.At(2).Set([]byte("y"), 0)
					both.Release()
				}
			}
		})
	}
	work.Wait()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	s.FlushAll()
	if n := s.Len(0) + s.Len(1); n != 0 {
		t.Errorf("%d keys after a flush", n)
	}
}

// TestLargeValuesAtTheLimit writes values of 1 MiB and one of half the limit
// into a full store: all are served by evicting, from all shards alike.
func TestLargeValuesAtTheLimit(t *testing.T) {
	const limit = 96 << 20
	debug.FreeOSMemory() // of other tests: it would count
	s := open(t, Config{Shards: 8, MaxBytes: limit})
	write := func(key string, size int) {
		if err := s.Reserve(size); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		g := s.Stage(0, []byte(key), size)
		clear(g.Bytes())
		h := s.Lock(0, []byte(key), testStart)
		h.Adopt(g, 0)
		h.Release()
	}
	for i := range 400 {
		write(fmt.Sprintf("big:%d", i), 1<<20)
	}
	room := limit - int(s.Stats().Overhead) // what this process holds besides counts, too
	if n := s.Len(0); n < room>>20*4/5 {
		t.Errorf("only %d values of 1 MiB in %d MiB", n, room>>20)
	}
	write("huge", limit/2)
	if !has(s, "huge", testStart) {
		t.Error("a value of half the limit is not there")
	}
	st := s.Stats()
	if got := st.Resident + st.Overhead; got > limit*11/10 {
		t.Errorf("%d bytes resident, limit %d", got, limit)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// TestFlushBesideEvictions flushes, swaps databases and changes the policy while others
// write and have entries evicted: the policy forgets what was flushed together with the
// entries, and never writes to what has taken their place.
func TestFlushBesideEvictions(t *testing.T) {
	for _, name := range eviction.Names() {
		t.Run(string(name), func(t *testing.T) {
			testFlushBesideEvictions(t, Config{Shards: 1, Databases: 2, Policy: name})
			testFlushBesideEvictions(t, Config{Shards: 1, Databases: 2, Policy: name, Partitions: true})
		})
	}
}

func testFlushBesideEvictions(t *testing.T, c Config) {
	s := open(t, c)
	var work sync.WaitGroup
	var done atomic.Bool
	for g := range 2 {
		work.Go(func() {
			value := bytes.Repeat([]byte{byte(g + 1)}, 100_000)
			for i := 0; !done.Load(); i++ {
				h := s.Lock(i%11/10, fmt.Appendf(nil, "%d:%d", g, i%100), testStart)
				size, expireAt := i%60, int64(0)
				switch i % 97 {
				case 3:
					size = len(value)
				case 5:
					h.Delete()
				case 7, 8, 9:
					expireAt = testStart + int64(i%2000)
				}
				if e, ok := h.Find(); ok && !bytes.Equal(e.Value(), value[:len(e.Value())]) {
					t.Errorf("%s became %x", h.Key(), e.Value())
					done.Store(true)
				}
				h.Set(value[:size], expireAt)
				if i%8 == 0 {
					h.s.evict()
				}
				h.Release()
			}
		})
	}
	names := eviction.Names()
	for i := range 300 {
		switch {
		case i%10 == 1:
			s.SwapDB(0, 1)
		case i%20 == 2:
			if err := s.SetPolicy(names[i/20%len(names)]); err != nil {
				t.Error(err)
			}
		case i%20 == 12:
			if err := s.SetPolicy(c.Policy); err != nil {
				t.Error(err)
			}
		case i%10 == 3:
			s.Tick(testStart+int64(i), true)
		case i%10 == 4:
			s.Random(0, testStart)
		case i%2 == 0:
			s.FlushAll()
		default:
			s.Flush(0)
		}
		runtime.Gosched()
	}
	done.Store(true)
	work.Wait()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}
