package simulate

import (
	"fmt"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// Result is what came of a run.
type Result struct {
	Config Config
	// Faults is how many things went wrong; joining and draining count.
	Faults int
	// Converged is how long after the last fault the cluster was at rest: owners
	// are the ring's choice, nothing moves, every node has the last view.
	Converged time.Duration
	// Moves counts changes of owner; Least is how few would have done, known for
	// quiet runs only.
	Moves, Least int
	// Views were written, the largest had ViewBytes.
	Views, ViewBytes int
	// BytesPerChange is what all that nodes and store tell each other about the
	// cluster, in rest and motion, comes to per view and node.
	BytesPerChange int
	Requests       Requests
	// Err is what must hold and did not, Trace what happened before.
	Err error
	// Served are the times from the kill of an owner to the first reply of each
	// of its partitions to a request that was sent after it.
	Served []time.Duration
	Trace  string
}

// limit is how long a cluster may take to come to rest, in virtual time.
const limit = 10 * time.Minute

// Run simulates a cluster: it forms, has its troubles, or grows and shrinks
// quietly, and must then come to rest.
func Run(cfg Config) Result {
	w := newWorld(cfg)
	for range w.cfg.Nodes {
		w.add()
	}
	w.reach("forming")
	result := Result{Config: w.cfg}
	if w.cfg.Quiet {
		result.Least = w.quiet()
		result.Converged = w.now
	} else if w.cfg.Kills > 0 {
		w.kill()
	} else {
		w.load(w.now + w.cfg.Duration)
		w.trouble(w.now + w.cfg.Duration)
		w.run(w.cfg.Duration)
		w.heal()
		began := w.now
		w.reach("healing")
		result.Converged = w.now - began
	}
	w.probe()
	result.Faults, result.Moves, result.Views, result.ViewBytes = w.faults, w.check.moves, w.views, w.viewBytes
	if w.views > 0 {
		result.BytesPerChange = int(w.net.bytes) / w.views / len(w.nodes)
	}
	result.Served = w.replicas.Served
	result.Requests, result.Err, result.Trace = w.requests, w.err, w.Trace()
	return result
}

// reach lets time pass until the cluster is at rest.
func (w *World) reach(what string) {
	if !w.runUntil(limit, func() bool { return w.settled() == "" }) {
		w.fail("after %s it does not come to rest: %s", what, w.settled())
	}
}

// quiet lets a node join and another one leave under load. No request may fail.
// It returns how few changes of owner would have done.
func (w *World) quiet() (least int) {
	w.check.moves = 0
	before := w.requests
	forever := time.Duration(1<<62 - 1)
	w.load(forever)
	w.run(500 * time.Millisecond)
	least += cluster.Partitions / (w.cfg.Nodes + 1)
	w.add()
	w.run(time.Second)
	w.reach("joining")
	if w.err != nil {
		return least
	}
	leaver := w.nodes[w.rng.IntN(w.cfg.Nodes)]
	v := w.store.view
	least += v.Owned()[v.Index(leaver.id)]
	w.store.change(leaver.id, func(n *cluster.Node) { n.State = cluster.Draining })
	w.run(time.Second)
	w.reach("draining")
	if refused := w.requests.Refused - before.Refused; refused > 0 {
		w.fail("%d requests were refused although nothing went wrong", refused)
	}
	return least
}

// kill kills one process after the other.
func (w *World) kill() {
	w.load(time.Duration(1<<62 - 1))
	for i := range w.cfg.Kills {
		w.run(time.Second)
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		if i%2 == 1 && w.store.leader != storePlace {
			n = w.nodes[w.store.leader]
		}
		if i%4 == 3 {
			w.store.setAway(true)
			w.after(300*time.Millisecond, func() { w.store.setAway(false) })
		}
		w.faults++
		w.crash(n, 4*time.Second)
		w.run(5 * time.Second)
		w.reach("a kill")
	}
}

// probe sends one request for every partition through a node drawn by lot, now
// that all is well: each must be executed, by its owner, at once.
func (w *World) probe() {
	if w.err != nil {
		return
	}
	w.run(2 * patience)
	before := w.requests
	for p := range cluster.Partitions {
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		for !n.up {
			n = w.nodes[w.rng.IntN(len(w.nodes))]
		}
		w.submit(n, p)
	}
	w.run(2 * patience)
	if w.cfg.Quiet || w.cfg.Kills > 0 {
		return // the load goes on beside it
	}
	done := w.requests.Executed - before.Executed
	if far := w.requests.ByHops[2] + w.requests.ByHops[3] - before.ByHops[2] - before.ByHops[3]; done != cluster.Partitions || far > 0 {
		w.fail("at rest %d of %d requests were executed, %d of them went more than one hop", done, cluster.Partitions, far)
	}
}

// String returns the result in a line.
func (r Result) String() string {
	verdict := "right"
	if r.Err != nil {
		verdict = "WRONG: " + r.Err.Error()
	}
	return fmt.Sprintf("seed %d, %d nodes, %d faults: %d moves, %d views, at rest after %v: %s",
		r.Config.Seed, r.Config.Nodes, r.Faults, r.Moves, r.Views, r.Converged.Round(10*time.Millisecond), verdict)
}
