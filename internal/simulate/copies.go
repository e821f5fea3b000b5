package simulate

import (
	"slices"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
)

// The times of replication and failover, as nodes have them.
const (
	pingEvery   = 50 * time.Millisecond
	silence     = 300 * time.Millisecond
	ownerLease  = 200 * time.Millisecond
	leaseDrift  = 50 * time.Millisecond
	copyTimeout = 300 * time.Millisecond // without an acknowledgement
)

// history is every write of a partition, in order, by number.
type history []uint32

// within reports whether the other history goes on from this one.
func (h history) within(o history) bool { return len(h) <= len(o) && slices.Equal(h, o[:len(h)]) }

// held is what a process has of one partition in a cluster that keeps copies.
type held struct {
	data  history
	whole bool
	// floor: what is of a lower epoch is refused. waitUntil is when nobody takes
	// an earlier answer of this node for fresh any more.
	floor     cluster.Epoch
	waitUntil time.Duration
	taken     uint64 // the stream whose records are taken, 0: none
	from      int    // the place it comes from
	handed    cluster.Epoch

	serving cluster.Epoch
	streams []*outflow
	offered []int // places of learners whose acknowledgements are required
	holds   []hold
}

// hold is a reply that is held.
type hold struct {
	r    *request
	data history // what it tells, or confirms
}

// copies is what a process has and knows for replication.
type copies struct {
	n         *node
	parts     [cluster.Partitions]held
	heard     map[int]time.Duration // when something was sent by each node that has come
	refused   map[int]bool          // its connection is refused
	hears     map[int]int           // whom each hears as the controller, as it has said last
	lease     map[int]time.Duration // until when the last answer of each counts
	answered  map[int]time.Duration // when each was last answered
	began     time.Duration
	reporting bool
	busy      []int // own partitions with copies, ascending
}

func newCopies(n *node) *copies {
	return &copies{n: n, heard: map[int]time.Duration{}, refused: map[int]bool{}, hears: map[int]int{}, lease: map[int]time.Duration{}, answered: map[int]time.Duration{}, began: n.w.now}
}

// inSync reports whether the node at a place is in sync by a row.
func (n *node) inSync(r *cluster.Row, place int) bool {
	return slices.ContainsFunc(r.InSync, func(at int16) bool { return n.placeOf(at) == place })
}

// required lists whose acknowledgements a partition needs.
func (c *copies) required(p int) []int {
	list := slices.Clone(c.parts[p].offered)
	for _, at := range c.n.view.Rows[p].InSync {
		list = append(list, c.n.placeOf(at))
	}
	return list
}

// follow does what a row asks of this node.
func (c *copies) follow(p int, former *cluster.View) {
	n, h, r := c.n, &c.parts[p], &c.n.view.Rows[p]
	self := int16(n.view.Index(n.id))
	switch {
	case self == cluster.NoNode || r.Owner != self && !slices.Contains(r.Replicas, self) && h.serving == 0:
		floor, taken := h.floor, h.taken
		if h.taken == 0 || r.Epoch >= h.floor { // a copy that comes ahead of the view stays
			*h = held{floor: floor, taken: taken}
			h.taken = 0
		}
	case r.Owner != self:
		if h.serving > 0 {
			if n.view.Arriving(p) && h.serving == r.Epoch-1 {
				c.handOver(p, n.placeOf(r.Owner), r.Epoch)
			}
			h.abandon(n.w)
		}
	case h.serving == r.Epoch:
		c.connect(p)
	case h.serving > 0 && former != nil && former.Owner(p) == n.id && h.serving == former.Rows[p].Epoch && r.Epoch == h.serving+1:
		h.serving = r.Epoch
		for _, s := range h.streams {
			bound := slices.Contains(c.required(p), s.to)
			s.number, s.resume, s.again, s.confirmed = n.w.number(), bound, bound, false
		}
		c.connect(p)
	default:
		h.abandon(n.w)
		c.await(p)
	}
}

// abandon ends what an owner does: what it holds is never acknowledged by it.
func (h *held) abandon(w *World) {
	w.requests.Refused += len(h.holds)
	h.serving, h.streams, h.offered, h.holds = 0, nil, nil, nil
}

// await makes this node ready to serve a partition that it has just been given.
func (c *copies) await(p int) {
	n, h, r := c.n, &c.parts[p], &c.n.view.Rows[p]
	if !h.whole && (r.Epoch == 1 && n.incarnation == 1 || n.w.replicas.accepted(p, r.Epoch)) {
		h.data, h.whole = nil, true // the first owner, or the loss was accepted
		c.serve(p)
		return
	}
	switch {
	case !h.whole:
		return // reported as empty
	case n.view.Arriving(p) && h.handed != r.Epoch:
		return
	case h.handed == r.Epoch:
		c.serve(p)
		return
	}
	c.fence(p, r.Epoch)
	mine, epoch := n.incarnation, r.Epoch
	n.w.after(max(0, h.waitUntil-n.w.now), func() {
		n.awake(func() {
			if n.up && n.incarnation == mine && n.view.Owner(p) == n.id && n.view.Rows[p].Epoch == epoch && h.serving != epoch {
				c.serve(p)
			}
		})
	})
}

// fence makes this node refuse the owners of lower epochs, and remembers until
// when they may take its last answer for fresh.
func (c *copies) fence(p int, epoch cluster.Epoch) {
	h := &c.parts[p]
	if h.floor >= epoch {
		return
	}
	h.floor = epoch
	last := c.answered[h.from]
	if at := c.n.view.Rows[p].Owner; at != cluster.NoNode {
		last = max(last, c.answered[c.n.placeOf(at)])
	}
	h.waitUntil = max(h.waitUntil, last+ownerLease+leaseDrift)
	h.taken = 0
}

