package simulate

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
)

// Config says what to simulate.
type Config struct {
	// Seed decides everything that is left to chance.
	Seed uint64
	// Nodes is how many nodes the cluster begins with, at least 1.
	Nodes int
	// Zones is over how many zones they are spread; 0 means one.
	Zones int
	// Quiet: nothing goes wrong; a node joins, and one is drained.
	Quiet bool
	// Duration is for how long things go wrong. Zero: 15 s.
	Duration time.Duration
	// RequestsPerSecond is the load. Zero: 200.
	RequestsPerSecond int
	// Kills: nothing else goes wrong than that so many times, and with time to
	// mend in between, a process is killed; every other time it is that of the
	// controller, every fourth time the store elects meanwhile, too.
	Kills int
	// Settings of the controller. The zero value: [controller.DefaultSettings]
	// with a delay of 3 s for dead nodes and, by the seed, more moves at once.
	Settings controller.Settings
	// Replicas is how many copies partitions have beside their owner's.
	Replicas int
}

// World is one cluster in its virtual time.
type World struct {
	clock
	cfg      Config
	rng      *rand.Rand
	net      network
	store    store
	nodes    []*node // by place
	byID     map[cluster.NodeID]*node
	check    check
	replicas replicas
	writes   uint32 // so far, which numbers them
	streams  uint64
	healed   bool
	err      error
	trace    []string
	// said gets the events of views as they are written; nil: nobody listens.
	said func(controller.Event)

	requests  Requests
	views     int
	viewBytes int
	faults    int
}

// newWorld returns a world without nodes.
func newWorld(cfg Config) *World {
	if cfg.Zones == 0 {
		cfg.Zones = 1
	}
	if cfg.Duration == 0 {
		cfg.Duration = 15 * time.Second
	}
	if cfg.RequestsPerSecond == 0 {
		cfg.RequestsPerSecond = 200
		if cfg.Replicas > 0 {
			cfg.RequestsPerSecond = 1000
		}
	}
	if cfg.Settings == (controller.Settings{}) {
		cfg.Settings = controller.DefaultSettings()
		cfg.Settings.RebalanceDelay = 3 * time.Second
		for range cfg.Seed % 3 {
			cfg.Settings.Moves, cfg.Settings.MovesPerSource, cfg.Settings.MovesPerTarget =
				4*cfg.Settings.Moves, 4*cfg.Settings.MovesPerSource, 4*cfg.Settings.MovesPerTarget
		}
	}
	if cfg.Replicas > 0 {
		cfg.Settings.Replicas = cfg.Replicas
		cfg.Settings.Moves, cfg.Settings.MovesPerSource, cfg.Settings.MovesPerTarget = 4096, 512, 512
	}
	w := &World{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x6c6172646572)), byID: make(map[cluster.NodeID]*node)}
	w.net = network{w: w, cuts: make(map[[2]int]bool)}
	w.store.w, w.check.w, w.replicas.w = w, w, w
	w.replicas.accept, w.replicas.aside = map[int]controller.Acceptance{}, map[cluster.NodeID]controller.Aside{}
	w.store.begin()
	return w
}

// add makes the next node, n1, n2 ..., and starts it.
func (w *World) add() *node {
	place := len(w.nodes)
	n := &node{w: w, place: place, name: fmt.Sprint("n", place+1), id: cluster.NodeID(fmt.Sprintf("%08x%032x", place+1, 0))}
	w.nodes = append(w.nodes, n)
	w.byID[n.id] = n
	w.store.lease = append(w.store.lease, lease{})
	w.store.register(cluster.Node{
		ID: n.id, Name: n.name + ".cache.example.internal", Zone: fmt.Sprint("zone-", place%w.cfg.Zones), Weight: cluster.DefaultWeight,
		State: cluster.Active, Peer: fmt.Sprintf("10.11.%d.%d:7380", place/256, place%256), RESP: fmt.Sprintf("10.11.%d.%d:6379", place/256, place%256),
		RESPCluster: fmt.Sprintf("10.11.%d.%d:7379", place/256, place%256), HTTP: fmt.Sprintf("10.11.%d.%d:8080", place/256, place%256), Version: "v1.2.3",
	})
	n.start()
	return n
}

