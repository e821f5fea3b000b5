package membership

import (
	"errors"
	"sync"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/replication"
)

// moves are the copies from this node to others: of partitions that move, and of
// those that are kept in several nodes.
type moves struct {
	mu      sync.Mutex
	senders map[cluster.NodeID]*replication.Sender // GUARDED_BY(mu), as the next
	copies  map[link]*copying
	handed  map[int]handed // hand-overs, by partition
	closed  bool
}

// link names a copy: of what, where.
type link struct {
	partition int
	node      cluster.NodeID
}

// copying is a copy with what the agent knows of it.
type copying struct {
	copy        *replication.Copy // nil: it could not begin
	incarnation uint64            // of the process that has it
	offered     bool              // its acknowledgement is required from now on
	place       uint64            // what it must have acknowledged to be offered to the controller
	failed      string            // why it has ended; the controller has to hear of it first
	fenced      bool              // the node has promised itself to another owner
}

// live reports whether effects reach the node.
func (c *copying) live() bool { return c != nil && c.failed == "" && c.copy != nil }

// caughtUp reports whether the node has everything.
func (c *copying) caughtUp() bool { return c.live() && c.copy.State() == replication.CaughtUp }

// handed is how far a hand-over is.
type handed struct {
	epoch       cluster.Epoch
	incarnation uint64 // of the new owner's process
	done        bool   // acknowledged; otherwise under way
}

func (s *moves) init() {
	s.senders = map[cluster.NodeID]*replication.Sender{}
	s.copies, s.handed = map[link]*copying{}, map[int]handed{}
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

// of returns a copy, nil when there is none.
func (s *moves) of(l link) *copying {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copies[l]
}

// all returns the copies of every partition.
func (s *moves) all() map[int]map[cluster.NodeID]*copying {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[int]map[cluster.NodeID]*copying{}
	for l, c := range s.copies {
		if all[l.partition] == nil {
			all[l.partition] = map[cluster.NodeID]*copying{}
		}
		all[l.partition][l.node] = c
	}
	return all
}

// drop ends the copies of a partition to all nodes but those that keep names.
func (s *moves) drop(p int, nodes map[cluster.NodeID]*copying, keep func(cluster.NodeID) bool) {
	for node, c := range nodes {
		if keep(node) {
			continue
		}
		s.mu.Lock()
		delete(s.copies, link{p, node})
		s.mu.Unlock()
		if c.copy != nil {
			c.copy.Abort()
		}
	}
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
		Node: string(to.ID), Limiter: m.limiter, Version: m.version, Changed: m.nudge, Counters: &m.counters,
	})
	s.senders[to.ID] = sender
	return sender
}

// version is of the view that this node goes by.
func (m *Member) version() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.routed.view == nil {
		return 0
	}
	return m.routed.view.Version
}

// begin begins a copy of a partition, with a scan or, for a node that has it all,
// without. One that had failed is forgotten.
func (m *Member) begin(p int, epoch cluster.Epoch, to *cluster.Node, resume bool) *copying {
	sender := m.sender(to)
	if sender == nil {
		return nil
	}
	m.mu.Lock()
	incarnation := m.registry.alive[to.ID].Incarnation
	m.mu.Unlock()
	log := m.logs.Open(p, m.receiver.Seq(p))
	begin := sender.Copy
	if resume {
		begin = sender.Resume
	}
	c := &copying{incarnation: incarnation, offered: resume}
	copy, err := begin(log, uint64(epoch))
	if err != nil {
		c.failed = err.Error() // the stream has just broken
	}
	c.copy = copy
	m.moves.mu.Lock()
	m.moves.copies[link{p, to.ID}] = c
	m.moves.mu.Unlock()
	if err == nil {
		m.goes(func() { m.watch(c, log) })
	}
	return c
}

// watch notes how a copy ends.
func (m *Member) watch(c *copying, log *replication.Log) {
	<-c.copy.Done()
	if err := c.copy.Err(); err != nil && !errors.Is(err, replication.ErrAborted) {
		m.moves.mu.Lock()
		c.failed, c.fenced = err.Error(), log.Fenced()
		m.moves.mu.Unlock()
	}
	m.nudge()
}
