package membership

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
)

// comesWithin is how long a test waits for what has to come, with -race on a busy machine.
const comesWithin = 3 * time.Minute

// until waits for a condition that depends on the service or on time.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(comesWithin)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("in vain: %s", what)
		}
		<-w.conf.changed()
	}
}

// kept is a view on disk.
type kept struct {
	mu   sync.Mutex
	data []byte // GUARDED_BY(mu)
}

func (k *kept) keep(view []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.data = slices.Clone(view)
	return nil
}

func (k *kept) view(t *testing.T) *cluster.View {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, err := cluster.DecodeView(k.data)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestNodeStartsWhileTheServiceIsAway(t *testing.T) {
	w := newWorld(t)
	var disk kept
	a := w.start(1, 1)
	b := w.start(2, 1, func(c *Config) { c.Keep = disk.keep })
	v := w.settled(2)
	w.until("b goes by that view", func() bool { return b.member.upToDate(v.Version) })
	b.stop()
	if got := disk.view(t); got.Version < v.Version {
		t.Errorf("view %d is kept, %d was in force", got.Version, v.Version)
	}
	// While b is down something changes: b's own copy of the view is old.
	mine := slices.IndexFunc(v.Rows[:], func(r cluster.Row) bool { return v.Nodes[r.Owner].ID == b.id })
	w.until("b is seen to be dead", func() bool { return !a.member.Alive(b.id) })
	w.until("a has b's partitions", func() bool { return a.member.View().Owner(mine) == a.id })
	w.conf.setAway(true)
	old := disk.view(t)
	if old.Owner(mine) != b.id {
		t.Fatal("the kept view is not an old one")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	_, err := Start(ctx, Config{
		Self: cluster.Node{ID: b.id, Weight: 100}, Incarnation: 2, Configuration: &connection{w.conf, b}, Peers: b, Store: a.store, Reroute: b.reroute,
	})
	cancel()
	if !errors.Is(err, errAway) {
		t.Errorf("without a view: %v", err)
	}
	b = w.start(2, 3, func(c *Config) { c.Patience, c.Last = 50*time.Millisecond, old })
	if s := b.member.Status(); !s.Away || len(s.Nodes) != 2 || s.Unserved != 0 {
		t.Errorf("status %+v", s)
	}
	if got, want := b.member.View().Version, a.member.View().Version; got != want {
		t.Errorf("it serves by view %d, another node knows %d", got, want)
	}
	if value, hops := b.incr([]byte("key")); value != 1 || hops > 1 {
		t.Errorf("a request: %d after %d hops", value, hops)
	}
	w.conf.setAway(false)
	w.until("b is registered", func() bool { return !b.member.Status().Away })
	w.settled(2)
	b.stop()
	a.stop()
}

func TestTwin(t *testing.T) {
	w := newWorld(t)
	a := w.start(1, 1)
	w.settled(1)
	elsewhere := func(answers bool) func(*Config) {
		return func(c *Config) {
			c.Self.Peer = "elsewhere:1"
			c.Twin = func(_ context.Context, address string) bool {
				if address != "n1:1" {
					t.Errorf("asked for at %s", address)
				}
				return answers
			}
		}
	}
	if _, err := w.try(1, 2, elsewhere(true)); !errors.Is(err, ErrTwin) {
		t.Errorf("a second process of a node: %v", err)
	}
	w.mu.Lock()
	w.nodes[a.id] = a
	w.mu.Unlock()
	if n, err := a.member.Find("n1"); err != nil || n.Peer != "n1:1" {
		t.Errorf("the first one is at %s now: %v", n.Peer, err)
	}
	// The machine has another address, and the old registration has not run out.
	a.dead.Store(true)
	_ = a.member.Stop(context.Background())
	a.store.Close()
	again := w.start(1, 3, elsewhere(false))
	w.settled(1)
	again.stop()
}

func TestRefusedAfterAll(t *testing.T) {
	w := newWorld(t)
	var disk kept
	a, b := w.start(1, 1), w.start(2, 1, func(c *Config) { c.Keep = disk.keep })
	w.settled(2)
	b.stop()
	w.until("it is known that the node is down", func() bool { return !a.member.Alive(b.id) })
	if err := a.member.SetState(context.Background(), b.id, cluster.Draining, true); err != nil {
		t.Fatal(err)
	}
	w.conf.setAway(true)
	expelled := make(chan error, 1)
	b = w.start(2, 2, func(c *Config) {
		c.Patience, c.Last, c.Expelled = 10*time.Millisecond, disk.view(t), func(err error) { expelled <- err }
	})
	w.conf.setAway(false)
	if err := <-expelled; !errors.Is(err, ErrLeft) {
		t.Errorf("the service refuses the node: %v", err)
	}
	b.stop()
	a.stop()
}

func TestSurvey(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.start(1, 1), w.start(2, 1), w.start(3, 1)
	w.settled(3)
	ctx := context.Background()
	if _, err := c.member.Ask(ctx, controller.Request{Kind: controller.Pause, By: "x"}); err != nil {
		t.Fatal(err)
	}
	w.until("the pause is known", func() bool { return b.member.Status().Paused })
	s := b.member.Survey(ctx)
	if s.Controller != a.id || !s.Paused || s.PausedBy != "x" || s.All == 0 {
		t.Errorf("survey %+v", s)
	}
	for _, n := range s.Nodes {
		if n.Vitals == nil || n.Vitals.MemoryUsed == 0 || n.Vitals.View != s.View || (n.Vitals.Rebalance != nil) != (n.ID == a.id) {
			t.Errorf("node %s: %+v", n.Name, n.Vitals)
		}
	}
	for _, n := range []*testNode{a, b} {
		if err := n.member.Kick(ctx); err != nil {
			t.Error(err)
		}
	}
	for _, n := range []*testNode{c, b, a} {
		n.stop()
	}
}
