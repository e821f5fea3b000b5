package membership

import (
	"slices"
	"sync"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/replication"
)

// moves are the copies from this node to others: of partitions that move, and of
// those that are kept in several nodes.
type moves struct {
	// copies are of the agent alone.
	copies [cluster.Partitions]map[cluster.NodeID]*copying

	mu      sync.Mutex
	senders map[cluster.NodeID]*replication.Sender // GUARDED_BY(mu), as all below
	rests   map[cluster.NodeID]rest                // of nodes that were given up
	handed  map[int]handed                         // hand-overs, by partition
	closed  bool
}

// copying is a copy with what the agent knows of it. It is the agent's alone.
type copying struct {
	copy        *replication.Copy // nil: it has not begun
	incarnation uint64            // of the process that has it
	offered     bool              // its acknowledgement is required from now on
	place       uint64            // what it must have acknowledged to be offered to the controller
	why         error             // why the agent has given it up
}

// failure returns why effects do not reach the node any more; the controller has
// to hear of it before another copy begins. Nil while they do.
func (c *copying) failure() error {
	if c.why != nil || c.copy == nil {
		return c.why
	}
	select {
	case <-c.copy.Done():
		return c.copy.Err()
	default:
		return nil
	}
}

// fenced reports whether the node has promised itself to another owner.
func (c *copying) fenced() bool { return c.copy != nil && c.copy.Pledged() }

// caughtUp reports whether the node has everything.
func (c *copying) caughtUp() bool {
	return c != nil && c.why == nil && c.copy != nil && c.copy.State() == replication.CaughtUp
}

// handed is how far a hand-over is.
type handed struct {
	epoch       cluster.Epoch
	incarnation uint64 // of the new owner's process
	done        bool   // acknowledged; otherwise under way
}

func (s *moves) init() {
	s.senders, s.rests, s.handed = map[cluster.NodeID]*replication.Sender{}, map[cluster.NodeID]rest{}, map[int]handed{}
	for p := range s.copies {
		s.copies[p] = map[cluster.NodeID]*copying{}
	}
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

// hasFailed reports whether a copy of a partition has.
func (s *moves) hasFailed(p int) bool {
	for _, c := range s.copies[p] {
		if c.failure() != nil {
			return true
		}
	}
	return false
}

// drop ends the copies of a partition to all nodes but those that are wanted.
func (s *moves) drop(p int, wanted []cluster.NodeID) {
	for node, c := range s.copies[p] {
		if slices.Contains(wanted, node) {
			continue
		}
		delete(s.copies[p], node)
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
		m.goes(sender.Close)
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
func (m *Member) begin(p int, epoch cluster.Epoch, to *cluster.Node, resume bool) {
	sender := m.sender(to)
	if sender == nil {
		return // this node stops
	}
	incarnation := m.incarnationOf(to.ID)
	log := m.logs.Open(p, m.receiver.Seq(p))
	begin := sender.Copy
	if resume {
		begin = sender.Resume
	}
	c := &copying{incarnation: incarnation, offered: resume}
	c.copy, c.why = begin(log, uint64(epoch)) // it fails when the stream has just broken
	m.moves.copies[p][to.ID] = c
}
