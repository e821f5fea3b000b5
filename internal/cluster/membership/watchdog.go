package membership

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/ticks"
)

// Hearing is what a node notices of another one.
type Hearing struct {
	// Gone: its address refuses connections, so its process has ended.
	Gone bool
	// Silent is for how long nothing has been heard of it.
	Silent time.Duration
}

const (
	// silentAfter is from when on a node that cannot be heard counts as dead, as
	// far as promises make that safe.
	silentAfter = 300 * time.Millisecond
	// listenEvery is how often the watchdog looks.
	listenEvery = 50 * time.Millisecond
	// latePatience is how much longer than this goroutine was late a node may be
	// silent, or late.
	latePatience = 4
	// vouchTimeout is for how long the word of other nodes is waited for.
	vouchTimeout = 150 * time.Millisecond
	// deposeTimeout bounds one attempt to depose a controller.
	deposeTimeout = 500 * time.Millisecond
	// watchers is how many nodes listen to all others when no node is a
	// coordinator: who is elected then knows at once who is dead.
	watchers = 3
)

// watchdog listens to the other nodes: to all of them where this node may follow
// the controller, to the controller elsewhere. It deposes a controller that nobody
// hears; being wrong about that costs an election. Only with copies is a dead
// node followed before its registration runs out, so only then it runs.
func (m *Member) watchdog() {
	m.patiently(func(patience time.Duration) {
		deaf := m.listen(silentAfter + patience)
		overdue := m.cfg.Peers.Overdue(apartAfter + patience)
		m.bypass(overdue)
		if len(overdue) > 0 || !m.hearsAll() {
			m.inquire()
		}
		succeeds := m.succeed()
		unheard, asked := deaf != "" && !succeeds, true // a controller can be deposed when that is over
		if unheard {
			var vouched bool
			vouched, asked = m.vouchedFor(CallHears, deaf)
			unheard = !vouched
		}
		m.noteLonely(!asked)
		if unheard {
			m.depose(deaf)
		}
	})
}

// succeed has the configuration service elect another leader when its leader is a
// node that nobody hears, and reports whether it was.
func (m *Member) succeed() bool {
	if m.cfg.Leads == nil || m.alone() {
		return false
	}
	m.mu.Lock()
	missed := maps.Clone(m.sounds)
	m.mu.Unlock()
	for id, s := range missed {
		if m.cfg.Leads(id) {
			return m.succeedOne(id, s)
		}
	}
	return false
}

// succeedOne is succeed for a node that was found to be missed, and to be the leader.
func (m *Member) succeedOne(id cluster.NodeID, s sound) bool {
	if s == silent {
		if vouched, asked := m.vouchedFor(CallReaches, id); vouched || !asked {
			return false
		}
	}
	ctx, cancel := context.WithTimeout(m.ctx, vouchTimeout)
	defer cancel()
	m.cfg.Succeed(ctx, id)
	return true
}

// patiently calls look every listenEvery with the patience that is due, until this
// node stops.
func (m *Member) patiently(look func(patience time.Duration)) {
	l := lateness{before: m.now()}
	for range ticks.Every(m.ctx.Done(), listenEvery) {
		look(l.patience(m.now()))
		l.before = m.now()
	}
}

// lateness is by how much looks at other nodes were late. A machine that is too
// busy to look in time is too busy to hear: by as much as it is late, it is patient.
type lateness struct {
	before time.Duration // when the last look had ended: what it does is no delay
	late   time.Duration
}

// patience returns how much longer than usual a node may be silent, or late with
// something, at a look at now.
func (l *lateness) patience(now time.Duration) time.Duration {
	l.late = max(now-l.before-listenEvery, l.late*15/16)
	return latePatience * l.late
}

