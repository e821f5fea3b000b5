package cluster

import (
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
	"github.com/larder-cache/larder/internal/nodes/history"
)

// growCopied starts a cluster that keeps a copy of every partition, and waits
// until all are in sync. lines are more of the section cluster of its settings.
func growCopied(t *testing.T, count int, lines ...string) *nodes.Cluster {
	t.Helper()
	c := begin(t, nodes.Options{Replicas: 1, Settings: lines})
	if err := c.Grow(within(t), count); err != nil {
		t.Fatal(err)
	}
	await(t, c, nodes.Members(count), nodes.Balanced(count), nodes.Copied(1))
	return c
}

// TestKilledOwners kills an owner that is not the controller and starts it again,
// then one that is the controller, under load. A node that died has nothing when
// it is back, so what it is left with in the end was copied to it.
func TestKilledOwners(t *testing.T) {
	c := growCopied(t, 3)
	record := history.NewRecorder(nil)
	clients, err := history.Start(history.Config{Addresses: c.Addresses, Recorder: record, Seed: 4, Think: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer clients.Stop()
	first := choose(t, c, false)
	killed := kill(t, record, first)
	if err := first.Start(within(t)); err != nil {
		t.Fatal(err)
	}
	await(t, c, nodes.Members(3), nodes.Copied(1))
	tell(t, record, first, killed)
	second := choose(t, c, true)
	killed = kill(t, record, second)
	tell(t, record, second, killed)
	clients.Stop()
	if err := clients.ReadAll(within(t)); err != nil {
		t.Fatal(err)
	}
	v := history.Judge(record.Ops(), 20*time.Second)
	if !v.Right() {
		t.Errorf("%d acknowledged writes lost, %d stale reads, %d keys not linearizable: %q", v.Lost, v.Stale, v.Not, v.Examples)
	}
	t.Logf("%d operations on %d keys, %d keys undecided", v.Ops, v.Keys, v.Undecided)
}

// kill kills a node under load, and returns when; the others have taken over what
// they are asked for.
func kill(t *testing.T, record *history.Recorder, n *nodes.Node) (at time.Duration) {
	t.Helper()
	worked(t, record, 400)
	at = record.Now()
	n.Kill()
	worked(t, record, 400)
	return at
}

// tell logs what clients have noticed. How long that is depends on what else the
// machine does; it is measured elsewhere.
func tell(t *testing.T, record *history.Recorder, n *nodes.Node, killed time.Duration) {
	t.Helper()
	now := record.Now()
	long := history.Longest(history.Gaps(record.Ops(), 200*time.Millisecond), history.Span{From: killed, To: now})
	t.Logf("%s was killed: longest without success %s, went on after %s", n.Name, long.Round(time.Millisecond), (now - killed).Round(time.Millisecond))
}

// choose returns a node that is the controller, or one that is not.
func choose(t *testing.T, c *nodes.Cluster, controller bool) *nodes.Node {
	t.Helper()
	leader, err := c.Controller(within(t))
	if err != nil || leader == nil {
		t.Fatalf("there is no controller: %v", err)
	}
	if controller {
		return leader
	}
	for _, n := range c.Nodes() {
		if n != leader {
			return n
		}
	}
	t.Fatal("all nodes are the controller")
	return nil
}

// worked waits until so many operations more have gone well.
func worked(t *testing.T, record *history.Recorder, count int) {
	t.Helper()
	seen := len(record.Ops())
	ctx := within(t)
	for count > 0 {
		ops := record.Ops()
		for _, o := range ops[seen:] {
			if o.Outcome == history.OK {
				count--
			}
		}
		seen = len(ops)
		select {
		case <-ctx.Done():
			t.Fatalf("%d operations are missing", count)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
