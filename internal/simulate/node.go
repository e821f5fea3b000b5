package simulate

import (
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
)

// node plays one process and the machine it runs on.
type node struct {
	w           *World
	place       int
	name        string
	id          cluster.NodeID
	up          bool
	incarnation uint64
	// deposed: the store has taken this process for dead since it last followed
	// the view; what it does meanwhile is stale and known to be.
	deposed   bool
	reinstate uint64 // the version of the view that ends that

	view   *cluster.View
	leader int
	// What the process has of each partition.
	parts  [cluster.Partitions]part
	active []int // partitions with something under way, ascending
	waits  []*request
	lead   lead
	// copies is what the process has when the cluster keeps copies, nil else; it
	// takes the place of parts.
	copies      *copies
	pausedUntil time.Duration
	deposing    time.Duration
}

// part is what a process has of one partition.
type part struct {
	writes uint64 // how many the copy has seen
	// serving is the epoch at which the process executes requests; 0: it does not.
	serving cluster.Epoch
	// handed is the epoch whose handover has come, possibly ahead of the view.
	handed cluster.Epoch
	// incoming is the epoch of the move whose state the copy is.
	incoming cluster.Epoch
	out      *sending
}

// sending is a partition on its way to another node.
type sending struct {
	epoch             cluster.Epoch
	to                int
	targetIncarnation uint64
	stage             controller.Stage
	sentAll           time.Duration
}

// Times of a node.
const (
	heartbeat = 200 * time.Millisecond
	resend    = 100 * time.Millisecond
)

func (n *node) version() uint64 {
	if n.view == nil {
		return 0
	}
	return n.view.Version
}

// start begins a new process.
func (n *node) start() {
	n.up = true
	n.incarnation++
	n.deposed = false
	n.view, n.leader, n.active, n.waits = nil, storePlace, nil, nil
	n.parts = [cluster.Partitions]part{}
	n.lead = lead{n: n, promises: map[int][]controller.Promise{}}
	n.copies, n.pausedUntil = nil, 0
	if n.w.cfg.Settings.Replicas > 0 {
		n.copies = newCopies(n)
	}
	incarnation := n.incarnation
	every := func(d time.Duration, do func()) {
		var tick func()
		tick = func() {
			if n.up && n.incarnation == incarnation {
				n.awake(func() {
					if n.up && n.incarnation == incarnation {
						do()
					}
				})
				n.w.after(max(d, n.pausedUntil-n.w.now), tick)
			}
		}
		n.w.after(time.Duration(n.w.rng.Int64N(int64(d))), tick)
	}
	every(heartbeat, func() { n.w.store.keepAlive(n) })
	if n.copies != nil {
		every(pingEvery, n.copies.ping)
	}
	every(resend, n.sendAll)
	every(resend, n.report)
	every(resend, n.lead.decide)
}

// awake does something at once, or when the node goes on after a pause.
func (n *node) awake(do func()) {
	if d := n.pausedUntil - n.w.now; d > 0 {
		n.w.after(d, func() { n.awake(do) })
		return
	}
	do()
}

// crash ends the process and all it had.
func (n *node) crash() {
	n.w.replicas.killed(n)
	n.w.check.crashed(n)
	n.up, n.waits = false, nil
}

// learn takes news from the store.
func (n *node) learn(leader int, view *cluster.View) {
	n.leader = leader
	if view != nil && view.Version > n.version() {
		n.follow(view)
	}
}

// follow puts a view into force.
func (n *node) follow(view *cluster.View) {
	n.w.check.followed(n, view)
	former := n.view
	n.view = view
	self := int16(view.Index(n.id))
	if self == cluster.NoNode && n.w.store.state(n) == cluster.Left {
		n.up, n.waits = false, nil // it was told to go
		return
	}
	n.active = n.active[:0]
	for p := range view.Rows {
		if n.copies != nil {
			n.copies.follow(p, former)
			continue
		}
		n.followRow(p, &view.Rows[p], self)
	}
	if n.deposed && n.w.store.lease[n.place].alive && view.Version >= n.reinstate {
		n.deposed = false
	}
	n.sendAll()
	n.report()
	n.retryWaits()
	n.lead.soon()
}

