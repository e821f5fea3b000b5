package membership

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/replication"
)

// inSyncOf returns of how many partitions a node is in sync.
func inSyncOf(v *cluster.View, id cluster.NodeID) (n int) {
	for p := range v.Rows {
		if hasNode(v, v.Rows[p].InSync, id) {
			n++
		}
	}
	return n
}

// TestStuckCopyIsGivenUp: a node that lives, and takes nothing of what is sent to
// it, stops writes for the time-out and a turn of the controller; then it gets its
// copies anew, and does not come and go.
func TestStuckCopyIsGivenUp(t *testing.T) {
	w := newWorld(t)
	limits := replication.DefaultLimits()
	limits.Timeout = time.Second // a shorter one is exceeded by a busy machine
	quick := func(c *Config) {
		withCopies(1)(c)
		c.Limits = limits
		c.Moves.Moves, c.Moves.MovesPerSource, c.Moves.MovesPerTarget = 1024, 1024, 1024
	}
	nodes := []*testNode{w.start(1, 1, quick), w.start(2, 1, quick), w.start(3, 1, quick)}
	w.settled(3)
	w.copied(1)
	stuck, owner := nodes[2], nodes[0]
	late := func() (n uint64) {
		for _, o := range nodes {
			n += o.member.Counters().Late.Load()
		}
		return n
	}
	before := late()
	stuck.stuck.Store(true)
	began := time.Now()
	var done sync.WaitGroup
	for i := range 64 {
		key := fmt.Sprintf("k%d", i)
		if v := owner.member.View(); v.Owner(hashing.PartitionOf([]byte(key))) == stuck.id {
			continue // its own copies are well
		}
		done.Go(func() {
			owner.acked([]byte(key)) // it is not told of a partition that moves just then
		})
	}
	finished := make(chan struct{})
	go func() {
		done.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-time.After(10 * limits.Timeout):
		t.Fatalf("writes wait for the node still after %v", time.Since(began))
	}
	t.Logf("writes waited for %v", time.Since(began))
	if took := time.Since(began); took < limits.Timeout {
		t.Errorf("writes waited for %v with a time-out of %v", took, limits.Timeout)
	}
	if n := late() - before; n == 0 || n > 2 {
		t.Errorf("two owners have given the node up %d times", n)
	}
	w.until("the node is in sync for nothing", func() bool { return inSyncOf(owner.member.View(), stuck.id) == 0 })
	before = late()
	stuck.stuck.Store(false)
	w.copied(1)
	w.until("the node has its copies back", func() bool { return inSyncOf(owner.member.View(), stuck.id) > 100 })
	if n := late(); n != before {
		t.Errorf("given up %d times more, once it is well", n-before)
	}
	for _, n := range nodes {
		n.stop()
	}
}

// The rests of a node that is given up again and again grow up to the longest;
// once it was well for long, they begin anew.
func TestRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Duration(0)
		r := rest{}.next(now)
		for range rapid.IntRange(0, 20).Draw(t, "failures") {
			well := time.Duration(rapid.Int64Range(0, int64(3*lastRest)).Draw(t, "well"))
			now = r.until + well
			next := r.next(now)
			want := min(2*r.pause, lastRest)
			if well > lastRest {
				want = firstRest
			}
			if next.pause != want || next.until != now+want {
				t.Fatalf("after %v, and %v without, it rests for %v until %v", r.pause, well, next.pause, next.until)
			}
			r = next
		}
	})
}
