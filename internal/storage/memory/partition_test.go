package memory

import (
	"encoding/binary"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/larder-cache/larder/internal/eviction"
	"github.com/larder-cache/larder/internal/hashing"
)

// checkPartitions compares the partitions of a store with a model whose ids are
// a digit for the database and the key.
func checkPartitions(t *rapid.T, s *Store, model map[string]modelEntry) {
	left := map[string]bool{}
	for id := range model {
		left[id] = true
	}
	for db := range 2 {
		for p := range hashing.Partitions {
			n := 0
			for cursor, done := uint32(0), false; !done; {
				cursor, done = s.ScanPartition(db, p, cursor, 3, 0, func(e Entry) {
					id := fmt.Sprint(db, string(e.Key()))
					if _, ok := model[id]; ok {
						delete(left, id)
					}
					if hashing.PartitionOf(e.Key()) != p {
						t.Fatalf("%s is in partition %d", id, p)
					}
					n++
				})
			}
			if got := s.PartitionLen(db, p); got != n {
				t.Fatalf("partition %d of database %d has %d keys, %d were visited", p, db, got, n)
			}
		}
	}
	for id := range left {
		if at := model[id].expireAt; at == 0 {
			t.Fatalf("%s is in no partition", id)
		}
	}
}

// tags has a hash tag for every partition.
var tags = sync.OnceValue(func() (tags [hashing.Partitions]string) {
	for n, left := 0, hashing.Partitions; left > 0; n++ {
		tag := fmt.Sprintf("{%d}:", n)
		if p := hashing.PartitionOf([]byte(tag)); tags[p] == "" {
			tags[p] = tag
			left--
		}
	}
	return tags
})

// inPartition returns the number-th key of a partition.
func inPartition(p, number int) []byte {
	return strconv.AppendInt([]byte(tags()[p]), int64(number), 10)
}

func write(s *Store, db int, key, value []byte, expireAt int64) {
	h := s.Lock(db, key, testStart)
	h.Set(value, expireAt)
	h.Release()
}

func TestPartitionsNeedTheMode(t *testing.T) {
	s := open(t, Config{})
	defer func() {
		if recover() == nil {
			t.Error("a store without partitions has one")
		}
	}()
	s.PartitionLen(0, 0)
}

func TestMoreShardsThanPartitions(t *testing.T) {
	if _, err := Open(Config{Partitions: true, Shards: 2 * hashing.Partitions}); err == nil {
		t.Error("no error")
	}
}

// TestScanSurvivesMove scans a partition half on one store and half on another
// that has the same entries written in another order, among others.
func TestScanSurvivesMove(t *testing.T) {
	const p, n = 77, 900
	from := open(t, Config{Partitions: true, Seed: []byte("of the cluster"), Shards: 2})
	to := open(t, Config{Partitions: true, Seed: []byte("of the cluster"), Shards: 16})
	for i := range n {
		write(from, 0, inPartition(p, i), nil, 0)
		write(to, 0, inPartition(p, n-1-i), nil, 0)
		write(to, 0, inPartition(p+1, i), nil, 0)
	}
	seen := map[string]int{}
	note := func(e Entry) { seen[string(e.Key())]++ }
	cursor, done := from.ScanPartition(0, p, 0, n/2, testStart, note)
	if done || len(seen) < n/2 {
		t.Fatalf("half a scan visited %d", len(seen))
	}
	if _, done = to.ScanPartition(0, p, cursor, n, testStart, note); !done || len(seen) != n {
		t.Errorf("visited %d of %d", len(seen), n)
	}
	for key, times := range seen {
		if times != 1 {
			t.Errorf("%s was visited %d times", key, times)
		}
	}
}

