package membership

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
)

// wishes are what operators want, with the revision they have.
type wishes struct {
	controller.Wishes
	revision int64
}

const keyWishes = prefixWishes + "all"

func (m *Member) wishesChanged(d Delivery) {
	m.mu.Lock()
	if d.Resync {
		m.wishes = wishes{}
	}
	for _, it := range d.Items {
		var w controller.Wishes
		if it.Key == keyWishes && json.Unmarshal(it.Data, &w) == nil {
			m.wishes = wishes{w, it.Revision}
		}
	}
	m.mu.Unlock()
	m.lead.nudge()
}

// Ask hands an operator's request to the controller. It returns remarks on what
// was so already.
func (m *Member) Ask(ctx context.Context, r controller.Request) (notes []string, err error) {
	for {
		item, err := m.cfg.Configuration.Load(ctx, keyWishes)
		var now controller.Wishes
		switch {
		case errors.Is(err, ErrAbsent):
		case err != nil:
			return nil, err
		default:
			if err := json.Unmarshal(item.Data, &now); err != nil {
				return nil, fmt.Errorf("read what operators have asked for: %w", err)
			}
		}
		next, notes, err := now.With(r, m.View())
		if err != nil {
			return nil, err
		}
		data, err := json.Marshal(&next)
		if err != nil {
			return nil, err
		}
		if _, err = m.cfg.Configuration.Save(ctx, keyWishes, data, item.Revision, nil); err == nil {
			return notes, nil
		}
		if !errors.Is(err, ErrConflict) {
			return nil, err
		}
	}
}

