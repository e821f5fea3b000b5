// Package hotkeys finds the keys that are used most right now, in bounded
// memory, from a sample of the requests.
//
// A [Sketch] is the pure algorithm; a [Tracker] puts a lock and a clock around
// it and is fed by the executor's sample: what it reports are requests per
// second.
package hotkeys

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
	"time"
)

// Sketch estimates the most frequent keys of a stream with a fixed number of
// counters: the space-saving algorithm of Metwally, Agrawal and El Abbadi
// («Efficient computation of frequent and top-k elements in data streams»,
// 2005). A key without a counter takes over the smallest one, with its count,
// which is from then on the key's possible error.
//
// Counts fade with a half-life, so that what was hot gives way to what is:
// instead of shrinking all counters all the time, what is added grows with time
// («forward decay», Cormode et al. 2009), and all are scaled back together
// every now and then. Since additions are no small integers then, the counters
// stand in a heap and not in the paper's list of buckets: an addition costs
// log2(capacity) steps, which at one request in a hundred is nothing.
//
// Invariant: Count-Error <= what was added for a key, faded, <= Count, and a key
// whose true count exceeds Total/capacity has a counter.
//
// It is not safe for concurrent use, and knows no clock: times are given as
// durations since a fixed moment and must not fall.
type Sketch struct {
	halfLife time.Duration
	capacity int
	counters map[name]*counter
	heap     counters
	total    float64
	base     time.Duration // at which an addition has weight 1
}

type name struct {
	db  int
	key string
}

type counter struct {
	name
	count, err, writes float64
	at                 int // position in the heap
}

// Key is one key of a report. Count, Error and Writes are numbers of requests,
// faded by age.
type Key struct {
	DB    int
	Key   string
	Count float64 // at most this many
	Error float64 // of which these may belong to others
	// Writes are those of the requests that wrote, counted since the key has
	// its counter.
	Writes float64
}

// AtLeast returns the count that is sure.
func (k Key) AtLeast() float64 { return k.Count - k.Error }

// NewSketch returns an empty sketch. capacity is at least 1.
func NewSketch(capacity int, halfLife time.Duration) *Sketch {
	if capacity < 1 || halfLife <= 0 {
		panic("hotkeys: capacity and half-life must be positive")
	}
	return &Sketch{halfLife: halfLife, capacity: capacity, counters: make(map[name]*counter, capacity)}
}

// Add counts weight requests for a key. The key is copied when it is kept.
func (s *Sketch) Add(now time.Duration, db int, key []byte, weight float64, write bool) {
	w := weight * s.growth(now)
	s.total += w
	c := s.counters[name{db, string(key)}]
	switch {
	case c != nil:
		c.count += w
		heap.Fix(&s.heap, c.at)
	case len(s.heap) < s.capacity:
		c = &counter{name: name{db, string(key)}, count: w}
		s.counters[c.name] = c
		heap.Push(&s.heap, c)
	default:
		c = s.heap[0]
		delete(s.counters, c.name)
		c.name, c.err, c.writes = name{db, string(key)}, c.count, 0
		c.count += w
		s.counters[c.name] = c
		heap.Fix(&s.heap, 0)
	}
	if write {
		c.writes += w
	}
}

// maxGrowth is the factor after which all counts are scaled back; far from
// where doubles lose the small ones.
const maxGrowth = 1 << 40

// growth returns what an addition at a time weighs in the scale of the counters.
func (s *Sketch) growth(now time.Duration) float64 {
	g := math.Exp2(float64(now-s.base) / float64(s.halfLife))
	if g <= maxGrowth {
		return g
	}
	for _, c := range s.heap {
		c.count /= g
		c.err /= g
		c.writes /= g
	}
	s.total /= g
	s.base = now
	return 1
}

// Total returns the number of all requests added, faded.
func (s *Sketch) Total(now time.Duration) float64 { return s.total / s.growth(now) }

// Top returns at most n keys, those with the largest sure counts first.
func (s *Sketch) Top(now time.Duration, n int) []Key {
	g := s.growth(now)
	keys := make([]Key, len(s.heap))
	for i, c := range s.heap {
		keys[i] = Key{DB: c.db, Key: c.key, Count: c.count / g, Error: c.err / g, Writes: c.writes / g}
	}
	slices.SortFunc(keys, func(a, b Key) int {
		return cmp.Or(cmp.Compare(b.AtLeast(), a.AtLeast()), cmp.Compare(b.Count, a.Count),
			cmp.Compare(a.DB, b.DB), cmp.Compare(a.Key, b.Key))
	})
	return keys[:min(n, len(keys))]
}

// Reset forgets everything.
func (s *Sketch) Reset() {
	clear(s.counters)
	s.heap, s.total = nil, 0
}

// counters is a heap with the smallest count first.
type counters []*counter

func (c counters) Len() int           { return len(c) }
func (c counters) Less(i, j int) bool { return c[i].count < c[j].count }
func (c counters) Swap(i, j int) {
	c[i], c[j] = c[j], c[i]
	c[i].at, c[j].at = i, j
}

// Push is for [heap.Push].
func (c *counters) Push(x any) {
	n := x.(*counter)
	n.at = len(*c)
	*c = append(*c, n)
}

// Pop is for [heap.Pop], which is not used: counters are taken over.
func (c *counters) Pop() any {
	last := len(*c) - 1
	n := (*c)[last]
	*c = (*c)[:last]
	return n
}
