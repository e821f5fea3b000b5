package membership

import "testing"

// lose has two nodes not hear each other.
func lose(a, b *testNode) {
	a.deaf.Store(b.id, true)
	b.deaf.Store(a.id, true)
}

// TestBypass: what waits for a node that others hear is given up, and nobody vouches
// for one that nobody hears.
func TestBypass(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.start(1, 1, withCopies(1)), w.start(2, 1, withCopies(1)), w.start(3, 1, withCopies(1))
	w.settled(3)
	gaveUp := func(n, of *testNode) bool { _, ok := n.abandoned.Load(of.id); return ok }
	b.abandoned.Clear() // who has lost partitions in the moves before
	c.abandoned.Clear()
	lose(b, c)
	w.until("both have given up each other", func() bool { return gaveUp(b, c) && gaveUp(c, b) })
	if vouched, _ := b.member.vouchedFor(CallReaches, c.id); !vouched {
		t.Error("a node that another one hears is not vouched for")
	}
	a.deaf.Store(c.id, true)
	if vouched, _ := b.member.vouchedFor(CallReaches, c.id); vouched {
		t.Error("a node that nobody hears is vouched for")
	}
	for _, n := range []*testNode{c, b, a} {
		n.stop()
	}
}

// TestNewsOfOthers: a node that reaches neither the controller nor the configuration
// service follows what a third node knows.
func TestNewsOfOthers(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.start(1, 1, withCopies(1)), w.start(2, 1, withCopies(1)), w.start(3, 1, withCopies(1))
	w.settled(3)
	before := b.member.View().Version
	b.offline.Store(true)
	lose(a, b)
	w.until("it knows of the view without it", func() bool {
		v := b.member.View()
		return v.Version > before && v.Version == c.member.View().Version && v.Owned()[v.Index(b.id)] == 0
	})
	a.stop()
	w.until("it knows who is elected", func() bool {
		elected, _ := w.controller()
		b.member.mu.Lock()
		defer b.member.mu.Unlock()
		return elected == c.id && b.member.leader == c.id
	})
	b.offline.Store(false)
	for _, n := range []*testNode{c, b} {
		n.stop()
	}
}

// TestControllerWithoutService: a controller that cannot write is followed by one
// that can, though everybody hears it.
func TestControllerWithoutService(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.start(1, 1, withCopies(1)), w.start(2, 1, withCopies(1)), w.start(3, 1, withCopies(1))
	w.settled(3)
	if elected, _ := w.controller(); elected != a.id {
		t.Fatalf("%s is elected", elected)
	}
	if err := c.member.unseat(b.id); err != nil {
		t.Errorf("who is not elected is not deposed, with %v", err)
	}
	if elected, _ := w.controller(); elected != a.id {
		t.Fatal("the controller was deposed without having asked for it")
	}
	a.offline.Store(true)
	lose(a, b)
	w.until("another one is elected", func() bool {
		elected, _ := w.controller()
		return elected == b.id || elected == c.id
	})
	w.until("the former one knows", func() bool {
		elected, _ := w.controller()
		a.member.mu.Lock()
		defer a.member.mu.Unlock()
		return a.member.leader == elected
	})
	a.offline.Store(false)
	for _, n := range []*testNode{c, b, a} {
		n.stop()
	}
}
