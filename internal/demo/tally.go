package demo

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Tally is what clients counted in some time. Not safe for concurrent use.
type Tally struct {
	Requests uint64 // answered, errors included
	Absent   uint64 // answered: there is no such key
	Errors   uint64 // answered with an error, or cut off
	LastErr  string
	// Latency is from the sending of a request to its answer, in nanoseconds.
	Latency *hdrhistogram.Histogram
}

// NewTally returns an empty tally.
func NewTally() *Tally {
	return &Tally{Latency: hdrhistogram.New(1_000, int64(time.Minute), 2)}
}

// Add adds what another has counted.
func (t *Tally) Add(o *Tally) {
	t.Requests += o.Requests
	t.Absent += o.Absent
	t.Errors += o.Errors
	if o.LastErr != "" {
		t.LastErr = o.LastErr
	}
	t.Latency.Merge(o.Latency)
}

// Quantile returns the latency below which the share q of requests lies, q from
// 0 to 1.
func (t *Tally) Quantile(q float64) time.Duration {
	return time.Duration(t.Latency.ValueAtQuantile(q * 100))
}

func (t *Tally) record(d time.Duration) {
	// The only error is a value beyond the range, which the clamp excludes.
	_ = t.Latency.RecordValue(min(max(int64(d), 1_000), int64(time.Minute)))
}
