package membership

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// controller returns who is elected, and by which revision.
func (w *world) controller() (id cluster.NodeID, revision int64) {
	w.conf.mu.Lock()
	defer w.conf.mu.Unlock()
	it := w.conf.items[keyController]
	return cluster.NodeID(it.Data), it.Revision
}

// TestControllerThatOthersHear: who alone does not hear the controller leaves it in
// office; when nobody hears it another one is elected.
func TestControllerThatOthersHear(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.start(1, 1, withCopies(1)), w.start(2, 1, withCopies(1)), w.start(3, 1, withCopies(1))
	w.settled(3)
	first, revision := w.controller()
	if first != a.id {
		t.Fatalf("%s is the controller", first)
	}
	c.deaf.Store(a.id, true)
	w.until("it asks others, and again", func() bool { return c.asked.Load() > 3 })
	if id, now := w.controller(); id != a.id || now != revision {
		t.Errorf("a controller that another node hears was deposed: %s is elected", id)
	}
	b.deaf.Store(a.id, true)
	w.until("who is not heard is deposed", func() bool { _, now := w.controller(); return now != revision })
	for _, n := range []*testNode{c, b, a} {
		n.stop()
	}
}

// TestLeaderOfService: a node stands for leader of the configuration service when the
// leader's node is heard by nobody, or its process has ended, and not before.
func TestLeaderOfService(t *testing.T) {
	w := newWorld(t)
	var leader atomic.Value
	leader.Store(cluster.NodeID(""))
	var stood atomic.Int32
	a, b := w.start(1, 1, withCopies(1)), w.start(2, 1, withCopies(1))
	c := w.start(3, 1, withCopies(1), func(cfg *Config) {
		cfg.Leads = func(id cluster.NodeID) bool { return id == leader.Load() }
		cfg.Succeed = func(context.Context, cluster.NodeID) { stood.Add(1) }
	})
	w.settled(3)
	leader.Store(b.id)
	c.deaf.Store(b.id, true)
	w.until("it asks others, and again", func() bool { return c.doubts.Load() > 10 })
	if n := stood.Load(); n > 0 {
		t.Errorf("it stood %d times in place of one that another node hears", n)
	}
	a.deaf.Store(b.id, true)
	w.until("it stands in place of one that nobody hears", func() bool { return stood.Load() > 0 })
	a.deaf.Clear()
	c.deaf.Clear()
	w.until("they hear it again", func() bool { return a.member.hearsAll() && c.member.hearsAll() })
	before := stood.Load()
	b.stop()
	w.until("it stands in place of one that has ended", func() bool { return stood.Load() > before })
	c.stop()
	a.stop()
}

// TestControllerThatIsAlone: who hears less than half of the nodes is not the
// controller, also while all others hear it.
func TestControllerThatIsAlone(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.start(1, 1, withCopies(1)), w.start(2, 1, withCopies(1)), w.start(3, 1, withCopies(1))
	w.settled(3)
	a.deaf.Store(b.id, true)
	w.until("it misses one", func() bool { return !a.member.hearsAll() })
	if a.member.alone() {
		t.Error("who hears one of two others is alone")
	}
	a.deaf.Store(c.id, true)
	w.until("another one is elected", func() bool { id, _ := w.controller(); return id == b.id || id == c.id })
	if !a.member.alone() {
		t.Error("who hears nobody is not alone")
	}
	a.deaf.Clear()
	w.until("it hears them again", a.member.hearsAll)
	if a.member.alone() {
		t.Error("who hears everybody is alone")
	}
	for _, n := range []*testNode{c, b, a} {
		n.stop()
	}
}

// TestSecondTerm: a controller that is elected again goes by the view that others have
// written meanwhile, also when it had nothing to do by the one that it knew.
func TestSecondTerm(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.start(1, 1, withCopies(1)), w.start(2, 1, withCopies(1)), w.start(3, 1, withCopies(1))
	w.settled(3)
	w.copied(1)
	for _, n := range []*testNode{b, c} {
		a.deaf.Store(n.id, true)
		n.deaf.Store(a.id, true)
	}
	w.until("it is followed", func() bool {
		v := b.member.View()
		return v.Owned()[v.Index(a.id)] == 0
	})
	b.deaf.Store(c.id, true)
	c.deaf.Store(b.id, true)
	a.deaf.Clear()
	w.until("it is elected again", func() bool { id, _ := w.controller(); return id == a.id })
	b.deaf.Clear()
	c.deaf.Clear()
	w.settled(3)
	for _, n := range []*testNode{c, b, a} {
		n.stop()
	}
}

