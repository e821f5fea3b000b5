package source_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larder-cache/larder/internal/source"
)

// lookupFunc is a Lookup made of a function.
type lookupFunc func(context.Context, source.Params) (source.Value, error)

func (f lookupFunc) Load(ctx context.Context, p source.Params) (source.Value, error) {
	return f(ctx, p)
}

func value(s string) source.Value { return source.Value{Data: []byte(s)} }

// held is a lookup that answers when told to.
type held struct {
	asked  atomic.Int64
	answer chan source.Value
}

func newHeld() *held { return &held{answer: make(chan source.Value)} }

func (h *held) Load(ctx context.Context, _ source.Params) (source.Value, error) {
	h.asked.Add(1)
	select {
	case v := <-h.answer:
		return v, nil
	case <-ctx.Done():
		return source.Value{}, ctx.Err()
	}
}

func newLoader(t *testing.T, c source.Config, lookup source.Lookup) (*source.Loader, *source.Gate) {
	t.Helper()
	g := source.NewGate("db", c, source.WithRandom(func() float64 { return 0 }))
	l := source.NewLoader(mustPattern(t, "user:{id}"), lookup, g)
	t.Cleanup(l.Close)
	return l, g
}

func TestCallersOfOneKeyShareOneLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		l, _ := newLoader(t, source.Config{}, h)
		var fills, answered atomic.Int64
		var callers sync.WaitGroup
		for range 1000 {
			callers.Go(func() {
				v, err := l.Load(t.Context(), []byte("user:7"), source.Always(func(v source.Value, err error) {
					if answered.Load() > 0 {
						t.Error("an answer left before the fill was stored")
					}
					fills.Add(1)
				}))
				answered.Add(1)
				if err != nil || string(v.Data) != "ann" {
					t.Errorf("Load = %q, %v", v.Data, err)
				}
			})
		}
		synctest.Wait()
		h.answer <- value("ann")
		callers.Wait()
		s := l.Stats()
		if h.asked.Load() != 1 || fills.Load() != 1 || s.Loads != 1 || s.Collapsed != 999 || s.InFlight != 0 {
			t.Errorf("asked %d times, filled %d times, stats %+v", h.asked.Load(), fills.Load(), s)
		}
	})
}

func TestCallerThatLeavesDoesNotEndTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		l, _ := newLoader(t, source.Config{}, h)
		leaderCtx, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		filled := make(chan source.Value, 1)
		go func() {
			_, err := l.Load(leaderCtx, []byte("user:7"), source.Always(func(v source.Value, err error) { filled <- v }))
			left <- err
		}()
		synctest.Wait()
		follower := make(chan source.Value, 1)
		go func() {
			v, _ := l.Load(t.Context(), []byte("user:7"), nil)
			follower <- v
		}()
		synctest.Wait()
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("the leader that left got %v", err)
		}
		h.answer <- value("ann")
		if v := <-follower; string(v.Data) != "ann" {
			t.Errorf("the follower got %q", v.Data)
		}
		if v := <-filled; string(v.Data) != "ann" {
			t.Errorf("the fill got %q", v.Data)
		}
		if s := l.Stats(); s.Abandoned != 1 {
			t.Errorf("abandoned = %d, want 1", s.Abandoned)
		}
		if _, err := l.Load(leaderCtx, []byte("user:8"), nil); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that had left before got %v", err)
		}
	})
}

