package demo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// Stage is what a show is given. All fields but Fleet are required.
type Stage struct {
	Addr     string // of the node, or of the first
	Fleet    *Fleet // nil: there is one node
	Database Database
	Screen   *Screen
	Counts   func(ctx context.Context) Counts // of all nodes, safe for concurrent use
	MaxBytes uint64                           // limit of the memory of a node
	Codes    []rune
}

// Plan says what is shown.
type Plan struct {
	// Duration of the show. 0: with one node until the context ends, with several
	// once through the story.
	Duration time.Duration
	Rate     float64 // requests per second
	Clients  int
	Crowd    int // clients of the stampede
}

// The durations in which the events follow each other comfortably.
const (
	shortest      = 30 * time.Second // with one node
	shortestStory = 50 * time.Second // with several
)

// Pace returns how slowly the events follow each other, 1 being comfortable: a
// shorter show has all of them, faster. See [NewTimes].
func (p Plan) Pace() float64 { return p.pace(shortest) }

// StoryPace is Pace for several nodes.
func (p Plan) StoryPace() float64 { return p.pace(shortestStory) }

func (p Plan) pace(comfortable time.Duration) float64 {
	if p.Duration == 0 || p.Duration >= comfortable {
		return 1
	}
	return max(float64(p.Duration)/float64(comfortable), 0.05)
}

// Seconds at pace 1 after which the events of a round begin, and what the
// outage and the round last.
const (
	stampedeAt = 8.0
	outageAt   = 14.0
	outageFor  = 5.0
	shiftAt    = 25.0
	round      = 40.0
)

// show is a running demonstration.
type show struct {
	Stage
	plan    Plan
	doors   *Doors
	counter *Counter
	load    *Load
	ledger  *Ledger // with several nodes
	admin   *Client // of the events
	begin   time.Time
	start   Counts

	mu      sync.Mutex // guards what follows
	summary Summary
	moves   *Moves // shown; nil: none
}

// Run shows the plan on the stage until its end or that of ctx, which is no
// error, and returns what was shown; nil when nothing was.
func Run(ctx context.Context, stage Stage, plan Plan) (*Summary, error) {
	s := &show{Stage: stage, plan: plan, doors: NewDoors(stage.Addr), counter: NewCounter(), begin: time.Now()}
	if s.Fleet != nil {
		s.doors = NewDoors(s.Fleet.Addresses()...)
	}
	s.start = s.Counts(ctx)
	s.summary.Tally, s.summary.Nodes = NewTally(), 1
	if s.Fleet == nil && plan.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, plan.Duration)
		defer cancel()
	}
	var err error
	if s.admin, err = Dial(ctx, stage.Addr, 16<<10); err != nil {
		return nil, s.unlessOver(ctx, err)
	}
	defer s.admin.Close()
	s.load, err = StartLoad(ctx, LoadConfig{
		Doors: s.doors, Counter: s.counter, Clients: plan.Clients, Rate: plan.Rate, Codes: stage.Codes,
		Popularity: NewPopularity(len(stage.Codes), 1.15), Absent: 0.02, Drift: 4,
	})
	if err != nil {
		return nil, s.unlessOver(ctx, err)
	}
	if s.Fleet != nil {
		s.ledger = StartLedger(ctx, s.doors, s.counter)
		defer s.ledger.Stop()
	}
	err = s.play(ctx)
	s.load.Stop()
	s.Screen.EndLive()
	s.finish()
	return &s.summary, err
}

