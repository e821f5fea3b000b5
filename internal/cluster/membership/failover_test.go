package membership

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/replication"
)

// withCopies makes a node one of a cluster that keeps n copies.
func withCopies(n int) func(*Config) {
	return func(c *Config) {
		c.Moves.Replicas = n
		c.Lease = 100 * time.Millisecond
		c.Moves.RebalanceDelay = time.Second
	}
}

// acked increments a counter and waits for the acknowledgement. known is false
// when the outcome is not.
func (n *testNode) acked(key []byte) (value uint64, known bool) {
	p := hashing.PartitionOf(key)
	for at := n; ; {
		if at.dead.Load() {
			return 0, false
		}
		at.batch.RLock()
		switch place := at.routes.Load().At(p); place.Kind {
		case cluster.Here:
			value = at.increment(key)
			var need replication.Need
			at.member.logs.Add(&need, p)
			at.batch.RUnlock()
			state := at.member.logs.Wait(&need, at.killed)
			return value, state == replication.Met && !at.dead.Load()
		case cluster.There:
			to := at.routes.Load().Node(place.Owner).ID
			at.batch.RUnlock()
			if next := n.w.node(to); next != nil {
				at = next
				continue
			}
			<-time.After(time.Millisecond)
		default:
			at.batch.RUnlock()
			<-time.After(time.Millisecond)
		}
	}
}

// kill ends a node without a word.
func (n *testNode) kill() {
	n.dead.Store(true)
	close(n.killed)
}

// copied waits until every partition has n copies in sync, and none more.
func (w *world) copied(n int) {
	w.t.Helper()
	deadline := time.Now().Add(comesWithin)
	for {
		w.mu.Lock()
		var view *cluster.View
		for _, node := range w.nodes {
			if !node.dead.Load() && node.member != nil {
				view = node.member.View()
			}
		}
		w.mu.Unlock()
		missing := 0
		for p := range view.Rows {
			if r := &view.Rows[p]; len(r.InSync) != n || len(r.Replicas) != n {
				missing++
			}
		}
		if missing == 0 && len(view.Moving()) == 0 {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d partitions have other copies, %d move", missing, len(view.Moving()))
		}
		<-w.conf.changed()
	}
}

// TestDamagedCopyIsRepaired damages copies of what is being written: they are
// found, made anew from their owners, and in sync again.
func TestDamagedCopyIsRepaired(t *testing.T) {
	w := newWorld(t)
	compared := func(c *Config) {
		withCopies(1)(c)
		c.Moves.RebalanceDelay, c.SyncInterval = 100*time.Millisecond, time.Millisecond
	}
	nodes := []*testNode{w.start(1, 1, compared), w.start(2, 1, compared)}
	w.settled(2)
	w.copied(1)
	key := func(i int) []byte { return fmt.Appendf(nil, "key %d", i) }
	for i := range 500 {
		if _, known := nodes[i%2].acked(key(i)); !known {
			t.Fatalf("%s is not acknowledged", key(i))
		}
	}
	v, damaged := nodes[0].member.View(), 0
	for i := range 5 {
		r := &v.Rows[hashing.PartitionOf(key(i))]
		h := w.node(v.Nodes[r.InSync[0]].ID).store.Lock(0, key(i), 0)
		if h.Corrupt() {
			damaged++
		}
		h.Release()
	}
	count := func(of func(*replication.Counters) uint64) (n uint64) {
		for _, node := range nodes {
			n += of(node.member.Counters())
		}
		return n
	}
	differences := func(c *replication.Counters) uint64 { return c.SyncDifferences.Load() }
	repairs := func(c *replication.Counters) uint64 { return c.SyncRepairs.Load() }
	for i := 0; count(repairs) < uint64(damaged) || damaged < 5; i++ {
		if i == 10_000 {
			t.Fatalf("of %d damaged copies %d were found, %d refused", damaged, count(differences), count(repairs))
		}
		<-time.After(time.Millisecond)
		beside := fmt.Appendf(nil, "{%s} beside", key(i%5))
		if _, known := nodes[0].acked(beside); !known {
			t.Fatalf("%s is not acknowledged while the copy is repaired", beside)
		}
	}
	w.copied(1)
	if n := count(differences); n != uint64(damaged) {
		t.Errorf("%d copies were damaged, %d differences found", damaged, n)
	}
	v = nodes[0].member.View()
	for i := range 500 {
		r := &v.Rows[hashing.PartitionOf(key(i))]
		values := [2]uint64{}
		for j, at := range []int16{r.Owner, r.InSync[0]} {
			n := w.node(v.Nodes[at].ID)
			h := n.store.Lock(0, key(i), 0)
			if e, ok := h.Peek(); ok {
				values[j] = binary.BigEndian.Uint64(e.Value())
			}
			h.Release()
		}
		if values[0] == 0 || values[0] != values[1] {
			t.Errorf("%s is %d, its copy %d", key(i), values[0], values[1])
		}
	}
	for _, n := range nodes {
		n.stop()
	}
}

