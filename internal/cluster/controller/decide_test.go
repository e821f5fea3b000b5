package controller

import (
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

func TestNewClusterGoesToWhoIsThere(t *testing.T) {
	w := newWorld(t)
	w.join("a")
	w.decide()
	w.told("partitions 0-1023 (1024): first owner is a")
	w.want("a:1024")
	if w.in.View.Version != 1 || w.in.View.Rows[7].Epoch != 1 {
		t.Errorf("version %d, epoch %d", w.in.View.Version, w.in.View.Rows[7].Epoch)
	}
	if out := w.decide(); out.View != nil || len(out.Events) > 0 {
		t.Errorf("a second decision: %v", out.Events)
	}
}

func TestJoiningIsBounded(t *testing.T) {
	w := newWorld(t)
	w.in.Settings.Moves, w.in.Settings.MovesPerSource, w.in.Settings.MovesPerTarget = 5, 4, 3
	w.join("a")
	w.decide()
	w.join("b")
	out := w.decide()
	if n := len(w.in.View.Moving()); n != 3 || out.Remaining != 509 {
		t.Errorf("%d partitions move, %d wait", n, out.Remaining)
	}
	w.join("c")
	out = w.decide()
	if n := len(w.in.View.Moving()); n != 4 {
		t.Errorf("%d partitions move from one source", n)
	}
	w.finish()
	w.want("a:342 b:341 c:341")
}

// TestSilentSourceHoldsUpItself: a source that reports nothing keeps one or two
// places of the target, not all.
func TestSilentSourceHoldsUpItself(t *testing.T) {
	w := newWorld(t)
	w.join("a", "b", "c")
	w.decide()
	w.join("d")
	for range 400 {
		for at, r := range w.in.Reports {
			r.Leaving, r.Arrived = nil, nil
			w.in.Reports[at] = r
		}
		for p := range w.in.View.Rows {
			if w.in.View.Arriving(p) {
				w.serve(p)
			} else if w.in.View.Streaming(p) && w.in.View.Owner(p) != id("a") {
				w.say(p, CaughtUp)
			}
		}
		w.decide()
	}
	if n := w.in.View.Owned()[3]; n < 170 {
		t.Errorf("d has got %d partitions of the two that report", n)
	}
}

// TestWalkIsAsShortAsThePlan joins and drains, and counts swaps.
func TestWalkIsAsShortAsThePlan(t *testing.T) {
	w := newWorld(t)
	w.join("a", "b", "c")
	w.decide()
	for name, change := range map[string]func(){
		"join":  func() { w.join("d") },
		"drain": func() { w.node("b").State = cluster.Draining },
	} {
		change()
		plan := Plan(w.in)
		epochs := func() (sum int) {
			for p := range w.in.View.Rows {
				sum += int(w.in.View.Rows[p].Epoch)
			}
			return sum
		}
		before := epochs()
		w.finish()
		if moved := epochs() - before; moved != len(plan.Moves) {
			t.Errorf("%s: %d moves, planned were %d", name, moved, len(plan.Moves))
		}
		if rest := Plan(w.in).Moves; len(rest) > 0 {
			t.Errorf("%s: %d moves are left", name, len(rest))
		}
		for _, n := range plan.Nodes {
			if n.Before-n.Out+n.In != n.After {
				t.Errorf("%s: %+v does not add up", name, n)
			}
			if got := w.in.View.Owned()[w.in.View.Index(n.ID)]; got != n.After {
				t.Errorf("%s: %s owns %d, planned were %d", name, n.ID.Short(), got, n.After)
			}
		}
	}
}

func TestDrainedNodeMayGo(t *testing.T) {
	w := newWorld(t)
	w.join("a", "b")
	w.decide()
	w.node("b").State = cluster.Draining
	if out := w.decide(); len(out.Drained) > 0 {
		t.Errorf("drained at once: %v", out.Drained)
	}
	w.finish()
	if out := w.decide(); len(out.Drained) != 1 || out.Drained[0] != id("b") {
		t.Errorf("drained: %v", out.Drained)
	}
	w.want("a:1024 b:0")
	w.node("b").State = cluster.Left
	w.decide()
	w.told("node b is gone")
	w.want("a:1024")
}

func TestLastNodeCannotBeDrained(t *testing.T) {
	w := newWorld(t)
	w.join("a")
	w.decide()
	w.node("a").State = cluster.Draining
	w.finish()
	w.want("a:1024")
}

func TestTargetDies(t *testing.T) {
	w := newWorld(t)
	w.join("a")
	w.decide()
	w.join("b")
	w.decide()
	p := w.moving()
	w.say(p, CaughtUp)
	w.die("b")
	w.decide()
	w.told("given up: the target is dead")
	if r := w.in.View.Rows[p]; r.Target != cluster.NoNode || r.Epoch != 2 || w.in.View.Owner(p) != id("a") {
		t.Fatalf("row %+v", r)
	}
	// It returns, empty. What was said of its former self must not count.
	w.rise("b")
	w.decide()
	w.decide()
	if w.in.View.Arriving(p) {
		t.Fatal("a late report made an empty node the owner")
	}
	w.finish()
	w.want("a:512 b:512")
}

func TestTargetRestartsUnseen(t *testing.T) {
	w := newWorld(t)
	w.join("a")
	w.decide()
	w.join("b")
	w.decide()
	p := w.moving()
	w.say(p, CaughtUp)
	w.rise("b") // the lease has not run out
	w.decide()
	if w.in.View.Arriving(p) {
		t.Fatal("the report was about another process")
	}
}

func TestSourceDies(t *testing.T) {
	for _, c := range []struct {
		name  string
		stage Stage
		owner string
		told  string
	}{
		{"after the target has caught up", CaughtUp, "b", "had caught up and follows"},
		{"before", Sending, "a", "given up: the source is dead"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.join("a")
			w.decide()
			w.join("b")
			w.decide()
			p := w.moving()
			w.say(p, c.stage)
			w.die("a")
			w.decide()
			w.told(c.told)
			if w.in.View.Owner(p) != id(c.owner) || w.in.View.Target(p) != "" {
				t.Errorf("owner %s, target %s", w.in.View.Owner(p), w.in.View.Target(p))
			}
			w.pass(w.in.Settings.RebalanceDelay - 1)
			if out := w.decide(); out.View != nil {
				t.Errorf("before the delay: %v", out.Events)
			}
			w.pass(1)
			if out := w.decide(); len(out.Presumed) != 1 || out.Presumed[0] != id("a") {
				t.Errorf("presumed dead: %v", out.Presumed)
			}
			w.told("lost with a, b begin empty")
			w.want("a:0 b:1024")
		})
	}
}

