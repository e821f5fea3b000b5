package loadgen

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Histograms resolve 64 ns and three digits, up to ten minutes.
const (
	histogramUnit   = 100
	histogramMax    = int64(10 * time.Minute)
	histogramDigits = 3
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(histogramUnit, histogramMax, histogramDigits)
}

// tally is what one worker has counted in a phase. Not safe for concurrent use.
type tally struct {
	ops      []op
	latency  []*hdrhistogram.Histogram // per op; of replies, errors included, and of what never got one
	requests uint64                    // answered
	failed   uint64                    // answered with an error
	hits     uint64
	misses   uint64
	bytesIn  uint64
	bytesOut uint64
	unsent   uint64 // open loop: intended, but not sent before the end
	lost     uint64 // sent, but never answered
	dropped  uint64 // connections that broke
	last     int64  // when the last reply came, by the run's clock
	errors   map[string]uint64

	// Replies of the same command, start and arrival are recorded together.
	runOp            uint16
	runStart, runEnd int64
	runLength        int64
}

func newTally(ops []op) *tally {
	t := &tally{ops: ops, errors: make(map[string]uint64)}
	for range ops {
		t.latency = append(t.latency, newHistogram())
	}
	return t
}

// reply counts an answer that arrived at now. Call flush after the last.
func (t *tally) reply(p pending, now int64, r *reply) {
	t.requests++
	if r.errText != nil {
		t.failed++
		t.fault(r.errText)
	} else if t.ops[p.op].reads {
		t.misses += uint64(r.nulls)
		t.hits += uint64(r.values - r.nulls)
	}
	if t.runLength > 0 && t.runOp == p.op && t.runStart == p.start && t.runEnd == now {
		t.runLength++
		return
	}
	t.flush()
	t.runOp, t.runStart, t.runEnd, t.runLength = p.op, p.start, now, 1
}

func (t *tally) flush() {
	if t.runLength > 0 {
		t.record(t.runOp, t.runEnd-t.runStart, t.runLength)
		t.last = t.runEnd
		t.runLength = 0
	}
}

// record adds n latencies of ns nanoseconds.
func (t *tally) record(op uint16, ns, n int64) {
	// The only error is a value beyond the range, which the clamp excludes.
	_ = t.latency[op].RecordValues(min(max(ns, 0), histogramMax), n)
}

// maxErrorTexts bounds the number of distinct error texts that are kept apart,
// since some carry the key or the slot.
const maxErrorTexts = 64

// otherErrors is where errors are counted when there are too many texts.
const otherErrors = "(other errors)"

func (t *tally) fault(text []byte) {
	if _, ok := t.errors[string(text)]; !ok && len(t.errors) >= maxErrorTexts {
		t.errors[otherErrors]++
		return
	}
	t.errors[string(text)]++
}

// merge adds what another worker counted.
func (t *tally) merge(from *tally) {
	for i, h := range from.latency {
		t.latency[i].Merge(h)
	}
	t.requests += from.requests
	t.failed += from.failed
	t.hits += from.hits
	t.misses += from.misses
	t.bytesIn += from.bytesIn
	t.bytesOut += from.bytesOut
	t.unsent += from.unsent
	t.lost += from.lost
	t.dropped += from.dropped
	t.last = max(t.last, from.last)
	for text, n := range from.errors {
		t.errors[text] += n
	}
}