// TestMovesWithCopies: with copies, too, a partition that moves answers
// everything, and nobody waits for a copy that has gone on to the next view.
func TestMovesWithCopies(t *testing.T) {
	w := newWorld(t)
	patient := func(c *Config) { withCopies(1)(c); c.Lease = time.Minute } // a short one is lost on a busy machine
	a, b, c := w.start(1, 1, patient), w.start(2, 1, patient), w.start(3, 1, patient)
	w.settled(3)
	w.copied(1)
	stop := make(chan struct{})
	var done sync.WaitGroup
	const unclear = 1<<64 - 1
	var answered, lost atomic.Int64
	for client := range 4 {
		done.Go(func() {
			want := make([]uint64, 500)
			for i := 0; ; i = (i + 1) % len(want) {
				select {
				case <-stop:
					return
				default:
				}
				if want[i] == unclear {
					continue
				}
				want[i]++
				got, known := []*testNode{a, b, c}[i%3].acked(fmt.Appendf(nil, "client %d key %d", client, i))
				switch {
				case !known: // a machine that is busy enough makes a hand-over late
					want[i] = unclear
					lost.Add(1)
					continue
				case got != want[i]:
					t.Errorf("key %d of client %d is %d after %d increments", i, client, got, want[i])
					return
				}
				answered.Add(1)
			}
		})
	}
	d := w.start(4, 1, patient)
	w.settled(4)
	if err := a.member.SetState(context.Background(), b.id, cluster.Draining, false); err != nil {
		t.Fatal(err)
	}
	w.settled(3)
	w.copied(1)
	close(stop)
	done.Wait()
	t.Logf("%d answered, %d lost", answered.Load(), lost.Load())
	if lost.Load() > 3 || answered.Load() < 100*lost.Load() || answered.Load() == 0 {
		t.Errorf("%d requests were answered, %d lost", answered.Load(), lost.Load())
	}
	for _, n := range []*testNode{d, c, b, a} {
		n.stop()
	}
}

func TestNoAcknowledgedWriteIsLost(t *testing.T) {
	w := newWorld(t)
	nodes := []*testNode{w.start(1, 1, withCopies(1)), w.start(2, 1, withCopies(1)), w.start(3, 1, withCopies(1))}
	w.settled(3)
	w.copied(1)
	const clients, keys = 4, 500
	type count struct{ sure, unsure uint64 }
	want := make([]map[string]*count, clients)
	var done sync.WaitGroup
	stop := make(chan struct{})
	var gap, last atomic.Int64
	for c := range clients {
		want[c] = map[string]*count{}
		done.Add(1)
		go func() {
			defer done.Done()
			r := rand.New(rand.NewPCG(uint64(c), 0))
			for {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprintf("c%d k%d", c, r.IntN(keys))
				if want[c][key] == nil {
					want[c][key] = &count{}
				}
				n := want[c][key]
				began := time.Now()
				value, known := nodes[1+r.IntN(2)].acked([]byte(key))
				if took := int64(time.Since(began)); took > gap.Load() {
					gap.Store(took)
				}
				if !known {
					n.unsure++
					continue
				}
				n.sure++
				if value < n.sure || value > n.sure+n.unsure {
					t.Errorf("%s is %d after %d and perhaps %d increments", key, value, n.sure, n.unsure)
					return
				}
				last.Add(1)
			}
		}()
	}
	for last.Load() < 2000 {
		<-time.After(time.Millisecond)
	}
	nodes[0].kill() // also the controller
	began := last.Load()
	for last.Load() < began+5000 {
		<-time.After(time.Millisecond)
	}
	for _, n := range nodes[1:] {
		w.until("who waits for it does not any more", func() bool { _, ok := n.abandoned.Load(nodes[0].id); return ok })
	}
	w.conf.drop(nodes[0].id) // its registration runs out
	w.copied(1)
	close(stop)
	done.Wait()
	lost := 0
	for c := range want {
		for key, n := range want[c] {
			value, known := nodes[1].acked([]byte(key))
			if !known || value-1 < n.sure || value-1 > n.sure+n.unsure {
				t.Errorf("%s is %d after %d and perhaps %d increments", key, value-1, n.sure, n.unsure)
				lost++
			}
		}
	}
	t.Logf("%d acknowledged increments, the longest took %v", last.Load(), time.Duration(gap.Load()))
	nodes[0].stop()
	nodes[1].stop()
	nodes[2].stop()
}

// TestRestartThatNobodyNotices: a node that is killed and back at once, before
// anybody misses it and while nothing is written, gets its copies again.
func TestRestartThatNobodyNotices(t *testing.T) {
	w := newWorld(t)
	a, b := w.start(1, 1, withCopies(1)), w.start(2, 1, withCopies(1))
	w.settled(2)
	w.copied(1)
	const keys = 3000
	for i := range keys {
		if _, known := a.acked(fmt.Appendf(nil, "key %d", i)); !known {
			t.Fatal("a write is unknown")
		}
	}
	a.trusts.Store(true)
	b.kill()
	again := w.start(2, 2, withCopies(1))
	w.until("it has all of it again", func() bool { return again.store.Len(0) == keys })
	for i := range keys {
		if value, known := again.acked(fmt.Appendf(nil, "key %d", i)); !known || value != 2 {
			t.Fatalf("key %d is %d, %t", i, value, known)
		}
	}
	for _, n := range []*testNode{again, b, a} {
		n.stop()
	}
}

// TestHalfACopyIsNotServed: a node that the view makes the owner while a copy is
// under way to it says that it has nothing, and serves when it has all.
func TestHalfACopyIsNotServed(t *testing.T) {
	w := newWorld(t)
	n := w.start(1, 1, withCopies(1))
	v := w.settled(1)
	m := n.member
	const p = 7
	former, now := *v, *v
	former.Rows[p].Epoch, now.Rows[p].Epoch = 4, 5
	for _, row := range []struct {
		what  holding
		whole bool
		lacks bool
	}{{nothing, false, true}, {incoming, false, true}, {complete, false, true}, {incoming, true, false}, {complete, true, false}} {
		m.receiver.Drop(p)
		if row.whole {
			m.receiver.Has(p, 3)
		}
		m.has.set(p, row.what)
		if got := m.lacks(p); got != row.lacks {
			t.Errorf("%+v: lacks %t", row, got)
		}
		if got := m.inherit(p, &former, &now); got == row.lacks {
			t.Errorf("%+v: inherits %t", row, got)
		}
		now.Rows[p].Epoch++
	}
	n.stop()
}
