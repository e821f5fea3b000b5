package membership

import (
	"errors"
	"slices"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/replication"
)

// Why copies are given up that have not failed by themselves.
var (
	errNotBegun = errors.New("it was not there when this node became the owner")
	errAnother  = errors.New("the node's process is another one")
)

// supplied is what the agent has seen to.
type supplied struct {
	view  *cluster.View
	all   time.Duration // when every partition was looked at last, by Member.now
	rests [cluster.Partitions]bool
}

// supply keeps the copies that the view wants of this node's partitions, hands
// over what it has given away, and drops what is not needed any more. It reports
// whether anything is under way.
//
// To look at a partition takes microseconds, and there are a thousand, while
// others wait for the processor. So one where nothing is under way is looked at
// again when its row has changed, when a copy has failed, when a process has come
// or gone, and now and then.
func (m *Member) supply(v *cluster.View, self int16) (busy bool) {
	s := &m.supplied
	all := m.registryChanged.Swap(false) || s.view == nil || m.now()-s.all >= idleTick || !slices.Equal(s.view.Nodes, v.Nodes)
	if all {
		s.all = m.now()
	}
	for p := range v.Rows {
		if !all && s.rests[p] && v.Rows[p].Equal(&s.view.Rows[p]) && !m.moves.hasFailed(p) {
			continue
		}
		s.rests[p] = !m.supplyOne(p, v, self)
		busy = busy || !s.rests[p]
	}
	s.view = v
	return busy
}

// supplyOne is supply for one partition.
func (m *Member) supplyOne(p int, v *cluster.View, self int16) (busy bool) {
	r := &v.Rows[p]
	switch {
	case r.Owner == self && m.serves[p] == r.Epoch:
		busy = m.feed(p, v)
	case r.Owner == self:
		busy = true
	case v.Arriving(p) && m.hands(p, r):
		busy = true
		m.handOver(p, r, &v.Nodes[r.Owner])
	default:
		m.moves.drop(p, nil)
		m.endLog(p)
		m.forget(p, r, self)
	}
	return busy || r.Target == self
}

// feed keeps the copies of one partition that this node owns.
//
// Invariant: a copy does not begin anew towards a node that the view has in sync:
// it would wipe what may be the only other copy.
func (m *Member) feed(p int, v *cluster.View) (busy bool) {
	r, copies := &v.Rows[p], m.moves.copies[p]
	wanted := wantedCopies(v, p)
	m.moves.drop(p, wanted)
	if len(wanted) == 0 {
		if log := m.logs.Log(p); log != nil {
			log.Require(nil)
			m.logs.Retire(p)
		}
		return false
	}
	log := m.logs.Open(p, m.receiver.Seq(p))
	m.require(log, v, p)
	for _, id := range wanted {
		inSync := hasNode(v, r.InSync, id)
		c := copies[id]
		switch {
		case c == nil && inSync:
			// Nothing was begun before the first write: the controller takes it out.
			copies[id] = &copying{why: errNotBegun}
			busy = true
		case c == nil:
			busy = true
			if m.Alive(id) && !m.moves.isResting(id, m.now()) {
				m.begin(p, r.Epoch, v.Node(id), false)
			}
		case c.failure() != nil:
			busy = true
		case m.isAnother(id, c):
			c.why = errAnother
			busy = true
		case !inSync:
			busy = true
			if c.caughtUp() && !c.offered && hasNode(v, r.Replicas, id) {
				c.offered = true
				m.require(log, v, p)
				c.place = c.copy.Place()
			}
		}
	}
	return busy
}

// isAnother reports whether a copy was begun for a process of a node that is no
// more, or that was not registered: the registry may know of the end of one only
// after its successor has answered. As long as nothing is written nobody else finds
// out that a node which the view has in sync has nothing.
func (m *Member) isAnother(id cluster.NodeID, c *copying) bool {
	now := m.incarnationOf(id)
	return now != 0 && now != c.incarnation
}

// require makes the acknowledgements count of whom the view has in sync and of
// whom this node has offered.
func (m *Member) require(log *replication.Log, v *cluster.View, p int) {
	var nodes []string
	for _, at := range v.Rows[p].InSync {
		nodes = append(nodes, string(v.Nodes[at].ID))
	}
	for id, c := range m.moves.copies[p] {
		if c.offered && !slices.Contains(nodes, string(id)) && hasNode(v, v.Rows[p].Replicas, id) {
			nodes = append(nodes, string(id))
		}
	}
	slices.Sort(nodes)
	log.Require(nodes)
}

