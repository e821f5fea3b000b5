package membership

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
	"github.com/larder-cache/larder/internal/ticks"
)

// Rhythm of the agent when nobody nudges it.
const (
	busyTick = 50 * time.Millisecond // something moves
	idleTick = time.Second
)

// agent is the goroutine that acts for the node.
func (m *Member) agent() {
	timer := time.NewTimer(ticks.Until(time.Now(), idleTick))
	defer timer.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-m.kick:
		case <-timer.C:
		}
		next := idleTick
		if m.reconcile() {
			next = busyTick
		}
		timer.Reset(ticks.Until(time.Now(), next))
	}
}

// reconcile makes this node do what the view asks of it, and reports whether
// something is under way. The order matters:
//
//  1. Routes: from here on no request is executed for what was given away, or
//     belongs to this node under another epoch now.
//  2. What this node has become the owner of is made ready, and then routed.
//  3. Hand-overs, copies, and dropping what is not needed any more.
//  4. The controller is told.
//
// Invariant: a hand-over's last record follows the last write to the partition.
// Invariant: under an epoch nothing is executed before the copies in sync are
// given every effect, and nothing while they change from one epoch to the next.
func (m *Member) reconcile() (busy bool) {
	m.tellPresence()
	v := m.ownView()
	if v == nil {
		return false
	}
	self := int16(v.Index(m.id))
	former := m.routed.view
	m.route(v, self)
	waits := m.settle(former, v, self)
	m.route(v, self)
	busy = m.supply(v, self) || waits
	return m.report(v, self) || busy
}

// ownView returns the view with this node in it: a node that has just come may
// know the view before the controller knows the node.
func (m *Member) ownView() *cluster.View {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.view
	if v == nil || v.Index(m.id) != cluster.NoNode {
		return v
	}
	with, err := v.WithNodes(append(append([]cluster.Node{}, v.Nodes...), m.cfg.Self))
	if err != nil {
		panic("membership: " + err.Error()) // no node is missing
	}
	return with
}

// settle makes partitions ready that this node has become the owner of, and
// reports whether it has to wait with one of them.
func (m *Member) settle(former, v *cluster.View, self int16) (waits bool) {
	for p := range v.Rows {
		r := &v.Rows[p]
		if r.Owner != self || m.serves[p] == r.Epoch {
			continue
		}
		if !v.Arriving(p) && !m.inherit(p, former, v) {
			waits = true
			continue
		}
		if m.has.arrived(p, r.Epoch) {
			m.takeOver(p, v)
		}
	}
	return waits
}

// inherit makes a partition that nobody has to hand over complete, with what this
// node has of it; false when it has to wait, or has nothing while others have.
func (m *Member) inherit(p int, former, v *cluster.View) bool {
	r := &v.Rows[p]
	if m.has.arrived(p, r.Epoch) {
		return true
	}
	if m.lacks(p) {
		if !m.mayBeginEmpty(p, former, r) {
			return false // this process is a new one: see controller.Report.Empty
		}
		m.awaitDropped(p)
		m.cfg.Store.FlushPartition(p) // what an overtaken fill may have left
		m.receiver.Drop(p)
	} else if m.cfg.Moves.Replicas > 0 {
		// Nobody has handed it over: from here on its former owner is refused.
		if _, whole := m.receiver.Promise(p, uint64(r.Epoch)); !whole {
			return false // a copy has begun anew since the look
		}
		if former != nil && former.Owner(p) != m.id {
			m.waitFor(p, former.Owner(p))
		}
	}
	if m.promised.waits(p, m.now()) {
		return false
	}
	m.arriving.Lock()
	m.has.handedOver(p, r.Epoch)
	m.arriving.Unlock()
	return true
}

// lacks reports whether this process has nothing of a partition that counts: half
// a copy does not. The view may give it to a process all the same that was started
// while its predecessor was in sync.
func (m *Member) lacks(p int) bool {
	return m.has.get(p) == nothing || m.cfg.Moves.Replicas > 0 && !m.receiver.Whole(p)
}

