package demo

import (
	"time"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/source"
)

// Reading is what the node has counted in the namespaces that have a source.
type Reading struct {
	Reads     uint64 // asked for by clients
	Hits      uint64 // of these, answered from memory
	Negative  uint64 // of the hits, remembered absences
	Stale     uint64 // of the hits, values past their ttl
	Failed    uint64 // answered with the source's error
	Collapsed uint64 // misses that shared a query already running
	Queries   uint64 // asked of the database
	Spared    uint64 // not asked since the breaker was open or no slot was free
	QueryTime time.Duration
	Measured  uint64 // queries that QueryTime is the sum of
}

func (r *Reading) add(n cache.NamespaceStats) {
	l := n.Loader
	spared := l.Errors[source.FaultBreakerOpen] + l.Errors[source.FaultBusy]
	r.Reads += n.Hits + n.Misses
	r.Hits += n.Hits
	r.Negative += n.Negative
	r.Stale += n.Stale
	r.Failed += n.Failed
	r.Collapsed += l.Collapsed
	r.Queries += l.Loads - min(spared, l.Loads)
	r.Spared += spared
	r.QueryTime += l.Latency.Sum
	r.Measured += l.Latency.Count()
}

// Since returns what was counted after an earlier reading. Counters that are
// derived from others may lag behind each other: none of them goes below 0.
func (r Reading) Since(before Reading) Reading {
	return r.with(before, func(now, then uint64) uint64 { return now - min(then, now) }, r.QueryTime-before.QueryTime)
}

// plus adds two readings.
func (r Reading) plus(o Reading) Reading {
	return r.with(o, func(a, b uint64) uint64 { return a + b }, r.QueryTime+o.QueryTime)
}

func (r Reading) with(o Reading, f func(a, b uint64) uint64, queryTime time.Duration) Reading {
	return Reading{
		Reads: f(r.Reads, o.Reads), Hits: f(r.Hits, o.Hits), Negative: f(r.Negative, o.Negative),
		Stale: f(r.Stale, o.Stale), Failed: f(r.Failed, o.Failed), Collapsed: f(r.Collapsed, o.Collapsed),
		Queries: f(r.Queries, o.Queries), Spared: f(r.Spared, o.Spared),
		QueryTime: queryTime, Measured: f(r.Measured, o.Measured),
	}
}

// HitRatio returns hits over reads, 0 without reads.
func (r Reading) HitRatio() float64 {
	if r.Reads == 0 {
		return 0
	}
	return float64(r.Hits) / float64(r.Reads)
}

// Saved is how many reads needed no query. Without a cache each read is one.
func (r Reading) Saved() uint64 { return r.Reads - min(r.Queries, r.Reads) }

// MeanQuery is what a query took on average, 0 before the first.
func (r Reading) MeanQuery() time.Duration {
	if r.Measured == 0 {
		return 0
	}
	return r.QueryTime / time.Duration(r.Measured)
}
