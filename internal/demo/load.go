package demo

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// LoadConfig describes a [Load]. All fields are required.
type LoadConfig struct {
	Doors      *Doors
	Counter    *Counter
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
}

// StartLoad connects the clients and lets them ask. Stop it.
func StartLoad(ctx context.Context, c LoadConfig) (*Load, error) {
	l := &Load{c: c}
	ctx, l.stop = context.WithCancel(ctx)
	var clients []*caller
	for i := range c.Clients {
		client := c.Doors.enter(i)
		clients = append(clients, client)
		if err := client.ready(ctx); err != nil {
			l.stop()
			for _, c := range clients {
				c.leave()
			}
			return nil, err
		}
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
func (l *Load) ask(ctx context.Context, client *caller, seed uint64) {
	defer client.leave()
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
		if client.ready(ctx) != nil {
			client.flee()
			due = time.Now().Add(redialAfter)
			continue
		}
		start := time.Now()
		reply, err := client.client.Get(choose())
		if err != nil && ctx.Err() != nil {
			return // the end has cut it off
		}
		l.c.Counter.count(false, start, reply.Absent, outcome(reply, err))
		if due = due.Add(gap); due.Before(start) {
			due = start
		}
		if err != nil {
			client.flee()
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
