package membership

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
)

// Status returns the state of the cluster, without asking anybody.
func (m *Member) Status() Status {
	m.mu.Lock()
	s := Status{
		Self: m.id, Controller: m.leader, Paused: m.wishes.Paused, PausedBy: m.wishes.PausedBy, Pinned: len(m.wishes.Pins), Away: m.away, CutOff: m.missed != nil,
	}
	v, nodes := m.view, m.registry.list()
	alive := make(map[cluster.NodeID]lively, len(m.registry.alive))
	for id, l := range m.registry.alive {
		alive[id] = l
	}
	m.mu.Unlock()
	if v == nil {
		return s
	}
	if s.Away {
		nodes = v.Nodes
	}
	up := func(id cluster.NodeID) bool {
		_, ok := alive[id]
		return ok || s.Away
	}
	s.View, s.Replicas = v.Version, m.cfg.Moves.Replicas
	leaving, coming := s.count(v, up)
	in := m.input(v)
	replaceable, _ := in.Replaceable()
	owned := v.Owned()
	for _, n := range nodes {
		at := v.Index(n.ID)
		if n.State == cluster.Left && at == cluster.NoNode {
			continue
		}
		l := alive[n.ID]
		ns := NodeStatus{
			Node: n, Alive: up(n.ID), Since: l.Since, Settings: l.Settings,
			Incarnation: in.Alive[n.ID].Incarnation, Aside: in.Aside(n.ID),
		}
		if at != cluster.NoNode {
			ns.Partitions, ns.Leaving, ns.Coming, ns.Replaceable = owned[at], leaving[at], coming[at], replaceable[at]
		}
		s.Nodes = append(s.Nodes, ns)
	}
	if r := m.rebalance(); r != nil {
		s.take(r)
	}
	return s
}

// count counts what a view says of partitions; leaving and coming are by node.
func (s *Status) count(v *cluster.View, up func(cluster.NodeID) bool) (leaving, coming []int) {
	leaving, coming = make([]int, len(v.Nodes)), make([]int, len(v.Nodes))
	keepers := 0
	for i := range v.Nodes {
		if v.Nodes[i].State == cluster.Active && v.Nodes[i].Weight > 0 {
			keepers++
		}
	}
	for p := range v.Rows {
		r := &v.Rows[p]
		if r.Owner == cluster.NoNode {
			s.Unowned++
			continue
		}
		if !up(v.Owner(p)) {
			s.Unserved++
		}
		if len(r.InSync) < min(s.Replicas, keepers-1) {
			s.Undercopied++
		}
		if r.Target == cluster.NoNode {
			continue
		}
		coming[r.Target]++
		move := MoveStatus{Partition: p, To: v.Target(p), Arriving: v.Arriving(p)}
		if !move.Arriving {
			leaving[r.Owner]++
			move.From = v.Owner(p)
		}
		s.Moving = append(s.Moving, move)
	}
	return leaving, coming
}

// Vitals is what only a node itself knows.
type Vitals struct {
	MemoryUsed uint64 `json:"memory_used"`
	MemoryMax  uint64 `json:"memory_max"` // 0: no limit
	// View is the version that is in force there.
	View uint64 `json:"view"`
	// Empty counts the partitions that the view has the node in sync with, and of
	// which its process, started anew, has nothing.
	Empty int `json:"empty,omitempty"`
	// Rebalance is what the controller knows; nil on other nodes.
	Rebalance *Rebalance `json:"rebalance,omitempty"`
}

// Rebalance is how far the controller is with the moves it wants.
type Rebalance struct {
	Done  int    `json:"done"`
	All   int    `json:"all"`
	Bytes uint64 `json:"bytes"`
	Total uint64 `json:"total"`
	Held  string `json:"held,omitempty"`
	// Unavailable: see [Status].
	Unavailable []Unavailable `json:"unavailable,omitempty"`
	// Sent is by partition, of the moves under way.
	Sent map[int]Sent `json:"sent,omitempty"`
}

// Sent is how much of a partition has gone to its new owner.
type Sent struct {
	Bytes uint64 `json:"bytes"`
	Total uint64 `json:"total"`
}

