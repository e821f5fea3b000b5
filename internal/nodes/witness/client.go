package witness

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/hashing"
)

// client owns keys and has one batch under way.
type client struct {
	c       *Config
	caller  Caller
	entries []*entry
	random  *rand.Rand
	batch   []Request
	last    time.Time // of the last reply without an error

	mu    sync.Mutex
	tally Tally // GUARDED_BY(mu)
}

// writeAll writes every key once.
func (cl *client) writeAll() {
	for rest := cl.entries; len(rest) > 0; {
		n := min(verifyBatch, len(rest))
		cl.batch = cl.batch[:0]
		for _, e := range rest[:n] {
			cl.batch = append(cl.batch, e.ask(e.write(), cl.c.Bytes))
		}
		cl.call()
		rest = rest[n:]
	}
}

// write returns the request that writes the entry.
func (e *entry) write() kind {
	if e.counter {
		return incr
	}
	return set
}

// run sends batches until stop is closed. Clients begin at different times, so
// that they do not all send at once.
func (cl *client) run(stop <-chan struct{}, place int) {
	every := time.Duration(0)
	if cl.c.Rate > 0 {
		every = time.Duration(float64(time.Second) * float64(cl.c.Clients*cl.c.Batch) / cl.c.Rate)
	}
	due := time.Now().Add(every * time.Duration(place) / time.Duration(cl.c.Clients))
	cl.last = due
	for cl.wait(stop, due) {
		cl.fill()
		cl.call()
		due = due.Add(every)
		if late := time.Now().Add(-time.Second); due.Before(late) {
			due = late
		}
	}
}

// wait returns at a time, or false when stop is closed.
func (cl *client) wait(stop <-chan struct{}, until time.Time) bool {
	select {
	case <-stop:
		return false
	default:
	}
	d := time.Until(until)
	if d <= 0 {
		return true
	}
	select {
	case <-stop:
		return false
	case <-time.After(d):
		return true
	}
}

// fill makes the next batch.
func (cl *client) fill() {
	cl.batch = cl.batch[:0]
	for range cl.c.Batch {
		e := cl.entries[cl.random.IntN(len(cl.entries))]
		k := e.write()
		if cl.random.IntN(10) < cl.c.Reads {
			k = get
		}
		cl.batch = append(cl.batch, e.ask(k, cl.c.Bytes))
	}
}

// call sends the batch and judges its replies.
func (cl *client) call() {
	begin := time.Now()
	var longest, gap Moment
	where := cl.caller.Call(cl.batch, func(i int, text string, err error) {
		now := time.Now()
		longest = longer(longest, Moment{now.Sub(begin), now, cl.batch[i].at.key})
		if err == nil {
			if !cl.last.IsZero() {
				gap = longer(gap, Moment{now.Sub(cl.last), now, cl.batch[i].at.key})
			}
			cl.last = now
		}
		cl.judge(&cl.batch[i], now.Sub(begin), text, err)
	})
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.tally.Longest = longer(cl.tally.Longest, longest.at(where))
	cl.tally.Gap = longer(cl.tally.Gap, gap.at(where))
}

// at tells where something took long.
func (m Moment) at(where string) Moment {
	if m.What != "" {
		m.What = fmt.Sprintf("%s (partition %d) through %s", m.What, hashing.PartitionOf([]byte(m.What)), where)
	}
	return m
}

// judge counts the reply to a request.
func (cl *client) judge(r *Request, took time.Duration, text string, err error) {
	wrong := r.answered(text, err)
	cl.mu.Lock()
	defer cl.mu.Unlock()
	t := &cl.tally
	t.Requests++
	t.took(took)
	if r.kind != get {
		t.Writes[hashing.PartitionOf([]byte(r.at.key))]++
	}
	if err != nil {
		t.failed(err)
	}
	if wrong != nil {
		t.Wrong++
		t.example(wrong.Error())
	}
}

// cut returns the tally and begins a new one.
func (cl *client) cut() Tally {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	t := cl.tally
	cl.tally = NewTally()
	return t
}