// followRow does what the row of one partition asks of this node.
func (n *node) followRow(p int, r *cluster.Row, self int16) {
	have := &n.parts[p]
	arriving := r.Target == r.Owner
	switch {
	case self == cluster.NoNode:
		*have = part{}
	case r.Owner == self && (!arriving || have.handed == r.Epoch):
		// Mine: with what I have, which may be nothing.
		have.serving = r.Epoch
		if r.Target == cluster.NoNode || arriving {
			have.out = nil
		} else if have.out == nil || have.out.epoch != r.Epoch || have.out.to != n.placeOf(r.Target) {
			n.begin(p, r, controller.Sending)
		}
	case r.Owner == self:
		have.serving, have.out = 0, nil
	case arriving && (have.serving > 0 && have.serving == r.Epoch-1 || have.out != nil && have.out.epoch == r.Epoch):
		// It was mine until now: I execute nothing more and hand over.
		have.serving = 0
		if have.out == nil || have.out.epoch != r.Epoch {
			n.begin(p, r, controller.HandingOver)
		}
	case r.Target == self:
		have.serving, have.out = 0, nil
	case have.incoming <= r.Epoch: // what comes ahead of the view stays
		*have = part{}
	}
	if have.out != nil || r.Owner == self && arriving {
		n.active = append(n.active, p)
	}
}

// placeOf returns a node's place by its index in the view in force.
func (n *node) placeOf(at int16) int { return n.w.byID[n.view.Nodes[at].ID].place }

// begin starts to send, or to hand over, a partition to its target.
func (n *node) begin(p int, r *cluster.Row, stage controller.Stage) {
	out := &sending{epoch: r.Epoch, to: n.placeOf(r.Target), stage: stage}
	out.sentAll = n.w.now + n.w.transferTime()
	n.parts[p].out = out
}

// sendAll goes on with everything that is to be sent, until the view says that
// it is over; so what was lost, or had come to a process that is dead, comes
// again.
func (n *node) sendAll() {
	if n.copies != nil {
		for _, p := range n.copies.busy {
			if h := &n.copies.parts[p]; h.serving > 0 {
				n.copies.connect(p)
			}
		}
		return
	}
	for _, p := range n.active {
		if out := n.parts[p].out; out != nil && (out.stage == controller.HandingOver || out.sentAll <= n.w.now) {
			n.push(p, out)
		}
	}
}

// push sends the state of a partition to its target, which answers with who it
// is. The handover is the same message, sent when nothing can change any more.
func (n *node) push(p int, out *sending) {
	to, mine, epoch, writes, last := n.w.nodes[out.to], n.incarnation, out.epoch, n.parts[p].writes, out.stage == controller.HandingOver
	n.w.net.send(n.place, to.place, 0, func() {
		if !to.up || !to.receive(p, epoch, writes, last) {
			return
		}
		theirs := to.incarnation
		n.w.net.send(to.place, n.place, 0, func() {
			if n.up && n.incarnation == mine && n.parts[p].out == out && out.epoch == epoch {
				n.acknowledged(out, theirs)
			}
		})
	})
}

// receive takes the state of a partition; false: it is not for this process.
func (n *node) receive(p int, epoch cluster.Epoch, writes uint64, last bool) bool {
	have := &n.parts[p]
	if n.view == nil || have.serving > 0 {
		return have.serving >= epoch // it was taken already
	}
	r := &n.view.Rows[p]
	if r.Epoch > epoch || have.handed >= epoch {
		return have.handed == epoch
	}
	if last || have.incoming != epoch || writes > have.writes { // an older state may come later
		have.writes = writes
	}
	have.incoming = epoch
	if last {
		have.handed = epoch
		if self := int16(n.view.Index(n.id)); r.Owner == self && r.Epoch == epoch {
			have.serving = epoch
			n.retryWaits()
			n.report()
		}
	}
	return true
}

// acknowledged learns which process has got the state.
func (n *node) acknowledged(out *sending, incarnation uint64) {
	switch {
	case out.stage == controller.HandingOver:
	case out.targetIncarnation != 0 && out.targetIncarnation != incarnation:
		// Another process, which has nothing: from the beginning.
		out.stage, out.targetIncarnation, out.sentAll = controller.Sending, 0, n.w.now+n.w.transferTime()
	case out.targetIncarnation == 0:
		out.stage, out.targetIncarnation = controller.CaughtUp, incarnation
		n.report()
	}
}

// report tells the controller's node about the moves of this one.
func (n *node) report() {
	if n.leader == storePlace || n.view == nil {
		return
	}
	r := controller.Report{View: n.view.Version, Incarnation: n.incarnation}
	if n.copies != nil {
		n.copies.tell(&r)
	}
	for _, p := range n.active {
		have, row := &n.parts[p], &n.view.Rows[p]
		if out := have.out; out != nil {
			r.Leaving = append(r.Leaving, controller.Leaving{
				Partition: p, Epoch: out.epoch, Target: n.w.nodes[out.to].id, TargetIncarnation: out.targetIncarnation, Stage: out.stage,
			})
		} else if have.serving == row.Epoch {
			r.Arrived = append(r.Arrived, controller.Arrived{Partition: p, Epoch: row.Epoch})
		}
	}
	to, id := n.w.nodes[n.leader], n.id
	n.w.net.send(n.place, to.place, 24+24*len(r.Leaving)+8*len(r.Arrived), func() {
		if to.up {
			to.lead.hear(id, r)
		}
	})
}
