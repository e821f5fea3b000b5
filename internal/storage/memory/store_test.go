package memory

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/larder-cache/larder/internal/eviction"
)

const testStart = int64(1_700_000_000_000)

// open returns a store whose clock stands still until the test moves it.
func open(t testing.TB, c Config) *Store {
	t.Helper()
	c.Clock = func() int64 { return testStart }
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// modes are the configurations of keys and shards that must all behave alike.
var modes = map[string]Config{
	"plain":           {},
	"seeded":          {Seed: []byte("seed")},
	"partitions":      {Partitions: true, Seed: []byte("seed")},
	"partitions, own": {Partitions: true},
}

// inModes runs a test in all modes, with a number of shards.
func inModes(t *testing.T, shards int, test func(t *testing.T, c Config)) {
	for name, c := range modes {
		c.Shards = shards
		t.Run(name, func(t *testing.T) { test(t, c) })
	}
}

type modelEntry struct {
	value    []byte
	expireAt int64
}

// TestAgainstModel runs random operations on a store and on a map.
func TestAgainstModel(t *testing.T) {
	inModes(t, 2, func(t *testing.T, c Config) {
		c.Policy = eviction.AllKeysLRU
		testAgainstModel(t, c)
	})
}

func testAgainstModel(t *testing.T, c Config) {
	rapid.Check(t, func(rt *rapid.T) {
		c.Clock = func() int64 { return testStart }
		s, err := Open(c)
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		model := map[string]modelEntry{}
		now := testStart
		size := rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, 400), rapid.IntRange(0, 100_000))
		key := rapid.Custom(func(t *rapid.T) string {
			n := rapid.IntRange(0, 60).Draw(t, "n")
			k := fmt.Sprintf("{%d}key:%d", n%2, n)
			if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
				k += string(bytes.Repeat([]byte{'x'}, 300))
			}
			return k
		})
		expiry := func() int64 {
			switch rapid.IntRange(0, 3).Draw(rt, "expiry kind") {
			case 0:
				return now + int64(rapid.IntRange(1, 100_000).Draw(rt, "ttl"))
			case 1:
				return now + 1<<41
			}
			return 0
		}
		for range rapid.IntRange(1, 300).Draw(rt, "steps") {
			k := key.Draw(rt, "key")
			db := rapid.IntRange(0, 1).Draw(rt, "db")
			id := fmt.Sprint(db, k)
			h := s.Lock(db, []byte(k), now)
			e, ok := h.Find()
			want, has := model[id]
			if has && want.expireAt != 0 && want.expireAt <= now {
				delete(model, id)
				has = false
			}
			if ok != has {
				rt.Fatalf("%s: found %v, model %v", id, ok, has)
			}
			if ok && (!bytes.Equal(e.Value(), want.value) || e.ExpireAt() != want.expireAt || string(e.Key()) != k) {
				rt.Fatalf("%s: %d bytes until %d, model %d bytes until %d", id, len(e.Value()), e.ExpireAt(), len(want.value), want.expireAt)
			}
			switch rapid.IntRange(0, 6).Draw(rt, "op") {
			case 0, 1:
				v := bytes.Repeat([]byte{byte(rapid.IntRange(1, 255).Draw(rt, "fill"))}, size.Draw(rt, "size"))
				at := expiry()
				h.Set(v, at)
				model[id] = modelEntry{v, at}
			case 2:
				n := size.Draw(rt, "size")
				v := h.Resize(n)
				grown := make([]byte, n)
				copy(grown, want.value)
				if !has {
					clear(grown)
					want = modelEntry{}
				}
				if !bytes.Equal(v, grown) {
					rt.Fatalf("%s: resize to %d has the wrong content", id, n)
				}
				model[id] = modelEntry{grown, want.expireAt}
			case 3:
				if h.Delete() != has {
					rt.Fatalf("%s: delete", id)
				}
				delete(model, id)
			case 4:
				at := expiry()
				if h.SetExpiry(at) != has {
					rt.Fatalf("%s: expiry", id)
				}
				if has {
					model[id] = modelEntry{want.value, at}
				}
			case 5:
				if has && len(want.value) > 0 {
					h.Set(e.Value()[len(want.value)/2:], want.expireAt)
					model[id] = modelEntry{want.value[len(want.value)/2:], want.expireAt}
				}
			}
			h.Release()
			switch rapid.IntRange(0, 40).Draw(rt, "event") {
			case 0:
				now += int64(rapid.IntRange(0, 60_000).Draw(rt, "wait"))
				s.Tick(now, true)
			case 1:
				for _, sh := range s.shards {
					sh.mu.Lock()
					sh.closeOpen()
					sh.empty(rapid.IntRange(1, 30).Draw(rt, "blocks"))
					sh.mu.Unlock()
				}
			case 2:
				s.SwapDB(0, 1)
				swapped := map[string]modelEntry{}
				for id, e := range model {
					swapped[string('0'+'1'-id[0])+id[1:]] = e
				}
				model = swapped
			}
			if err := s.Check(); err != nil {
				rt.Fatal(err)
			}
		}
		if c.Partitions {
			checkPartitions(rt, s, model)
		}
		for db := range 2 {
			seen := map[string]int{}
			for cursor := uint64(0); ; {
				cursor = s.Scan(db, cursor, 7, now, func(e Entry) { seen[fmt.Sprint(db, string(e.Key()))]++ })
				if cursor == 0 {
					break
				}
			}
			for id, n := range seen {
				if _, ok := model[id]; !ok || n != 1 {
					rt.Fatalf("scan returned %s %d times", id, n)
				}
			}
			for id, e := range model {
				if id[0] == byte('0'+db) && (e.expireAt == 0 || e.expireAt > now) && seen[id] != 1 {
					rt.Fatalf("scan missed %s", id)
				}
			}
		}
	})
}

