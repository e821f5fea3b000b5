package source

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Gate stands before one source and is shared by all namespaces that use it: it
// bounds how many loads run and wait, how long each may take, and stops asking a
// source that fails. It is safe for concurrent use and owns no goroutine.
type Gate struct {
	name    string
	timeout time.Duration
	queue   int64
	// slots has capacity for the loads that may run at once. When it is full,
	// at most queue loads wait for at most timeout; everything else fails.
	slots   chan struct{}
	waiting atomic.Int64
	random  func() float64

	mu struct {
		sync.Mutex
		breaker Breaker
	}

	rejected, refused, opened atomic.Uint64
}

// GateOption changes what a Gate takes from its surroundings.
type GateOption func(*Gate)

// WithRandom gives the breaker another source of numbers in [0, 1).
func WithRandom(random func() float64) GateOption { return func(g *Gate) { g.random = random } }

// NewGate returns the gate of the source called name. Defaults are filled in;
// the configuration must be valid.
func NewGate(name string, c Config, options ...GateOption) *Gate {
	c = c.WithDefaults()
	g := &Gate{
		name:    name,
		timeout: c.Timeout,
		queue:   int64(c.Queue),
		slots:   make(chan struct{}, c.Concurrency),
		random:  rand.Float64,
	}
	if !c.Breaker.Disabled {
		g.mu.breaker = NewBreaker(c.Breaker.Failures, c.Breaker.OpenFor)
	}
	for _, o := range options {
		o(g)
	}
	return g
}

// Name returns the source's name in the configuration.
func (g *Gate) Name() string { return g.name }

// enter takes a slot and the breaker's admission. It waits for a slot as long
// as the time-out and the queue allow. run must follow.
func (g *Gate) enter(ctx context.Context) (Ticket, error) {
	if !g.wouldAdmit() {
		return Ticket{}, g.refuse()
	}
	select {
	case g.slots <- struct{}{}:
	default:
		if err := g.wait(ctx); err != nil {
			return Ticket{}, err
		}
	}
	return g.admit()
}

// tryEnter is enter that never waits.
func (g *Gate) tryEnter() (Ticket, error) {
	if !g.wouldAdmit() {
		return Ticket{}, g.refuse()
	}
	select {
	case g.slots <- struct{}{}:
		return g.admit()
	default:
		return Ticket{}, g.busy("all %d slots are taken", cap(g.slots))
	}
}

// wait blocks until a slot is taken. When it fails, none is.
func (g *Gate) wait(ctx context.Context) error {
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > g.queue {
		return g.busy("all %d slots are taken and %d loads wait already", cap(g.slots), g.queue)
	}
	timer := time.NewTimer(g.timeout)
	defer timer.Stop()
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return g.busy("all %d slots stayed taken for %v", cap(g.slots), g.timeout)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g *Gate) busy(format string, args ...any) error {
	g.rejected.Add(1)
	return &Error{
		Fault: FaultBusy, Source: g.name, Problem: fmt.Sprintf(format, args...),
		Hint: "raise concurrency if the database can bear it, or make the query faster",
	}
}

func (g *Gate) wouldAdmit() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.breaker.WouldAdmit(time.Now())
}

// admit passes the breaker. It gives the slot back when the breaker is open.
func (g *Gate) admit() (Ticket, error) {
	g.mu.Lock()
	t, ok := g.mu.breaker.Admit(time.Now())
	g.mu.Unlock()
	if !ok {
		<-g.slots
		return Ticket{}, g.refuse()
	}
	return t, nil
}

func (g *Gate) refuse() error {
	g.refused.Add(1)
	return &Error{
		Fault: FaultBreakerOpen, Source: g.name,
		Problem: "not asked: it failed repeatedly and is given a rest",
		Hint:    "see the errors before this one; it is tried again by itself",
	}
}

// leave gives a ticket back that was not used.
func (g *Gate) leave(t Ticket) {
	g.report(t, OutcomeUnknown)
	<-g.slots
}

// run asks the source within the time-out and gives slot and ticket back.
func (g *Gate) run(ctx context.Context, t Ticket, lookup Lookup, p Params) (Value, error) {
	limited, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	v, err := g.load(limited, lookup, p)
	switch {
	case ctx.Err() != nil && err != nil:
		err = context.Cause(ctx) // the load was cut off, the source is not to blame
	case limited.Err() != nil && err != nil && FaultOf(err).trips():
		err = &Error{
			Fault: FaultTimeout, Source: g.name, Problem: fmt.Sprintf("no answer within %v", g.timeout), Err: err,
			Hint: "make the query faster (an index on its parameters?) or raise timeout",
		}
	}
	g.report(t, outcomeOf(ctx, err))
	<-g.slots
	return v, err
}

// load turns a driver's panic into an error: one row must not end the process.
func (g *Gate) load(ctx context.Context, lookup Lookup, p Params) (v Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = Value{}, &Error{
				Fault: FaultInternal, Source: g.name,
				Problem: "the driver panicked", Err: &PanicError{Value: r, Stack: debug.Stack()},
				Hint: "this is a defect; please report it with the stack in the log",
			}
		}
	}()
	return lookup.Load(ctx, p)
}

func outcomeOf(ctx context.Context, err error) Outcome {
	switch {
	case isAnswer(err):
		return OutcomeAnswered
	case ctx.Err() != nil:
		return OutcomeUnknown
	case FaultOf(err).trips():
		return OutcomeFailed
	}
	return OutcomeAnswered
}

func (g *Gate) report(t Ticket, o Outcome) {
	now, jitter := time.Now(), g.random()
	g.mu.Lock()
	opened := g.mu.breaker.Report(t, o, now, jitter)
	g.mu.Unlock()
	if opened {
		g.opened.Add(1)
	}
}

// Stats returns the gate's state and counters at this moment.
func (g *Gate) Stats() GateStats {
	g.mu.Lock()
	state := g.mu.breaker.State(time.Now())
	g.mu.Unlock()
	return GateStats{
		Breaker:  state,
		Opened:   g.opened.Load(),
		Refused:  g.refused.Load(),
		Rejected: g.rejected.Load(),
		Running:  len(g.slots),
		Waiting:  int(max(g.waiting.Load(), 0)),
		Slots:    cap(g.slots),
	}
}