// TestCutOff: who hears nobody serves nothing that others have a part in, and ends what
// waits for them, until it hears them again. It is so for those that listen to all
// others, and for the rest, which find out when the controller is silent.
func TestCutOff(t *testing.T) {
	w := newWorld(t)
	var list []*testNode
	for i := range watchers + 2 {
		list = append(list, w.start(i+1, 1, withCopies(1)))
	}
	w.settled(len(list))
	w.until("all copies are made", func() bool { return list[0].member.Status().Undercopied == 0 })
	for _, n := range []*testNode{list[watchers-1], list[watchers]} {
		for _, other := range list {
			if other != n {
				n.deaf.Store(other.id, true)
			}
		}
		w.until("it is cut off", func() bool {
			r := n.routes.Load()
			for p := range r.View.Rows {
				switch kind := r.At(p).Kind; {
				case kind == cluster.Here && len(r.View.Rows[p].InSync) > 0, kind == cluster.There:
					return false
				}
			}
			return r.IsCutOff
		})
		if !n.member.Status().CutOff {
			t.Error("its status does not tell")
		}
		for _, other := range list {
			if _, ok := n.abandoned.Load(other.id); other != n && !ok {
				t.Errorf("requests to %s still wait", other.id)
			}
		}
		n.deaf.Clear()
		w.until("it is one of them again", func() bool {
			r := n.routes.Load()
			return !r.IsCutOff && !n.member.Status().CutOff && n.member.hearsAll() && r.View.Owned()[r.Self] > 0
		})
	}
	for _, n := range list {
		n.stop()
	}
}

// TestServedWhileCutOff: what a node owns together with nodes that it hears, it serves.
func TestServedWhileCutOff(t *testing.T) {
	const me, x, y = "me", "x", "y"
	v := &cluster.View{Nodes: []cluster.Node{{ID: me}, {ID: x}, {ID: y}}}
	for p := range v.Rows {
		v.Rows[p].Owner = []int16{0, 0, 0, 1, 2}[p%5]
		v.Rows[p].InSync = [][]int16{{1}, {2}, nil, {0}, {0}}[p%5]
	}
	r := cluster.NewRoutes(v, me, func(int) bool { return true })
	r.CutOff([]cluster.NodeID{x})
	want := []cluster.PlaceKind{cluster.Unreached, cluster.Here, cluster.Here, cluster.Unreached, cluster.There}
	for p := range v.Rows {
		if got := r.At(p).Kind; got != want[p%5] {
			t.Fatalf("partition %d: %d, want %d", p, got, want[p%5])
		}
	}
}

// TestDeaf: a node is deaf when it hears none of those that are alive; ended processes
// say nothing.
func TestDeaf(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.start(1, 1, withCopies(1)), w.start(2, 1, withCopies(1)), w.start(3, 1, withCopies(1))
	w.settled(3)
	expect := func(want bool, when string) {
		t.Helper()
		if got := c.member.isDeaf(); got != want {
			t.Errorf("%s: deaf %t", when, got)
		}
	}
	expect(false, "it hears both")
	c.deaf.Store(a.id, true)
	expect(false, "it hears one")
	c.deaf.Store(b.id, true)
	expect(true, "it hears nobody")
	c.deaf.Clear()
	b.dead.Store(true)
	expect(false, "it hears one, the other one has ended")
	c.deaf.Store(a.id, true)
	expect(true, "it does not hear the one that is left")
	c.deaf.Clear()
	b.dead.Store(false)
	for _, n := range []*testNode{c, b, a} {
		n.stop()
	}
}

// TestMayBeDeaf: a node is missed once it is clear that it is not this node that
// hears nothing.
func TestMayBeDeaf(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.start(1, 1, withCopies(1)), w.start(2, 1, withCopies(1)), w.start(3, 1, withCopies(1))
	w.settled(3)
	const patience = silentAfter + 80*time.Millisecond // of a busy machine
	for _, row := range []struct {
		first, second time.Duration
		want          bool
	}{
		{patience, 0, false},
		{patience, patience - silentAfter + freshAfter - 1, false},
		{patience, patience - silentAfter + freshAfter, true},
		{patience, patience - 1, true},
		{patience, patience, false}, // it is: most are silent
	} {
		c.deaf.Store(a.id, row.first)
		c.deaf.Store(b.id, row.second)
		if got := c.member.mayBeDeaf(patience); got != row.want {
			t.Errorf("silent for %v and %v: %t", row.first, row.second, got)
		}
	}
	c.deaf.Store(a.id, time.Hour)
	c.deaf.Store(b.id, time.Duration(0))
	w.until("the first is missed", func() bool { return !c.member.hearsAll() })
	c.deaf.Store(b.id, silentAfter-time.Millisecond)
	doubted := c.member.now()
	w.until("it has looked again", func() bool {
		if c.member.hearsAll() {
			t.Fatal("who is missed is heard again because another one is silent too")
		}
		return c.member.now() > doubted+4*listenEvery
	})
	c.deaf.Clear()
	for _, n := range []*testNode{c, b, a} {
		n.stop()
	}
}

