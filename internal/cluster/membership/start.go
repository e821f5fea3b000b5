package membership

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// Errors of Start.
var (
	// ErrLeft is returned to a node that has been removed from the cluster.
	ErrLeft = errors.New("this node has been removed from the cluster: to join again as a new node, start it with an empty data directory")
	// ErrTwin is returned to a node as which another process runs already.
	ErrTwin = errors.New("another process runs as this node, with a copy of its data directory: " +
		"to have one more node, start this one with an empty data directory")
	// ErrNoView is returned when nobody has told which node owns what.
	ErrNoView = errors.New("no controller has written a view")
)

// isFinal reports whether trying again cannot help.
func isFinal(err error) bool { return errors.Is(err, ErrLeft) || errors.Is(err, ErrTwin) }

// Rhythm of a node that the configuration service does not answer.
const (
	enlistEvery = 200 * time.Millisecond
	// askFor is for how long the other nodes are asked for the view.
	askFor = time.Second
	// keepEvery is how often the view is stored at most.
	keepEvery = 500 * time.Millisecond
)

// start has two phases: the node is registered and gets the view; or, when the
// configuration service does not answer, the node serves by the newest view that
// it or another node knows, and goes on trying to register.
//
// Accepted: that view may be old. A request for what has moved since then goes
// to the former owner, who knows better; what clients write on this node to a
// partition that others have given away since is lost when the service is back.
func (m *Member) start(ctx context.Context) error {
	err := m.enlistWithin(ctx)
	switch {
	case err == nil:
		if err := m.firstView(ctx); err != nil {
			return err
		}
	case m.cfg.Last == nil || isFinal(err):
		return err
	default:
		m.goOnAlone(err)
	}
	m.reconcile()
	m.goes(m.agent)
	if m.cfg.Moves.Replicas > 0 {
		m.goes(m.watchdog)
		m.goes(m.keepPace)
	}
	if m.cfg.Moves.Replicas > 0 && m.cfg.SyncInterval > 0 {
		m.goes(func() { m.logs.Sync(m.ctx, m.cfg.SyncInterval, &m.counters) })
	}
	if m.cfg.Keep != nil {
		m.goes(m.keeper)
	}
	return nil
}

// enlistWithin tries to enlist until it succeeds or patience is at its end; with
// no view to go on with, patience is the caller's.
func (m *Member) enlistWithin(ctx context.Context) error {
	if m.cfg.Last != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, m.cfg.Patience)
		defer cancel()
	}
	for {
		err := m.enlist(ctx)
		if err == nil || isFinal(err) {
			return err
		}
		select {
		case <-time.After(enlistEvery):
		case <-ctx.Done():
			return err
		}
	}
}

// enlist makes the node known and begins to follow the cluster. It may be called
// again after an error.
func (m *Member) enlist(ctx context.Context) error {
	if m.registration() == nil {
		if err := m.isAlone(ctx); err != nil {
			return err
		}
		if err := m.record(ctx); err != nil {
			return err
		}
		presence, err := json.Marshal(m.presence())
		if err != nil {
			return err
		}
		r, err := m.cfg.Configuration.Register(ctx, prefixAlive+string(m.id), presence, m.cfg.AliveTTL)
		if err != nil {
			return fmt.Errorf("register this node: %w", err)
		}
		m.mu.Lock()
		m.alive = r
		m.mu.Unlock()
	}
	if err := m.follow(ctx); err != nil {
		return err
	}
	m.goes(m.campaign)
	return nil
}

func (m *Member) registration() Registration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.alive
}

// goOnAlone puts the newest view that can be found in place of the service's.
func (m *Member) goOnAlone(why error) {
	m.mu.Lock()
	m.away = true
	m.mu.Unlock()
	m.learn(m.cfg.Last)
	m.askForView()
	m.log.Warn("the configuration service cannot be reached: this node serves by what was known last, and goes on trying",
		"view", m.View().Version, "reason", why)
	m.goes(func() {
		for m.ctx.Err() == nil {
			err := m.enlist(m.ctx)
			if err == nil {
				m.mu.Lock()
				m.away = false
				m.mu.Unlock()
				m.log.Info("the configuration service is back: this node is registered")
				m.nudge()
				return
			}
			if isFinal(err) {
				m.log.Error("the configuration service is back, and refuses this node", "reason", err)
				if m.cfg.Expelled != nil {
					m.cfg.Expelled(err)
				}
				return
			}
			m.pause(enlistEvery)
			m.askForView()
		}
	})
}

// askForView asks all nodes of the view for theirs, and takes the newest.
func (m *Member) askForView() {
	ctx, cancel := context.WithTimeout(m.ctx, askFor)
	defer cancel()
	v := m.View()
	var asked sync.WaitGroup
	for i := range v.Nodes {
		if v.Nodes[i].ID == m.id {
			continue
		}
		asked.Go(func() { m.askViewOf(ctx, &v.Nodes[i]) })
	}
	asked.Wait()
}

// askViewOf takes the view of another node, if it is newer. Every view that a node
// has was written to the configuration service.
func (m *Member) askViewOf(ctx context.Context, n *cluster.Node) {
	data, err := m.cfg.Peers.Call(ctx, n, CallView, nil)
	if err != nil {
		return // it is down, or has none either
	}
	if newer, err := cluster.DecodeView(data); err == nil {
		m.learn(newer)
	}
}

