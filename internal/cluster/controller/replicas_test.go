package controller

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// newReplicated returns a world in which partitions have copies.
func newReplicated(t testing.TB, replicas int, names ...string) *world {
	w := newWorld(t)
	w.in.Settings.Replicas = replicas
	w.in.Promises = map[int][]Promise{}
	w.join(names...)
	w.decide()
	w.sync()
	return w
}

func (w *world) silence(name string, silent bool) {
	l := w.in.Alive[id(name)]
	l.Silent = silent
	w.in.Alive[id(name)] = l
}

// tellCopy lets the owner of a partition report one of its copies.
func (w *world) tellCopy(p int, to cluster.NodeID, change func(*CopyOf)) {
	owner := w.in.View.Owner(p)
	r := w.in.Reports[owner]
	c := CopyOf{Partition: p, Epoch: w.in.View.Rows[p].Epoch, Node: to, Incarnation: w.in.Alive[to].Incarnation, Stage: CaughtUp}
	if change != nil {
		change(&c)
	}
	r.Copies = append(slices.Clone(r.Copies), c)
	w.in.Reports[owner] = r
}

func (w *world) clearReports() {
	for at, r := range w.in.Reports {
		r.Leaving, r.Arrived, r.Copies = nil, nil, nil
		w.in.Reports[at] = r
	}
}

// sync lets copies and moves go well until nothing is left to do. It returns the
// last decision.
func (w *world) sync() (out Output) {
	w.t.Helper()
	for range 3000 {
		w.clearReports()
		for p := range w.in.View.Rows {
			r := &w.in.View.Rows[p]
			if r.Owner == cluster.NoNode || !w.in.Alive[w.in.View.Owner(p)].Alive {
				continue
			}
			for _, at := range r.Replicas {
				if !slices.Contains(r.InSync, at) {
					w.tellCopy(p, w.in.View.Nodes[at].ID, nil)
				}
			}
			if w.in.View.Arriving(p) {
				w.serve(p)
			}
		}
		if out = w.decide(); out.View == nil {
			return out
		}
	}
	w.t.Fatal("it never comes to rest")
	return out
}

// row describes a partition: «a>b e3 +b ~c», + in sync, ~ learning.
func (w *world) row(p int) string {
	v := w.in.View
	r := &v.Rows[p]
	text := string(v.Owner(p)[:1])
	if r.Target != cluster.NoNode {
		text += ">" + string(v.Target(p)[:1])
	}
	text += fmt.Sprintf(" e%d", r.Epoch)
	for _, at := range r.Replicas {
		sign := " ~"
		if slices.Contains(r.InSync, at) {
			sign = " +"
		}
		text += sign + string(v.Nodes[at].ID[:1])
	}
	return text
}

// set puts one partition as row writes it, and watches it alone.
func (w *world) set(p int, text string) {
	v := w.in.View.Clone()
	v.Version++
	index := func(name byte) int16 { return int16(v.Index(id(string(name)))) }
	words := strings.Fields(text)
	r := cluster.Row{Owner: index(words[0][0]), Target: cluster.NoNode}
	if len(words[0]) > 1 {
		r.Target = index(words[0][2])
	}
	fmt.Sscanf(words[1], "e%d", &r.Epoch)
	for _, word := range words[2:] {
		r.Replicas = append(r.Replicas, index(word[1]))
		if word[0] == '+' {
			r.InSync = append(r.InSync, index(word[1]))
		}
	}
	v.Rows[p] = r
	w.in.View = v
	w.in.Settings.Moves = 0 // nothing begins by itself
	for at, said := range w.in.Reports {
		said.View = v.Version
		w.in.Reports[at] = said
	}
}

func (w *world) answer(p int, name string, seq uint64, whole bool) {
	w.in.Promises[p] = append(w.in.Promises[p], Promise{
		Node: id(name), Incarnation: w.in.Alive[id(name)].Incarnation, Epoch: w.in.View.Rows[p].Epoch + 1, Seq: seq, Whole: whole,
	})
}

func prepared(out Output, p int) (names string) {
	for _, a := range out.Prepare {
		if a.Partition == p {
			for _, id := range a.Ask {
				names += string(id[:1])
			}
			names += fmt.Sprint(" e", a.Epoch)
		}
	}
	return names
}

func TestReplicasFollowTheRing(t *testing.T) {
	for _, replicas := range []int{1, 2} {
		w := newReplicated(t, replicas, "a", "b", "c", "d")
		held := map[int16]int{}
		for p := range w.in.View.Rows {
			r := &w.in.View.Rows[p]
			if len(r.InSync) != replicas || len(r.Replicas) != replicas {
				t.Fatalf("partition %d: %s", p, w.row(p))
			}
			for _, at := range r.InSync {
				held[at]++
			}
		}
		for at, n := range held {
			if n != 256*replicas {
				t.Errorf("%d replicas: %d copies on node %d", replicas, n, at)
			}
		}
	}
}

