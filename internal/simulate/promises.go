package simulate

import (
	"slices"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
)

// replicas watches what must hold in a cluster that keeps copies.
//
// Invariant: a reply tells every write that was acknowledged, or told by another
// reply, before its request was sent.
// Invariant: what replies tell of a partition is one history.
// Invariant: in one epoch only one node replies.
type replicas struct {
	w    *World
	told [cluster.Partitions]struct {
		data  history // the longest that was told
		lost  int     // how often the partition began empty
		epoch cluster.Epoch
		by    int
	}
	hurt   [cluster.Partitions]time.Duration // when its owner was killed, 0: not since it served
	Served []time.Duration                   // from a kill to the first reply
	accept map[int]controller.Acceptance
	aside  map[cluster.NodeID]controller.Aside
}

// hot reports the partitions that clients write.
const hot = 16

// sent notes what a request has to be told.
func (c *replicas) sent(r *request) {
	r.lost, r.least = c.told[r.partition].lost, len(c.told[r.partition].data)
}

// accepted reports whether a partition may begin empty at an epoch. What an
// operator accepts every node can read; that the row has no copies does not say
// it, for its owner may be one that was promoted and has begun anew.
func (c *replicas) accepted(p int, epoch cluster.Epoch) bool {
	a, ok := c.accept[p]
	return ok && a.Epoch+1 == epoch
}

// replied is called when a reply leaves.
func (c *replicas) replied(n *node, epoch cluster.Epoch, h hold) {
	p := h.r.partition
	t := &c.told[p]
	c.w.requests.Executed++
	c.w.requests.ByHops[h.r.hops]++
	c.w.requests.Longest = max(c.w.requests.Longest, c.w.now-h.r.began)
	if at := c.hurt[p]; at > 0 && h.r.began >= at {
		c.Served = append(c.Served, c.w.now-at)
		c.hurt[p] = 0
	}
	if h.r.lost != t.lost {
		return
	}
	if len(h.data) < h.r.least {
		c.w.fail("partition %d: %s tells %d writes at epoch %d, %d were told before", p, n.name, len(h.data), epoch, h.r.least)
	}
	if !h.data.within(t.data) && !t.data.within(h.data) {
		c.w.fail("partition %d: %s tells %v at epoch %d, told was %v", p, n.name, h.data, epoch, t.data)
	}
	if epoch == t.epoch && n.place != t.by {
		c.w.fail("partition %d: %s and %s both reply in epoch %d", p, n.name, c.w.nodes[t.by].name, epoch)
	}
	if len(h.data) > len(t.data) {
		t.data = h.data
	}
	if epoch > t.epoch {
		t.epoch, t.by = epoch, n.place
	}
}

// lost is called when a partition begins empty: nobody in sync may have it.
func (c *replicas) lost(prev *cluster.View, p int) {
	t := &c.told[p]
	for _, at := range append([]int16{prev.Rows[p].Owner}, prev.Rows[p].InSync...) {
		if at == cluster.NoNode {
			continue
		}
		n := c.w.byID[prev.Nodes[at].ID]
		if h := &n.copies.parts[p]; n.up && h.whole && len(t.data) > 0 && t.data.within(h.data) {
			c.w.fail("partition %d begins empty, and %s has it", p, n.name)
		}
	}
	t.data = nil
	t.lost++
}

// killed notes that a process has been killed.
func (c *replicas) killed(n *node) {
	if n.view == nil || c.w.cfg.Kills == 0 {
		return
	}
	for p := 0; p < cluster.Partitions; p += cluster.Partitions / hot {
		if n.copies != nil && n.copies.parts[p].serving > 0 && n.view.Owner(p) == n.id && len(n.view.Rows[p].InSync) > 0 && c.hurt[p] == 0 {
			c.hurt[p] = c.w.now
		}
	}
}

// serving says which partition is not served by its owner with copies in sync,
// or nothing.
func (c *replicas) serving() string {
	v := c.w.store.view
	for p := range v.Rows {
		owner := c.w.byID[v.Owner(p)]
		if owner == nil || !owner.up || owner.copies.parts[p].serving != v.Rows[p].Epoch {
			return "partitions are not served"
		}
		if data := owner.copies.parts[p].data; !c.told[p].data.within(data) {
			c.w.fail("partition %d: at rest %s has %v, told was %v", p, owner.name, data, c.told[p].data)
		}
	}
	return ""
}

// alone reports whether this node is the one that is cut off: it hears less than
// half of the nodes, itself among them, not counting those whose connection is
// refused.
func (c *copies) alone() bool {
	all, silent := 1, 0
	for _, other := range c.n.w.nodes {
		if other != c.n && !c.refused[other.place] && c.n.w.store.lease[other.place].alive {
			all++
			if c.silent(other.place) {
				silent++
			}
		}
	}
	return 2*silent > all
}

// Replication of a controller: who is silent, and what was promised.
func (l *lead) withReplicas(in *controller.Input) {
	n := l.n
	in.Alive = make(map[cluster.NodeID]controller.Liveness, len(l.alive))
	for id, a := range l.alive {
		a.Silent = a.Alive && n.copies.silent(n.w.byID[id].place)
		in.Alive[id] = a
	}
	in.Promises = l.promises
	in.Wishes.AcceptLoss, in.Wishes.Aside = n.w.replicas.accept, n.w.replicas.aside
}

// prepare asks nodes for promises, and operators about what is lost for good.
func (l *lead) prepare(out controller.Output) {
	n, w, term := l.n, l.n.w, l.term
	if w.healed {
		for _, u := range out.Unavailable {
			if len(u.For) == 0 {
				w.replicas.accept[u.Partition] = controller.Acceptance{Epoch: u.Epoch, By: "alice"}
			}
		}
	}
	if l.asking > w.now {
		return
	}
	l.asking = w.now + pingEvery
	if len(out.Prepare) > 0 {
		w.after(pingEvery+time.Millisecond, func() { n.awake(l.soon) })
	}
	for _, batch := range controller.Batches(out.Prepare) {
		to := w.byID[batch.Node]
		w.net.send(n.place, to.place, 0, func() {
			if !to.up {
				return
			}
			answers := make([]controller.Promise, len(batch.Partitions))
			for i, p := range batch.Partitions {
				if to.view != nil {
					answers[i] = to.copies.promise(p, batch.Epochs[i])
				}
			}
			w.net.send(to.place, n.place, 0, func() {
				if !n.up || l.term != term {
					return
				}
				for i, p := range batch.Partitions {
					if answers[i].Epoch > 0 {
						l.promises[p] = slices.DeleteFunc(l.promises[p], func(a controller.Promise) bool { return a.Node == to.id })
						l.promises[p] = append(l.promises[p], answers[i])
					}
				}
				l.asking = 0
				l.soon()
			})
		})
	}
}
