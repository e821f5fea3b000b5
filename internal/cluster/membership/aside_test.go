package membership

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
	"github.com/larder-cache/larder/internal/replication"
)

// TestStepAside: a node steps aside and takes part again, under load. Everything
// is answered, the node stays a copy, and nothing is copied anew: each of its
// partitions goes back to where a hand-over has come from before.
func TestStepAside(t *testing.T) {
	w := newWorld(t)
	patient := func(c *Config) {
		withCopies(1)(c)
		c.Lease, c.Moves.RebalanceDelay = time.Minute, time.Minute // a short lease is lost on a busy machine
	}
	a, b, c := w.start(1, 1, patient), w.start(2, 1, patient), w.start(3, 1, patient)
	for _, n := range []*testNode{a, b, c} {
		n.member.logs.SetLimits(replication.Limits{Timeout: time.Minute, Backlog: 1 << 30}) // nor does a late copy end
	}
	w.settled(3)
	w.copied(1)
	begun := func() (count, swaps uint64) {
		for _, n := range []*testNode{a, b, c} {
			count += n.member.Counters().Begun.Load()
		}
		for p := range cluster.Partitions {
			swaps += uint64(a.member.View().Rows[p].Epoch)
		}
		return count, swaps
	}
	copies, swaps := begun()
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for i := uint64(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			key := fmt.Appendf(nil, "key %d", i%500)
			if got, known := []*testNode{a, b, c}[i%3].acked(key); !known || got != i/500+1 {
				t.Errorf("%s is %d after %d increments, known %t", key, got, i/500+1, known)
				return
			}
		}
	})
	ctx := context.Background()
	if stays, err := b.member.Retire(ctx); err != nil || stays != 0 {
		t.Errorf("%d partitions stay: %v", stays, err)
	}
	w.settled(2)
	w.copied(1)
	if n := nodeOf(c.member.Status(), b.id); !n.Aside || n.Partitions != 0 || n.Replaceable != 0 {
		t.Errorf("it is shown as %+v", n)
	}
	notes, err := c.member.StepAside(ctx, b.id, "x")
	if err != nil || len(notes) != 1 {
		t.Errorf("asked again: %q, %v", notes, err)
	}
	if _, err := c.member.Ask(ctx, controller.Request{Kind: controller.Recall, Node: b.id}); err != nil {
		t.Fatal(err)
	}
	w.settled(3)
	close(stop)
	done.Wait()
	copiesNow, swapsNow := begun()
	// One copy for each hand-over: the former owner's.
	if got, want := copiesNow-copies, swapsNow-swaps; got != want {
		t.Errorf("%d copies were begun in %d hand-overs", got, want)
	}
	for _, n := range []*testNode{c, b, a} {
		n.stop()
	}
}

func nodeOf(s Status, id cluster.NodeID) *NodeStatus {
	for i := range s.Nodes {
		if s.Nodes[i].ID == id {
			return &s.Nodes[i]
		}
	}
	return nil
}

// TestNobodyToHandOverTo: what cannot happen is not waited for.
func TestNobodyToHandOverTo(t *testing.T) {
	w := newWorld(t)
	a, b := w.start(1, 1, withCopies(1)), w.start(2, 1, withCopies(1))
	w.settled(2)
	w.copied(1)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if stays, err := a.member.Retire(ctx); stays != 0 || err != nil {
		t.Errorf("the first of two: %d stay, %v", stays, err)
	}
	if stays, err := b.member.Retire(ctx); stays != cluster.Partitions || err != nil {
		t.Errorf("the second, as the first has stepped aside: %d stay, %v", stays, err)
	}
	if _, err := b.member.StepAside(ctx, "nobody", "x"); err == nil {
		t.Error("a node that is not there steps aside")
	}
	b.stop()
	a.stop()
	alone := newWorld(t).start(1, 1)
	if _, err := alone.member.StepAside(ctx, alone.id, "x"); err != ErrNoCopies {
		t.Errorf("without copies: %v", err)
	}
	if stays, err := alone.member.Retire(ctx); stays != cluster.Partitions || err != nil {
		t.Errorf("alone: %d stay, %v", stays, err)
	}
	alone.stop()
}