func TestLearnersAreBounded(t *testing.T) {
	w := newWorld(t)
	w.in.Settings.Replicas = 1
	w.join("a", "b", "c")
	w.decide()
	w.decide()
	learners, to := 0, map[int16]int{}
	for p := range w.in.View.Rows {
		for _, at := range w.in.View.Rows[p].Replicas {
			learners++
			to[at]++
		}
	}
	if learners < 9 || learners > 12 || to[0] > 4 || to[1] > 4 || to[2] > 4 {
		t.Errorf("%d learners at once, %v", learners, to)
	}
}

// TestDecisionsOnOnePartition are the stories of single rows.
func TestDecisionsOnOnePartition(t *testing.T) {
	const p = 3
	for _, c := range []struct {
		name, row string
		happens   func(w *world)
		ask, then string // then empty: no view
		told      string
	}{
		{"a learner that has caught up is in sync", "a e5 ~b", func(w *world) { w.tellCopy(p, id("b"), nil) }, "", "a e5 +b", "in sync"},
		{"one that is still being sent is not", "a e5 ~b", func(w *world) {
			w.tellCopy(p, id("b"), func(c *CopyOf) { c.Stage = Sending })
		}, "", "", ""},
		{"the word on another process does not count", "a e5 ~b", func(w *world) {
			w.tellCopy(p, id("b"), nil)
			w.rise("b")
		}, "", "", ""},
		{"nor that of another epoch", "a e5 ~b", func(w *world) { w.tellCopy(p, id("b"), func(c *CopyOf) { c.Epoch-- }) }, "", "", ""},
		{"nor that by an earlier view", "a e5 ~b", func(w *world) {
			w.tellCopy(p, id("b"), nil)
			r := w.in.Reports[id("a")]
			r.View--
			w.in.Reports[id("a")] = r
		}, "", "", ""},
		{"a failed copy leaves", "a e5 +b +c", func(w *world) {
			w.tellCopy(p, id("b"), func(c *CopyOf) { c.Stage, c.Reason = Failed, "too slow" })
		}, "", "a e5 +c", "given up: too slow"},
		{"one that has promised leaves and the epoch rises", "a e5 +b +c", func(w *world) {
			w.tellCopy(p, id("b"), func(c *CopyOf) { c.Stage, c.Fenced = Failed, true })
		}, "", "a e6 +c", "given up"},
		{"a dead copy leaves", "a e5 +b +c", func(w *world) { w.die("c") }, "", "a e5 +b", "it is dead"},
		{"a silent copy leaves", "a e5 +b +c", func(w *world) { w.silence("c", true) }, "", "a e5 +b", "it is dead"},
		{"of a dead owner no copy leaves", "a e5 +b +c", func(w *world) { w.die("a"); w.die("c") }, "b e6", "", ""},
		{"a silent owner: those in sync are asked", "a e5 +b +c ~d", func(w *world) { w.silence("a", true) }, "bc e6", "", ""},
		{"one of two has answered", "a e5 +b +c", func(w *world) { w.die("a"); w.answer(p, "b", 7, true) }, "c e6", "", ""},
		{"the one with most follows", "a e5 +b +c", func(w *world) {
			w.die("a")
			w.answer(p, "b", 7, true)
			w.answer(p, "c", 9, true)
		}, "", "c e6 ~b", "follows"},
		{"equals stay in sync, learners learn", "a e5 +b +c ~d", func(w *world) {
			w.silence("a", true)
			w.answer(p, "b", 9, true)
			w.answer(p, "c", 9, true)
			w.node("b").State = cluster.Draining
		}, "", "c e6 +b ~d", "follows"},
		{"who died meanwhile is not waited for", "a e5 +b +c", func(w *world) {
			w.die("a")
			w.answer(p, "b", 7, true)
			w.die("c")
		}, "", "b e6", "follows"},
		{"who began anew has nothing", "a e5 +b +c", func(w *world) {
			w.die("a")
			w.answer(p, "b", 0, false)
			w.answer(p, "c", 9, true)
		}, "", "c e6 ~b", "follows"},
		{"a promise of another process is none", "a e5 +b", func(w *world) {
			w.die("a")
			w.answer(p, "b", 9, true)
			w.rise("b")
		}, "b e6", "", ""},
		{"a promise of another epoch is none", "a e5 +b", func(w *world) {
			w.die("a")
			w.answer(p, "b", 9, true)
			w.in.Promises[p][0].Epoch = 5
		}, "b e6", "", ""},
		{"an owner that began anew is followed", "a e5 +b", func(w *world) {
			w.rise("a")
			r := w.in.Reports[id("a")]
			r.Empty = []Arrived{{p, 5}}
			w.in.Reports[id("a")] = r
			w.answer(p, "b", 9, true)
		}, "", "b e6", "follows"},
		{"a swap from a copy in sync ends by arriving", "b>b e6 +a", func(w *world) { w.serve(p) }, "", "b e6 +a", "serves"},
		{"the former owner is silent", "b>b e6 +a +c", func(w *world) {
			w.sayAs(id("a"), id("b"), p, HandingOver)
			w.silence("a", true)
		}, "", "b e6 +a +c", "without a handover"},
		{"the former owner never hands over", "b>b e6 +a", func(w *world) {
			w.sayAs(id("a"), id("b"), p, HandingOver)
			w.decide()
			w.pass(arrivalPatience)
		}, "", "b e6 +a", "without a handover"},
		{"the new owner dies before it serves", "b>b e6 +a +c", func(w *world) {
			w.die("b")
			w.answer(p, "a", 9, true)
			w.answer(p, "c", 9, true)
		}, "", "c e7 +a", "follows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newReplicated(t, 2, "a", "b", "c", "d")
			w.set(p, c.row)
			w.c.Decide(w.in) // it has seen the row
			w.events = nil
			c.happens(w)
			before := w.row(p)
			out := w.decide()
			if got := prepared(out, p); got != c.ask {
				t.Errorf("asked %q, want %q", got, c.ask)
			}
			if got := w.row(p); c.then == "" && got != before || c.then != "" && got != c.then {
				t.Errorf("%s became %s, want %s", c.row, got, c.then)
			}
			if c.told != "" {
				w.told(c.told)
			}
			if again := w.c.Decide(w.in); again.View != nil {
				for p := range again.View.Rows {
					if again.View.Rows[p].Epoch != w.in.View.Rows[p].Epoch {
						t.Errorf("partition %d changes again: %v", p, again.Events)
					}
				}
			}
		})
	}
}

