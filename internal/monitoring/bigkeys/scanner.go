// Package bigkeys finds the entries that take most memory, and how the sizes of
// all are distributed, by walking through the store a little at a time.
//
// Nothing is counted on the path of writes: a size that changes with every
// write would have to be found among the largest ones every time, and what
// leaves by expiry or eviction would have to be told. A walk costs what it is
// given; how much that is stands in the constants of this file.
package bigkeys

import (
	"cmp"
	"container/heap"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/storage/memory"
	"github.com/larder-cache/larder/internal/ticks"
)

// The pace: ten times a second at most batchesPerTick batches, so 10240 entries
// and about 3.5 ms of work per second; a million keys are seen in 100 s. One
// batch holds a shard's lock for about 20 us.
const (
	batch          = 64
	batchesPerTick = 16
	tick           = 100 * time.Millisecond
	// rest is the time from the start of one pass to that of the next, when
	// the pass takes less.
	rest = 3 * time.Second
	// kept is how many of the largest entries a pass remembers.
	kept = 64
	// maxShownKey is how many bytes of a key are remembered.
	maxShownKey = 4096
)

// bounds are the inclusive upper bounds of the size classes, in bytes; what is
// larger falls into one more.
var bounds = [...]int{64, 128, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 16 << 20, 128 << 20}

// Entry is a large entry.
type Entry struct {
	DB    int
	Key   string // a copy
	Bytes int    // key, value and what the engine adds
}

// Report is what is known about sizes.
type Report struct {
	// Largest entries, the largest first; their sizes are those of now.
	Largest []Entry
	// Bounds are the inclusive upper bounds of the size classes in bytes,
	// rising; Counts has the entries by class in the last complete pass, its
	// last one those beyond the bounds. Both are shared: not to be modified.
	Bounds []int
	Counts []uint64
	// Scanned is the number of entries looked at since the start, Passes that
	// of complete passes, and PassTime what the last one took, rests between
	// ticks included.
	Scanned, Passes uint64
	PassTime        time.Duration
}

// Scanner walks through a store. It is safe for concurrent use.
type Scanner struct {
	store *memory.Store
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu       sync.Mutex
	db       int    // GUARDED_BY(mu), as the next ones: where the pass is
	cursor   uint64 // in db
	began    time.Time
	idle     bool // the pass is complete, the next one has not begun
	pass     pass // at work
	last     pass // complete
	scanned  uint64
	passes   uint64
	passTime time.Duration
}

// pass is what one walk has found.
type pass struct {
	largest largest
	counts  [len(bounds) + 1]uint64
}

// New returns a scanner that has not begun; see [Scanner.Start].
func New(store *memory.Store) *Scanner { return &Scanner{store: store} }

// Start walks in the background until [Scanner.Stop]. To be called once.
func (s *Scanner) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.done.Go(func() { s.run(ctx) })
}

// Stop ends the walk and waits for it. It may be called without Start, and
// again.
func (s *Scanner) Stop() {
	if s.stop != nil {
		s.stop()
		s.done.Wait()
	}
}

func (s *Scanner) run(ctx context.Context) {
	for now := range ticks.Every(ctx.Done(), tick) {
		for range batchesPerTick {
			if !s.Step(now) {
				break
			}
		}
	}
}

// Step looks at the next batch of entries and reports whether there is more to
// do now: the end of a pass is followed by a rest.
func (s *Scanner) Step(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle {
		if now.Sub(s.began) < rest {
			return false
		}
		s.idle = false
	}
	if s.db == 0 && s.cursor == 0 {
		s.began = now
	}
	s.cursor = s.store.Scan(s.db, s.cursor, batch, now.UnixMilli(), func(e memory.Entry) {
		s.scanned++
		s.pass.see(s.db, e)
	})
	for s.cursor == 0 {
		if s.db++; s.db == s.store.Databases() {
			s.finish(now)
			return false
		}
		if s.store.Len(s.db) > 0 {
			break
		}
	}
	return true
}

// finish ends a pass.
//
// REQUIRES: s.mu held.
func (s *Scanner) finish(now time.Time) {
	s.last, s.pass = s.pass, pass{}
	s.db, s.cursor, s.idle = 0, 0, true
	s.passes++
	s.passTime = now.Sub(s.began)
}

// see counts an entry. It runs under the lock of the entry's shard.
func (p *pass) see(db int, e memory.Entry) {
	size := e.MemoryUsage()
	class, _ := slices.BinarySearch(bounds[:], size)
	p.counts[class]++
	if len(p.largest) == kept && size <= p.largest[0].Bytes {
		return
	}
	key := e.Key()
	if len(key) > maxShownKey {
		return // it could not be looked up by what is remembered of it
	}
	entry := Entry{DB: db, Key: string(key), Bytes: size}
	if len(p.largest) < kept {
		heap.Push(&p.largest, entry)
		return
	}
	p.largest[0] = entry
	heap.Fix(&p.largest, 0)
}

// Report returns what is known, with at most n of the largest entries. Those
// that have been found are looked at again, so that what is gone is not shown.
func (s *Scanner) Report(n int) Report {
	s.mu.Lock()
	counts := s.last.counts
	if s.passes == 0 {
		counts = s.pass.counts
	}
	r := Report{Bounds: bounds[:], Counts: counts[:], Scanned: s.scanned, Passes: s.passes, PassTime: s.passTime}
	found := append(slices.Clone(s.last.largest), s.pass.largest...)
	s.mu.Unlock()
	slices.SortFunc(found, func(a, b Entry) int { return cmp.Or(cmp.Compare(a.DB, b.DB), cmp.Compare(a.Key, b.Key)) })
	found = slices.CompactFunc(found, func(a, b Entry) bool { return a.DB == b.DB && a.Key == b.Key })
	for _, e := range found {
		if e.Bytes = s.size(e); e.Bytes > 0 {
			r.Largest = append(r.Largest, e)
		}
	}
	slices.SortFunc(r.Largest, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.DB, b.DB), cmp.Compare(a.Key, b.Key))
	})
	r.Largest = r.Largest[:min(n, len(r.Largest))]
	return r
}

// size returns what an entry takes now, 0 when it is gone.
func (s *Scanner) size(e Entry) int {
	h := s.store.Lock(e.DB, []byte(e.Key), time.Now().UnixMilli())
	defer h.Release()
	found, ok := h.Peek()
	if !ok {
		return 0
	}
	return found.MemoryUsage()
}

// largest is a heap with the smallest entry first.
type largest []Entry

func (l largest) Len() int           { return len(l) }
func (l largest) Less(i, j int) bool { return l[i].Bytes < l[j].Bytes }
func (l largest) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }

// Push is for [heap.Push].
func (l *largest) Push(x any) { *l = append(*l, x.(Entry)) }

// Pop is for [heap.Pop], which is not used: entries are replaced.
func (l *largest) Pop() any {
	last := len(*l) - 1
	e := (*l)[last]
	*l = (*l)[:last]
	return e
}