// play runs the events beside the live line, until they or ctx end.
func (s *show) play(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	play := s.events
	if s.Fleet != nil {
		play = s.story
	}
	var events sync.WaitGroup
	events.Go(func() {
		if err := play(ctx); ctx.Err() == nil {
			stop(err)
		}
	})
	s.watch(ctx)
	events.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// watch shows the live line.
func (s *show) watch(ctx context.Context) {
	full := false
	every := time.Second
	if s.Screen.IsTerminal() {
		every = 500 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	last, before := time.Now(), s.start.Total()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		counts := s.Counts(ctx)
		now, tally, reading := time.Now(), s.counter.Take(), counts.Total()
		s.mu.Lock()
		s.summary.Tally.Add(tally)
		moves := s.moves
		s.mu.Unlock()
		s.Screen.Live(Frame{
			Elapsed: now.Sub(s.begin), Span: now.Sub(last), Tally: tally, Moves: moves, Failed: s.counter.Step().Failed,
			Reading: reading.Since(before), Total: reading.Since(s.start.Total()),
		})
		last, before = now, reading
		if counts.Held.Evicted > 0 && !full {
			full = true
			s.Screen.Say("* memory is full: from here on what is worth least leaves when something comes")
		}
	}
}

// events runs the rounds.
func (s *show) events(ctx context.Context) error {
	pace := s.plan.Pace()
	at := func(second float64) time.Time {
		return s.begin.Add(time.Duration(second * pace * float64(time.Second)))
	}
	for n := 0; ; n++ {
		from := float64(n) * round
		for _, event := range []struct {
			at  float64
			run func(context.Context, int) error
		}{
			{stampedeAt, s.stampede},
			{outageAt, func(ctx context.Context, _ int) error {
				return s.outage(ctx, time.Duration(outageFor*pace*float64(time.Second)))
			}},
			{shiftAt, s.shift},
			{round, func(context.Context, int) error { return nil }},
		} {
			if !until(ctx, at(from+event.at)) {
				return nil
			}
			if err := event.run(ctx, n); err != nil {
				return err
			}
		}
	}
}

// until reports whether t came before the end of ctx.
func until(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

var scripts = []string{"Han", "Hangul", "Latin", "Greek", "Cyrillic", "Arabic", "Tangut", "Yi"}

// stampede lets a crowd miss one key at once.
func (s *show) stampede(ctx context.Context, n int) error {
	key := "script:" + scripts[n%len(scripts)]
	if _, err := s.admin.Do("DEL", key); err != nil {
		return err
	}
	addrs, where := []string{s.Addr}, ""
	if s.Fleet != nil {
		addrs = s.Fleet.Addresses()
		where = fmt.Sprintf(" on %d nodes", len(addrs))
	}
	s.Screen.Say("* stampede: %d clients%s ask at once for %s, not in memory", s.plan.Crowd, where, key)
	before := s.Counts(ctx).Namespaces["scripts"]
	crowd, err := Stampede(ctx, addrs, key, s.plan.Crowd)
	if err != nil {
		return err
	}
	after := s.Counts(ctx).Namespaces["scripts"].Since(before)
	s.Screen.Say("  %d clients, %s, %d shared it; the query took %s ms, the slowest answer %s ms",
		crowd.Clients, count(after.Queries, "query", "queries"), after.Collapsed, millis(after.MeanQuery()), millis(crowd.Slowest))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.summary.Stampedes++
	s.summary.Crowd += crowd.Clients
	s.summary.CrowdErrors += crowd.Errors
	s.summary.CrowdQueries += after.Queries
	return nil
}

// outage lets the database hang.
func (s *show) outage(ctx context.Context, d time.Duration) error {
	resume, err := s.Database.Hang(ctx)
	if err != nil {
		return err
	}
	s.counter.Enter(Hung)
	s.Screen.Say("* outage: the database is locked and answers nothing for %s s", strconv.FormatFloat(d.Seconds(), 'f', 1, 64))
	before := s.Counts(ctx).Total()
	begin := time.Now()
	until(ctx, begin.Add(d))
	during := s.Counts(ctx).Total().Since(before)
	took := time.Since(begin)
	if err := resume(); err != nil {
		return fmt.Errorf("let the database go on: %w", err)
	}
	s.Screen.Say("  %s of %s reads answered (%s with a value past its ttl), %s refused; %s, %s kept away by the circuit breaker",
		Grouped(during.Reads-min(during.Failed, during.Reads)), Grouped(during.Reads), Grouped(during.Stale), Grouped(during.Failed),
		count(during.Queries, "query tried", "queries tried"), Grouped(during.Spared))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.summary.Outages++
	s.summary.OutageTime += took
	s.summary.Outage = s.summary.Outage.plus(during)
	return nil
}

// shift makes other things popular from one moment to the next.
func (s *show) shift(context.Context, int) error {
	s.Screen.Say("* news: everybody wants other characters from now on")
	s.load.c.Popularity.Drift(len(s.Codes) / 3)
	return nil
}

// finish takes the last numbers.
func (s *show) finish() {
	counts := s.Counts(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.summary
	m.MaxBytes = s.MaxBytes
	m.Elapsed = time.Since(s.begin)
	m.Reading = counts.Total().Since(s.start.Total())
	m.Held = counts.Held
	if s.Fleet != nil {
		s.ledger.Stop()
		m.Ledger, m.Nodes = s.ledger.Result(), len(s.Fleet.Running())
	}
	m.Tally.Add(s.counter.Take())
}

// count writes a number with the word that fits it.
func count(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Grouped(n) + " " + many
}
