package witness

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/larder-cache/larder/internal/nodes"
)

// Tally is what was counted for some time.
type Tally struct {
	Elapsed  time.Duration
	Requests uint64 // answered or failed
	Writes   [nodes.Partitions]uint64
	// Failed requests got an error or no reply; Failures counts them by text.
	Failed   uint64
	Failures map[string]uint64
	// Wrong replies contradict what is known. Examples are the first of them.
	Wrong    uint64
	Examples []string
	// Longest is the longest time from sending a batch to one of its replies, Gap
	// the longest between two replies without error to one client.
	Longest, Gap Moment
	latency      *hdrhistogram.Histogram // microseconds
}

// Moment is something that took long.
type Moment struct {
	Took time.Duration
	End  time.Time
	What string // key and node
}

// maxLatency is the highest that the histogram tells apart.
const maxLatency = time.Minute

// maxExamples and maxFailures bound what is kept of what went wrong.
const (
	maxExamples = 8
	maxFailures = 32
)

// NewTally returns an empty tally.
func NewTally() Tally {
	return Tally{Failures: map[string]uint64{}, latency: hdrhistogram.New(1, maxLatency.Microseconds(), 3)}
}

// Quantile returns the latency that a share of the requests, such as 0.99, kept below.
func (t *Tally) Quantile(share float64) time.Duration {
	return time.Duration(t.latency.ValueAtQuantile(100*share)) * time.Microsecond
}

// WritesTo returns the writes that went to some partitions.
func (t *Tally) WritesTo(partition func(int) bool) (sum uint64) {
	for p, n := range t.Writes {
		if partition(p) {
			sum += n
		}
	}
	return sum
}

// Trouble says in words what failed or was wrong, empty for nothing.
func (t *Tally) Trouble() string {
	if t.Failed == 0 && t.Wrong == 0 {
		return ""
	}
	lines := []string{fmt.Sprintf("%d requests failed, %d replies were wrong", t.Failed, t.Wrong)}
	for _, text := range slices.Sorted(maps.Keys(t.Failures)) {
		lines = append(lines, fmt.Sprintf("%d x %s", t.Failures[text], text))
	}
	return strings.Join(append(lines, t.Examples...), "\n")
}

// add merges what another client counted in the same time.
func (t *Tally) add(o *Tally) {
	t.Requests += o.Requests
	t.Failed += o.Failed
	t.Wrong += o.Wrong
	for p, n := range o.Writes {
		t.Writes[p] += n
	}
	for text, n := range o.Failures {
		t.Failures[text] += n
	}
	for _, e := range o.Examples {
		t.example(e)
	}
	t.Longest, t.Gap = longer(t.Longest, o.Longest), longer(t.Gap, o.Gap)
	t.latency.Merge(o.latency)
}

func longer(a, b Moment) Moment {
	if b.Took > a.Took {
		return b
	}
	return a
}

func (t *Tally) example(text string) {
	if len(t.Examples) < maxExamples {
		t.Examples = append(t.Examples, text)
	}
}

func (t *Tally) failed(err error) {
	t.Failed++
	text := err.Error()
	if _, known := t.Failures[text]; !known && len(t.Failures) >= maxFailures {
		text = "(others)"
	}
	t.Failures[text]++
}

// took counts how long a request took. The only error of the histogram is a
// value out of range, which the bound excludes.
func (t *Tally) took(d time.Duration) {
	_ = t.latency.RecordValue(min(d, maxLatency).Microseconds())
}
