package demo

import (
	"context"
	"fmt"
	"time"
)

// Deaths are what came of the nodes that were killed.
type Deaths struct {
	Count   int
	Copies  int           // that were kept of each partition
	Refused time.Duration // from the kill to the last request that failed, at most
	Lost    uint64        // acknowledged writes
}

// kill ends a node as a crash would, and brings it back.
func (s *show) kill(ctx context.Context, _ int) error {
	state, err := s.Fleet.State(ctx)
	if err != nil {
		return s.unlessOver(ctx, err)
	}
	victim := s.victim(&state)
	held, _ := state.Owned(victim.Name)
	copies := s.Fleet.Replicas(ctx)
	before, counts := s.ledger.Result(), s.Counts(ctx).Total()
	s.Screen.Say("* kill -9 %s, which owns %d of %d partitions", victim.Name, held, partitions)
	if copies > 0 {
		s.Screen.Say("  its partitions have copies (%s: %d), one of which takes over", replicaSettings, copies)
	} else {
		s.Screen.Say("  no copies are kept (%s is 0, or not known): its partitions begin empty "+
			"on the other nodes, and what is asked for there comes from the database again", replicaSettings)
	}
	s.counter.Enter(Dead)
	begin := time.Now()
	s.Fleet.Kill(victim)
	if err := s.await(ctx, "the partitions of "+victim.Name+" being served again", func(state *State) (*Moves, bool) {
		missing := state.Unserved + state.Unowned
		// The node counts as alive until its lease is over or the others have noticed.
		owned, _ := state.Owned(victim.Name)
		return &Moves{What: "served again", Done: held - min(held, max(missing, owned)), All: held}, missing == 0 && owned == 0
	}); err != nil {
		return err
	}
	served := time.Since(begin)
	until(ctx, time.Now().Add(s.scaled(3)))
	if ctx.Err() != nil {
		return nil
	}
	s.mourn(begin, served, held, copies, s.Counts(ctx).Total().Since(counts))
	return s.revive(ctx, victim, begin, copies, before)
}

// victim chooses the node that is killed: the last that is neither the first,
// which the demonstration itself talks to, nor the controller.
func (s *show) victim(state *State) *Member {
	running := s.Fleet.Running()
	for i := len(running) - 1; i > 0; i-- {
		if !state.Controls(running[i].Name) {
			return running[i]
		}
	}
	return running[len(running)-1]
}

// mourn says what clients have noticed of the death.
func (s *show) mourn(begin time.Time, served time.Duration, held, copies int, during Reading) {
	step := s.counter.Step()
	refused := max(0, step.Last.Sub(begin))
	s.mu.Lock()
	s.summary.Deaths.Count++
	s.summary.Deaths.Copies = copies
	s.summary.Deaths.Refused = max(s.summary.Deaths.Refused, refused)
	s.mu.Unlock()
	s.Screen.Say("  %d partitions have a living owner again after %s", held, seconds(served))
	if step.Failed > 0 {
		s.Screen.Say("  %s of %s requests failed, the last of them %s after the kill", Grouped(step.Failed), Grouped(step.Requests), seconds(refused))
	} else {
		s.Screen.Say("  none of %s requests failed", Grouped(step.Requests))
	}
	s.Screen.Say("  the longest took %s; %s misses caused %s of the database", seconds(step.Longest),
		Grouped(during.Reads-min(during.Hits, during.Reads)), count(during.Queries, "query", "queries"))
}

// revive brings a node back, and says what was lost.
func (s *show) revive(ctx context.Context, n *Member, killed time.Time, copies int, before Result) error {
	err := s.moving(func() (int, error) {
		s.Screen.Say("* %s comes back", n.Name)
		if err := s.Fleet.Start(ctx, n); err != nil {
			return 0, s.unlessOver(ctx, err)
		}
		s.doors.Use(s.Fleet.Addresses()...)
		return s.fills(ctx, n, copies)
	})
	if err != nil || ctx.Err() != nil {
		return err
	}
	if copies > 0 {
		if err := s.copied(ctx, copies, killed); err != nil {
			return err
		}
	}
	// Every key is written within a second, which shows what it held.
	until(ctx, time.Now().Add(time.Second+s.scaled(1)))
	found := s.ledger.Result().since(before)
	s.mu.Lock()
	s.summary.Deaths.Lost += found.Lost
	s.mu.Unlock()
	why := ""
	if found.Lost > 0 && copies == 0 {
		why = fmt.Sprintf(": they were in the memory of %s alone", n.Name)
	}
	s.Screen.Say("  %s acknowledged writes lost of %s%s", Grouped(found.Lost), Grouped(found.Acknowledged), why)
	return nil
}

// copied waits until all partitions have their copies again.
func (s *show) copied(ctx context.Context, copies int, killed time.Time) error {
	err := s.await(ctx, "the copies of all partitions", func(*State) (*Moves, bool) {
		complete, err := s.Fleet.Copied(ctx, copies)
		if err != nil {
			complete = 0
		}
		return &Moves{What: "copies", Done: complete, All: partitions}, complete == partitions
	})
	if err != nil || ctx.Err() != nil {
		return err
	}
	s.Screen.Say("  all %d partitions have their copies again, %s after the kill", partitions, seconds(time.Since(killed)))
	return nil
}