// TestFlushPartition drops one partition of all databases and nothing else,
// tells observers that it has moved, and voids tokens.
func TestFlushPartition(t *testing.T) {
	const p, n = 300, 500
	told := &recorder{}
	s := open(t, Config{Partitions: true, Observer: told})
	for i := range n {
		write(s, i%2, inPartition(p, i), make([]byte, i), int64(i%3)*(testStart+1000))
		write(s, i%2, inPartition(p+16, i), nil, 0) // in the same shard
	}
	h := s.Lock(0, inPartition(p, n), testStart)
	h.FillNegative(testStart + 10)
	token := h.Watch()
	h.Release()
	h = s.Lock(0, inPartition(p+16, 0), testStart)
	other := h.Watch()
	h.Release()
	clear(told.changes)
	if got := s.FlushPartition(p); got != n+1 {
		t.Errorf("dropped %d, want %d", got, n+1)
	}
	if want := (map[Change]int{Moved: n + 1}); !maps.Equal(told.changes, want) {
		t.Errorf("observers were told %v, want %v", told.changes, want)
	}
	if a, b := s.PartitionLen(0, p), s.PartitionLen(1, p); a+b != 0 {
		t.Errorf("%d and %d keys are left", a, b)
	}
	if a, b := s.PartitionLen(0, p+16), s.PartitionLen(1, p+16); a+b != n {
		t.Errorf("of the other partition %d are left", a+b)
	}
	h = s.Lock(0, inPartition(p, n), testStart)
	if h.Unwatch(token) {
		t.Error("a token of the partition is still valid")
	}
	h.Release()
	h = s.Lock(0, inPartition(p+16, 0), testStart)
	if !h.Unwatch(other) {
		t.Error("a token of another partition is void")
	}
	h.Release()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// recorder counts what an observer is told.
type recorder struct{ changes map[Change]int }

func (r *recorder) Observing() bool { return true }

func (r *recorder) Changed(_ int, _ []byte, c Change) {
	if r.changes == nil {
		r.changes = map[Change]int{}
	}
	r.changes[c]++
}

// TestPartitionMemory guards what partitions cost at a million keys, of which
// it writes those of one shard: next to nothing.
func TestPartitionMemory(t *testing.T) {
	const million, shards = 1_000_000, 16
	perKey := func(partitions bool) (bytes float64) {
		c := Config{Partitions: partitions, Shards: shards}
		if !partitions {
			c.Shards = 1
		}
		s := open(t, c)
		n, value, key := 0.0, make([]byte, 64), make([]byte, 16)
		for i := range uint64(million) {
			if hashing.PartitionOf(key16(key, i))%shards == 0 {
				write(s, 0, key, value, 0)
				n++
			}
		}
		st := s.Stats()
		used := float64(st.Blocks+st.Index) / n
		t.Logf("partitions %v: %.2f bytes per key, index %.2f, and holes %.2f", partitions,
			used, float64(st.Index)/n, float64(st.Holes)/n)
		if st.Holes > st.Blocks/20 {
			t.Errorf("%d bytes of holes, %d of entries", st.Holes, st.Blocks)
		}
		return used
	}
	if plain, parted := perKey(false), perKey(true); parted > plain*1.01 {
		t.Errorf("%.2f bytes per key with partitions, %.2f without", parted, plain)
	}
}

func TestEmptyPartitionsAreFree(t *testing.T) {
	var keys [hashing.Partitions][]byte
	for p := range keys {
		keys[p] = inPartition(p, 0)
	}
	bytes := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s, err := Open(Config{Partitions: true, Databases: 1, Shards: 16})
			if err != nil {
				b.Fatal(err)
			}
			for _, key := range keys {
				h := s.Lock(0, key, testStart)
				h.Release()
			}
			if n := s.Stats().Resident; n != 0 {
				b.Fatalf("%d bytes are resident", n)
			}
			s.Close()
		}
	}).AllocedBytesPerOp()
	t.Logf("1024 empty partitions: %d KiB", bytes>>10)
	if bytes > 1<<20 {
		t.Errorf("%d bytes", bytes)
	}
}

