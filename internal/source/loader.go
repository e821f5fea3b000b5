package source

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Fill takes the outcome of a flight. It runs exactly once per flight, on the
// flight's goroutine, before any waiter is released, so that what a waiter
// has seen is already stored. err is as [Loader.Load] returns it. It must not
// load the same key.
type Fill func(v Value, err error)

// Claim is asked when a flight is about to begin, after it is certain that no
// other is under way: needed false says that the value is there by now, and
// that no flight is needed. Otherwise fill, which may be nil, takes the outcome.
// It runs under the loader's lock and must not call the loader.
type Claim func() (fill Fill, needed bool)

// Loader loads the missed keys of one namespace. It is safe for concurrent use.
//
// The order of a load, which tests replay:
//
//  1. the caller registers a flight for its key, or joins the registered one
//  2. the flight passes the gate and asks the source
//  3. the flight runs the leader's Fill
//  4. the flight is unregistered: later callers begin a new one
//  5. the waiters are released
//
// A write that arrives between 1 and 4 makes what the flight will bring old.
// The caller of [Loader.Forget] ends its registration, so that nobody who comes
// after the write joins it; that its Fill stores nothing is the matter of the
// cache's fill token.
type Loader struct {
	pattern *Pattern
	lookup  Lookup
	gate    *Gate
	count   loaderCounters
	// loadTimeNanos is a moving average. Concurrent updates may lose one
	// another; an estimate bears that.
	loadTimeNanos atomic.Int64
	// running counts flights that have begun and not ended, so that Forget
	// need not lock when there is none.
	running atomic.Int64
	ended   sync.WaitGroup

	mu struct {
		sync.Mutex
		closed bool
		// byKey has the flights that callers may join.
		// Invariant: byKey is a subset of all.
		byKey map[string]*flight
		all   map[*flight]struct{}
	}
}

// flight is one load of one key. value and err are written before done is
// closed and only read after.
type flight struct {
	params Params
	fill   Fill
	cancel context.CancelCauseFunc
	done   chan struct{}
	value  Value
	err    error
}

// NewLoader returns the loader of a namespace whose keys have the pattern and
// are answered by lookup behind gate. Close it before the lookup's source.
func NewLoader(pattern *Pattern, lookup Lookup, gate *Gate) *Loader {
	if pattern == nil || lookup == nil || gate == nil {
		panic("source: NewLoader needs a pattern, a lookup and a gate")
	}
	l := &Loader{pattern: pattern, lookup: lookup, gate: gate}
	l.mu.byKey = make(map[string]*flight)
	l.mu.all = make(map[*flight]struct{})
	return l
}

// Load fetches the value of key, together with all others that ask for it now:
// one flight, whose fill is what the claim of the caller who began it returned. It blocks until
// the flight ends or ctx is done; a caller that leaves does not end the flight.
//
// The error is ErrNotFound, ErrNoMatch (fill is not run), the cause of ctx, or
// one that [FaultOf] classifies. The flight waits for a slot and for the source,
// each at most the source's time-out. key is copied; claim may be nil. When the
// claim says that no flight is needed, value and error are zero.
func (l *Loader) Load(ctx context.Context, key []byte, claim Claim) (Value, error) {
	f, err := l.join(ctx, key, claim)
	if err != nil || f == nil {
		return Value{}, err
	}
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		l.count.abandoned.Add(1)
		return Value{}, context.Cause(ctx)
	}
}

// Always returns the claim of a caller that wants the value in any case.
func Always(fill Fill) Claim { return func() (Fill, bool) { return fill, true } }

// ask returns what a claim says; a nil claim always wants the value.
func (c Claim) ask() (fill Fill, needed bool) {
	if c == nil {
		return nil, true
	}
	return c()
}

// join returns the flight of key, beginning it when there is none; nil when
// none is needed.
func (l *Loader) join(ctx context.Context, key []byte, claim Claim) (*flight, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed {
		return nil, l.closed()
	}
	if f := l.mu.byKey[string(key)]; f != nil {
		l.count.collapsed.Add(1)
		return f, nil
	}
	params, ok := l.pattern.Params(key)
	if !ok {
		l.count.noMatch.Add(1)
		return nil, ErrNoMatch
	}
	fill, needed := claim.ask()
	if !needed {
		return nil, nil
	}
	f, flightCtx := l.beginLocked(ctx, params, fill)
	l.ended.Go(func() {
		ticket, err := l.gate.enter(flightCtx)
		l.fly(flightCtx, f, ticket, err)
	})
	return f, nil
}

// RefreshResult says what became of a refresh.
type RefreshResult uint8

const (
	// RefreshStarted: the key is being loaded now.
	RefreshStarted RefreshResult = iota
	// RefreshJoined: it was being loaded already; this fill is not run.
	RefreshJoined
	// RefreshSkipped: no slot is free, the breaker is open, the key does not
	// match or the loader is closed; fill is not run.
	RefreshSkipped
)

// Refresh begins to load a key whose entry is still served. It never blocks:
// hits must not wait for the source, and misses have the first right to slots.
// ctx gives its values only.
func (l *Loader) Refresh(ctx context.Context, key []byte, claim Claim) RefreshResult {
	if l.inFlight(key) {
		l.count.refreshesJoined.Add(1)
		return RefreshJoined
	}
	params, ok := l.pattern.Params(key)
	if !ok {
		l.count.noMatch.Add(1)
		return RefreshSkipped
	}
	// The slot comes first: a miss that joins this flight must not be turned
	// away because a refresh does not wait for slots.
	ticket, err := l.gate.tryEnter()
	if err != nil {
		l.count.refreshesSkipped.Add(1)
		return RefreshSkipped
	}
	result := l.refresh(ctx, params, claim, ticket)
	if result != RefreshStarted {
		l.gate.leave(ticket)
	}
	return result
}

