package command

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts durations in buckets whose width is at most a sixteenth of
// their value, from 1 ns to about 1 min. The zero value is empty; it is safe for
// concurrent use.
type histogram struct {
	buckets [histogramBuckets]atomic.Uint64
}

const (
	histogramOctaves = 33 // beyond the first 16 ns, to 2^37 ns, 137 s
	histogramBuckets = 16 * (histogramOctaves + 1)
)

// record counts a duration n times.
func (h *histogram) record(d time.Duration, n uint64) {
	h.buckets[histogramBucket(d)].Add(n)
}

// histogramBucket returns the bucket of a duration: below 16 ns its value, then
// sixteen for each power of two.
func histogramBucket(d time.Duration) int {
	if d < 16 {
		return int(max(0, d))
	}
	octave := bits.Len64(uint64(d)) - 4 // 1 for 16 to 31
	if octave > histogramOctaves {
		return histogramBuckets - 1
	}
	return octave*16 + int(uint64(d)>>(octave-1)&15)
}

// histogramBound returns the longest duration of a bucket.
func histogramBound(bucket int) time.Duration {
	if bucket < 16 {
		return time.Duration(bucket)
	}
	octave, step := bucket/16, bucket%16
	return time.Duration(uint64(17+step)<<(octave-1)) - 1
}

// Histogram is a copy of the durations of one command, for export.
type Histogram struct {
	// Counts has the number of durations by bucket; see [Histogram.Bound].
	Counts []uint64
	// Total is their sum.
	Total uint64
}

// Bound returns the longest duration counted in bucket i.
func (Histogram) Bound(i int) time.Duration { return histogramBound(i) }

// Percentile returns the duration that p percent of all do not exceed, zero
// when nothing was counted.
func (h Histogram) Percentile(p float64) time.Duration {
	if h.Total == 0 {
		return 0
	}
	want := uint64(p/100*float64(h.Total) + 0.5)
	want = min(max(want, 1), h.Total)
	var seen uint64
	for i, n := range h.Counts {
		if seen += n; seen >= want {
			return histogramBound(i)
		}
	}
	return histogramBound(len(h.Counts) - 1)
}

// copy returns what has been counted so far.
func (h *histogram) copy() Histogram {
	c := Histogram{Counts: make([]uint64, histogramBuckets)}
	for i := range h.buckets {
		n := h.buckets[i].Load()
		c.Counts[i] = n
		c.Total += n
	}
	return c
}