// Find returns the node that a person means: its name, its id or the beginning
// of it, or one of its addresses.
func (m *Member) Find(text string) (cluster.Node, error) {
	m.mu.Lock()
	nodes := m.registry.list()
	m.mu.Unlock()
	var found []cluster.Node
	for _, n := range nodes {
		switch {
		case n.State == cluster.Left:
		case string(n.ID) == text || n.Peer == text || n.RESP == text || n.RESPCluster == text:
			return n, nil
		case n.Name == text || len(text) >= 4 && strings.HasPrefix(string(n.ID), text):
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		return cluster.Node{}, fmt.Errorf("there is no node %q: see larder cluster status", text)
	case 1:
		return found[0], nil
	}
	return cluster.Node{}, fmt.Errorf("%q may be %d nodes: give more of the id", text, len(found))
}

// SetState changes what is to become of a node: Draining empties it, Active
// takes that back. With leave a draining node has left once it is empty; a node
// that is dead has left at once, and what only it had is lost.
func (m *Member) SetState(ctx context.Context, id cluster.NodeID, state cluster.State, leave bool) error {
	for {
		m.mu.Lock()
		n, ok := m.registry.nodes[id]
		_, alive := m.registry.alive[id]
		others := 0
		for other, o := range m.registry.nodes {
			if _, up := m.registry.alive[other]; up && other != id && o.State == cluster.Active && o.Weight > 0 {
				others++
			}
		}
		m.mu.Unlock()
		switch {
		case !ok:
			return fmt.Errorf("there is no node %s", id.Short())
		case n.State == cluster.Left:
			return fmt.Errorf("node %s has left", id.Short())
		case state != cluster.Active && others == 0:
			return fmt.Errorf("node %s is the last one that can hold partitions: there is nowhere to move them", id.Short())
		}
		n.State, n.Leaving = state, leave
		if leave && !alive {
			n.State = cluster.Left
		}
		data, err := json.Marshal(&n.Node)
		if err != nil {
			return err
		}
		revision, err := m.cfg.Configuration.Save(ctx, prefixNodes+string(id), data, n.revision, nil)
		if err == nil {
			m.noteNode(n.Node, revision)
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
		select { // the watch brings what the other one has written
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// noteNode takes what this node has written before the watch brings it: who asks
// it next is to see that.
func (m *Member) noteNode(n cluster.Node, revision int64) {
	m.mu.Lock()
	if m.registry.nodes[n.ID].revision < revision {
		m.registry.nodes[n.ID] = known{n, revision}
	}
	m.mu.Unlock()
	m.nudge()
	m.lead.nudge()
}

// Plan returns what a rebalance would do.
func (m *Member) Plan() controller.Planned { return controller.Plan(m.input(m.View())) }

// Status is the state of the cluster as this node knows it.
type Status struct {
	Self       cluster.NodeID `json:"self"`
	Controller cluster.NodeID `json:"controller,omitempty"`
	View       uint64         `json:"view"`
	Nodes      []NodeStatus   `json:"nodes"`
	// Unowned partitions have no owner, Unserved an owner that is dead.
	Unowned  int `json:"unowned,omitempty"`
	Unserved int `json:"unserved,omitempty"`
	// Moving are the partitions under way. Done of All moves of the rebalance
	// are finished and Bytes of about Total sent, as far as this node knows: the
	// controller knows best.
	Moving   []MoveStatus `json:"moving,omitempty"`
	Done     int          `json:"done,omitempty"`
	All      int          `json:"all,omitempty"`
	Bytes    uint64       `json:"bytes,omitempty"`
	Total    uint64       `json:"total,omitempty"`
	Held     string       `json:"held,omitempty"`
	Paused   bool         `json:"paused,omitempty"`
	PausedBy string       `json:"paused_by,omitempty"`
	// Away: the node has started without the configuration service, and serves by
	// the view that was known last. Who is alive is not known then.
	Away bool `json:"away,omitempty"`
	// CutOff: the node hears less than half of the nodes, and answers nothing that
	// takes the others.
	CutOff bool `json:"cut_off,omitempty"`
	// Pinned counts the partitions that operators have sent to a node.
	Pinned int `json:"pinned,omitempty"`
	// Replicas is how many copies of a partition are wanted.
	Replicas int `json:"replicas,omitempty"`
	// Undercopied counts the partitions with fewer copies in sync than are wanted
	// and there are nodes for.
	Undercopied int `json:"undercopied,omitempty"`
	// Unavailable are partitions that nobody can serve, as far as the controller
	// has said so.
	Unavailable []Unavailable `json:"unavailable,omitempty"`
}

// Unavailable are partitions of which nobody who is there has everything.
type Unavailable struct {
	Partitions []int `json:"partitions"` // ascending
	// For are the nodes that may have it and are not there, ascending. None: every
	// process that had it has ended.
	For []cluster.NodeID `json:"for,omitempty"`
}

// NodeStatus is a node in a [Status].
type NodeStatus struct {
	cluster.Node
	Alive      bool      `json:"alive"`
	Since      time.Time `json:"since,omitzero"`
	Partitions int       `json:"partitions"`
	Leaving    int       `json:"leaving,omitempty"`
	Coming     int       `json:"coming,omitempty"`
	// Incarnation is the process that is alive, or was last.
	Incarnation uint64 `json:"incarnation,omitempty"`
	// Aside: the node has stepped aside. Replaceable counts the partitions that it
	// owns and another node that may get them has in sync.
	Aside       bool `json:"aside,omitempty"`
	Replaceable int  `json:"replaceable,omitempty"`
	// Settings is the revision of the settings that is in force there.
	Settings int64 `json:"settings,omitempty"`
	// Vitals is what the node itself says; nil: it has not answered. Only of
	// [Member.Survey].
	Vitals *Vitals `json:"vitals,omitempty"`
}

// MoveStatus is one partition under way.
type MoveStatus struct {
	Partition int            `json:"partition"`
	From      cluster.NodeID `json:"from,omitempty"`
	To        cluster.NodeID `json:"to"`
	Arriving  bool           `json:"arriving,omitempty"`
	// Bytes of about Total have been sent, as far as that is known.
	Bytes uint64 `json:"bytes,omitempty"`
	Total uint64 `json:"total,omitempty"`
}