func TestAllPartitionsOfADeadOwnerInOneView(t *testing.T) {
	w := newReplicated(t, 1, "a", "b", "c")
	version := w.in.View.Version
	w.silence("a", true)
	out := w.decide()
	n := 0
	for _, batch := range Batches(out.Prepare) {
		n += len(batch.Partitions)
		for i, p := range batch.Partitions {
			w.in.Promises[p] = append(w.in.Promises[p], Promise{
				Node: batch.Node, Incarnation: 1, Epoch: batch.Epochs[i], Seq: 10, Whole: true,
			})
		}
	}
	if n != w.in.View.Owned()[0] || len(Batches(out.Prepare)) != 2 {
		t.Fatalf("%d partitions in %d batches", n, len(Batches(out.Prepare)))
	}
	// Its copies have left by the first view.
	out = w.decide()
	if len(out.Prepare) > 0 || len(out.Presumed) > 0 || w.in.View.Owned()[0] != 0 || w.in.View.Version > version+2 {
		t.Errorf("%d to ask, presumed %v, owned %s, %d views", len(out.Prepare), out.Presumed, w.owned(), w.in.View.Version-version)
	}
	followed := w.owned()
	w.pass(w.in.Settings.RebalanceDelay - 1)
	w.silence("a", true)
	w.sync()
	if w.owned() != followed {
		t.Errorf("%s became %s", followed, w.owned())
	}
	w.silence("a", false)
	w.die("a")
	w.pass(w.in.Settings.RebalanceDelay)
	w.sync()
	for p := range w.in.View.Rows {
		if len(w.in.View.Rows[p].InSync) != 1 {
			t.Fatalf("after the delay: %s", w.row(p))
		}
	}
	w.rise("a")
	w.sync()
	w.want("a:341 b:341 c:342")
}

func TestNobodyHasIt(t *testing.T) {
	const p = 3
	for _, c := range []struct {
		name    string
		happens func(w *world)
		waits   string // for whom; "-": it is served
		owner   string
	}{
		{"owner and copy are dead", func(w *world) { w.die("a"); w.die("b") }, "ab", "a"},
		{"they stay so for long", func(w *world) { w.die("a"); w.die("b"); w.pass(time.Hour) }, "ab", "a"},
		{"the copy returns empty", func(w *world) { w.die("a"); w.answer(p, "b", 0, false) }, "a", "a"},
		{"all have begun anew", func(w *world) {
			w.rise("a")
			r := w.in.Reports[id("a")]
			r.Empty = []Arrived{{p, 5}}
			w.in.Reports[id("a")] = r
			w.answer(p, "b", 0, false)
		}, "", "a"},
		{"the loss is accepted", func(w *world) {
			w.die("a")
			w.die("b")
			w.accept(p)
		}, "-", "cd"},
		{"one accepted earlier does not count", func(w *world) {
			w.die("a")
			w.die("b")
			w.in.Wishes.AcceptLoss = map[int]Acceptance{p: {4, "alice"}}
		}, "ab", "a"},
		{"accepted, but one returns with it", func(w *world) {
			w.die("a")
			w.answer(p, "b", 7, true)
			w.accept(p)
		}, "-", "b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newReplicated(t, 1, "a", "b", "c", "d")
			w.set(p, "a e5 +b")
			c.happens(w)
			out := w.decide()
			waits := "-"
			for _, u := range out.Unavailable {
				if u.Partition == p {
					waits = ""
					for _, id := range u.For {
						waits += string(id[:1])
					}
				}
			}
			if waits != c.waits || !strings.Contains(c.owner, string(w.in.View.Owner(p)[:1])) {
				t.Errorf("waits for %q, want %q; it is %s", waits, c.waits, w.row(p))
			}
		})
	}
}

