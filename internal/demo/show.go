package demo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// Stage is what a show is given. All fields are required.
type Stage struct {
	Addr       string // of the node
	Database   Database
	Screen     *Screen
	Namespaces func() []cache.NamespaceStats // the node's counters, safe for concurrent use
	Memory     func() memory.Stats           // the engine's, likewise
	MaxBytes   uint64                        // limit of the memory
	Codes      []rune
}

// Plan says what is shown.
type Plan struct {
	Duration time.Duration // 0: until the context ends
	Rate     float64       // requests per second
	Clients  int
	Crowd    int // clients of the stampede
}

// shortest is the duration in which the events follow each other comfortably.
const shortest = 30 * time.Second

// Pace returns how slowly the events follow each other, 1 being comfortable: a
// shorter show has all of them, faster. See [NewTimes].
func (p Plan) Pace() float64 {
	if p.Duration == 0 || p.Duration >= shortest {
		return 1
	}
	return max(float64(p.Duration)/float64(shortest), 0.05)
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
	plan  Plan
	load  *Load
	admin *Client // of the events
	begin time.Time
	start Reading

	mu      sync.Mutex // guards what follows
	summary Summary
}

// Run shows the plan on the stage until its end or that of ctx, which is no
// error, and returns what was shown.
func Run(ctx context.Context, stage Stage, plan Plan) (*Summary, error) {
	s := &show{Stage: stage, plan: plan, begin: time.Now(), start: Read(stage.Namespaces())}
	s.summary.Tally = NewTally()
	if plan.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, plan.Duration)
		defer cancel()
	}
	var err error
	if s.admin, err = Dial(ctx, stage.Addr, 16<<10); err != nil {
		return nil, err
	}
	defer s.admin.Close()
	s.load, err = StartLoad(ctx, LoadConfig{
		Addr: stage.Addr, Clients: plan.Clients, Rate: plan.Rate, Codes: stage.Codes,
		Popularity: NewPopularity(len(stage.Codes), 1.15), Absent: 0.02, Drift: 4,
	})
	if err != nil {
		return nil, err
	}
	err = s.play(ctx)
	s.load.Stop()
	s.Screen.EndLive()
	s.finish()
	return &s.summary, err
}

// play runs the events beside the live line, until ctx ends.
func (s *show) play(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var events sync.WaitGroup
	events.Go(func() {
		if err := s.events(ctx); err != nil && ctx.Err() == nil {
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
	last, before := time.Now(), s.start
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, tally, reading := time.Now(), s.load.Take(), Read(s.Namespaces())
		s.Screen.Live(Frame{
			Elapsed: now.Sub(s.begin), Span: now.Sub(last), Tally: tally,
			Reading: reading.Since(before), Total: reading.Since(s.start),
		})
		s.mu.Lock()
		s.summary.Tally.Add(tally)
		s.mu.Unlock()
		last, before = now, reading
		if st := s.Memory(); st.Evicted > 0 && !full {
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
	s.Screen.Say("* stampede: %d clients ask at once for %s, which is not in memory", s.plan.Crowd, key)
	before := ReadOne(s.Namespaces(), "scripts")
	crowd, err := Stampede(ctx, s.Addr, key, s.plan.Crowd)
	if err != nil {
		return err
	}
	after := ReadOne(s.Namespaces(), "scripts").Since(before)
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
	s.Screen.Say("* outage: the database is locked and answers nothing for %s s", strconv.FormatFloat(d.Seconds(), 'f', 1, 64))
	before := Read(s.Namespaces())
	begin := time.Now()
	until(ctx, begin.Add(d))
	during := Read(s.Namespaces()).Since(before)
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
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.summary
	m.MaxBytes = s.MaxBytes
	m.Elapsed = time.Since(s.begin)
	m.Tally.Add(s.load.Take())
	m.Reading = Read(s.Namespaces()).Since(s.start)
	m.Memory = s.Memory()
}

// count writes a number with the word that fits it.
func count(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Grouped(n) + " " + many
}
