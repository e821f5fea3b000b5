package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"time"
)

// Run connects, preloads, warms up and measures as c says, and returns what was
// measured. It blocks until the load has ended and its connections are closed.
//
// When ctx ends, the phase under way ends early, its requests in flight are
// still awaited, and what was measured so far is returned as
// [Result.Interrupted] without an error. When the server stops answering or
// every connection breaks, the result so far is returned together with an error.
func Run(ctx context.Context, c Config) (*Result, error) {
	r, err := newRunner(ctx, &c)
	if err != nil {
		return nil, err
	}
	defer r.close()
	result := &Result{Config: summarize(&c), Started: time.Now()}
	if c.Preload {
		part, err := r.preload(ctx)
		result.Preload = part
		if err != nil || ctx.Err() != nil {
			result.Interrupted = err == nil
			return result, err
		}
	}
	if c.Warmup > 0 {
		if _, err := r.phase(ctx, r.plan(PhaseWarmup, c.Warmup, 0)); err != nil {
			return result, fmt.Errorf("warm-up: %w", err)
		}
	}
	measured, err := r.phase(ctx, r.plan(PhaseMeasure, c.Duration, c.Requests))
	result.Interrupted = ctx.Err() != nil
	result.fill(measured)
	return result, err
}

// Preload writes every key of the key space once, pipelined, and does nothing
// else of what c says. It blocks like [Run].
func Preload(ctx context.Context, c Config) (*Part, error) {
	if c.Duration == 0 && c.Requests == 0 {
		c.Requests = c.Keys
	}
	r, err := newRunner(ctx, &c)
	if err != nil {
		return nil, err
	}
	defer r.close()
	return r.preload(ctx)
}

// runner holds the connections of a run, from phase to phase.
type runner struct {
	c        *Config
	ops      []op // of the mix
	block    []byte
	clock    clock
	workers  []*worker
	blocking bool
}

