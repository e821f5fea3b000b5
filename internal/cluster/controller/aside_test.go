package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/cluster"
)

// ask changes what operators want.
func (w *world) ask(kind RequestKind, name string) []string {
	w.t.Helper()
	next, notes, err := w.in.Wishes.With(Request{Kind: kind, By: "alice", Node: id(name), Incarnation: w.in.Alive[id(name)].Incarnation}, w.in.View)
	if err != nil {
		w.t.Fatal(err)
	}
	w.in.Wishes = next
	return notes
}

// kept lists who has each partition, in whatever part.
func (w *world) kept() (sets []string) {
	for p := range w.in.View.Rows {
		r := &w.in.View.Rows[p]
		at := append(slices.Clone(r.Replicas), r.Owner)
		slices.Sort(at)
		sets = append(sets, fmt.Sprint(at))
	}
	return sets
}

// TestStepsAside: what a node owns goes to its copies, evenly, and nothing is
// copied; it owns its share again when that is taken back, or another process of
// it is there.
func TestStepsAside(t *testing.T) {
	for _, c := range []struct {
		name string
		back func(w *world)
	}{
		{"taken back", func(w *world) { w.ask(Recall, "b") }},
		{"restarted", func(w *world) { w.die("b"); w.decide(); w.rise("b") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newReplicated(t, 2, "a", "b", "c")
			kept := w.kept()
			w.ask(Relieve, "b")
			if notes := w.ask(Relieve, "b"); len(notes) != 1 {
				t.Errorf("asked twice: %q", notes)
			}
			w.events = nil
			views := w.views
			w.sync()
			w.want("a:512 b:0 c:512")
			if got := w.views - views; got > 2*341/w.in.Settings.Moves+3 {
				t.Errorf("%d views", got)
			}
			if !slices.Equal(kept, w.kept()) || slices.ContainsFunc(w.events, func(e string) bool { return strings.Contains(e, "cop") }) {
				t.Errorf("copies are elsewhere: %q", w.events)
			}
			if plan := Plan(w.in); len(plan.Moves) > 0 || plan.Copies > 0 {
				t.Errorf("it is not at rest: %+v", plan)
			}
			c.back(w)
			w.pass(w.in.Settings.RetryAfter)
			w.sync()
			w.want("a:341 b:341 c:342")
		})
	}
}

// TestAsideAmongOtherWishes: the rest of what can be asked of nodes goes on beside one
// that has stepped aside.
func TestAsideAmongOtherWishes(t *testing.T) {
	for _, c := range []struct {
		name    string
		happens func(w *world)
		owned   string
	}{
		{"two of three: the third has what both had", func(w *world) { w.ask(Relieve, "c") }, ""},
		{"a node joins: it owns its share", func(w *world) { w.join("d") }, "a:388 b:0 c:357 d:279"},
		{"another is drained", func(w *world) { w.node("a").State = cluster.Draining }, "a:0 b:0 c:1024"},
		{"it is drained as well", func(w *world) { w.node("b").State = cluster.Draining }, "a:512 b:0 c:512"},
		{"a partition is pinned there", func(w *world) {
			w.in.Wishes.Pins = map[int]Pin{3: {Node: id("b"), By: "alice"}}
		}, "a:541 b:0 c:483"},
		{"rebalancing is paused", func(w *world) { w.in.Wishes.Paused = true }, "a:541 b:0 c:483"},
		{"no copies are wanted any more", func(w *world) { w.in.Settings.Replicas = 0 }, "a:341 b:342 c:341"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newReplicated(t, 1, "a", "b", "c")
			w.ask(Relieve, "b")
			c.happens(w)
			w.sync()
			if w.in.Settings.Replicas == 0 {
				w.finish()
			}
			if c.owned != "" {
				w.want(c.owned)
			}
			w.restsAside()
		})
	}
}

// restsAside fails when a node that has stepped aside owns what another one could.
func (w *world) restsAside() {
	w.t.Helper()
	now, _ := w.in.Replaceable()
	for at, n := range w.in.View.Nodes {
		if w.in.Aside(n.ID) && now[at] > 0 {
			w.t.Errorf("%s has stepped aside and owns %d partitions that others have", n.ID[:1], now[at])
		}
	}
}

// TestAsideAtRandom: whatever comes, it comes to rest with nothing at nodes that
// have stepped aside that could be elsewhere, and with every copy.
func TestAsideAtRandom(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			replicas := 1 + r.IntN(2)
			w := newReplicated(t, replicas, names...)
			for range 6 {
				name := names[r.IntN(len(names))]
				switch r.IntN(4) {
				case 0:
					w.ask(Recall, name)
				case 1: // in order: it hands over, ends, and comes back with nothing
					w.ask(Relieve, name)
					w.sync()
					w.die(name)
					w.decide()
					w.rise(name)
					w.pass(w.in.Settings.RetryAfter)
				default:
					w.ask(Relieve, name)
				}
				for range r.IntN(3) {
					w.decide()
				}
				w.sync()
				w.restsAside()
				for p := range w.in.View.Rows {
					if len(w.in.View.Rows[p].InSync) < replicas {
						t.Fatalf("partition %d: %s", p, w.row(p))
					}
				}
			}
		})
	}
}

// TestNothingGoesToAProcessThatIsNew: a node that the view has in sync may have been
// started anew since, and nobody may have noticed; so its copies are worth what their
// owners say of the process that has them. That goes for a controller that has just
// been elected, too.
func TestNothingGoesToAProcessThatIsNew(t *testing.T) {
	w := newReplicated(t, 1, "a", "b", "c")
	w.ask(Relieve, "a")
	w.die("b")
	w.rise("b")
	w.c, w.events = Controller{}, nil // the former one was b
	reports := w.in.Reports
	w.in.Reports = map[cluster.NodeID]Report{}
	swaps := func() (to string) {
		w.decide()
		for _, e := range w.events {
			if strings.Contains(e, "swap") {
				to += e + "\n"
			}
		}
		return to
	}
	if got := swaps(); got != "" {
		t.Errorf("without any report: %s", got)
	}
	w.in.Reports = reports
	for at, r := range w.in.Reports {
		r.View = w.in.View.Version
		w.in.Reports[at] = r
	}
	if got := swaps(); strings.Contains(got, "-> b") || !strings.Contains(got, "-> c") {
		t.Errorf("by reports of the former process of b: %q", got)
	}
}
