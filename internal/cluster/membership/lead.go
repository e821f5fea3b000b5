package membership

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
	"github.com/larder-cache/larder/internal/ticks"
)

// lead is what a node has for the time in which it runs the controller. Reports
// are taken at any time: one that comes just before the election counts.
type lead struct {
	kick chan struct{}

	mu       sync.Mutex
	reports  map[cluster.NodeID]controller.Report // GUARDED_BY(mu), as the next
	promises map[int][]controller.Promise
	asking   map[cluster.NodeID]bool // whose promises are being asked for
	leading  bool
	since    time.Duration // member time at which the term began
	outcome  controller.Output
	tally    controller.Tally
}

func (l *lead) init() {
	l.kick = make(chan struct{}, 1)
	l.reports = map[cluster.NodeID]controller.Report{}
	l.promises, l.asking = map[int][]controller.Promise{}, map[cluster.NodeID]bool{}
}

// nudge makes the controller look, if this node runs it.
func (l *lead) nudge() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// take takes the report of a node.
func (l *lead) take(from cluster.NodeID, r controller.Report) {
	l.mu.Lock()
	l.reports[from] = r
	l.mu.Unlock()
	l.nudge()
}

// Times of the election.
const (
	termTTL = 2 * time.Second
	// leadTick is how often the controller looks when nobody nudges it.
	leadTick = time.Second
	// saveTimeout bounds one write of the view.
	saveTimeout = 2 * time.Second
)

// campaign runs the controller whenever this node is elected. Who is alone does
// not stand.
func (m *Member) campaign() {
	for m.ctx.Err() == nil {
		if m.alone() {
			m.pause(listenEvery)
			continue
		}
		term, err := m.cfg.Configuration.Campaign(m.ctx, keyController, string(m.id), termTTL)
		if err != nil {
			if m.ctx.Err() == nil {
				m.log.Warn("standing for election failed", "reason", err)
				m.pause(time.Second)
			}
			continue
		}
		m.log.Info("this node is the controller now")
		m.term(term)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(m.ctx), saveTimeout)
		if err := term.Resign(ctx); err != nil && m.ctx.Err() == nil {
			m.log.Warn("resigning failed", "reason", err)
		}
		cancel()
	}
}

func (m *Member) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-m.ctx.Done():
	}
}

// term runs the controller until the term ends, or this node is alone.
func (m *Member) term(term Term) {
	m.lead.mu.Lock()
	m.lead.leading, m.lead.since = true, m.now()
	clear(m.lead.promises)
	m.lead.mu.Unlock()
	m.forgetView() // others may have written since the last term
	defer func() {
		m.lead.mu.Lock()
		m.lead.leading = false
		m.lead.mu.Unlock()
	}()
	var decider controller.Controller
	timer := time.NewTimer(leadTick)
	defer timer.Stop()
	for {
		if m.alone() {
			m.log.Warn("this node hears less than half of the nodes: it decides nothing, and is not the controller until it does")
			return
		}
		rest, err := m.decide(&decider, term)
		if err != nil {
			if m.ctx.Err() != nil {
				return
			}
			if errors.Is(err, ErrConflict) {
				if m.deposed() {
					m.log.Warn("this node is not the controller any more: it was deposed")
					return
				}
				m.pause(20 * time.Millisecond) // the view is newer, or somebody has come back
			} else {
				m.log.Warn("the controller could not act", "reason", err)
				m.pause(200 * time.Millisecond)
			}
		}
		timer.Reset(min(rest, ticks.Until(time.Now(), leadTick)))
		select {
		case <-term.Done():
			m.log.Warn("this node is not the controller any more")
			return
		case <-m.ctx.Done():
			return
		case <-m.lead.kick:
			m.pause(gather)
		case <-timer.C:
		}
	}
}

// deposed reports whether another node is the elected one, or nobody.
func (m *Member) deposed() bool {
	ctx, cancel := context.WithTimeout(m.ctx, saveTimeout)
	defer cancel()
	item, err := m.cfg.Configuration.Load(ctx, keyController)
	return errors.Is(err, ErrAbsent) || err == nil && string(item.Data) != string(m.id)
}

