package membership

import (
	"errors"
	"sync"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/replication"
)

// moves are the copies from this node to others.
type moves struct {
	mu      sync.Mutex
	senders map[cluster.NodeID]*replication.Sender // GUARDED_BY(mu), as the next
	handed  map[int]cluster.Epoch                  // hand-overs that have been acknowledged
	failed  map[int]string                         // why the last copy of a partition failed
	handing map[int]bool                           // hand-overs under way
	// incarnation of the process that a partition was, or is being, copied to.
	incarnation map[int]uint64
	closed      bool
}

func (s *moves) init() {
	s.senders = map[cluster.NodeID]*replication.Sender{}
	s.handed, s.failed = map[int]cluster.Epoch{}, map[int]string{}
	s.incarnation, s.handing = map[int]uint64{}, map[int]bool{}
}

func (s *moves) close() {
	s.mu.Lock()
	s.closed = true
	senders := s.senders
	s.senders = nil
	s.mu.Unlock()
	for _, sender := range senders {
		sender.Close()
	}
}

// copies returns the copies under way, by partition.
func (s *moves) copies() map[int]*replication.Copy {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[int]*replication.Copy{}
	for _, sender := range s.senders {
		for _, c := range sender.Copies() {
			all[c.Partition()] = c
		}
	}
	return all
}

// sender returns the stream to a node, made anew when the last one has broken.
func (m *Member) sender(to *cluster.Node) *replication.Sender {
	s := &m.moves
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	if sender := s.senders[to.ID]; sender != nil {
		if sender.Err() == nil {
			return sender
		}
		sender.Close()
		m.log.Warn("the stream to a node has broken and begins again", "node", to.ID.Short(), "reason", sender.Err())
	}
	sender := replication.NewSender(replication.SenderConfig{
		Store: m.cfg.Store, Logs: m.logs, Transport: m.cfg.Peers.Stream(to), Incarnation: m.cfg.Incarnation,
		Node: string(to.ID), Limiter: m.limiter, Changed: m.nudge, Counters: &m.counters,
	})
	s.senders[to.ID] = sender
	return sender
}

// move does this node's part of all moves, and reports whether there is any.
func (m *Member) move(v *cluster.View, self int16) (busy bool) {
	copies := m.moves.copies()
	for p := range v.Rows {
		r := &v.Rows[p]
		c := copies[p]
		switch {
		case r.Owner != self && v.Arriving(p) && m.hands(p, r):
			busy = true
			m.handOver(p, r, &v.Nodes[r.Owner], c)
		case r.Owner == self && v.Streaming(p):
			busy = true
			if c == nil || c.Epoch() != uint64(r.Epoch) || c.Node() != string(v.Nodes[r.Target].ID) {
				m.copy(p, r.Epoch, &v.Nodes[r.Target], c)
			}
		default:
			if c != nil && c.State() != replication.Handing {
				c.Abort()
			}
			m.forget(p, r, self)
		}
		busy = busy || r.Target != cluster.NoNode && r.Target == self
	}
	return busy
}

// copy begins a copy.
func (m *Member) copy(p int, epoch cluster.Epoch, to *cluster.Node, former *replication.Copy) {
	if former != nil {
		former.Abort()
	}
	sender := m.sender(to)
	if sender == nil {
		return
	}
	if m.moves.hasFailed(p) {
		return // the controller has to hear of it and to try again
	}
	m.mu.Lock()
	incarnation := m.registry.alive[to.ID].Incarnation
	m.mu.Unlock()
	c, err := sender.Copy(m.logs.Open(p, m.receiver.Seq(p)), uint64(epoch))
	if err != nil {
		return // the stream has just broken: the next look begins another
	}
	m.moves.began(p, incarnation)
	m.goes(func() {
		<-c.Done()
		if err := c.Err(); err != nil && !errors.Is(err, replication.ErrAborted) {
			m.moves.fails(p, err)
		}
		m.nudge()
	})
}

func (s *moves) fails(p int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed[p] = err.Error()
}

// hands reports whether this node has what the new owner of an arriving
// partition waits for: it was the owner before.
func (m *Member) hands(p int, r *cluster.Row) bool { return m.has.arrived(p, r.Epoch-1) }

// handOver gives the new owner the last word on a partition. The copy is kept
// until the partition has arrived: a new owner that has been started anew since
// gets all of it again.
func (m *Member) handOver(p int, r *cluster.Row, to *cluster.Node, c *replication.Copy) {
	epoch := r.Epoch
	m.mu.Lock()
	incarnation := m.registry.alive[to.ID].Incarnation
	m.mu.Unlock()
	m.moves.mu.Lock()
	if incarnation != 0 && m.moves.incarnation[p] != incarnation && !m.moves.handing[p] {
		delete(m.moves.handed, p)
	}
	done := m.moves.handed[p] >= epoch || m.moves.handing[p]
	m.moves.mu.Unlock()
	switch {
	case done:
	case c == nil || c.Node() != string(to.ID):
		m.moves.again(p)
		m.copy(p, epoch, to, c) // the stream broke after the view had changed
	case c.State() == replication.CaughtUp:
		m.finish(p, epoch, c)
	}
}

// finish runs a hand-over; when it fails the next look tries again.
func (m *Member) finish(p int, epoch cluster.Epoch, c *replication.Copy) {
	m.moves.begins(p)
	m.goes(func() {
		err := c.HandOver(uint64(epoch))
		m.moves.ended(p, epoch, err)
		if err != nil {
			m.log.Warn("hand-over failed and is tried again", "partition", p, "reason", err)
		}
		m.nudge()
	})
}

func (s *moves) hasFailed(p int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed[p] != ""
}

func (s *moves) again(p int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.failed, p)
}

func (s *moves) began(p int, incarnation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.incarnation[p] = incarnation
}

func (s *moves) begins(p int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handing[p] = true
}

func (s *moves) ended(p int, epoch cluster.Epoch, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.handing, p)
	if err == nil {
		s.handed[p] = epoch
	}
}

// forget drops what this node has of a partition and does not need any more.
func (m *Member) forget(p int, r *cluster.Row, self int16) {
	m.moves.again(p)
	m.logs.Drop(p)
	if r.Owner == self || r.Target == self || m.has.get(p) == nothing {
		return
	}
	m.has.set(p, nothing)
	m.goes(func() { m.cfg.Store.FlushPartition(p) })
}