func TestDeadNodeReturnsInTime(t *testing.T) {
	w := newWorld(t)
	w.join("a", "b")
	w.decide()
	w.die("b")
	w.pass(w.in.Settings.RebalanceDelay / 2)
	w.decide()
	w.rise("b")
	w.pass(w.in.Settings.RebalanceDelay)
	if out := w.decide(); out.View != nil {
		t.Errorf("%v", out.Events)
	}
}

// swapped leads one partition from a to b up to the swap.
func swapped(t *testing.T) (*world, int) {
	w := newWorld(t)
	w.join("a")
	w.decide()
	w.join("b")
	w.decide()
	p := w.moving()
	w.say(p, CaughtUp)
	w.decide()
	w.told("have caught up: swap"[5:])
	if !w.in.View.Arriving(p) || w.in.View.Owner(p) != id("b") || w.in.View.Rows[p].Epoch != 2 {
		t.Fatalf("row %+v", w.in.View.Rows[p])
	}
	return w, p
}

func TestHandoverEndsTheMove(t *testing.T) {
	w, p := swapped(t)
	w.sayAs(id("a"), id("b"), p, HandingOver)
	w.decide()
	if !w.in.View.Arriving(p) {
		t.Fatal("it is not over before the new owner serves")
	}
	w.serve(p)
	w.decide()
	w.told("b serves")
	if w.in.View.Arriving(p) || w.in.View.Rows[p].Epoch != 2 {
		t.Errorf("row %+v", w.in.View.Rows[p])
	}
}

