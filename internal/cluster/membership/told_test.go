package membership

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/larder-cache/larder/internal/cluster"
)

// TestFormerOwnerIsToldTwice: of a partition that goes elsewhere, and again when it
// has arrived there; meanwhile clients may still have asked to be told of its keys.
func TestFormerOwnerIsToldTwice(t *testing.T) {
	w := newWorld(t)
	var watched atomic.Pointer[int]
	var self atomic.Pointer[testNode]
	told := make(chan bool, 16) // whether it has arrived
	a := w.start(1, 1, func(c *Config) {
		c.Moved = func(list []int) {
			if p := watched.Load(); p != nil && slices.Contains(list, *p) {
				told <- !self.Load().routes.Load().View.Arriving(*p)
			}
		}
	})
	b := w.start(2, 1)
	v := w.settled(2)
	self.Store(a)
	p := slices.IndexFunc(v.Rows[:], func(r cluster.Row) bool { return v.Nodes[r.Owner].ID == a.id })
	watched.Store(&p)
	a.asksToMove(p, b)
	for arrived := false; !arrived; {
		arrived = <-told
	}
	a.stop()
	b.stop()
}

// TestLastEffectsOfAFormerOwner: in the last step of a move a copy takes what the
// former owner has executed before, and nothing from anybody else.
func TestLastEffectsOfAFormerOwner(t *testing.T) {
	v := cluster.NewView([]cluster.Node{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d"}})
	v.Rows[7] = cluster.Row{Owner: 1, Target: 1, Epoch: 5, Replicas: []int16{0, 2}, InSync: []int16{0, 2}}
	m := &Member{id: "c"}
	for from, want := range map[cluster.NodeID]bool{"a": true, "b": true, "d": false} {
		got := m.takes(v, 7, from)
		if got {
			m.Applied()
		}
		if got != want {
			t.Errorf("from %s: %v", from, got)
		}
	}
	v.Rows[7].Target = cluster.NoNode // it has arrived
	if m.takes(v, 7, "a") {
		t.Error("from the former owner of a partition that has arrived")
	}
}