// wantedCopies returns the nodes that are to have a copy of a partition.
func wantedCopies(v *cluster.View, p int) (ids []cluster.NodeID) {
	r := &v.Rows[p]
	for _, at := range r.Replicas {
		ids = append(ids, v.Nodes[at].ID)
	}
	if v.Streaming(p) && !slices.Contains(r.Replicas, r.Target) {
		ids = append(ids, v.Nodes[r.Target].ID)
	}
	return ids
}

func hasNode(v *cluster.View, list []int16, id cluster.NodeID) bool {
	return slices.ContainsFunc(list, func(at int16) bool { return v.Nodes[at].ID == id })
}

// endLog ends the log of a partition, if there is one: this node has all of it, also
// what was not acknowledged.
func (m *Member) endLog(p int) {
	if log := m.logs.Log(p); log != nil {
		m.receiver.Has(p, log.Seq())
		m.logs.Drop(p)
	}
}

// takeOver makes a partition ready that this node owns from this epoch on: what
// is left of an earlier epoch ends, and the copies in sync get every effect from
// the first on.
//
// REQUIRES: no request for the partition is executed.
func (m *Member) takeOver(p int, v *cluster.View) {
	r := &v.Rows[p]
	m.endLog(p)
	m.receiver.Has(p, 0)
	m.moves.drop(p, nil)
	m.serves[p] = r.Epoch
	if len(r.InSync) == 0 {
		return
	}
	log := m.logs.Open(p, m.receiver.Seq(p))
	for _, at := range r.InSync {
		m.begin(p, r.Epoch, &v.Nodes[at], true)
	}
	m.require(log, v, p)
}

// hands reports whether this node has what the new owner of an arriving
// partition waits for: it was the owner before.
func (m *Member) hands(p int, r *cluster.Row) bool { return m.has.arrived(p, r.Epoch-1) }

// handOver gives the new owner the last word on a partition. The copy is kept
// until the partition has arrived: a new owner that has been started anew since
// gets all of it again.
func (m *Member) handOver(p int, r *cluster.Row, to *cluster.Node) {
	incarnation := m.incarnationOf(to.ID)
	m.moves.mu.Lock()
	h := m.moves.handed[p]
	m.moves.mu.Unlock()
	if h.epoch != r.Epoch {
		h = handed{} // this node has had the partition again since
	}
	if h.epoch == r.Epoch && (!h.done || incarnation == 0 || incarnation == h.incarnation) {
		return // under way, or done
	}
	c := m.moves.copies[p][to.ID]
	switch {
	case c == nil || c.failure() != nil || h.done:
		// The stream broke after the view had changed, or the new owner is another
		// process now.
		m.moves.setHanded(p, handed{})
		m.begin(p, r.Epoch, to, false)
	case c.caughtUp():
		m.finish(p, r.Epoch, c)
	}
}

// handPatience is for how long a hand-over waits until the copies in sync have
// the last writes, which are acknowledged then. Whoever waits for the partition
// waits with it; longer than that the controller has nobody wait.
const handPatience = time.Second

// finish runs a hand-over; when it fails the next look tries again.
func (m *Member) finish(p int, epoch cluster.Epoch, c *copying) {
	m.moves.setHanded(p, handed{epoch: epoch, incarnation: c.incarnation})
	m.goes(func() {
		log := c.copy.Log()
		log.Flushed(handPatience)
		m.logs.Retire(p)
		m.receiver.Has(p, log.Seq())
		err := c.copy.HandOver(uint64(epoch))
		// What the copies in sync have not acknowledged by now they never do to this
		// node: who waits for it is told.
		log.Fence()
		switch {
		case errors.Is(err, replication.ErrAborted): // the view has gone on
			m.moves.setHanded(p, handed{})
		case err != nil:
			m.moves.setHanded(p, handed{})
			m.log.Warn("hand-over failed and is tried again", "partition", p, "reason", err)
		default:
			m.moves.setHanded(p, handed{epoch, c.incarnation, true})
		}
		m.nudge()
	})
}

func (s *moves) setHanded(p int, h handed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handed[p] = h
}

// forget drops what this node has of a partition and does not need any more.
func (m *Member) forget(p int, r *cluster.Row, self int16) {
	if r.Target == self || slices.Contains(r.Replicas, self) || m.has.get(p) == nothing {
		return
	}
	m.dropping[p].Lock()
	m.has.set(p, nothing)
	m.receiver.Drop(p)
	m.goes(func() {
		defer m.dropping[p].Unlock()
		m.cfg.Store.FlushPartition(p)
	})
}

// awaitDropped waits until what this node had of a partition before is gone: it would
// take with it what comes next.
func (m *Member) awaitDropped(p int) {
	m.dropping[p].Lock()
	defer m.dropping[p].Unlock()
}