func TestSourceDiesBeforeHandover(t *testing.T) {
	w, p := swapped(t)
	r := w.in.Reports[id("a")]
	r.View--
	w.in.Reports[id("a")] = r
	if w.c.Decide(w.in).View != nil {
		t.Fatal("the source has not seen the view, it may still have the last writes")
	}
	w.die("a")
	w.decide()
	w.told("serves without the last writes")
	if w.in.View.Arriving(p) || w.in.View.Owner(p) != id("b") {
		t.Errorf("row %+v", w.in.View.Rows[p])
	}
}

func TestNewOwnerDiesBeforeHandover(t *testing.T) {
	w, p := swapped(t)
	w.sayAs(id("a"), id("b"), p, HandingOver)
	w.die("b")
	w.decide()
	w.told("b died before it served: back to a")
	if r := w.in.View.Rows[p]; w.in.View.Owner(p) != id("a") || r.Target != cluster.NoNode || r.Epoch != 3 {
		t.Errorf("row %+v", r)
	}
}

func TestFailedMoveRests(t *testing.T) {
	w := newWorld(t)
	w.in.Settings.Moves = 1
	w.join("a")
	w.decide()
	w.join("b")
	w.decide()
	p := w.moving()
	w.say(p, Failed)
	w.decide()
	w.told("given up: the disk of b is full")
	if q := w.moving(); q == p {
		t.Error("it is tried again at once")
	}
	w.pass(w.in.Settings.RetryAfter)
	w.finish()
	w.want("a:512 b:512")
}

func TestPausedRebalanceStillDrains(t *testing.T) {
	w := newWorld(t)
	w.join("a", "b")
	w.decide()
	w.in.Wishes = Wishes{Paused: true, PausedBy: "alice"}
	w.join("c")
	w.finish()
	w.want("a:512 b:512 c:0")
	if out := w.decide(); out.Held != "rebalancing is paused by alice" || out.Remaining != 341 {
		t.Errorf("%q, %d remain", out.Held, out.Remaining)
	}
	w.node("b").State = cluster.Draining
	w.finish()
	if n := w.in.View.Owned()[1]; n != 0 {
		t.Errorf("b still owns %d", n)
	}
}

func TestPinsHold(t *testing.T) {
	w := newWorld(t)
	w.join("a", "b", "c")
	w.decide()
	to := "a"
	if w.in.View.Owner(12) == id("a") {
		to = "b"
	}
	wishes, _, err := Wishes{}.With(Request{Kind: Move, By: "alice", Partitions: []int{12, 13}, Node: id(to)}, w.in.View)
	if err != nil {
		t.Fatal(err)
	}
	w.in.Wishes = wishes
	w.finish()
	if w.in.View.Owner(12) != id(to) || w.in.View.Owner(13) != id(to) {
		t.Errorf("12 is on %s, 13 on %s", w.in.View.Owner(12), w.in.View.Owner(13))
	}
	w.die(to)
	w.pass(time.Hour)
	w.finish()
	if w.in.View.Owner(12) == id(to) {
		t.Error("it stays on a dead node")
	}
}

func TestTallySumsUp(t *testing.T) {
	w := newWorld(t)
	w.join("a")
	w.decide()
	w.join("b")
	var tally Tally
	follow := func() {
		prev := w.in.View
		out := w.decide()
		tally = tally.After(prev, w.in.View, out.Remaining)
	}
	follow()
	if tally.Done != 0 || tally.All() != 512 || tally.Moving != 4 {
		t.Fatalf("%+v", tally)
	}
	for _, p := range w.in.View.Moving() {
		w.say(p, CaughtUp)
	}
	if heard := tally.Heard(w.in.View, w.in.Reports); heard.Bytes != 200 || heard.Total != 400 {
		t.Errorf("%+v", heard)
	}
	follow()
	for _, p := range w.in.View.Moving() {
		w.serve(p)
	}
	follow()
	if tally.Done != 4 || tally.All() != 512 || tally.Resting() {
		t.Errorf("%+v", tally)
	}
	for !tally.Resting() {
		for _, p := range w.in.View.Moving() {
			if w.in.View.Arriving(p) {
				w.serve(p)
			} else {
				w.say(p, CaughtUp)
			}
		}
		follow()
	}
	if tally.Done != 512 {
		t.Errorf("%+v at the end", tally)
	}
}
