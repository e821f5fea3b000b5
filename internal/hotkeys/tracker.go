package hotkeys

import (
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeebo/xxh3"
)

const (
	// Capacity is how many keys have a counter: a key with more than a 1024th
	// of the requests cannot be missed. About 200 kB with keys of 64 bytes.
	Capacity = 1024
	// HalfLife is after how long a request counts half.
	HalfLife = 30 * time.Second
	// minSamples is how many requests must have been seen, faded, before a key
	// is reported: what was seen once or twice is chance.
	minSamples = 4
	// longKey is from which length on a key is known by its beginning and a
	// hash, so that the memory stays bounded.
	longKey = 256
	// shownOfLong is how many bytes of a long key are kept.
	shownOfLong = 200
	// maxPerSecond is about how many requests per second are counted; when the
	// sample has more it is thinned. At half a microsecond each that bounds the
	// cost to a fifth of a percent of a core, whatever the load.
	maxPerSecond = 4000
)

// Tracker reports the hot keys of a node. It is safe for concurrent use.
type Tracker struct {
	now   func() time.Duration // monotonic
	start time.Duration
	thin  atomic.Uint32 // one in so many of the sample is counted

	mu      sync.Mutex
	sketch  *Sketch // GUARDED_BY(mu), as the next ones
	weight  float64 // of the last request seen: how many it stands for
	sampled uint64
	paced   uint64        // sampled at the last Pace
	pacedAt time.Duration // when that was
}

// Rate is how much a key is used now.
type Rate struct {
	DB  int
	Key string // a copy; a very long key is its beginning, «…» and a hash
	// PerSecond are requests per second, at least; up to ErrorPerSecond more
	// are possible.
	PerSecond, ErrorPerSecond float64
	// Share of all requests for keys, 0 to 1, and of the key's own requests the
	// share that wrote.
	Share, Writes float64
}

// New returns a tracker that has seen nothing. now returns the time since any
// fixed moment and never falls; nil: the system's monotonic clock.
func New(now func() time.Duration) *Tracker {
	if now == nil {
		start := time.Now()
		now = func() time.Duration { return time.Since(start) }
	}
	t := &Tracker{now: now, start: now(), sketch: NewSketch(Capacity, HalfLife)}
	t.thin.Store(1)
	return t
}

// Sampled counts a request of the sample for a key. It stands for weight
// requests. The key is copied when it is kept.
func (t *Tracker) Sampled(db int, key []byte, weight float64, write bool) {
	if thin := t.thin.Load(); thin > 1 {
		if rand.Uint32N(thin) != 0 {
			return
		}
		weight *= float64(thin)
	}
	if len(key) > longKey {
		key = shorten(key)
	}
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sampled++
	t.weight = weight
	t.sketch.Add(now, db, key, weight, write)
}

// Pace adapts how much of the sample is counted to how much there is. To be
// called about once a second.
func (t *Tracker) Pace() {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	elapsed := (now - t.pacedAt).Seconds()
	if elapsed <= 0 {
		return
	}
	offered := float64(t.sampled-t.paced) * float64(t.thin.Load()) / elapsed
	t.thin.Store(uint32(min(max(1, math.Round(offered/maxPerSecond)), 1<<20)))
	t.paced, t.pacedAt = t.sampled, now
}

func shorten(key []byte) []byte {
	short := append(make([]byte, 0, shownOfLong+20), key[:shownOfLong]...)
	short = append(short, "…"...)
	return strconv.AppendUint(short, xxh3.Hash(key), 16)
}

// Seen returns how many requests of the sample have been counted.
func (t *Tracker) Seen() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sampled
}

// Top returns at most n hot keys, the hottest first.
func (t *Tracker) Top(n int) []Rate {
	now := t.now()
	t.mu.Lock()
	keys, total, weight := t.sketch.Top(now, n), t.sketch.Total(now), t.weight
	t.mu.Unlock()
	perSecond := t.perSecond(now)
	rates := make([]Rate, 0, len(keys))
	for _, k := range keys {
		if k.AtLeast() < minSamples*weight {
			break
		}
		rates = append(rates, Rate{
			DB: k.DB, Key: k.Key, PerSecond: k.AtLeast() * perSecond, ErrorPerSecond: k.Error * perSecond,
			Share: k.AtLeast() / total, Writes: min(k.Writes/k.AtLeast(), 1),
		})
	}
	return rates
}

// perSecond returns the factor from faded counts to requests per second: a
// steady rate r fills a counter to r times the integral of what is left of a
// request over the age of the tracker.
func (t *Tracker) perSecond(now time.Duration) float64 {
	age := max(now-t.start, time.Second)
	filled := 1 - math.Exp2(-float64(age)/float64(HalfLife))
	return math.Ln2 / HalfLife.Seconds() / filled
}

// Reset forgets what has been seen.
func (t *Tracker) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sketch.Reset()
	t.sampled, t.paced = 0, 0
}
