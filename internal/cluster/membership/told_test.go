package membership

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
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
	if _, err := a.member.Ask(context.Background(), controller.Request{Kind: controller.Move, By: "x", Partitions: []int{p}, Node: b.id}); err != nil {
		t.Fatal(err)
	}
	for arrived := false; !arrived; {
		arrived = <-told
	}
	a.stop()
	b.stop()
}
