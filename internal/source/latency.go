package source

import (
	"slices"
	"sync/atomic"
	"time"
)

// latencyBounds are the inclusive upper bounds of the histogram's buckets;
// what is longer falls into one more.
var latencyBounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// latency counts durations in fixed buckets. It is safe for concurrent use. An
// HdrHistogram would need a lock and 20 kB per namespace for digits that the
// journey to a database does not have.
type latency struct {
	counts   [len(latencyBounds) + 1]atomic.Uint64
	sumNanos atomic.Uint64
}

func (l *latency) observe(d time.Duration) {
	d = max(d, 0)
	i, _ := slices.BinarySearch(latencyBounds[:], d)
	l.counts[i].Add(1)
	l.sumNanos.Add(uint64(d))
}

// Latency is a histogram at one moment.
type Latency struct {
	// Bounds are the inclusive upper bounds of the buckets, rising. Shared:
	// not to be modified.
	Bounds []time.Duration
	// Counts[i] is the number of loads in bucket i alone; the last one, beyond
	// the bounds, is for what took longer.
	Counts []uint64
	// Sum of all durations.
	Sum time.Duration
}

// Count returns the number of loads measured.
func (l Latency) Count() uint64 {
	var n uint64
	for _, c := range l.Counts {
		n += c
	}
	return n
}

// Quantile returns the upper bound of the bucket that holds the quantile q of
// [0, 1]; beyond the last bound it returns that bound, and 0 without loads.
func (l Latency) Quantile(q float64) time.Duration {
	rank := uint64(q * float64(l.Count()))
	var seen uint64
	for i, c := range l.Counts {
		seen += c
		if c > 0 && seen >= max(rank, 1) {
			return l.Bounds[min(i, len(l.Bounds)-1)]
		}
	}
	return 0
}

// snapshot may miss loads that end while it runs; none is counted twice.
func (l *latency) snapshot() Latency {
	s := Latency{Bounds: latencyBounds[:], Counts: make([]uint64, len(l.counts))}
	for i := range l.counts {
		s.Counts[i] = l.counts[i].Load()
	}
	s.Sum = time.Duration(l.sumNanos.Load())
	return s
}