// drained lets nodes go that are empty.
func (w *World) drained(list []cluster.NodeID) {
	for _, id := range list {
		if w.store.state(w.byID[id]) == cluster.Draining {
			w.store.change(id, func(n *cluster.Node) { n.State = cluster.Left })
		}
	}
}

// number returns one that is higher than all before, for a stream.
func (w *World) number() uint64 {
	w.streams++
	return w.streams
}

func (w *World) transferTime() time.Duration {
	return 20*time.Millisecond + time.Duration(w.rng.Int64N(int64(380*time.Millisecond)))
}

// run lets time pass, until something is wrong.
func (w *World) run(d time.Duration) {
	for until := w.now + d; w.err == nil && w.step(until); {
		continue
	}
}

// runUntil lets time pass until a condition holds, looking every 50 ms, and
// reports whether it did within a limit.
func (w *World) runUntil(limit time.Duration, condition func() bool) bool {
	for until := w.now + limit; w.err == nil && w.now < until; w.run(50 * time.Millisecond) {
		if condition() {
			return true
		}
	}
	return w.err == nil && condition()
}

// load sends requests from now on, until the time given.
func (w *World) load(until time.Duration) {
	gap := time.Second / time.Duration(w.cfg.RequestsPerSecond)
	var tick func()
	tick = func() {
		if n := w.nodes[w.rng.IntN(len(w.nodes))]; n.up && n.view != nil && n.view.Index(n.id) != cluster.NoNode {
			p := w.rng.IntN(cluster.Partitions)
			if w.cfg.Replicas > 0 {
				p = p % hot * (cluster.Partitions / hot)
			}
			w.submit(n, p)
		}
		if w.now < until {
			w.after(gap, tick)
		}
	}
	w.after(gap, tick)
}

// tracef notes what happens, for the trace of a failure.
func (w *World) tracef(format string, args ...any) {
	const kept = 400
	w.trace = append(w.trace, fmt.Sprintf("%9.3fs  ", w.now.Seconds())+fmt.Sprintf(format, args...))
	if len(w.trace) > 2*kept {
		w.trace = append(w.trace[:0:0], w.trace[kept:]...)
	}
}

// fail ends the run: something that must hold does not.
func (w *World) fail(format string, args ...any) {
	if w.err == nil {
		w.tracef("FAILED: "+format, args...)
		w.err = fmt.Errorf(format, args...)
	}
}

// name returns how a node is called in stories and traces.
func (w *World) name(id cluster.NodeID) string {
	if n := w.byID[id]; n != nil {
		return n.name
	}
	return "?"
}

// settled says what is still missing for the cluster to be at rest, or nothing.
func (w *World) settled() string {
	v := w.store.view
	if v == nil || w.store.leader == storePlace {
		return "there is no view, or no controller"
	}
	if moving := v.Moving(); len(moving) > 0 {
		p := moving[0]
		return fmt.Sprintf("%d partitions move, such as %d: %s -> %s at epoch %d", len(moving), p, w.name(v.Owner(p)), w.name(v.Target(p)), v.Rows[p].Epoch)
	}
	alive := make(map[cluster.NodeID]controller.Liveness)
	for _, n := range w.nodes {
		l := w.store.lease[n.place]
		alive[n.id] = controller.Liveness{Alive: l.alive, Incarnation: l.incarnation}
		if w.store.state(n) == cluster.Left {
			continue
		}
		if w.store.state(n) == cluster.Draining {
			return n.name + " is not drained yet"
		}
		if n.up && !l.alive {
			return n.name + " has no lease"
		}
		if n.up && n.version() != v.Version {
			return fmt.Sprintf("%s has view %d of %d", n.name, n.version(), v.Version)
		}
	}
	plan := controller.Plan(controller.Input{Now: w.now, View: v, Nodes: w.store.known, Alive: alive, Settings: w.cfg.Settings})
	if plan.Copies > 0 {
		return fmt.Sprintf("%d copies are missing", plan.Copies)
	}
	if len(plan.Moves) > 0 {
		return fmt.Sprintf("%d partitions are not where they should be", len(plan.Moves))
	}
	return w.check.serving()
}

// Trace returns the last things that happened, oldest first.
func (w *World) Trace() string { return strings.Join(w.trace, "\n") + "\n" }