// mayBeginEmpty reports whether a process that has nothing of a partition may
// serve it. In a cluster that keeps copies others may have what it has lost: so
// only when nobody has owned the partition before, or an operator accepts that.
func (m *Member) mayBeginEmpty(p int, former *cluster.View, r *cluster.Row) bool {
	if m.cfg.Moves.Replicas == 0 {
		return len(r.InSync) == 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	accepted, ok := m.wishes.AcceptLoss[p]
	return ok && accepted.Epoch+1 == r.Epoch || m.firstVersion <= 1 && r.Epoch == 1 ||
		former != nil && former.Rows[p].Owner == cluster.NoNode
}

// route puts the view in force.
func (m *Member) route(v *cluster.View, self int16) {
	ready := func(p int) bool { return m.serves[p] == v.Rows[p].Epoch }
	arrivals := 0
	for p := range v.Rows {
		if v.Rows[p].Owner == self && ready(p) {
			arrivals++
		}
	}
	missed := m.cutOffFrom()
	former := m.routed.view
	if former != nil && former.Version == v.Version && len(former.Nodes) == len(v.Nodes) && m.routed.arrivals == arrivals && slices.Equal(m.routed.missed, missed) {
		return
	}
	routes := cluster.NewRoutes(v, m.id, ready)
	if missed != nil {
		routes.CutOff(missed)
	}
	m.cfg.Reroute(routes)
	m.mu.Lock()
	m.routed.view, m.routed.arrivals = v, arrivals
	close(m.routeNews)
	m.routeNews = make(chan struct{})
	m.mu.Unlock()
	m.dropMissed(v, missed)
	if former == nil || former.Version != v.Version {
		m.tell(former, v)
	}
}

// tell tells those who want to know of a new view.
func (m *Member) tell(former, v *cluster.View) {
	if former != nil {
		var moved []int
		followed := map[cluster.NodeID]bool{}
		for p := range v.Rows {
			switch was := former.Owner(p); {
			case was != v.Owner(p):
				moved = append(moved, p)
				followed[was] = !v.Arriving(p) || followed[was]
			case former.Arriving(p) && !v.Arriving(p) && was != m.id:
				moved = append(moved, p) // meanwhile clients were not sent away from here
			}
		}
		if len(moved) > 0 && m.cfg.Moved != nil {
			m.cfg.Moved(moved)
		}
		m.abandon(former, followed)
	}
	if m.cfg.Changed != nil {
		m.cfg.Changed(v)
	}
}

// abandon gives up waiting for nodes that lost partitions without handing them
// over: they were taken for dead. A link alone waits longer before it believes that.
func (m *Member) abandon(v *cluster.View, followed map[cluster.NodeID]bool) {
	for id, taken := range followed {
		if n := v.Node(id); taken && n != nil && id != m.id {
			m.cfg.Peers.Abandon(n)
		}
	}
}

// reportEvery is how often the same report is sent: it may have been lost, or
// the controller may be another one.
const reportEvery = 200 * time.Millisecond

// report tells the controller how far this node's moves are, and that it knows
// of a view; it returns whether anybody waits for more.
func (m *Member) report(v *cluster.View, self int16) bool {
	r := controller.Report{View: v.Version, Incarnation: m.cfg.Incarnation}
	anybody := false
	for p := range v.Rows {
		if !v.Arriving(p) {
			continue
		}
		anybody = true
		row := &v.Rows[p]
		if row.Owner == self && m.serves[p] == row.Epoch {
			r.Arrived = append(r.Arrived, controller.Arrived{Partition: p, Epoch: row.Epoch})
		}
	}
	r.Leaving = m.leaving(v, self)
	r.Copies, r.InSync, r.Empty = m.kept(v, self)
	m.mu.Lock()
	to := m.leader
	m.mu.Unlock()
	if m.delivers(to) || m.isDeaf() {
		return true
	}
	if waits := anybody || len(r.Leaving)+len(r.Copies)+len(r.Empty) > 0; !waits && m.reported.view == v.Version && m.reported.to == to {
		return false
	}
	text, err := json.Marshal(&r)
	if err != nil {
		panic("membership: " + err.Error()) // numbers and strings
	}
	if string(text) == m.reported.text && to == m.reported.to && time.Since(m.reported.at) < reportEvery {
		return true
	}
	m.deliver(v, to, text)
	m.reported.text, m.reported.to, m.reported.at, m.reported.view = string(text), to, time.Now(), v.Version
	return true
}

// delivery is a report under way. The agent does not wait for it: a controller that
// has just died does not answer, and its successor's view is to be followed at once.
type delivery struct {
	to     cluster.NodeID
	cancel context.CancelFunc
	done   chan bool // capacity 1: whether it has arrived
}

// deliver sends a report.
func (m *Member) deliver(v *cluster.View, to cluster.NodeID, text []byte) {
	ctx, cancel := context.WithTimeout(m.ctx, time.Second)
	d := &delivery{to, cancel, make(chan bool, 1)}
	m.delivery = d
	m.goes(func() {
		defer cancel()
		arrived := m.send(ctx, v, to, text)
		if d.done <- arrived; arrived {
			m.nudge() // there may be more to report
		}
	})
}

// delivers reports whether a report is under way to the controller; one to another
// node is given up. What has not arrived is as if it had not been sent.
func (m *Member) delivers(to cluster.NodeID) bool {
	d := m.delivery
	if d == nil {
		return false
	}
	arrived := false
	select {
	case arrived = <-d.done:
	default:
		if d.to == to {
			return true
		}
		d.cancel()
	}
	if m.delivery = nil; !arrived {
		m.reported.text, m.reported.view = "", 0
	}
	return false
}

// leaving lists the partitions that this node sends or hands over.
func (m *Member) leaving(v *cluster.View, self int16) (list []controller.Leaving) {
	for p := range v.Rows {
		row := &v.Rows[p]
		switch {
		case row.Owner == self && v.Streaming(p):
			l := controller.Leaving{Partition: p, Epoch: row.Epoch, Target: v.Target(p), Stage: controller.Sending}
			if c := m.moves.copies[p][l.Target]; c != nil {
				l.TargetIncarnation = c.incarnation
				err := c.failure()
				switch {
				case err != nil:
					l.Stage, l.Reason = controller.Failed, err.Error()
				case c.caughtUp():
					l.Stage = controller.CaughtUp
				}
				if c.copy != nil {
					_, _, bytes := c.copy.Progress()
					l.Bytes, l.Total = uint64(bytes), c.copy.Estimate()
				}
			}
			list = append(list, l)
		case row.Owner != self && v.Arriving(p) && m.hands(p, row):
			l := controller.Leaving{Partition: p, Epoch: row.Epoch, Target: v.Owner(p), Stage: controller.HandingOver}
			if c := m.moves.copies[p][l.Target]; c != nil {
				l.TargetIncarnation = c.incarnation
			}
			list = append(list, l)
		}
	}
	return list
}

// kept lists the copies of this node's partitions that the controller has to
// know of: learners, and those that have failed; and the processes that have the
// others.
func (m *Member) kept(v *cluster.View, self int16) (list []controller.CopyOf, inSync map[cluster.NodeID]uint64, empty []controller.Arrived) {
	inSync = map[cluster.NodeID]uint64{}
	for p := range v.Rows {
		row := &v.Rows[p]
		if row.Owner != self {
			continue
		}
		if m.serves[p] != row.Epoch {
			if !v.Arriving(p) && m.lacks(p) {
				empty = append(empty, controller.Arrived{Partition: p, Epoch: row.Epoch})
			}
			continue
		}
		for _, at := range row.Replicas {
			id := v.Nodes[at].ID
			c := m.moves.copies[p][id]
			if c == nil {
				continue
			}
			of := controller.CopyOf{Partition: p, Epoch: row.Epoch, Node: id, Incarnation: c.incarnation, Stage: controller.Sending}
			err := c.failure()
			switch {
			case err != nil:
				of.Stage, of.Reason, of.Fenced = controller.Failed, err.Error(), c.fenced()
			case slices.Contains(row.InSync, at):
				inSync[id] = max(inSync[id], c.incarnation)
				continue
			case c.offered && c.caughtUp() && c.copy.Acknowledged(c.place):
				of.Stage = controller.CaughtUp
			}
			list = append(list, of)
		}
	}
	return list, inSync, empty
}

// send brings a report to the controller.
func (m *Member) send(ctx context.Context, v *cluster.View, to cluster.NodeID, text []byte) bool {
	if to == m.id {
		_, err := m.Answer(m.id, CallReport, text)
		return err == nil
	}
	node := v.Node(to)
	if node == nil {
		return false // between two controllers
	}
	_, err := m.cfg.Peers.Call(ctx, node, CallReport, text)
	return err == nil
}