func newRunner(ctx context.Context, c *Config) (*runner, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	ops, err := compileOps(c)
	if err != nil {
		return nil, err
	}
	r := &runner{c: c, ops: ops, clock: newClock(), blocking: c.Blocking || !hasEpoll}
	r.block = newBlock(c.Seed, c.Values.Max())
	count := min(c.Threads, c.Connections)
	if r.blocking {
		count = c.Connections
	}
	for range count {
		r.workers = append(r.workers, &worker{})
	}
	for i := range c.Connections {
		conn, err := dial(ctx, c)
		if err != nil {
			r.close()
			return nil, err
		}
		w := r.workers[i%count]
		w.sessions = append(w.sessions, newSession(conn, c.Protocol, max(c.Pipeline, preloadPipeline)))
	}
	if r.blocking {
		return r, nil
	}
	for _, w := range r.workers {
		if w.poll, err = newPoller(w.sessions); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

// close closes all connections.
func (r *runner) close() {
	for _, w := range r.workers {
		if w.poll != nil {
			w.poll.close()
		}
		for _, s := range w.sessions {
			if s.conn != nil {
				_ = s.conn.Close() // the run is over, nothing was buffered
			}
		}
	}
}

// preloadPipeline is the pipeline depth of a preload with small values.
const preloadPipeline = 64

// preload writes every key once.
func (r *runner) preload(ctx context.Context) (*Part, error) {
	sequential := *r.c
	sequential.Distribution = Sequential
	set := setOp(r.c)
	set.weight = 1
	ph := r.plan(PhasePreload, 0, r.c.Keys)
	ph.rate = 0
	ph.pipeline = preloadPipeline
	if r.c.Values.Max() > bigValue {
		ph.pipeline = 1
	}
	tallies, err := r.run(ctx, ph, &sequential, []op{set})
	part := tallies.part()
	if err == nil && part.Failed > 0 {
		err = fmt.Errorf("%d of %d writes refused: %s", part.Failed, part.Requests, part.commonError())
	}
	if err != nil {
		return part, fmt.Errorf("preload: %w", err)
	}
	return part, nil
}

// plan describes a phase; zero is no limit.
func (r *runner) plan(name Phase, d time.Duration, requests uint64) *phase {
	if requests == 0 {
		requests = math.MaxUint64
	}
	return &phase{
		name: name, clock: r.clock, budget: requests,
		deadline: unlimited(int64(d)), rate: r.c.Rate, arrivals: r.c.Arrivals,
		pipeline: r.c.Pipeline, timeout: int64(r.c.Timeout),
	}
}

func (r *runner) phase(ctx context.Context, ph *phase) (*measurement, error) {
	return r.run(ctx, ph, r.c, r.ops)
}

// run lets all workers do ph, and merges what they counted.
func (r *runner) run(ctx context.Context, ph *phase, c *Config, ops []op) (*measurement, error) {
	stop := context.AfterFunc(ctx, func() { ph.stop.Store(true) })
	defer stop()
	for i, w := range r.workers {
		w.gen = newGenerator(c, ops, r.block, i, len(r.workers))
		w.tally = newTally(ops)
	}
	cpu := processCPU()
	ph.begin = ph.clock.now()
	if ph.deadline != math.MaxInt64 {
		ph.deadline += ph.begin
	}
	for i, w := range r.workers {
		w.prepare(ph, i, len(r.workers))
	}
	drive := drivePolling
	if r.blocking {
		drive = driveBlocking
	}
	if !r.blocking {
		defer spareProcessors(len(r.workers))()
	}
	faults := make([]error, len(r.workers))
	var group sync.WaitGroup
	for i, w := range r.workers {
		group.Go(func() { faults[i] = drive(w, ph) })
	}
	finished := make(chan struct{})
	var reporter sync.WaitGroup
	if c.Progress != nil {
		reporter.Go(func() { r.report(ph, finished) })
	}
	group.Wait()
	close(finished)
	reporter.Wait()
	m := &measurement{tally: newTally(ops), cpu: processCPU() - cpu}
	for _, w := range r.workers {
		m.tally.merge(w.tally)
	}
	end := max(m.tally.last, ph.begin)
	if ph.rate > 0 && ph.deadline != math.MaxInt64 && !ph.stop.Load() {
		end = max(end, ph.deadline) // quiet at the end is part of an open loop
	}
	m.elapsed = time.Duration(end - ph.begin)
	return m, r.verdict(faults)
}

// spareProcessors makes sure that the workers, which keep theirs while they
// wait, leave processors to the rest of the program; the function returned
// takes that back.
func spareProcessors(workers int) (restore func()) {
	before := runtime.GOMAXPROCS(0)
	if before > workers+1 {
		return func() {}
	}
	runtime.GOMAXPROCS(workers + 2)
	return func() { runtime.GOMAXPROCS(before) }
}

// verdict decides whether the faults of workers are those of the run: losing
// some connections is counted, losing all of them, or the server, ends it.
func (r *runner) verdict(faults []error) error {
	lost := 0
	for _, err := range faults {
		switch {
		case err == nil:
		case errors.Is(err, errNoConnection):
			lost++
		default:
			return err
		}
	}
	if lost == len(r.workers) {
		return errNoConnection
	}
	return nil
}

// report calls the progress function until finished is closed, and once more.
func (r *runner) report(ph *phase, finished <-chan struct{}) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for final := false; !final; {
		select {
		case <-tick.C:
		case <-finished:
			final = true
		}
		p := Progress{Phase: ph.name, Elapsed: time.Duration(ph.clock.now() - ph.begin), Final: final}
		for _, w := range r.workers {
			p.Done += w.done.Load()
		}
		if ph.budget != math.MaxUint64 {
			p.Requests = ph.budget
		}
		if ph.deadline != math.MaxInt64 {
			p.Duration = time.Duration(ph.deadline - ph.begin)
		}
		r.c.Progress(p)
	}
}