func (c *copies) serve(p int) {
	n, h, r := c.n, &c.parts[p], &c.n.view.Rows[p]
	h.serving, h.taken = r.Epoch, 0
	h.floor = max(h.floor, r.Epoch)
	h.streams, h.offered, h.holds = nil, nil, nil
	for _, at := range r.InSync {
		h.streams = append(h.streams, &outflow{number: n.w.number(), to: n.placeOf(at), resume: true, start: len(h.data), waiting: n.w.now})
	}
	c.connect(p)
	n.retryWaits()
	c.reportSoon()
}

// handOver sends the last of a partition to its new owner, again and again.
func (c *copies) handOver(p, to int, epoch cluster.Epoch) {
	n := c.n
	m := message{epoch: epoch, from: n.place, data: slices.Clip(c.parts[p].data)}
	mine, target := n.incarnation, n.w.nodes[to]
	var again func()
	again = func() {
		if !n.up || n.incarnation != mine || n.view.Rows[p].Epoch != epoch || !n.view.Arriving(p) {
			return
		}
		n.w.net.send(n.place, to, 0, func() {
			if target.up && target.copies != nil {
				target.copies.takeOver(p, m)
			}
		})
		n.w.after(resend, func() { n.awake(again) })
	}
	again()
}

// takeOver gets the last of a partition from its former owner.
func (c *copies) takeOver(p int, m message) {
	n, h := c.n, &c.parts[p]
	if h.serving > 0 || !h.whole || h.floor > m.epoch || n.view == nil || n.view.Rows[p].Epoch > m.epoch || h.floor == m.epoch {
		return
	}
	if !h.data.within(m.data) {
		n.w.fail("partition %d: what %s hands over does not go on from what %s has", p, n.w.nodes[m.from].name, n.name)
	}
	h.data, h.handed, h.taken = m.data, m.epoch, 0
	h.floor = m.epoch
	if n.view.Owner(p) == n.id && n.view.Rows[p].Epoch == m.epoch {
		c.serve(p)
	}
}

// promise answers a preparation.
func (c *copies) promise(p int, epoch cluster.Epoch) controller.Promise {
	h := &c.parts[p]
	c.fence(p, epoch)
	if h.serving > 0 && h.serving < epoch {
		h.abandon(c.n.w)
	}
	return controller.Promise{Node: c.n.id, Incarnation: c.n.incarnation, Epoch: epoch, Seq: uint64(len(h.data)), Whole: h.whole}
}

// execute executes a request, and holds its reply.
func (c *copies) execute(r *request) {
	h := &c.parts[r.partition]
	if !r.read {
		c.n.w.writes++
		h.data = append(slices.Clip(h.data), c.n.w.writes)
		for _, s := range h.streams {
			c.push(r.partition, s)
		}
	}
	h.holds = append(h.holds, hold{r, slices.Clip(h.data)})
	c.release(r.partition)
}

// release lets replies go that need not be held any more.
func (c *copies) release(p int) {
	n, h := c.n, &c.parts[p]
	for len(h.holds) > 0 {
		first := h.holds[0]
		for _, place := range c.required(p) {
			s := h.stream(place)
			if s == nil || s.acked < len(first.data) || !s.confirmed && s.resume {
				return
			}
			if first.r.read && (s.fenced || c.lease[place] <= n.w.now) {
				return
			}
		}
		h.holds = h.holds[1:]
		n.w.replicas.replied(n, h.serving, first)
	}
}

// reportSoon reports a moment later, once for all news of that moment.
func (c *copies) reportSoon() {
	n := c.n
	if c.reporting {
		return
	}
	c.reporting = true
	n.w.after(2*time.Millisecond, func() {
		c.reporting = false
		n.awake(func() {
			if n.up && n.copies == c {
				n.report()
			}
		})
	})
}

// tell adds to a report what this node has to say of copies.
func (c *copies) tell(r *controller.Report) {
	n := c.n
	c.busy = c.busy[:0]
	r.InSync = map[cluster.NodeID]uint64{}
	for p := range n.view.Rows {
		row, h := &n.view.Rows[p], &c.parts[p]
		if n.view.Owner(p) != n.id {
			if n.view.Arriving(p) && slices.ContainsFunc(row.InSync, func(at int16) bool { return n.view.Nodes[at].ID == n.id }) && h.whole {
				r.Leaving = append(r.Leaving, controller.Leaving{Partition: p, Epoch: row.Epoch, Target: n.view.Owner(p), Stage: controller.HandingOver})
			}
			continue
		}
		c.busy = append(c.busy, p)
		switch {
		case h.serving == row.Epoch && n.view.Arriving(p):
			r.Arrived = append(r.Arrived, controller.Arrived{Partition: p, Epoch: row.Epoch})
		case !h.whole:
			r.Empty = append(r.Empty, controller.Arrived{Partition: p, Epoch: row.Epoch})
		}
		for _, s := range h.streams {
			o := controller.CopyOf{Partition: p, Epoch: row.Epoch, Node: n.w.nodes[s.to].id, Incarnation: s.incarnation, Fenced: s.fenced}
			switch {
			case s.failed:
				o.Stage, o.Reason = controller.Failed, "it does not follow"
			case n.inSync(row, s.to):
				r.InSync[o.Node] = max(r.InSync[o.Node], s.incarnation)
				continue
			case slices.Contains(h.offered, s.to) && s.confirmed && s.acked >= s.need:
				o.Stage = controller.CaughtUp
			}
			r.Copies = append(r.Copies, o)
		}
	}
}