func TestHangingSourceTimesOutAndSparesOtherKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := newLoader(t, source.Config{Timeout: time.Second, Concurrency: 2}, lookupFunc(func(ctx context.Context, p source.Params) (source.Value, error) {
			if p.Text(0) == "slow" {
				<-ctx.Done()
				return source.Value{}, ctx.Err()
			}
			return value("quick"), nil
		}))
		begin := time.Now()
		slow := make(chan error, 1)
		go func() {
			_, err := l.Load(t.Context(), []byte("user:slow"), nil)
			slow <- err
		}()
		synctest.Wait()
		if v, err := l.Load(t.Context(), []byte("user:1"), nil); err != nil || string(v.Data) != "quick" || time.Since(begin) > 0 {
			t.Errorf("another key: %q, %v after %v", v.Data, err, time.Since(begin))
		}
		err := <-slow
		if !errors.Is(err, source.ErrTimeout) || !strings.Contains(err.Error(), `source "db": no answer within 1s`) {
			t.Errorf("the hanging load got %v", err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("time-out after %v, want 1s", took)
		}
		s := l.Stats()
		if s.Errors[source.FaultTimeout] != 1 || s.Latency.Count() != 2 || s.Latency.Quantile(1) != time.Second {
			t.Errorf("stats %+v", s)
		}
		if r := g.Stats(); r.Running != 0 || r.Waiting != 0 {
			t.Errorf("slots are still taken: %+v", r)
		}
	})
}

func TestSlotsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		l, g := newLoader(t, source.Config{Concurrency: 2, Queue: 1, Timeout: time.Second}, h)
		errs := make([]error, 4)
		var callers sync.WaitGroup
		for i := range errs {
			callers.Go(func() {
				_, errs[i] = l.Load(t.Context(), fmt.Appendf(nil, "user:%d", i), nil)
			})
			synctest.Wait()
		}
		s := g.Stats()
		if s.Running != 2 || s.Waiting != 1 || s.Rejected != 1 || h.asked.Load() != 2 {
			t.Errorf("with 4 callers: %+v, asked %d", s, h.asked.Load())
		}
		h.answer <- value("x")
		synctest.Wait() // the waiting one has the slot
		h.answer <- value("x")
		h.answer <- value("x")
		callers.Wait()
		if errs[0] != nil || errs[1] != nil || errs[2] != nil || !errors.Is(errs[3], source.ErrBusy) {
			t.Errorf("errors: %v", errs)
		}
	})
}

func TestWaitingForASlotTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		l, g := newLoader(t, source.Config{Concurrency: 1, Timeout: time.Second}, lookupFunc(func(context.Context, source.Params) (source.Value, error) {
			<-stuck
			return source.Value{}, nil
		}))
		first := make(chan error, 1)
		go func() {
			_, err := l.Load(t.Context(), []byte("user:1"), nil)
			first <- err
		}()
		synctest.Wait()
		_, err := l.Load(t.Context(), []byte("user:2"), nil)
		if !errors.Is(err, source.ErrBusy) || !strings.Contains(err.Error(), "stayed taken for 1s") {
			t.Errorf("waiting caller got %v", err)
		}
		if s := g.Stats(); s.Breaker != source.BreakerClosed || s.Rejected != 1 {
			t.Errorf("gate %+v", s)
		}
		close(stuck)
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
}

func TestBreakerStopsAskingAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var asked atomic.Int64
		down.Store(true)
		l, g := newLoader(t, source.Config{Breaker: source.BreakerConfig{Failures: 3, OpenFor: 10 * time.Second}},
			lookupFunc(func(context.Context, source.Params) (source.Value, error) {
				asked.Add(1)
				if down.Load() {
					return source.Value{}, errors.New("connection refused")
				}
				return source.Value{}, source.ErrNotFound
			}))
		load := func() error {
			_, err := l.Load(t.Context(), []byte("user:1"), nil)
			return err
		}
		for range 3 {
			if err := load(); source.FaultOf(err) != source.FaultUnavailable {
				t.Errorf("while it fails: %v", err)
			}
		}
		if err := load(); !errors.Is(err, source.ErrBreakerOpen) || asked.Load() != 3 {
			t.Errorf("after three failures: %v, asked %d times", err, asked.Load())
		}
		if got := l.Refresh(t.Context(), []byte("user:1"), nil); got != source.RefreshSkipped {
			t.Errorf("refresh while open: %v", got)
		}
		<-time.After(10 * time.Second) // the bubble's clock
		if s := g.Stats(); s.Breaker != source.BreakerHalfOpen || s.Opened != 1 || s.Refused != 2 {
			t.Errorf("after the rest: %+v", s)
		}
		if err := load(); source.FaultOf(err) != source.FaultUnavailable || asked.Load() != 4 {
			t.Errorf("the probe: %v, asked %d times", err, asked.Load())
		}
		down.Store(false)
		<-time.After(10 * time.Second)
		for range 2 {
			if err := load(); !errors.Is(err, source.ErrNotFound) {
				t.Errorf("after recovery: %v", err)
			}
		}
		if s := g.Stats(); s.Breaker != source.BreakerClosed || s.Opened != 2 {
			t.Errorf("after recovery: %+v", s)
		}
		if s := l.Stats(); s.NotFound != 2 || s.Errors[source.FaultUnavailable] != 4 || s.Errors[source.FaultBreakerOpen] != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestAnswersDoNotOpenTheBreaker(t *testing.T) {
	l, g := newLoader(t, source.Config{Breaker: source.BreakerConfig{Failures: 1}}, lookupFunc(func(_ context.Context, p source.Params) (source.Value, error) {
		return source.Value{}, map[string]error{
			"missing": source.ErrNotFound,
			"shape":   &source.ShapeError{Problem: "2 columns"},
			"query":   &source.Error{Fault: source.FaultQuery},
		}[p.Text(0)]
	}))
	for _, key := range []string{"user:missing", "user:shape", "user:query"} {
		if _, err := l.Load(t.Context(), []byte(key), nil); err == nil {
			t.Errorf("%s: no error", key)
		}
	}
	if s := g.Stats(); s.Breaker != source.BreakerClosed {
		t.Errorf("gate %+v", s)
	}
}

// TestWriteDuringLoad replays: 1 a load begins, 2 the key is written, 3 a reader
// that comes after the write loads, 4 the first load ends, 5 the second one
// ends. The reader must not get what was read before the write.
func TestWriteDuringLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		l, _ := newLoader(t, source.Config{}, h)
		load := func() <-chan source.Value {
			got := make(chan source.Value, 1)
			go func() {
				v, _ := l.Load(t.Context(), []byte("user:7"), nil)
				got <- v
			}()
			synctest.Wait()
			return got
		}
		before := load()
		l.Forget([]byte("user:7"))
		after := load()
		if h.asked.Load() != 2 {
			t.Fatalf("asked %d times, want 2", h.asked.Load())
		}
		h.answer <- value("one")
		synctest.Wait()
		joined := load() // the second flight must still be registered
		h.answer <- value("two")
		got := fmt.Sprintf("%s", []any{(<-before).Data, (<-after).Data, (<-joined).Data})
		if h.asked.Load() != 2 || got != "[one two two]" && got != "[two one one]" {
			t.Errorf("asked %d times, answers %s", h.asked.Load(), got)
		}
		gone := load()
		l.ForgetAll()
		again := load()
		h.answer <- value("x")
		h.answer <- value("x")
		<-gone
		<-again
		if s := l.Stats(); s.Loads != 4 || s.Collapsed != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		l, g := newLoader(t, source.Config{Concurrency: 1}, h)
		filled := make(chan source.Value, 1)
		fill := func(v source.Value, _ error) { filled <- v }
		never := func(source.Value, error) { t.Error("fill of a refresh that was not started") }
		key := []byte("user:1")
		if got := l.Refresh(t.Context(), key, source.Always(fill)); got != source.RefreshStarted {
			t.Fatalf("first refresh: %v", got)
		}
		if got := l.Refresh(t.Context(), key, source.Always(never)); got != source.RefreshJoined {
			t.Errorf("second refresh of the key: %v", got)
		}
		if got := l.Refresh(t.Context(), []byte("user:2"), source.Always(never)); got != source.RefreshSkipped {
			t.Errorf("refresh without a free slot: %v", got)
		}
		if got := l.Refresh(t.Context(), []byte("session:2"), source.Always(never)); got != source.RefreshSkipped {
			t.Errorf("refresh of another namespace's key: %v", got)
		}
		miss := make(chan source.Value, 1)
		go func() {
			v, _ := l.Load(t.Context(), key, source.Always(never))
			miss <- v
		}()
		synctest.Wait()
		h.answer <- value("new")
		if v := <-miss; string(v.Data) != "new" {
			t.Errorf("the miss that joined got %q", v.Data)
		}
		if v := <-filled; string(v.Data) != "new" {
			t.Errorf("the refresh filled %q", v.Data)
		}
		synctest.Wait()
		if s := l.Stats(); s.Refreshes != 1 || s.RefreshesJoined != 1 || s.RefreshesSkipped != 1 || s.Loads != 1 || s.NoMatch != 1 {
			t.Errorf("stats %+v", s)
		}
		if s := g.Stats(); s.Running != 0 {
			t.Errorf("slot still taken: %+v", s)
		}
	})
}

func TestCloseCutsOffAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		l, g := newLoader(t, source.Config{Concurrency: 1}, h)
		errs := make(chan error, 2)
		for i := range 2 { // one runs, one waits for a slot
			go func() {
				_, err := l.Load(t.Context(), fmt.Appendf(nil, "user:%d", i), nil)
				errs <- err
			}()
		}
		synctest.Wait()
		l.Close()
		for range 2 {
			if err := <-errs; !errors.Is(err, source.ErrClosed) {
				t.Errorf("cut off with %v", err)
			}
		}
		if _, err := l.Load(t.Context(), []byte("user:3"), nil); !errors.Is(err, source.ErrClosed) {
			t.Errorf("load after Close: %v", err)
		}
		if got := l.Refresh(t.Context(), []byte("user:3"), nil); got != source.RefreshSkipped {
			t.Errorf("refresh after Close: %v", got)
		}
		if s := g.Stats(); s.Running != 0 || s.Breaker != source.BreakerClosed {
			t.Errorf("gate %+v", s)
		}
	})
}

func TestKeyOfAnotherFormIsNotAsked(t *testing.T) {
	l, _ := newLoader(t, source.Config{}, lookupFunc(func(context.Context, source.Params) (source.Value, error) {
		t.Error("asked")
		return source.Value{}, nil
	}))
	_, err := l.Load(t.Context(), []byte("session:1"), source.Always(func(source.Value, error) { t.Error("filled") }))
	if !errors.Is(err, source.ErrNoMatch) || l.Stats().NoMatch != 1 {
		t.Errorf("Load = %v, stats %+v", err, l.Stats())
	}
}

func TestDriverPanicIsAnError(t *testing.T) {
	l, g := newLoader(t, source.Config{}, lookupFunc(func(context.Context, source.Params) (source.Value, error) {
		panic("index out of range")
	}))
	_, err := l.Load(t.Context(), []byte("user:1"), nil)
	var p *source.PanicError
	if !errors.Is(err, source.ErrInternal) || !errors.As(err, &p) || len(p.Stack) == 0 || strings.Contains(err.Error(), "goroutine") {
		t.Errorf("Load = %v", err)
	}
	if s := g.Stats(); s.Running != 0 {
		t.Errorf("slot still taken: %+v", s)
	}
}

func TestLoadTimeFollowsTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		delay := 80 * time.Millisecond
		l, _ := newLoader(t, source.Config{}, lookupFunc(func(context.Context, source.Params) (source.Value, error) {
			<-time.After(delay) // the bubble's clock
			return source.Value{}, nil
		}))
		load := func() {
			if _, err := l.Load(t.Context(), []byte("user:1"), nil); err != nil {
				t.Error(err)
			}
		}
		load()
		if got := l.LoadTime(); got != 80*time.Millisecond {
			t.Errorf("after the first load %v", got)
		}
		delay = 0
		load()
		if got := l.LoadTime(); got != 70*time.Millisecond {
			t.Errorf("after a quick one %v", got)
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	g := source.NewGate("db", source.Config{})
	l := source.NewLoader(mustPattern(b, "user:{id}"), lookupFunc(func(context.Context, source.Params) (source.Value, error) {
		return source.Value{}, nil
	}), g)
	defer l.Close()
	key := []byte("user:1234")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Load(b.Context(), key, nil); err != nil {
			b.Fatal(err)
		}
	}
}