func (m *Member) vitals() Vitals {
	v := Vitals{MemoryUsed: m.cfg.Store.Used(), MemoryMax: m.cfg.Store.MaxBytes(), Rebalance: m.rebalance()}
	m.mu.Lock()
	defer m.mu.Unlock()
	if view := m.routed.view; view != nil {
		v.View, v.Empty = view.Version, m.empty(view)
	}
	return v
}

// empty counts the partitions that a view has this node in sync with, and of which
// it has nothing.
func (m *Member) empty(v *cluster.View) (count int) {
	for p := range v.Rows {
		if hasNode(v, v.Rows[p].InSync, m.id) && m.has.get(p) == nothing {
			count++
		}
	}
	return count
}

// rebalance returns what this node knows as the controller, nil when it is not.
func (m *Member) rebalance() *Rebalance {
	view := m.View()
	m.lead.mu.Lock()
	defer m.lead.mu.Unlock()
	if !m.lead.leading || view == nil {
		return nil
	}
	t := m.lead.tally
	r := &Rebalance{Done: t.Done, All: t.All(), Bytes: t.Bytes, Total: t.Total, Held: m.lead.outcome.Held, Unavailable: gathered(m.lead.outcome.Unavailable), Sent: map[int]Sent{}}
	for id, report := range m.lead.reports {
		for _, l := range report.Leaving {
			if l.Stage != controller.HandingOver && l.Partition >= 0 && l.Partition < cluster.Partitions && view.Owner(l.Partition) == id {
				r.Sent[l.Partition] = Sent{l.Bytes, l.Total}
			}
		}
	}
	return r
}

// take adds what the controller knows.
func (s *Status) take(r *Rebalance) {
	s.Done, s.All, s.Bytes, s.Total, s.Held, s.Unavailable = r.Done, r.All, r.Bytes, r.Total, r.Held, r.Unavailable
	for i := range s.Moving {
		sent := r.Sent[s.Moving[i].Partition]
		s.Moving[i].Bytes, s.Moving[i].Total = sent.Bytes, sent.Total
	}
}

// gathered puts partitions together that wait for the same nodes.
func gathered(list []controller.Unavailable) (together []Unavailable) {
	for _, u := range list {
		i := slices.IndexFunc(together, func(o Unavailable) bool { return slices.Equal(o.For, u.For) })
		if i < 0 {
			i = len(together)
			together = append(together, Unavailable{For: u.For})
		}
		together[i].Partitions = append(together[i].Partitions, u.Partition)
	}
	return together
}

// surveyFor is how long the other nodes have to answer.
const surveyFor = 500 * time.Millisecond

// Survey returns the state of the cluster with what every node says of itself:
// it asks those that are alive, for half a second at most.
func (m *Member) Survey(ctx context.Context) Status {
	s := m.Status()
	ctx, cancel := context.WithTimeout(ctx, surveyFor)
	defer cancel()
	var asked sync.WaitGroup
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if n.ID == m.id {
			own := m.vitals()
			n.Vitals = &own
			continue
		}
		if !n.Alive {
			continue
		}
		asked.Go(func() {
			data, err := m.cfg.Peers.Call(ctx, &n.Node, CallVitals, nil)
			var v Vitals
			if err == nil && json.Unmarshal(data, &v) == nil {
				n.Vitals = &v
			}
		})
	}
	asked.Wait()
	for _, n := range s.Nodes {
		if n.Vitals == nil {
			continue
		}
		s.Undercopied += n.Vitals.Empty
		if n.Vitals.Rebalance != nil && n.ID == s.Controller {
			s.take(n.Vitals.Rebalance)
		}
	}
	return s
}

// ErrNoController is returned when there is no controller to talk to.
var ErrNoController = errors.New("no node is the controller at this moment")

// Kick makes the controller look at once at what is to be done.
func (m *Member) Kick(ctx context.Context) error {
	m.mu.Lock()
	leader := m.leader
	m.mu.Unlock()
	if leader == m.id {
		m.lead.nudge()
		return nil
	}
	node := m.View().Node(leader)
	if node == nil {
		return ErrNoController
	}
	_, err := m.cfg.Peers.Call(ctx, node, CallKick, nil)
	return err
}