func (w *world) accept(p int) {
	next, _, err := w.in.Wishes.With(Request{Kind: Accept, By: "alice", Partitions: []int{p}}, w.in.View)
	if err != nil {
		w.t.Fatal(err)
	}
	w.in.Wishes = next
}

// TestNoCopyYet: an owner without copies dies; its partitions wait for it.
func TestNoCopyYet(t *testing.T) {
	w := newWorld(t)
	w.in.Settings.Replicas = 1
	w.join("a", "b")
	w.decide()
	w.die("a")
	w.pass(time.Hour)
	if out := w.decide(); len(out.Unavailable) != 512 {
		t.Errorf("%d are unavailable", len(out.Unavailable))
	}
	w.want("a:512 b:512")
}

// TestMovesGoByCopies: joining and draining change owners as planned, by swaps
// to nodes in sync.
func TestMovesGoByCopies(t *testing.T) {
	w := newReplicated(t, 1, "a", "b", "c")
	w.join("d")
	w.sync()
	w.want("a:256 b:256 c:256 d:256")
	w.node("b").State = cluster.Draining
	if out := w.sync(); !slices.Contains(out.Drained, id("b")) {
		t.Error("b is not drained")
	}
	if n := w.in.View.Owned()[1]; n != 0 || len(Plan(w.in).Moves) > 0 || Plan(w.in).Copies > 0 {
		t.Errorf("b owns %d, plan %+v", n, Plan(w.in))
	}
	w.in.Settings.Replicas = 0
	w.sync()
	for p := range w.in.View.Rows {
		if len(w.in.View.Rows[p].Replicas) > 0 {
			t.Fatalf("no copies are wanted: %s", w.row(p))
		}
	}
}

// TestFailedCopyRests: no copy is begun again at once.
func TestFailedCopyRests(t *testing.T) {
	w := newReplicated(t, 1, "a", "b")
	p := 0
	for w.in.View.Owner(p) != id("a") {
		p++
	}
	w.tellCopy(p, id("b"), func(c *CopyOf) { c.Stage, c.Reason = Failed, "the disk is full" })
	w.decide()
	w.clearReports()
	if out := w.decide(); out.View != nil || w.row(p) != "a e1" {
		t.Errorf("%s: %v", w.row(p), out.Events)
	}
	w.pass(w.in.Settings.RetryAfter)
	w.sync()
	if w.row(p) != "a e1 +b" {
		t.Error(w.row(p))
	}
}

// TestWhatCanWait: steps of copies and moves can while others are under way, what
// requests may wait for cannot.
func TestWhatCanWait(t *testing.T) {
	for _, c := range []struct {
		row     string
		happens func(w *world)
		after   string
		can     bool
	}{
		{"a e7 ~b", func(w *world) { w.tellCopy(5, id("b"), nil) }, "a e7 +b", true},
		{"b>b e8 +a", func(w *world) { w.serve(5) }, "b e8 +a", true},
		{"a e7 +b", func(w *world) {
			w.tellCopy(5, id("b"), func(c *CopyOf) { c.Stage, c.Reason = Failed, "it is late" })
		}, "a e7", false},
		{"a e7 +b", func(w *world) { w.die("b") }, "a e7", false},
		{"a e7 +b", func(w *world) { w.die("a"); w.answer(5, "b", 1, true) }, "b e8", false},
		{"b>b e8 +a", func(w *world) {}, "b e8 +a", false}, // a hands nothing over
	} {
		for _, more := range []bool{false, true} {
			w := newReplicated(t, 1, "a", "b", "c")
			w.set(5, c.row)
			if more {
				other := 6
				for w.row(other) != "a e1 +b" {
					other++
				}
				w.set(other, "a e1 ~b")
			}
			w.clearReports()
			c.happens(w)
			out := w.decide()
			if got, can := w.row(5), c.can && more; out.View == nil || got != c.after || out.CanWait != can {
				t.Errorf("%s, more %t: %s, can wait: %t; want %s, %t", c.row, more, got, out.CanWait, c.after, can)
			}
		}
	}
}