// TestCalcification fills a small store with small values, then larger ones,
// then mixes: memory stays at the limit and every write succeeds.
func TestCalcification(t *testing.T) {
	for _, c := range []Config{
		{Policy: eviction.Default}, {Policy: eviction.AllKeysRandom}, {Policy: eviction.AllKeysRandom, Partitions: true},
	} {
		t.Run(fmt.Sprint(c.Policy, c.Partitions), func(t *testing.T) { testCalcification(t, c) })
	}
}

func testCalcification(t *testing.T, c Config) {
	const limit = 48 << 20
	c.Shards, c.MaxBytes = 4, limit
	s := open(t, c)
	rng := rand.New(rand.NewPCG(1, 2))
	n := 0
	phase := func(name string, bytes int64, size func() int) {
		value := make([]byte, 200<<10)
		for written := int64(0); written < bytes; n++ {
			v := value[:size()]
			written += int64(len(v))
			key := fmt.Appendf(nil, "key:%012d", n)
			h := s.Lock(0, key, testStart)
			h.Set(v, 0)
			if _, ok := h.Peek(); !ok {
				t.Fatalf("%s: a value just written is not there", name)
			}
			h.Release()
			if rng.IntN(3) == 0 {
				h := s.Lock(0, fmt.Appendf(nil, "key:%012d", rng.IntN(n+1)), testStart)
				h.Delete()
				h.Release()
			}
		}
		st := s.Stats()
		t.Logf("%-8s used %d MiB, resident %d MiB, holes %d KiB, entries %d, moved %d", name, st.Used>>20, (st.Resident+st.Overhead)>>20, st.Holes>>10, st.Entries, st.Moved)
		if got := st.Resident + st.Overhead; got > limit*11/10 {
			t.Errorf("%s: %d bytes resident, limit %d", name, got, limit)
		}
		if st.Blocks+st.Index+st.Overhead < limit*8/10 {
			t.Errorf("%s: only %d of %d bytes used", name, st.Blocks+st.Index+st.Overhead, limit)
		}
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
	}
	phase("100 B", limit*5/4, func() int { return 100 })
	phase("1 KiB", limit*3/2, func() int { return 1 << 10 })
	phase("10 KiB", limit, func() int { return 10 << 10 })
	phase("100 KiB", limit, func() int { return 100 << 10 })
	phase("mixed", limit, func() int { return 1 << (4 + rng.IntN(13)) })
	phase("100 B", 2*limit, func() int { return 100 })
}
