package simulate

import (
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// silent reports whether nothing is heard of another node.
func (c *copies) silent(place int) bool {
	return place != c.n.place && (c.refused[place] || c.n.w.now-max(c.heard[place], c.began) > silence)
}

// ping asks all others whether they are there. An answer renews the lease, of
// all but the partitions on which the other has promised a higher epoch.
func (c *copies) ping() {
	n, w := c.n, c.n.w
	sent, mine := w.now, n.incarnation
	for _, other := range w.nodes {
		if other == n {
			continue
		}
		w.net.send(n.place, other.place, 0, func() {
			if !other.up {
				w.net.send(other.place, n.place, 0, func() {
					if n.up && n.incarnation == mine {
						c.refused[other.place] = true
						n.lead.soon()
						c.mistrustLeader()
					}
				})
				return
			}
			oc := other.copies
			oc.answered[n.place] = w.now
			var fences map[int]cluster.Epoch
			for p := range oc.parts {
				if h := &oc.parts[p]; h.floor > 0 && other.view != nil && (h.floor > other.view.Rows[p].Epoch || other.view.Owner(p) != n.id) {
					if fences == nil {
						fences = map[int]cluster.Epoch{}
					}
					fences[p] = h.floor
				}
			}
			hears := storePlace
			if other.leader != storePlace && !oc.silent(other.leader) {
				hears = other.leader
			}
			theirs := other.incarnation
			w.net.send(other.place, n.place, 0, func() {
				if n.up && n.incarnation == mine {
					c.hears[other.place] = hears
					c.hear(other, sent, fences)
					c.reconnect(other.place, theirs)
				}
			})
		})
	}
	c.mistrustLeader()
}

func (c *copies) hear(other *node, sent time.Duration, fences map[int]cluster.Epoch) {
	c.heard[other.place] = c.n.w.now
	c.refused[other.place] = false
	c.lease[other.place] = max(c.lease[other.place], sent+ownerLease)
	for p, floor := range fences {
		if h := &c.parts[p]; h.serving > 0 && h.serving < floor {
			if s := h.stream(other.place); s != nil {
				s.fenced, s.failed = true, true
			}
		}
	}
	for _, p := range c.busy {
		c.release(p)
	}
}

// reconnect ends the streams to an earlier process of a node: their connections
// have broken, also of those on which nothing is under way.
func (c *copies) reconnect(place int, incarnation uint64) {
	for _, p := range c.busy {
		if s := c.parts[p].stream(place); s != nil && s.incarnation != 0 && s.incarnation < incarnation && !s.failed {
			s.failed = true
			c.reportSoon()
		}
	}
}

// mistrustLeader stands for election in place of a controller that is silent, if
// no other node says that it hears it: of two nodes that do not hear each other
// one would take the election from the other for ever.
func (c *copies) mistrustLeader() {
	n := c.n
	for place, leader := range c.hears {
		if leader == n.leader && place != n.leader && !c.silent(place) {
			return
		}
	}
	if n.view != nil && n.leader != storePlace && n.leader != n.place && c.silent(n.leader) {
		n.w.store.depose(n, n.leader)
	}
}
