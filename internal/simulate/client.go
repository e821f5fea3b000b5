package simulate

import (
	"slices"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// request is a write on its way to the owner of a partition.
type request struct {
	partition int
	began     time.Duration
	hops      int
	version   uint64 // of the view by which it was sent on
	waiting   int    // place+1 of the node on which it has begun to wait last
	read      bool
	// What was told before it was sent: how many writes, since how many losses.
	least, lost int
}

const (
	// maxHops is how often a request is forwarded.
	maxHops = 3
	// patience is how long a request waits on a node, before the client is told
	// to try again.
	patience = time.Second
)

// Requests counts what became of requests.
type Requests struct {
	Sent     int
	Executed int
	Refused  int // told to try again
	ByHops   [maxHops + 1]int
	Longest  time.Duration // from client to execution
}

// submit sends a request to a node, as a client does.
func (w *World) submit(n *node, partition int) {
	w.requests.Sent++
	r := &request{partition: partition, began: w.now}
	if n.copies != nil {
		r.read = w.rng.IntN(2) == 0
		w.replicas.sent(r)
	}
	n.handle(r)
}

// handle executes a request, sends it on, or lets it wait.
func (n *node) handle(r *request) {
	if n.view == nil || n.view.Version < r.version {
		n.wait(r)
		return
	}
	row := &n.view.Rows[r.partition]
	switch {
	case row.Owner == cluster.NoNode:
		n.wait(r)
	case n.view.Nodes[row.Owner].ID != n.id:
		n.forward(r, n.placeOf(row.Owner))
	case n.copies != nil && n.copies.parts[r.partition].serving > 0:
		n.copies.execute(r)
	case n.parts[r.partition].serving == 0:
		n.wait(r)
	default:
		n.execute(r)
	}
}

func (n *node) execute(r *request) {
	have := &n.parts[r.partition]
	have.writes++
	n.w.check.executed(n, r.partition, have.serving)
	n.w.requests.Executed++
	n.w.requests.ByHops[r.hops]++
	n.w.requests.Longest = max(n.w.requests.Longest, n.w.now-r.began)
}

func (n *node) forward(r *request, place int) {
	if r.hops == maxHops {
		n.w.requests.Refused++
		return
	}
	r.hops++
	r.version = n.view.Version
	to := n.w.nodes[place]
	n.w.net.send(n.place, place, 0, func() {
		if to.up {
			to.handle(r)
		}
	})
}

// wait keeps a request until something changes, or its patience on this node is
// at an end.
func (n *node) wait(r *request) {
	n.waits = append(n.waits, r)
	if r.waiting == n.place+1 {
		return // its time is running
	}
	r.waiting = n.place + 1
	n.w.after(patience, func() {
		if at := slices.Index(n.waits, r); at >= 0 {
			n.waits = slices.Delete(n.waits, at, at+1)
			n.w.requests.Refused++
		}
	})
}

// retryWaits looks again at what waits.
func (n *node) retryWaits() {
	waits := n.waits
	n.waits = nil
	for _, r := range waits {
		n.handle(r)
	}
}
