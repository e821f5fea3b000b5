package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// LoadConfig describes a [Load]. All fields are required.
type LoadConfig struct {
	Addr       string
	Clients    int
	Rate       float64 // requests per second of all clients together
	Popularity *Popularity
	Codes      []rune  // what there is; Popularity is of these
	Absent     float64 // share of the requests that ask for what does not exist
	// Drift is how many of the most popular things per second are replaced by
	// those behind them.
	Drift float64
}

// Load is an audience: clients that ask for characters at a steady rate, each
// when it has its last answer. One that had to wait does not make up for it: on
// a machine that is too slow for the rate, the rate falls. Its methods are safe
// for concurrent use.
type Load struct {
	c       LoadConfig
	stop    context.CancelFunc
	running sync.WaitGroup

	mu struct {
		sync.Mutex
		tally *Tally
	}
}

// StartLoad connects the clients and lets them ask. Stop it.
func StartLoad(ctx context.Context, c LoadConfig) (*Load, error) {
	l := &Load{c: c}
	l.mu.tally = NewTally()
	ctx, l.stop = context.WithCancel(ctx)
	var clients []*Client
	for range c.Clients {
		client, err := Dial(ctx, c.Addr, 4096)
		if err != nil {
			l.stop()
			for _, c := range clients {
				c.Close()
			}
			return nil, err
		}
		clients = append(clients, client)
	}
	for i, client := range clients {
		l.running.Go(func() { l.ask(ctx, client, uint64(i)) })
	}
	l.running.Go(func() { l.drift(ctx) })
	return l, nil
}

// Stop ends the load and waits for its clients. Calling it again does nothing.
func (l *Load) Stop() {
	l.stop()
	l.running.Wait()
}

// Take returns what was counted since it was called last.
func (l *Load) Take() *Tally {
	fresh := NewTally()
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.mu.tally
	l.mu.tally = fresh
	return taken
}

// drift changes the favourites, ten times a second.
func (l *Load) drift(ctx context.Context) {
	const perSecond = 10
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	owed := 0.0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			owed += l.c.Drift / perSecond
			l.c.Popularity.Drift(int(owed))
			owed -= float64(int(owed))
		}
	}
}

// redialAfter is how long a client waits when its connection broke.
const redialAfter = 200 * time.Millisecond

// ask is one client: a request every gap, one after the other.
func (l *Load) ask(ctx context.Context, client *Client, seed uint64) {
	defer func() { client.Close() }()
	rnd := rand.New(rand.NewPCG(seed, 0x6c6172646572))
	choose := l.chooser(rnd)
	gap := time.Duration(float64(l.c.Clients) / l.c.Rate * float64(time.Second))
	due := time.Now().Add(time.Duration(rnd.Float64() * float64(gap)))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if wait := time.Until(due); wait > 0 && !sleep(ctx, timer, wait) || ctx.Err() != nil {
			return
		}
		key, start := choose(), time.Now()
		reply, err := client.Get(key)
		l.count(reply, err, time.Since(start))
		if due = due.Add(gap); due.Before(start) {
			due = start
		}
		if err != nil {
			client.Close()
			for {
				if !sleep(ctx, timer, redialAfter) {
					return
				}
				if next, err := Dial(ctx, l.c.Addr, 4096); err == nil {
					client, due = next, time.Now()
					break
				}
			}
		}
	}
}

// sleep reports whether the time passed before ctx ended.
func sleep(ctx context.Context, timer *time.Timer, d time.Duration) bool {
	timer.Reset(d)
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// unassigned begins a range of some thousand code points that have no character.
const unassigned, unassignedCount = rune(0xE1000), 4096

// chooser returns what picks the keys of one client.
func (l *Load) chooser(rnd *rand.Rand) func() string {
	ranks := l.c.Popularity.Zipf(rnd)
	absent := rand.NewZipf(rnd, 1.1, 1, unassignedCount-1)
	return func() string {
		if rnd.Float64() < l.c.Absent {
			return "char:" + Code(unassigned+rune(absent.Uint64()))
		}
		return "char:" + Code(l.c.Codes[l.c.Popularity.At(ranks.Uint64())])
	}
}

func (l *Load) count(r Reply, err error, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.mu.tally
	t.Requests++
	t.record(took)
	switch {
	case err != nil:
		t.Errors++
		t.LastErr = fmt.Sprintf("connection: %v", err)
	case r.Err != "":
		t.Errors++
		t.LastErr = r.Err
	case r.Absent:
		t.Absent++
	}
}