// listen notes who cannot be heard, and returns the controller if it is among them.
func (m *Member) listen(patience time.Duration) (deaf cluster.NodeID) {
	m.mu.Lock()
	v, leader := m.view, m.leader
	m.mu.Unlock()
	if v == nil || len(v.Nodes) < 2 {
		return ""
	}
	all := m.listensToAll(v, leader) || m.lonelySince > 0
	changed := false
	waits := sync.OnceValue(func() bool { return m.mayBeDeaf(patience) })
	for i := range v.Nodes {
		n := &v.Nodes[i]
		if !m.listensTo(n, leader, all) {
			m.ignore(n.ID)
			continue
		}
		s := heard
		switch h := m.cfg.Peers.Hear(n); {
		case h.Gone:
			s = gone
		case h.Silent >= patience && (m.misses(n.ID) || !waits()):
			s = silent
		}
		if m.hear(n.ID, s) {
			changed = true
			if s == heard {
				m.goes(func() { m.catchUp(n) })
			}
		}
		if s != heard && n.ID == leader {
			deaf = leader
		}
	}
	if changed {
		m.lead.nudge()
	}
	return deaf
}

// isDeaf reports whether nobody has just been heard of those that this node listens
// to and whose processes have not ended. Then what copies of its partitions do not
// acknowledge says nothing of them: it may be this node that hears nothing, while what
// it says arrives. A controller that believed it would leave the partitions to nobody
// but this node.
func (m *Member) isDeaf() bool {
	if m.cfg.Moves.Replicas == 0 {
		return false
	}
	missed, of := m.unheardFor(freshAfter)
	return missed > 0 && missed == of
}

// mayBeDeaf reports whether it is not yet clear whether nodes that have been silent
// for as long as patience are to be missed, or this node hears nothing: most have not
// just been heard, but not for long enough to say that this node is alone. A controller
// that took the first for dead before the next falls silent too would give up copies
// that its own partitions need.
func (m *Member) mayBeDeaf(patience time.Duration) bool {
	doubted, of := m.unheardFor(patience - silentAfter + freshAfter)
	if 2*doubted <= of+1 {
		return false
	}
	silent, of := m.unheardFor(patience)
	return 2*silent <= of+1
}

// unheardFor counts the nodes of which nothing has been heard for as long as after, of
// those that this node listens to and whose processes have not ended.
func (m *Member) unheardFor(after time.Duration) (missed, of int) {
	m.mu.Lock()
	v, leader := m.view, m.leader
	m.mu.Unlock()
	if v == nil {
		return 0, 0
	}
	all := m.listensToAll(v, leader)
	for i := range v.Nodes {
		n := &v.Nodes[i]
		if !m.listensTo(n, leader, all) || !m.Alive(n.ID) {
			continue
		}
		h := m.cfg.Peers.Hear(n)
		if h.Gone {
			continue
		}
		of++
		if h.Silent >= after {
			missed++
		}
	}
	return missed, of
}

// listensToAll reports whether this node may follow the controller, or is it, and so
// listens to all others.
func (m *Member) listensToAll(v *cluster.View, leader cluster.NodeID) bool {
	return leader == m.id || isWatcher(v, m.id)
}

// listensTo reports whether this node listens to another one: to all of them, or to
// the controller alone.
func (m *Member) listensTo(n *cluster.Node, leader cluster.NodeID, all bool) bool {
	return n.ID != m.id && n.State != cluster.Left && (all || n.ID == leader)
}

// isWatcher reports whether a node is to listen to all others.
func isWatcher(v *cluster.View, id cluster.NodeID) bool {
	coordinators, before := 0, 0
	for i := range v.Nodes {
		n := &v.Nodes[i]
		if n.Coordinator {
			coordinators++
		}
		if n.ID < id && n.State == cluster.Active {
			before++
		}
	}
	if n := v.Node(id); n != nil && coordinators > 0 {
		return n.Coordinator
	}
	return before < watchers
}

// catchUp asks a node that can be heard again for its view: who was cut off is told
// by it sooner than by the configuration service, whose connections have to be made
// anew, that it is not the owner any more.
func (m *Member) catchUp(n *cluster.Node) {
	ctx, cancel := context.WithTimeout(m.ctx, askFor)
	defer cancel()
	m.askViewOf(ctx, n)
}

// sound is what was noticed of a node last.
type sound uint8

const (
	heard  sound = iota
	silent       // nothing comes from it: it hangs, or is cut off, or this node is
	gone         // its address refuses connections: its process has ended
)

