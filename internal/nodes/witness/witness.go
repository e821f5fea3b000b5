package witness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/hashing"
)

// Config describes the clients. All fields without a default are needed.
type Config struct {
	Prefix  string // of all keys; no other witness of the cluster may have it
	Clients int
	Keys    int // per client; every other one is a counter
	// Batch is how many requests a client sends at once, and then waits for.
	Batch int
	// Rate is the number of requests per second of all clients together. A client
	// that is late sends at once, but does not make up for more than a second.
	// Zero: as fast as they are answered.
	Rate float64
	// Reads of every ten requests are GETs, the others write.
	Reads int
	Bytes int // size of the values; those of counters are numbers
	// Within limits the keys to some partitions. Nil: all.
	Within func(partition int) bool
	// Caller makes what client i sends with.
	Caller func(i int) Caller
	Seed   uint64 // same seed, same requests
}

// Witness is clients at work. Its methods may be called by one goroutine.
type Witness struct {
	c       Config
	clients []*client
	stop    chan struct{}
	group   sync.WaitGroup
	since   time.Time
}

// Start makes the clients write every key once, and lets them work until Stop.
// The error is the first of what failed in the first writes; nothing works on then.
func Start(c Config) (*Witness, error) {
	if c.Clients < 1 || c.Keys < 1 || c.Batch < 1 || c.Caller == nil {
		return nil, errors.New("witness: Clients, Keys, Batch and Caller are needed")
	}
	w := &Witness{c: c, stop: make(chan struct{})}
	for i := range c.Clients {
		w.clients = append(w.clients, &client{
			c: &w.c, caller: c.Caller(i), entries: makeEntries(&c, i),
			random: rand.New(rand.NewPCG(c.Seed, uint64(i))), tally: NewTally(),
		})
	}
	for _, cl := range w.clients {
		w.group.Go(cl.writeAll)
	}
	w.group.Wait()
	if t := w.Cut(); t.Trouble() != "" {
		return nil, errors.Join(fmt.Errorf("first writes: %s", t.Trouble()), w.close())
	}
	for i, cl := range w.clients {
		w.group.Go(func() { cl.run(w.stop, i) })
	}
	return w, nil
}

// makeEntries makes the keys of a client.
func makeEntries(c *Config, client int) (list []*entry) {
	for n := 0; len(list) < c.Keys; n++ {
		key := fmt.Sprintf("%s:%d:%d", c.Prefix, client, n)
		if c.Within == nil || c.Within(hashing.PartitionOf([]byte(key))) {
			list = append(list, &entry{key: key, counter: len(list)%2 == 1})
		}
	}
	return list
}

// Cut returns what was counted since the last cut, or the start.
func (w *Witness) Cut() Tally {
	sum := NewTally()
	for _, cl := range w.clients {
		t := cl.cut()
		sum.add(&t)
	}
	now := time.Now()
	sum.Elapsed, w.since = now.Sub(w.since), now
	return sum
}

// Stop waits for the replies that are awaited, ends the clients and returns what
// was counted since the last cut. Only Verify may follow.
func (w *Witness) Stop() (Tally, error) {
	close(w.stop)
	w.group.Wait()
	return w.Cut(), w.close()
}

func (w *Witness) close() error {
	var errs []error
	for _, cl := range w.clients {
		errs = append(errs, cl.caller.Close())
	}
	return errors.Join(errs...)
}

// Keys returns how many keys there are.
func (w *Witness) Keys() int { return w.c.Clients * w.c.Keys }

// Verdict is the outcome of reading every key.
type Verdict struct {
	Checked int // keys that were read
	Lost    int // older than the last acknowledged write, or gone
	Wrong   int // newer than anything written, or something else
	Failed  int // keys that could not be read
	// Examples are the first of these, in words.
	Examples []string
}

// Right reports whether every key was read and holds what it must.
func (v *Verdict) Right() bool { return v.Lost == 0 && v.Wrong == 0 && v.Failed == 0 }

// verifyBatch is how many keys are read at once.
const verifyBatch = 64

// Verify reads every key through a caller and compares, one by one. It may be
// called once the witness has been stopped, and again.
func (w *Witness) Verify(through Caller) (v Verdict) {
	for _, cl := range w.clients {
		for rest := cl.entries; len(rest) > 0; {
			n := min(verifyBatch, len(rest))
			v.read(rest[:n], through)
			rest = rest[n:]
		}
	}
	return v
}

// read reads some keys.
func (v *Verdict) read(list []*entry, through Caller) {
	batch := make([]Request, len(list))
	for i, e := range list {
		batch[i] = e.ask(get, 0)
	}
	through.Call(batch, func(i int, text string, err error) {
		if err != nil {
			v.Failed++
			v.example(fmt.Errorf("%s cannot be read: %w", list[i].key, err))
			return
		}
		v.Checked++
		err = list[i].compare(text, list[i].high, "in the end")
		if err == nil {
			return
		}
		var c *Contradiction
		if errors.As(err, &c) && c.Found < c.Low {
			v.Lost++
		} else {
			v.Wrong++
		}
		v.example(err)
	})
}

func (v *Verdict) example(err error) {
	if len(v.Examples) < maxExamples {
		v.Examples = append(v.Examples, err.Error())
	}
}