// isAlone returns ErrTwin when the node is registered by a living process at
// another address. A registration of a former process of the same node does no
// harm: it is overwritten.
func (m *Member) isAlone(ctx context.Context) error {
	item, err := m.cfg.Configuration.Load(ctx, prefixAlive+string(m.id))
	if errors.Is(err, ErrAbsent) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read this node's registration: %w", err)
	}
	return CheckTwin(ctx, item.Data, m.cfg.Self, m.cfg.Twin)
}

// CheckTwin judges the registration of a node, as stored, by what is known of the
// process that wants to be that node; twin is as in [Config]. It returns nil or
// an error that wraps [ErrTwin].
func CheckTwin(ctx context.Context, registration []byte, self cluster.Node, twin func(context.Context, string) bool) error {
	var other presence
	if json.Unmarshal(registration, &other) != nil || other.Peer == "" || other.Peer == self.Peer || twin == nil || !twin(ctx, other.Peer) {
		return nil
	}
	return fmt.Errorf("node %s runs at %s already: %w", self.ID.Short(), other.Peer, ErrTwin)
}

// record writes what this node says of itself to the registry, keeping what
// operators have said of it.
func (m *Member) record(ctx context.Context) error {
	key := prefixNodes + string(m.id)
	for {
		self := m.self()
		self.State = cluster.Active
		item, err := m.cfg.Configuration.Load(ctx, key)
		switch {
		case errors.Is(err, ErrAbsent):
			item.Revision = 0
		case err != nil:
			return fmt.Errorf("read this node's record: %w", err)
		default:
			var was cluster.Node
			if err := json.Unmarshal(item.Data, &was); err != nil {
				return fmt.Errorf("read this node's record: %w", err)
			}
			if was.State == cluster.Left {
				return ErrLeft
			}
			self.State, self.Leaving = was.State, was.Leaving
		}
		data, err := json.Marshal(&self)
		if err != nil {
			return err
		}
		_, err = m.cfg.Configuration.Save(ctx, key, data, item.Revision, nil)
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// self is what this node says of itself.
func (m *Member) self() cluster.Node {
	self := m.cfg.Self
	self.Coordinator = m.coordinator.Load()
	return self
}

// SetCoordinator makes it known whether this node runs a member of the
// configuration service.
func (m *Member) SetCoordinator(ctx context.Context, is bool) error {
	m.coordinator.Store(is)
	return m.record(ctx)
}

// HasLeft reports whether this node has been removed from the cluster.
func (m *Member) HasLeft() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.registry.nodes[m.id].State == cluster.Left
}

func (m *Member) presence() presence {
	return presence{
		Incarnation: m.cfg.Incarnation, Since: m.began.UTC(), Settings: m.settings.Load(), Peer: m.cfg.Self.Peer,
	}
}

// tellPresence renews what this process registers of itself when that has changed.
func (m *Member) tellPresence() {
	now := m.settings.Load()
	r := m.registration()
	if now == m.toldSettings || r == nil {
		return
	}
	data, err := json.Marshal(m.presence())
	if err != nil {
		panic("membership: " + err.Error()) // numbers and a time
	}
	ctx, cancel := context.WithTimeout(m.ctx, saveTimeout)
	defer cancel()
	if r.Update(ctx, data) == nil {
		m.toldSettings = now
	}
}

// follow reads the registry, the view and who the controller is, and goes on
// watching them: all of it, or nothing after an error.
func (m *Member) follow(ctx context.Context) error {
	follows := []struct {
		prefix string
		apply  func(Delivery)
		now    Delivery
	}{
		{prefix: prefixNodes, apply: m.nodesChanged},
		{prefix: prefixAlive, apply: m.aliveChanged},
		{prefix: keyView, apply: m.viewChanged},
		{prefix: keyController, apply: m.leaderChanged},
		{prefix: prefixWishes, apply: m.wishesChanged},
	}
	for i := range follows {
		items, revision, err := m.cfg.Configuration.List(ctx, follows[i].prefix)
		if err != nil {
			return fmt.Errorf("read the state of the cluster: %w", err)
		}
		follows[i].now = Delivery{Resync: true, Items: items, Revision: revision}
	}
	for _, f := range follows {
		f.apply(f.now)
		m.goes(func() {
			for d := range m.cfg.Configuration.Watch(m.ctx, f.prefix, f.now.Revision) {
				f.apply(d)
			}
		})
	}
	return nil
}

// firstView waits for a view.
func (m *Member) firstView(ctx context.Context) error {
	for {
		m.mu.Lock()
		v, news := m.view, m.viewNews
		m.mu.Unlock()
		if v != nil {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrNoView, ctx.Err())
		}
	}
}

// keeper stores the view that is in force for the next start, some time after it
// has changed and at the end.
func (m *Member) keeper() {
	var kept uint64
	for ended := false; !ended; {
		m.mu.Lock()
		v, news := m.routed.view, m.routeNews
		m.mu.Unlock()
		if v != nil && v.Version != kept {
			if err := m.cfg.Keep(v.Encode()); err != nil {
				m.log.Warn("the view cannot be stored for the next start", "reason", err)
			}
			kept = v.Version
			m.pause(keepEvery)
			ended = m.ctx.Err() != nil && m.upToDate(kept)
			continue
		}
		select {
		case <-news:
		case <-m.ctx.Done():
			ended = true
		}
	}
}

func (m *Member) upToDate(version uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.routed.view.Version == version
}
