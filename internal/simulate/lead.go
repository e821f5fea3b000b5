package simulate

import (
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
)

// lead runs the controller on the node that is elected. A node that does not
// know yet that another one was elected goes on deciding; the store refuses it.
type lead struct {
	n        *node
	term     uint64 // 0: never elected
	decider  controller.Controller
	snap     snapshot
	alive    map[cluster.NodeID]controller.Liveness
	reports  map[cluster.NodeID]controller.Report
	writing  time.Duration // until when an answer of the store is waited for
	planned  bool          // a decision will come soon
	asking   time.Duration // until when promises are waited for
	promises map[int][]controller.Promise
}

// elect begins a term.
func (l *lead) elect(term uint64) {
	l.term = term
	l.decider = controller.Controller{}
	l.alive = make(map[cluster.NodeID]controller.Liveness)
	if l.reports == nil {
		l.reports = make(map[cluster.NodeID]controller.Report)
	}
	l.writing, l.asking = 0, 0
	l.snap = snapshot{}
	clear(l.promises)
}

// see takes news of who is there.
func (l *lead) see(snap snapshot) {
	if l.term == 0 || snap.number < l.snap.number {
		return
	}
	l.snap = snap
	for at := range snap.lease {
		id, now := l.n.w.nodes[at].id, snap.lease[at]
		if was, known := l.alive[id]; !known || was.Alive != now.alive || was.Incarnation != now.incarnation {
			l.alive[id] = controller.Liveness{Alive: now.alive, Since: l.n.w.now, Incarnation: now.incarnation}
		}
	}
	l.soon()
}

// hear takes the report of a node. Reports overtake each other; an older view
// gives an older one away, and two of one view differ little.
func (l *lead) hear(from cluster.NodeID, r controller.Report) {
	if l.reports == nil {
		l.reports = make(map[cluster.NodeID]controller.Report)
	}
	if old, ok := l.reports[from]; ok && old.Incarnation == r.Incarnation && old.View > r.View {
		return
	}
	l.reports[from] = r
	l.soon()
}

// gather is how long news is gathered before a decision, so that one view takes
// many partitions further.
const gather = 50 * time.Millisecond

// soon decides a moment later, once for all news of that moment.
func (l *lead) soon() {
	if l.term == 0 || l.planned {
		return
	}
	l.planned = true
	incarnation := l.n.incarnation
	wait := gather
	if l.n.copies != nil {
		wait = gather / 10 // a failover does not wait
	}
	l.n.w.after(wait, func() {
		if l.n.up && l.n.incarnation == incarnation {
			l.planned = false
			l.decide()
		}
	})
}

func (l *lead) input() controller.Input {
	in := controller.Input{
		Now: l.n.w.now, View: l.n.view, Nodes: l.snap.known, Alive: l.alive, Reports: l.reports, Settings: l.n.w.cfg.Settings,
	}
	if l.n.copies != nil {
		l.withReplicas(&in)
	}
	return in
}

// decide lets the controller decide and writes what it wants.
func (l *lead) decide() {
	n := l.n
	if l.term == 0 || l.snap.number == 0 || n.leader != n.place || l.writing > n.w.now {
		return
	}
	if n.view == nil && l.living() < n.w.cfg.Nodes && n.w.now < time.Second {
		return // they were started together
	}
	if n.copies != nil && n.copies.alone() {
		n.w.store.depose(n, n.place)
		return
	}
	out := l.decider.Decide(l.input())
	n.w.drained(out.Drained)
	l.prepare(out)
	if out.View == nil {
		return
	}
	if err := controller.Check(n.view, out.View); err != nil {
		n.w.fail("the controller on %s: %v", n.name, err)
		return
	}
	l.writing = n.w.now + time.Second
	n.w.store.save(n, l.term, out, func(ok bool) {
		l.writing = 0
		if ok {
			n.learn(n.leader, out.View)
		} else {
			n.w.store.keepAlive(n)
		}
	})
}

// living counts the nodes that are known to be alive.
func (l *lead) living() (count int) {
	for _, lease := range l.snap.lease {
		if lease.alive {
			count++
		}
	}
	return count
}
