package demo

import (
	"context"
	"strconv"
	"sync"
	"time"
)

// Ledger writes counters and remembers what was acknowledged. Each key has one
// writer; every write asks for the value that it replaces, so that it shows
// whether the one before is still there. Its methods are safe for concurrent use.
type Ledger struct {
	doors   *Doors
	counter *Counter
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex // guards what follows
	result Result
}

// Result is what a [Ledger] has found.
type Result struct {
	Acknowledged uint64 // writes
	Lost         uint64 // of these, found to be gone
}

// since returns what was found after an earlier result.
func (r Result) since(o Result) Result {
	return Result{r.Acknowledged - o.Acknowledged, r.Lost - o.Lost}
}

// What the ledger does: each key is written once a second.
const (
	ledgerWriters = 4
	ledgerKeys    = 150 // of each writer
	ledgerEvery   = time.Second / ledgerKeys
)

// LedgerRate is how many writes per second a [Ledger] sends.
const LedgerRate = ledgerWriters * ledgerKeys

// StartLedger begins to write. Stop it.
func StartLedger(ctx context.Context, doors *Doors, counter *Counter) *Ledger {
	l := &Ledger{doors: doors, counter: counter}
	ctx, l.stop = context.WithCancel(ctx)
	for i := range ledgerWriters {
		caller := doors.enter(i)
		l.running.Go(func() { l.write(ctx, caller, i) })
	}
	return l
}

// Stop ends the writing and waits for the writers.
func (l *Ledger) Stop() {
	l.stop()
	l.running.Wait()
}

// Result returns what was found so far. What is lost is found when its key is
// written next, within a second.
func (l *Ledger) Result() Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.result
}

// page is what a writer knows of a key.
//
// Invariant: the key holds a value from acked to tried, 0 being none, unless
// something was lost.
type page struct{ acked, tried uint64 }

// write is one writer.
func (l *Ledger) write(ctx context.Context, caller *caller, number int) {
	defer caller.leave()
	pages := make([]page, ledgerKeys)
	timer := time.NewTimer(0)
	defer timer.Stop()
	due := time.Now()
	for i := 0; ; i = (i + 1) % ledgerKeys {
		if due = due.Add(ledgerEvery); time.Until(due) < -time.Second {
			due = time.Now()
		}
		if !sleep(ctx, timer, max(0, time.Until(due))) {
			return
		}
		if caller.ready(ctx) != nil {
			caller.flee()
			continue
		}
		l.turn(ctx, caller, &pages[i], "visits:"+strconv.Itoa(number)+":"+strconv.Itoa(i))
	}
}

// turn writes one key.
func (l *Ledger) turn(ctx context.Context, caller *caller, p *page, key string) {
	begin := time.Now()
	p.tried++
	reply, err := caller.client.Do("SET", key, strconv.FormatUint(p.tried, 10), "GET")
	if err != nil && ctx.Err() != nil {
		return // the end has cut it off
	}
	l.counter.count(true, begin, false, outcome(reply, err))
	if err != nil {
		caller.flee()
		return
	}
	if reply.Err != "" {
		return
	}
	found, _ := strconv.ParseUint(string(reply.Data), 10, 64) // nothing is 0
	l.mu.Lock()
	defer l.mu.Unlock()
	l.result.Acknowledged++
	if found < p.acked {
		l.result.Lost++
	}
	p.acked = p.tried
}
