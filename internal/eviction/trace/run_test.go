package trace

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/larder-cache/larder/internal/eviction"
)

// slowOptimum is Belady's rule written down: on a miss in a full cache, the
// object whose next request is farthest leaves, the new one included.
func slowOptimum(t *Trace, capacity int) int {
	nextOf := func(key uint32, after int) int {
		for j := after + 1; j < len(t.Keys); j++ {
			if t.Keys[j] == key {
				return j
			}
		}
		return math.MaxInt
	}
	resident := map[uint32]bool{}
	misses := 0
	for i, key := range t.Keys {
		if resident[key] {
			continue
		}
		misses++
		resident[key] = true
		if len(resident) <= capacity {
			continue
		}
		far, farthest := key, -1
		for k := range resident {
			if n := nextOf(k, i); n > farthest {
				far, farthest = k, n
			}
		}
		delete(resident, far)
	}
	return misses
}

func TestOptimumIsBelady(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := drawTrace(t, false)
		capacity := rapid.IntRange(0, 14).Draw(t, "capacity")
		if got, want := Optimum(tr, capacity), slowOptimum(tr, capacity); got != want {
			t.Fatalf("%d misses at %d, want %d, of %v", got, capacity, want, tr.Keys)
		}
	})
}

// bestSchedule tries every choice of what to keep after each request: the true
// optimum for sized objects.
func bestSchedule(t *Trace, capacity uint64) int {
	type state struct {
		at   int
		kept uint32
	}
	known := map[state]int{}
	sizeAt := func(kept uint32, sizes []uint32) (sum uint64) {
		for k := range sizes {
			if kept>>k&1 != 0 {
				sum += uint64(sizes[k])
			}
		}
		return sum
	}
	last := make([]uint32, t.Distinct)
	var best func(at int, kept uint32) int
	best = func(at int, kept uint32) int {
		if at == len(t.Keys) {
			return 0
		}
		s := state{at, kept}
		if m, ok := known[s]; ok {
			return m
		}
		key := t.Keys[at]
		miss := int(^kept >> key & 1)
		old := last[key]
		last[key] = t.Sizes[at]
		least := math.MaxInt
		all := kept | 1<<key
		for sub := all; ; sub = (sub - 1) & all {
			if sizeAt(sub, last) <= capacity {
				least = min(least, best(at+1, sub))
			}
			if sub == 0 {
				break
			}
		}
		last[key] = old
		known[s] = least + miss
		return least + miss
	}
	return best(0, 0)
}

func TestSizedOptimumBracketsTheOptimum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := &Trace{Distinct: 5, Keys: []uint32{0, 1, 2, 3, 4}}
		sizes := make([]uint32, tr.Distinct)
		for k := range sizes {
			sizes[k] = rapid.Uint32Range(1, 9).Draw(t, "size")
		}
		for range rapid.IntRange(0, 10).Draw(t, "requests") {
			tr.Keys = append(tr.Keys, rapid.Uint32Range(0, 4).Draw(t, "key"))
		}
		for _, k := range tr.Keys {
			tr.Sizes = append(tr.Sizes, sizes[k])
		}
		capacity := rapid.Uint64Range(1, 30).Draw(t, "capacity")
		achieved, bound := SizedOptimum(tr, capacity, FewestObjects)
		best := bestSchedule(tr, capacity)
		if bound.Objects > best || achieved.Objects < best {
			t.Fatalf("bound %d, optimum %d, achieved %d", bound.Objects, best, achieved.Objects)
		}
	})
}

// golden is a short trace whose misses were worked out by hand for LRU and the
// optimum with room for three.
var golden = &Trace{
	Name:     "golden",
	Distinct: 5,
	//                0  1  2  3  0  1  4  0  1  2  3  4
	Keys:  []uint32{0, 1, 2, 3, 0, 1, 4, 0, 1, 2, 3, 4},
	Sizes: []uint32{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
}

func TestGoldenTrace(t *testing.T) {
	if m := Optimum(golden, 3); m != 7 {
		t.Errorf("the optimum misses %d, want 7", m)
	}
	for _, row := range []struct {
		name eviction.Name
		want int
	}{{eviction.AllKeysLRU, 10}, {eviction.VolatileLRU, 10}} {
		for _, sized := range []bool{false, true} {
			m, err := Run(golden, row.name, Cache{Capacity: 3, Sized: sized})
			if err != nil || m.Objects != row.want || sized && m.Bytes != uint64(row.want) {
				t.Errorf("%s, sized %v: %+v, %v; want %d", row.name, sized, m, err, row.want)
			}
		}
	}
}

// No policy beats the optimum, none misses a first request less than once, and
// with room for everything each misses exactly those.
func TestPoliciesStayWithinTheOptimum(t *testing.T) {
	for _, name := range eviction.TrackedNames() {
		t.Run(name.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				tr := drawTrace(t, true)
				capacity := rapid.IntRange(1, 14).Draw(t, "capacity")
				m, err := Run(tr, name, Cache{Capacity: uint64(capacity)})
				if err != nil {
					t.Fatal(err)
				}
				if low := slowOptimum(tr, capacity); m.Objects < low || m.Objects > len(tr.Keys) {
					t.Fatalf("%d misses, the optimum has %d of %d", m.Objects, low, len(tr.Keys))
				}
				if capacity >= tr.Distinct && m.Objects != tr.Distinct {
					t.Fatalf("%d misses of %d keys that all fit", m.Objects, tr.Distinct)
				}
				shards := rapid.IntRange(1, 4).Draw(t, "shards")
				bytes := rapid.Uint64Range(1, 400).Draw(t, "bytes")
				if _, err := Run(tr, name, Cache{Capacity: bytes, Sized: true, Shards: shards}); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestRunRefusesSizesThatAreNotThere(t *testing.T) {
	tr := &Trace{Name: "plain", Keys: []uint32{0}, Distinct: 1}
	if _, err := Run(tr, eviction.AllKeysLRU, Cache{Capacity: 1, Sized: true}); err == nil {
		t.Error("a trace without sizes ran sized")
	}
	if _, err := Run(tr, eviction.NoEviction, Cache{Capacity: 1}); err == nil {
		t.Error("noeviction ran")
	}
}