// decide lets the controller decide once and writes what it wants. It returns when
// to look again at the latest.
func (m *Member) decide(decider *controller.Controller, term Term) (rest time.Duration, err error) {
	ctx, cancel := context.WithTimeout(m.ctx, saveTimeout)
	defer cancel()
	defer m.whileStuck()()
	for {
		prev, revision, err := m.storedView(ctx)
		if err != nil {
			return leadTick, err
		}
		out := decider.Decide(m.input(prev))
		rest = leadTick
		if gathers := m.stored.at + gatherSteps - m.now(); out.View != nil && out.CanWait && gathers > 0 {
			rest = gathers
			out.View, out.Drained = nil, nil // who is empty in that view may not be in the one in force
		}
		if out.View != nil {
			if err := controller.Check(prev, out.View); err != nil {
				return leadTick, fmt.Errorf("membership: the controller is wrong: %w", err)
			}
			if revision, err = m.cfg.Configuration.Save(ctx, keyView, out.View.Encode(), revision, term, presumed(out.Presumed)...); err != nil {
				m.forgetView()
				return leadTick, fmt.Errorf("write the view: %w", err)
			}
			m.rememberView(out.View, revision)
			m.learn(out.View)
			for _, e := range out.Events {
				m.log.Info(e.Words(m.nameOf(out.View)))
			}
		}
		view := out.View
		if view == nil {
			view = prev
		}
		m.sum(prev, view, out)
		if len(out.Prepare) > 0 {
			m.ask(view, out.Prepare)
		}
		if err := m.letGo(ctx, out.Drained); err != nil {
			return leadTick, err
		}
		if out.View == nil {
			return rest, nil
		}
	}
}

// presumed returns the registrations that must not exist for a view to be
// written that takes these nodes for dead: one that has come back serves.
func presumed(nodes []cluster.NodeID) (absent []string) {
	for _, id := range nodes {
		absent = append(absent, prefixAlive+string(id))
	}
	return absent
}

// What gathers before it becomes a view, which is work for every node.
const (
	// gather is for how long reports are gathered before the controller looks again.
	gather = 20 * time.Millisecond
	// gatherSteps is the least time from a view to one that can wait: the end of many
	// moves and copies is one view.
	gatherSteps = 100 * time.Millisecond
)

// stored is the view as this node has read or written it last, with its
// revision: the condition of the next write.
type stored struct {
	view     *cluster.View
	revision int64
	at       time.Duration // when that was, by Member.now
}

// storedView returns the view that is in force and its revision.
func (m *Member) storedView(ctx context.Context) (*cluster.View, int64, error) {
	if s := m.stored; s.revision != 0 {
		return s.view, s.revision, nil
	}
	item, err := m.cfg.Configuration.Load(ctx, keyView)
	if errors.Is(err, ErrAbsent) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read the view: %w", err)
	}
	v, err := cluster.DecodeView(item.Data)
	if err != nil {
		return nil, 0, err
	}
	m.rememberView(v, item.Revision)
	m.learn(v)
	return v, item.Revision, nil
}

func (m *Member) rememberView(v *cluster.View, revision int64) {
	m.stored = stored{v, revision, m.now()}
}

// forgetView makes the next decision read the view anew.
func (m *Member) forgetView() { m.stored = stored{} }

// input gathers what is known.
func (m *Member) input(v *cluster.View) controller.Input {
	in := controller.Input{
		Now: m.now(), View: v, Settings: m.cfg.Moves,
		Alive: map[cluster.NodeID]controller.Liveness{}, Reports: map[cluster.NodeID]controller.Report{},
	}
	m.lead.mu.Lock()
	since := m.lead.since
	for id, r := range m.lead.reports {
		in.Reports[id] = r
	}
	in.Promises = maps.Clone(m.lead.promises)
	m.lead.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	in.Nodes, in.Wishes = m.registry.list(), m.wishes.Wishes
	for id := range m.registry.nodes {
		if l, ok := m.registry.alive[id]; ok {
			in.Alive[id] = controller.Liveness{Alive: true, Since: l.since, Incarnation: l.Incarnation, Silent: m.sounds[id] != heard}
			continue
		}
		d := m.registry.dead[id]
		in.Alive[id] = controller.Liveness{Since: max(since, d.since), Incarnation: d.Incarnation}
	}
	return in
}

// sum keeps what people are told of a rebalance.
func (m *Member) sum(prev, view *cluster.View, out controller.Output) {
	m.lead.mu.Lock()
	defer m.lead.mu.Unlock()
	m.lead.tally = m.lead.tally.After(prev, view, out.Remaining).Heard(view, m.lead.reports)
	m.lead.outcome = out
}

// letGo marks nodes that were to be emptied, and are, as having left: if they
// were asked to leave for good.
func (m *Member) letGo(ctx context.Context, drained []cluster.NodeID) error {
	for _, id := range drained {
		m.mu.Lock()
		n, ok := m.registry.nodes[id]
		m.mu.Unlock()
		if !ok || n.State != cluster.Draining || !n.Leaving {
			continue
		}
		n.State = cluster.Left
		data, err := json.Marshal(&n.Node)
		if err != nil {
			return err
		}
		if _, err := m.cfg.Configuration.Save(ctx, prefixNodes+string(id), data, n.revision, nil); err != nil {
			return fmt.Errorf("let node %s go: %w", id.Short(), err)
		}
	}
	return nil
}

// nameOf returns how nodes are called in the log.
func (m *Member) nameOf(v *cluster.View) func(cluster.NodeID) string {
	return func(id cluster.NodeID) string {
		if n := v.Node(id); n != nil && n.Name != "" {
			return n.Name
		}
		return id.Short()
	}
}
