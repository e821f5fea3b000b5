package controller

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// world is a cluster without time or network: nodes see every view at once, and
// do with their moves what the test says.
type world struct {
	t      testing.TB
	c      Controller
	in     Input
	events []string
	views  int
}

func newWorld(t testing.TB) *world {
	return &world{t: t, in: Input{
		Alive: map[cluster.NodeID]Liveness{}, Reports: map[cluster.NodeID]Report{}, Settings: DefaultSettings(),
	}}
}

// id returns the id of the node «a», «b» ...
func id(name string) cluster.NodeID { return cluster.NodeID(strings.Repeat(name, 40)[:40]) }

func (w *world) join(names ...string) {
	for _, name := range names {
		w.in.Nodes = append(w.in.Nodes, cluster.Node{ID: id(name), Weight: 100, State: cluster.Active})
		w.rise(name)
	}
}

func (w *world) node(name string) *cluster.Node {
	for i := range w.in.Nodes {
		if w.in.Nodes[i].ID == id(name) {
			return &w.in.Nodes[i]
		}
	}
	w.t.Fatalf("no node %s", name)
	return nil
}

func (w *world) rise(name string) {
	l := w.in.Alive[id(name)]
	w.in.Alive[id(name)] = Liveness{Alive: true, Since: w.in.Now, Incarnation: l.Incarnation + 1}
	w.in.Reports[id(name)] = Report{Incarnation: l.Incarnation + 1}
}

func (w *world) die(name string) {
	l := w.in.Alive[id(name)]
	w.in.Alive[id(name)] = Liveness{Since: w.in.Now, Incarnation: l.Incarnation}
}

// decide takes one decision and lets every living node see it.
func (w *world) decide() Output {
	w.t.Helper()
	out := w.c.Decide(w.in)
	if out.View != nil {
		if err := Check(w.in.View, out.View); err != nil {
			w.t.Fatal(err)
		}
		w.in.View = out.View
		w.views++
	}
	for _, e := range out.Events {
		w.events = append(w.events, e.Words(func(id cluster.NodeID) string { return string(id[:min(1, len(id))]) }))
	}
	for at, r := range w.in.Reports {
		if w.in.Alive[at].Alive && w.in.View != nil {
			r.View, r.InSync = w.in.View.Version, map[cluster.NodeID]uint64{}
			for other, l := range w.in.Alive {
				r.InSync[other] = l.Incarnation
			}
			w.in.Reports[at] = r
		}
	}
	return out
}

// say lets the source of a move report.
func (w *world) say(partition int, stage Stage) {
	v := w.in.View
	w.sayAs(v.Owner(partition), v.Target(partition), partition, stage)
}

func (w *world) sayAs(from, to cluster.NodeID, partition int, stage Stage) {
	r := w.in.Reports[from]
	r.Leaving = append(r.Leaving, Leaving{
		Partition: partition, Epoch: w.in.View.Rows[partition].Epoch, Target: to, TargetIncarnation: w.in.Alive[to].Incarnation,
		Stage: stage, Reason: "the disk of " + string(to[:1]) + " is full", Bytes: 50, Total: 100,
	})
	w.in.Reports[from] = r
}

// serve lets the new owner of an arriving partition report that it serves.
func (w *world) serve(partition int) {
	owner := w.in.View.Owner(partition)
	r := w.in.Reports[owner]
	r.Arrived = append(r.Arrived, Arrived{partition, w.in.View.Rows[partition].Epoch})
	w.in.Reports[owner] = r
}

// finish lets all moves go well until nothing is left to do.
func (w *world) finish() {
	w.t.Helper()
	for range 2000 {
		for at, r := range w.in.Reports {
			r.Leaving, r.Arrived = nil, nil
			w.in.Reports[at] = r
		}
		for p := range w.in.View.Rows {
			switch {
			case w.in.View.Streaming(p):
				w.say(p, CaughtUp)
			case w.in.View.Arriving(p):
				w.serve(p)
			}
		}
		if out := w.decide(); out.View == nil {
			return
		}
	}
	w.t.Fatal("it never comes to rest")
}

// owned returns what each node owns: «a:512 b:512».
func (w *world) owned() string {
	var words []string
	for at, n := range w.in.View.Owned() {
		words = append(words, fmt.Sprintf("%s:%d", w.in.View.Nodes[at].ID[:1], n))
	}
	return strings.Join(words, " ")
}

func (w *world) want(owned string) {
	w.t.Helper()
	if got := w.owned(); got != owned {
		w.t.Fatalf("owned: %s, want %s", got, owned)
	}
}

// told fails unless an event has these words.
func (w *world) told(words string) {
	w.t.Helper()
	for _, e := range w.events {
		if strings.Contains(e, words) {
			w.events = nil
			return
		}
	}
	w.t.Fatalf("no event has %q: %q", words, w.events)
}

// moving returns a partition that is being sent.
func (w *world) moving() int {
	w.t.Helper()
	for p := range w.in.View.Rows {
		if w.in.View.Streaming(p) {
			return p
		}
	}
	w.t.Fatal("nothing moves")
	return -1
}

func (w *world) pass(d time.Duration) { w.in.Now += d }