// hear notes what is noticed of a node, and reports whether that is new.
func (m *Member) hear(id cluster.NodeID, s sound) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.sounds[id]
	if was == s {
		return false
	}
	m.sounds[id] = s
	switch {
	case s == heard:
		delete(m.sounds, id)
		m.log.Info("a node can be heard again", "node", id.Short())
	case was == heard:
		m.log.Warn("a node cannot be heard", "node", id.Short())
	}
	return true
}

// misses reports whether a node is missed already.
func (m *Member) misses(id cluster.NodeID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sounds[id] != heard
}

// ignore ends what hear has noted of a node that is not listened to any more.
func (m *Member) ignore(id cluster.NodeID) {
	m.mu.Lock()
	delete(m.sounds, id)
	m.mu.Unlock()
}

// hearsAll reports whether no node that this one listens to is missed.
func (m *Member) hearsAll() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sounds) == 0
}

// vouchedFor reports whether another node says that it hears one that this node
// does not: then it is this node that is cut off from it. The question is CallHears
// of the controller: of two nodes that do not hear each other one would take the
// election from the other for ever. It is CallReaches of any node. answered tells
// whether there was anybody to ask who is not lonely too.
func (m *Member) vouchedFor(question uint8, id cluster.NodeID) (vouched, answered bool) {
	ctx, cancel := context.WithTimeout(m.ctx, vouchTimeout)
	defer cancel()
	asked := m.vouchers(id)
	answers := make(chan string, len(asked))
	for _, n := range asked {
		m.goes(func() {
			answer, err := m.cfg.Peers.Call(ctx, n, question, []byte(id))
			if err != nil {
				answer = []byte(isLonely)
			}
			answers <- string(answer)
		})
	}
	for range asked {
		switch <-answers {
		case hearsIt:
			return true, true
		case isLonely:
		default:
			answered = true
		}
	}
	return false, answered
}

// Answers to CallHears and CallReaches: of a node that hears who it is asked about,
// and of one that hears few others either.
const (
	hearsIt  = "yes"
	isLonely = "lonely"
)

// hears answers whether this node hears who it is asked about, as the controller.
func (m *Member) hears(id cluster.NodeID) []byte {
	m.mu.Lock()
	isHeard := id == m.leader && m.sounds[id] == heard
	m.mu.Unlock()
	switch {
	case isHeard:
		return []byte(hearsIt)
	case m.alone():
		return []byte(isLonely)
	}
	return []byte("no")
}

// vouchers are the nodes that may say of another one that they hear it: those that
// listen to all others, and that this node hears.
func (m *Member) vouchers(of cluster.NodeID) (list []*cluster.Node) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.view.Nodes {
		if n := &m.view.Nodes[i]; n.ID != m.id && n.ID != of && isWatcher(m.view, n.ID) && m.sounds[n.ID] == heard {
			list = append(list, n)
		}
	}
	return list
}

// alone reports whether this node hears less than half of the nodes, itself among
// them, so that it is the one that is cut off. Processes that are known to have
// ended do not count.
func (m *Member) alone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.view == nil {
		return false
	}
	all, unheard := 1, 0
	for i := range m.view.Nodes {
		n := &m.view.Nodes[i]
		if _, alive := m.registry.alive[n.ID]; !alive || n.ID == m.id || n.State == cluster.Left || m.sounds[n.ID] == gone {
			continue
		}
		all++
		if m.sounds[n.ID] == silent {
			unheard++
		}
	}
	return 2*unheard > all
}

// depose ends the term of a controller that cannot be heard.
func (m *Member) depose(leader cluster.NodeID) {
	if leader == m.id {
		return
	}
	ctx, cancel := context.WithTimeout(m.ctx, deposeTimeout)
	defer cancel()
	if err := m.cfg.Configuration.Depose(ctx, keyController, string(leader)); err != nil {
		if m.ctx.Err() == nil {
			m.log.Warn("the controller cannot be heard, and could not be deposed", "controller", leader.Short(), "reason", err)
		}
		return
	}
	m.log.Warn("the controller cannot be heard: another one is elected", "controller", leader.Short())
}
