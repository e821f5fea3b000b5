package membership

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
)

// ErrNoCopies is returned for a node that cannot step aside: copies are not kept.
var ErrNoCopies = errors.New("cluster.replicas is 0: no partition has a copy on another node; larder cluster drain moves what a node holds")

// StepAside asks that the present process of a node own nothing that another node
// has in sync; see [controller.Wishes]. It does not wait for that.
func (m *Member) StepAside(ctx context.Context, id cluster.NodeID, by string) (notes []string, err error) {
	incarnation := m.incarnationOf(id)
	switch {
	case m.cfg.Moves.Replicas == 0:
		return nil, ErrNoCopies
	case incarnation == 0:
		return nil, fmt.Errorf("node %s is down", id.Short())
	}
	return m.Ask(ctx, controller.Request{Kind: controller.Relieve, By: by, Node: id, Incarnation: incarnation})
}

// IsAside reports whether a node has stepped aside.
func (m *Member) IsAside(id cluster.NodeID) bool {
	in := m.input(nil)
	return in.Aside(id)
}

const (
	// retireTick is the pause between two looks at how far stepping aside is.
	retireTick = 20 * time.Millisecond
	retiredBy  = "the node, which is stopping"
)

// Retire prepares the end of this node: it steps aside, and returns when it owns
// nothing that another node can own, and all that are alive know so. stays is what
// it owns in the end, for which there is no other; err why not more was possible.
func (m *Member) Retire(ctx context.Context) (stays int, err error) {
	if v := m.View(); v == nil || v.Index(m.id) == cluster.NoNode {
		return 0, nil
	}
	if stays, can := m.replaceable(); !can {
		return stays, nil
	}
	if _, err = m.StepAside(ctx, m.id, retiredBy); err != nil {
		stays, _ = m.replaceable()
		return stays, err
	}
	for {
		stays, can := m.replaceable()
		if !can && !m.handsOver() && m.known(ctx) {
			return stays, nil
		}
		select {
		case <-time.After(retireTick):
		case <-ctx.Done():
			return stays, ctx.Err()
		}
	}
}

// replaceable returns how many partitions this node owns, and whether another
// node can own one of them, now or once it has a copy.
func (m *Member) replaceable() (owned int, can bool) {
	v := m.View()
	at := v.Index(m.id)
	if at == cluster.NoNode {
		return 0, false
	}
	in := m.input(v)
	now, later := in.Replaceable()
	return v.Owned()[at], now[at]+later[at] > 0
}

// handsOver reports whether a new owner waits for what this node has.
func (m *Member) handsOver() bool {
	v := m.View()
	for p := range v.Rows {
		if v.Arriving(p) && v.Owner(p) != m.id && m.hands(p, &v.Rows[p]) {
			return true
		}
	}
	return false
}

// known reports whether every node that is alive goes by the newest view.
func (m *Member) known(ctx context.Context) bool {
	version := m.View().Version
	for _, n := range m.Survey(ctx).Nodes {
		if n.Alive && (n.Vitals == nil || n.Vitals.View < version) {
			return false
		}
	}
	return true
}

// Restart makes a node end in order and start again, as a new process.
func (m *Member) Restart(ctx context.Context, id cluster.NodeID) error {
	if id == m.id {
		return m.restart()
	}
	node := m.View().Node(id)
	if node == nil || !m.Alive(id) {
		return fmt.Errorf("node %s is down; start it", id.Short())
	}
	_, err := m.cfg.Peers.Call(ctx, node, CallRestart, nil)
	return err
}

func (m *Member) restart() error {
	if m.cfg.Restart == nil {
		return errors.New("this node cannot restart itself")
	}
	return m.cfg.Restart()
}