// TestIndexesShrink empties partitions one key at a time: their tables go.
func TestIndexesShrink(t *testing.T) {
	s := open(t, Config{Partitions: true, Shards: 2})
	const n = 20_000 // in one partition, so that its table leaves the arena
	for i := range n {
		write(s, 0, inPartition(5, i), nil, 0)
		write(s, 0, fmt.Appendf(nil, "key:%d", i), nil, 0)
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		for _, key := range [][]byte{inPartition(5, i), fmt.Appendf(nil, "key:%d", i)} {
			h := s.Lock(0, key, testStart)
			if !h.Delete() {
				t.Fatalf("%s is not there", key)
			}
			h.Release()
		}
		if i%2000 == 0 {
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.Tick(testStart, true)
	if got := s.Stats().Index; got != 0 {
		t.Errorf("empty indexes take %d bytes", got)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// TestRandomIsFair draws from partitions of very different size: an entry of a
// small one comes as often as one of a large one.
func TestRandomIsFair(t *testing.T) {
	s := open(t, Config{Partitions: true, Shards: 1})
	const large, small = 600, 20
	for i := range large {
		write(s, 0, inPartition(1, i), nil, 0)
	}
	for p := 100; p < 100+large/small; p++ {
		for i := range small {
			write(s, 0, inPartition(p, i), nil, 0)
		}
	}
	hits, draws := 0, 20_000
	sh := s.shards[0]
	for i := range draws {
		random := mix(uint64(i) << 20)
		sh.mu.Lock()
		if hashing.PartitionOf(sh.key(sh.Random(random))) == 1 {
			hits++
		}
		sh.mu.Unlock()
	}
	if share := float64(hits) / float64(draws); share < 0.45 || share > 0.55 {
		t.Errorf("half of the entries come in %.2f of the draws", share)
	}
}

// TestHotPathDoesNotAllocate reads and overwrites in all modes, with a tap.
func TestHotPathDoesNotAllocate(t *testing.T) {
	inModes(t, 4, func(t *testing.T, c Config) {
		c.Policy = eviction.AllKeysLRU
		s := open(t, c)
		key, value := []byte("key:0000"), make([]byte, 100)
		if c.Partitions {
			s.Tap(hashing.PartitionOf(key), deafTap{})
		}
		write(s, 0, key, value, 0)
		n := testing.AllocsPerRun(1000, func() {
			h := s.Lock(0, key, testStart)
			if _, ok := h.Find(); !ok {
				t.Fatal("not there")
			}
			h.Release()
			h = s.Lock(0, key, testStart)
			h.Set(value, 0)
			h.Release()
			s.PrefetchEntry(0, s.PrefetchSlot(0, key))
		})
		if n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// deafTap does nothing with what it is told.
type deafTap struct{}

func (deafTap) Put(int, Entry)             {}
func (deafTap) Delete(int, []byte, Change) {}
func (deafTap) Clear(int)                  {}

// BenchmarkPartitions is BenchmarkGet and BenchmarkSet of a million entries in
// a store with partitions, without and with taps.
func BenchmarkPartitions(b *testing.B) {
	const n = 1_000_000
	s := open(b, Config{Partitions: true, Seed: []byte("seed")})
	fill(s, n, 64)
	key, value := make([]byte, 16), make([]byte, 64)
	next := uint64(0)
	random := func() []byte {
		next = mix(next)
		binary.LittleEndian.PutUint64(key[8:], next%n)
		return key
	}
	set := func(b *testing.B) {
		for b.Loop() {
			h := s.Lock(0, random(), testStart)
			h.Set(value, 0)
			h.Release()
		}
	}
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			h := s.Lock(0, random(), testStart)
			h.Find()
			h.Release()
		}
	})
	b.Run("set", set)
	for p := range hashing.Partitions {
		s.Tap(p, deafTap{})
	}
	b.Run("set, tapped", set)
}
