package demo

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// story runs what is shown with several nodes, once, and again as long as the
// plan has time.
func (s *show) story(ctx context.Context) error {
	for n := 0; ; n++ {
		begin := time.Now()
		for _, part := range []struct {
			after float64 // seconds at pace 1
			run   func(context.Context, int) error
		}{
			{5, s.stampede},
			{3, s.blackout},
			{3, s.shift},
			{3, s.grow},
			{3, s.shrink},
			{3, s.kill},
			{3, func(context.Context, int) error { return nil }},
		} {
			if !until(ctx, time.Now().Add(s.scaled(part.after))) {
				return nil
			}
			if err := part.run(ctx, n); err != nil {
				return err
			}
		}
		if time.Since(s.begin)+time.Since(begin) > s.plan.Duration {
			return nil
		}
	}
}

// scaled returns a time of so many seconds at pace 1.
func (s *show) scaled(seconds float64) time.Duration {
	return time.Duration(seconds * s.plan.StoryPace() * float64(time.Second))
}

// blackout is an outage, and the time until the circuit breakers have noticed
// its end.
func (s *show) blackout(ctx context.Context, _ int) error {
	if err := s.outage(ctx, s.scaled(4)); err != nil {
		return err
	}
	times := NewTimes(s.plan.StoryPace())
	until(ctx, time.Now().Add(2*times.OpenFor+times.Timeout))
	s.counter.Enter(Calm)
	return nil
}

// patience is how long is waited for what a cluster is to do. It is not what it
// takes: on a machine that does other things, too, it may take longer.
const patience = time.Minute

// errPatience is that something did not happen in time.
var errPatience = errors.New("did not happen")

// lookEvery is the pause between two looks at the state of the cluster.
const lookEvery = 100 * time.Millisecond

// await looks at the cluster until holds says so, and shows the moves that it
// returns on the live line.
func (s *show) await(ctx context.Context, what string, holds func(*State) (*Moves, bool)) error {
	defer s.show(nil)
	limit := time.Now().Add(patience)
	for {
		state, err := s.Fleet.State(ctx)
		if err == nil {
			moves, done := holds(&state)
			s.show(moves)
			if done {
				return nil
			}
			err = errPatience
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case time.Now().After(limit):
			return fmt.Errorf("%s: %w within %v", what, err, patience)
		}
		until(ctx, time.Now().Add(lookEvery))
	}
}

// show puts moves on the live line, nil for none.
func (s *show) show(m *Moves) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moves = m
}

// moving runs something that moves partitions, and says what came of it. The
// number of partitions is that which run returns.
func (s *show) moving(run func() (partitions int, err error)) error {
	s.counter.Enter(Moving)
	begin := time.Now()
	moved, err := run()
	if err != nil {
		return err
	}
	took, step := time.Since(begin), s.counter.Step()
	s.Screen.Say("  %d partitions in %s; %s requests meanwhile, failed %s, longest %s ms", moved, seconds(took), Grouped(step.Requests), Grouped(step.Failed), millis(step.Longest))
	if step.Failed > 0 {
		s.Screen.Say("  the last that failed: %s", step.Why)
	}
	s.counter.Enter(Calm)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.summary.Moved += moved
	return nil
}

// grow adds a node under load.
func (s *show) grow(ctx context.Context, _ int) error {
	return s.moving(func() (int, error) {
		s.Screen.Say("* one more node joins under load")
		n, err := s.Fleet.Add(ctx)
		if err != nil {
			return 0, s.unlessOver(ctx, err)
		}
		s.Screen.Say("  %s serves at %s, http://%s/", n.Name, n.RESP, n.HTTP)
		s.doors.Use(s.Fleet.Addresses()...)
		return s.fills(ctx, n, 0)
	})
}

// fills waits until a node has got its share, and returns how many partitions
// that is. Of a cluster that keeps copies, which are made before a node becomes
// the owner of anything, those are shown until then.
func (s *show) fills(ctx context.Context, n *Member, copies int) (got int, err error) {
	err = s.await(ctx, "the move of partitions to "+n.Name, func(state *State) (*Moves, bool) {
		if got, _ = state.Owned(n.Name); got == 0 && copies > 0 {
			complete, _ := s.Fleet.Copied(ctx, copies) // what is not known is shown as none
			return &Moves{What: "copies", Done: complete, All: partitions}, false
		}
		share := partitions / max(1, len(s.Fleet.Running()))
		return &Moves{What: "to " + n.Name, Done: got, All: max(share, got)}, got > 0 && state.Resting()
	})
	return got, err
}

// unlessOver returns no error when the end of ctx is its cause.
func (s *show) unlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// shrink drains the last node and lets it go.
func (s *show) shrink(ctx context.Context, _ int) error {
	running := s.Fleet.Running()
	n := running[len(running)-1]
	return s.moving(func() (held int, err error) {
		s.Screen.Say("* %s is drained, and leaves", n.Name)
		if err := s.Fleet.Drain(ctx, n); err != nil {
			return 0, s.unlessOver(ctx, err)
		}
		err = s.await(ctx, "draining "+n.Name, func(state *State) (*Moves, bool) {
			now, _ := state.Owned(n.Name)
			held = max(held, now)
			return &Moves{What: "from " + n.Name, Done: held - now, All: held}, now == 0 && state.Resting()
		})
		if err != nil || ctx.Err() != nil {
			return held, err
		}
		// It still forwards what it is asked; its clients go elsewhere before it does.
		s.doors.Use(except(s.Fleet.Addresses(), n.RESP)...)
		s.doors.Changed(ctx)
		return held, s.unlessOver(ctx, s.dismiss(ctx, n))
	})
}

// dismiss lets a drained node go and ends it.
func (s *show) dismiss(ctx context.Context, n *Member) error {
	if err := s.Fleet.Remove(ctx, n); err != nil {
		return err
	}
	err := s.await(ctx, "the leave of "+n.Name, func(state *State) (*Moves, bool) {
		_, member := state.Owned(n.Name)
		return nil, !member && state.Resting()
	})
	if err != nil {
		return err
	}
	return s.Fleet.Stop(ctx, n)
}

func except(list []string, one string) (rest []string) {
	for _, text := range list {
		if text != one {
			rest = append(rest, text)
		}
	}
	return rest
}
