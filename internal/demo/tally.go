package demo

import (
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Phase is what is done to the nodes while requests come.
type Phase uint8

// The phases.
const (
	Calm   Phase = iota // nothing, or what concerns clients alone
	Hung                // the database does not answer
	Moving              // partitions move
	Dead                // a node was killed, and its partitions have no server or a new one
	numPhases
)

// Part is what came of the requests of one phase.
type Part struct {
	Requests uint64
	Unloaded uint64 // answered with an error since the database did not answer
	Failed   uint64 // answered with another error, or cut off
	Longest  time.Duration
	Last     time.Time // of the failed ones; zero: none
	Why      string    // the last one failed
}

// add adds what another has counted.
func (p *Part) add(o Part) {
	p.Requests += o.Requests
	p.Unloaded += o.Unloaded
	p.Failed += o.Failed
	p.Longest = max(p.Longest, o.Longest)
	if o.Last.After(p.Last) {
		p.Last, p.Why = o.Last, o.Why
	}
}

// Tally is what clients counted in some time. Not safe for concurrent use.
type Tally struct {
	Requests uint64 // answered, errors included
	Absent   uint64 // answered: there is no such key
	Errors   uint64 // answered with an error, or cut off
	LastErr  string
	// Latency is from the sending of a request to its answer, in nanoseconds.
	Latency *hdrhistogram.Histogram
	// Reads and Writes are the requests by phase.
	Reads, Writes [numPhases]Part
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
	for p := range numPhases {
		t.Reads[p].add(o.Reads[p])
		t.Writes[p].add(o.Writes[p])
	}
}

// Of returns reads and writes of a phase together.
func (t *Tally) Of(p Phase) Part {
	sum := t.Reads[p]
	sum.add(t.Writes[p])
	return sum
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

// Counter counts the requests of all clients. Safe for concurrent use.
type Counter struct {
	mu    sync.Mutex // guards what follows
	phase Phase
	fresh *Tally // since the last Take
	step  Part   // since the last Enter
}

// NewCounter returns a counter in the phase Calm.
func NewCounter() *Counter { return &Counter{fresh: NewTally()} }

// Enter begins a phase. A request belongs to the one that it ends in.
func (c *Counter) Enter(p Phase) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase, c.step = p, Part{}
}

// Step returns what was counted since the phase began.
func (c *Counter) Step() Part {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.step
}

// Take returns what was counted since it was called last.
func (c *Counter) Take() *Tally {
	fresh := NewTally()
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.fresh
	c.fresh = fresh
	return taken
}

// count takes a request that was sent at begin; failure is empty for none.
func (c *Counter) count(write bool, begin time.Time, absent bool, failure string) {
	now := time.Now()
	one := Part{Requests: 1, Longest: now.Sub(begin)}
	switch {
	case strings.HasPrefix(failure, ofDatabase):
		one.Unloaded = 1
	case failure != "":
		one.Failed, one.Last, one.Why = 1, now, failure
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.fresh
	t.Requests++
	t.record(one.Longest)
	switch {
	case failure != "":
		t.Errors++
		t.LastErr = failure
	case absent:
		t.Absent++
	}
	parts := &t.Reads
	if write {
		parts = &t.Writes
	}
	parts[c.phase].add(one)
	c.step.add(one)
}

// ofDatabase is how an error begins that a node passes on.
const ofDatabase = "ERR source of namespace "

// outcome is what a reply or an error of the connection is counted as: empty for
// an answer.
func outcome(r Reply, err error) string {
	if err != nil {
		return "connection: " + err.Error()
	}
	return r.Err
}
