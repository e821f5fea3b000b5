package simulate

import (
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// trouble lets things go wrong until the time given.
func (w *World) trouble(until time.Duration) {
	var next func()
	next = func() {
		if w.now >= until {
			return
		}
		w.faults++
		w.fault()
		w.after(50*time.Millisecond+w.upTo(1200*time.Millisecond), next)
	}
	w.after(w.upTo(time.Second), next)
}

func (w *World) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }

// fault draws one thing that goes wrong and, mostly, when it ends.
func (w *World) fault() {
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	other := w.nodes[w.rng.IntN(len(w.nodes))]
	lasting := 100*time.Millisecond + w.upTo(4*time.Second)
	kinds := 12
	if w.cfg.Replicas > 0 {
		kinds = 17
	}
	switch w.rng.IntN(kinds) {
	case 12, 13:
		w.tracef("fault: %s stands still for %v", n.name, lasting/2)
		n.pausedUntil = w.now + lasting/2
	case 15, 16:
		if at := w.store.leader; at != storePlace && at != n.place {
			w.tracef("fault: %s is cut off from the store and the controller, not from the others", n.name)
			for _, place := range []int{at, storePlace} {
				w.cutFor(lasting, n.place, place)
				w.cutFor(lasting, place, n.place)
			}
		}
	case 14:
		if at := w.store.leader; at != storePlace {
			w.tracef("fault: the store elects for a while")
			w.crash(w.nodes[at], lasting)
			w.store.setAway(true)
			w.after(200*time.Millisecond+w.upTo(300*time.Millisecond), func() { w.store.setAway(false) })
		}
	case 0, 1, 2:
		w.crash(n, lasting)
	case 3:
		w.tracef("fault: messages from %s to %s are lost", n.name, other.name)
		w.cutFor(lasting, n.place, other.place)
	case 4:
		w.tracef("fault: %s and %s are cut off from each other", n.name, other.name)
		w.cutFor(lasting, n.place, other.place)
		w.cutFor(lasting, other.place, n.place)
	case 5:
		w.tracef("fault: %s does not reach the store", n.name)
		w.cutFor(lasting, n.place, storePlace)
	case 6:
		w.tracef("fault: %s hears nothing of the store", n.name)
		w.cutFor(lasting, storePlace, n.place)
	case 7:
		if w.store.away {
			return
		}
		w.tracef("fault: the store is away")
		w.store.setAway(true)
		w.after(lasting/2, func() { w.store.setAway(false) })
	case 8:
		w.net.loss = 0.3 * w.rng.Float64()
		w.tracef("fault: %.0f %% of the messages are lost", 100*w.net.loss)
		w.after(lasting, func() { w.net.loss = 0 })
	case 9:
		w.net.delay = w.upTo(300 * time.Millisecond)
		w.tracef("fault: messages take up to %v", w.net.delay)
		w.after(lasting, func() { w.net.delay = 0 })
	case 10:
		if len(w.nodes) < 2*w.cfg.Nodes+2 {
			w.tracef("change: n%d joins", len(w.nodes)+1)
			w.add()
		}
	case 11:
		if w.staying() > 2 && w.store.state(n) == cluster.Active {
			w.tracef("change: %s is drained", n.name)
			w.store.change(n.id, func(n *cluster.Node) { n.State = cluster.Draining })
		}
	}
}

// staying counts the nodes that are not to go.
func (w *World) staying() (count int) {
	for _, n := range w.nodes {
		if w.store.state(n) == cluster.Active {
			count++
		}
	}
	return count
}

// crash ends a process, and lets another one begin after a while.
func (w *World) crash(n *node, down time.Duration) {
	if !n.up {
		return
	}
	w.tracef("fault: %s dies for %v", n.name, down)
	n.crash()
	w.after(down, func() {
		if !n.up && w.store.state(n) != cluster.Left {
			w.tracef("%s begins anew", n.name)
			n.start()
		}
	})
}

func (w *World) cutFor(d time.Duration, from, to int) {
	w.net.cut(from, to)
	w.after(d, func() { w.net.join(from, to) })
}

// heal ends everything that goes wrong.
func (w *World) heal() {
	w.tracef("all faults end")
	w.net.heal()
	w.healed = true
	w.store.setAway(false)
	for _, n := range w.nodes {
		if !n.up && w.store.state(n) != cluster.Left {
			n.start()
		}
	}
}