func (l *Loader) inFlight(key []byte) bool {
	if l.running.Load() == 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.byKey[string(key)] != nil
}

// refresh begins a flight that has its ticket, unless one was begun since.
func (l *Loader) refresh(ctx context.Context, params Params, claim Claim, ticket Ticket) RefreshResult {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.mu.closed:
		return RefreshSkipped
	case l.mu.byKey[params.key] != nil:
		l.count.refreshesJoined.Add(1)
		return RefreshJoined
	}
	fill, needed := claim.ask()
	if !needed {
		return RefreshSkipped
	}
	l.count.refreshes.Add(1)
	f, flightCtx := l.beginLocked(ctx, params, fill)
	l.ended.Go(func() { l.fly(flightCtx, f, ticket, nil) })
	return RefreshStarted
}

// beginLocked registers a flight. Its context has the values of the leader's
// but not its end: others may join.
//
// REQUIRES: l.mu held; no flight registered for the key; not closed.
func (l *Loader) beginLocked(ctx context.Context, params Params, fill Fill) (*flight, context.Context) {
	flightCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	f := &flight{params: params, fill: fill, cancel: cancel, done: make(chan struct{})}
	l.mu.byKey[params.key] = f
	l.mu.all[f] = struct{}{}
	l.running.Add(1)
	l.count.loads.Add(1)
	return f, flightCtx
}

// fly runs a flight from the gate to the release of its waiters. entered is the
// gate's answer; with nil the ticket is valid.
func (l *Loader) fly(ctx context.Context, f *flight, ticket Ticket, entered error) {
	defer f.cancel(nil)
	f.err = entered
	if entered == nil {
		begin := time.Now()
		f.value, f.err = l.gate.run(ctx, ticket, l.lookup, f.params)
		l.measure(time.Since(begin))
	}
	l.countOutcome(f.err)
	if f.fill != nil {
		f.fill(f.value, f.err)
	}
	l.end(f)
	close(f.done)
}

func (l *Loader) countOutcome(err error) {
	switch {
	case err == nil:
	case isAnswer(err):
		l.count.notFound.Add(1)
	default:
		l.count.errors[FaultOf(err)].Add(1)
	}
}

// measure takes one load's duration into histogram and moving average.
func (l *Loader) measure(d time.Duration) {
	l.count.latency.observe(d)
	old := l.loadTimeNanos.Load()
	if old == 0 {
		l.loadTimeNanos.Store(max(int64(d), 1))
		return
	}
	const weight = 8 // one load moves the average by an eighth of its distance
	l.loadTimeNanos.Store(max(old+(int64(d)-old)/weight, 1))
}

// end unregisters a flight.
func (l *Loader) end(f *flight) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.byKey[f.params.key] == f {
		delete(l.mu.byKey, f.params.key)
	}
	delete(l.mu.all, f)
	l.running.Add(-1)
}

// Forget makes the next Load of key begin a new flight even if one is running.
// Call it after key was written, deleted or invalidated, before that is
// acknowledged. Those who joined before are still answered. It costs one
// atomic read while nothing is in flight.
func (l *Loader) Forget(key []byte) {
	if l.running.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.mu.byKey, string(key))
}

// ForgetAll is [Loader.Forget] for every key.
func (l *Loader) ForgetAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.mu.byKey)
}

// LoadTime returns a moving average of what the source takes for a load, zero
// before the first.
func (l *Loader) LoadTime() time.Duration { return time.Duration(l.loadTimeNanos.Load()) }

// Pattern returns the form of the keys that the loader takes.
func (l *Loader) Pattern() *Pattern { return l.pattern }

// Close cuts off the running flights, whose callers get [ErrClosed], and returns
// after the last one has ended. Calling it again waits too. It must not be
// called from a Fill.
func (l *Loader) Close() {
	l.mu.Lock()
	l.mu.closed = true
	for f := range l.mu.all {
		f.cancel(l.closed())
	}
	l.mu.Unlock()
	l.ended.Wait()
}

func (l *Loader) closed() error {
	return &Error{Fault: FaultClosed, Source: l.gate.name, Problem: "not asked: shutting down"}
}

// Stats returns the counters at this moment. Numbers of running loads may be
// one apart from each other.
func (l *Loader) Stats() LoaderStats {
	c := &l.count
	s := LoaderStats{
		Loads:            c.loads.Load(),
		Collapsed:        c.collapsed.Load(),
		NotFound:         c.notFound.Load(),
		NoMatch:          c.noMatch.Load(),
		Abandoned:        c.abandoned.Load(),
		Refreshes:        c.refreshes.Load(),
		RefreshesJoined:  c.refreshesJoined.Load(),
		RefreshesSkipped: c.refreshesSkipped.Load(),
		InFlight:         int(l.running.Load()),
		LoadTime:         l.LoadTime(),
		Latency:          c.latency.snapshot(),
	}
	for f := range c.errors {
		s.Errors[f] = c.errors[f].Load()
	}
	return s
}