// TestAloneCountsTheLiving: processes that have ended, and nodes that are not
// registered, are not missed.
func TestAloneCountsTheLiving(t *testing.T) {
	const me, x, y, z = "me", "x", "y", "z"
	for _, row := range []struct {
		name   string
		alive  []cluster.NodeID
		sounds map[cluster.NodeID]sound
		want   bool
	}{
		{"all are heard", []cluster.NodeID{me, x, y, z}, nil, false},
		{"half are heard", []cluster.NodeID{me, x, y, z}, map[cluster.NodeID]sound{x: silent, y: silent}, false},
		{"itself only", []cluster.NodeID{me, x, y, z}, map[cluster.NodeID]sound{x: silent, y: silent, z: silent}, true},
		{"ended", []cluster.NodeID{me, x, y, z}, map[cluster.NodeID]sound{x: gone, y: gone, z: silent}, false},
		{"not registered", []cluster.NodeID{me, x}, map[cluster.NodeID]sound{x: silent, y: silent, z: silent}, false},
		{"one of two", []cluster.NodeID{me, x, y}, map[cluster.NodeID]sound{x: silent, y: silent}, true},
	} {
		m := &Member{id: me, view: &cluster.View{Nodes: []cluster.Node{{ID: me}, {ID: x}, {ID: y}, {ID: z}}}, registry: newRegistry(), sounds: row.sounds}
		for _, id := range row.alive {
			m.registry.alive[id] = lively{}
		}
		if got := m.alone(); got != row.want {
			t.Errorf("%s: %t", row.name, got)
		}
	}
}

// TestLateness: a watchdog that was not run in time is patient, but not with what
// it has done itself.
func TestLateness(t *testing.T) {
	l := lateness{}
	if p := l.patience(listenEvery); p != 0 {
		t.Errorf("in time: %v", p)
	}
	l.before = listenEvery + time.Second // it was deposing somebody
	if p := l.patience(l.before + listenEvery); p != 0 {
		t.Errorf("after work: %v", p)
	}
	l.before += listenEvery
	if p := l.patience(l.before + listenEvery + 100*time.Millisecond); p != latePatience*100*time.Millisecond {
		t.Errorf("100 ms late: %v", p)
	}
}

// TestCatchUp: a node without the configuration service takes the view of one that
// it hears again.
func TestCatchUp(t *testing.T) {
	w := newWorld(t)
	a, b := w.start(1, 1, withCopies(1)), w.start(2, 1, withCopies(1))
	w.settled(2)
	b.deaf.Store(a.id, true)
	w.until("it misses the other one", func() bool { return !b.member.hearsAll() })
	w.conf.setAway(true)
	newer := *a.member.View()
	newer.Version += 100 // more than a decision on its way can bring
	a.member.learn(&newer)
	if v := b.member.View().Version; v == newer.Version {
		t.Fatalf("it has view %d already", v)
	}
	b.deaf.Clear()
	w.until("it has the other's view", func() bool { return b.member.View().Version == newer.Version })
	w.conf.setAway(false)
	b.stop()
	a.stop()
}

// TestViewsDoNotWaitForReports: a node whose report to the controller is not
// answered follows the next view.
func TestViewsDoNotWaitForReports(t *testing.T) {
	w := newWorld(t)
	a, b := w.start(1, 1), w.start(2, 1)
	v := w.settled(2)
	b.hangs.Lock()
	for _, to := range []*testNode{b, a} { // the first makes it report
		p := slices.IndexFunc(v.Rows[:], func(r cluster.Row) bool { return v.Nodes[r.Owner].ID != to.id })
		a.asksToMove(p, to)
	}
	moves := func(n *testNode) int { return len(n.member.View().Moving()) }
	w.until("it is to move partitions", func() bool { return moves(a) > 0 })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	newer := *a.member.View()
	newer.Version += 10
	b.member.learn(&newer)
	if err := b.member.AwaitView(ctx, newer.Version); err != nil {
		t.Errorf("it waits for its report: %v", err)
	}
	b.hangs.Unlock()
	b.stop()
	a.stop()
}
