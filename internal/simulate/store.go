package simulate

import (
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
)

// store plays the configuration service: one linearizable copy, which may be
// away for a time, as when its members elect a leader or have no majority.
type store struct {
	w     *World
	away  bool
	view  *cluster.View
	bytes int // of the view when encoded
	known []cluster.Node
	lease []lease // by place
	// snapshots counts what the controller was told of the nodes.
	snapshots uint64
	// The controller's election.
	leader       int // place, storePlace: nobody
	term         uint64
	leaderExpiry time.Duration
}

// lease is what the store knows of a node's life.
type lease struct {
	alive       bool
	incarnation uint64
	expiry      time.Duration
}

// Times of leases.
const (
	leaseTTL  = 2 * time.Second
	leaderTTL = 1500 * time.Millisecond
	sweep     = 50 * time.Millisecond
)

// begin starts the clock that ends leases.
func (s *store) begin() {
	s.leader = storePlace
	var tick func()
	tick = func() {
		if !s.away {
			s.expire()
		}
		s.w.after(sweep, tick)
	}
	s.w.after(sweep, tick)
}

func (s *store) expire() {
	changed := false
	for at := range s.lease {
		if l := &s.lease[at]; l.alive && l.expiry <= s.w.now {
			l.alive = false
			changed = true
			s.w.nodes[at].deposed = true
			s.w.tracef("store: the lease of %s has run out", s.w.nodes[at].name)
		}
	}
	if s.leader != storePlace && s.leaderExpiry <= s.w.now {
		s.leader = storePlace
	}
	if changed {
		s.tellLeader()
	}
}

// setAway takes the store away or brings it back. Nobody's lease runs out for
// the time it was away.
func (s *store) setAway(away bool) {
	if s.away && !away {
		for at := range s.lease {
			s.lease[at].expiry = s.w.now + leaseTTL
		}
		s.leaderExpiry = s.w.now + leaderTTL
	}
	s.away = away
}

// call brings a request to the store and its answer back to the process that asked.
func (s *store) call(n *node, bytes int, request func() (answer func(), size int)) {
	incarnation := n.incarnation
	s.w.net.send(n.place, storePlace, bytes, func() {
		if s.away {
			return
		}
		answer, size := request()
		s.w.net.send(storePlace, n.place, size, func() {
			if n.up && n.incarnation == incarnation {
				answer()
			}
		})
	})
}

// keepAlive renews a node's lease, or registers it again, elects it when nobody
// leads, and tells it what is new.
func (s *store) keepAlive(n *node) {
	incarnation, has := n.incarnation, n.version()
	stands := n.copies == nil || !n.copies.alone()
	s.call(n, 64, func() (func(), int) {
		l := &s.lease[n.place]
		if incarnation < l.incarnation {
			return func() {}, 16
		}
		if !l.alive || l.incarnation != incarnation {
			*l = lease{alive: true, incarnation: incarnation}
			n.reinstate = 0
			if s.view != nil {
				n.reinstate = s.view.Version
			}
			s.tellLeader()
		}
		l.expiry = s.w.now + leaseTTL
		if s.leader == storePlace && stands && s.state(n) != cluster.Left {
			s.leader = n.place
			s.term++
			s.w.tracef("store: %s is the controller, term %d", n.name, s.term)
		}
		leader, term, size, view := s.leader, s.term, 32, s.view
		var snap snapshot
		if leader == n.place {
			s.leaderExpiry = s.w.now + leaderTTL
			snap = s.snapshot()
		}
		if view != nil && view.Version > has {
			size += s.bytes
		}
		return func() {
			if leader == n.place {
				if n.lead.term != term {
					n.lead.elect(term)
				}
				n.lead.see(snap)
			}
			n.learn(leader, view)
		}, size
	})
}

// depose takes the election from a node which another one does not hear any
// more, who stands then.
func (s *store) depose(n *node, leader int) {
	if n.deposing > s.w.now {
		return
	}
	n.deposing = s.w.now + heartbeat/2
	s.call(n, 16, func() (func(), int) {
		if s.leader == leader {
			s.w.tracef("store: %s takes the election from %s", n.name, s.w.nodes[leader].name)
			s.leader = storePlace
		}
		return func() { s.keepAlive(n) }, 16
	})
}

func (s *store) state(n *node) cluster.State {
	for i := range s.known {
		if s.known[i].ID == n.id {
			return s.known[i].State
		}
	}
	return ""
}

// register makes a node known.
func (s *store) register(n cluster.Node) {
	s.known = append(s.known, n)
	s.tellLeader()
}

// change changes what is known of a node.
func (s *store) change(id cluster.NodeID, do func(n *cluster.Node)) {
	known := append([]cluster.Node(nil), s.known...)
	for i := range known {
		if known[i].ID == id {
			do(&known[i])
		}
	}
	s.known = known
	s.tellLeader()
}

// snapshot is what the controller's node gets to know of the others.
type snapshot struct {
	number uint64 // they overtake each other
	known  []cluster.Node
	lease  []lease
}

func (s *store) snapshot() snapshot {
	s.snapshots++
	return snapshot{s.snapshots, append([]cluster.Node(nil), s.known...), append([]lease(nil), s.lease...)}
}

func (s *store) tellLeader() {
	if s.leader == storePlace || s.away {
		return
	}
	n, snap := s.w.nodes[s.leader], s.snapshot()
	s.w.net.send(storePlace, n.place, 64, func() {
		if n.up {
			n.lead.see(snap)
		}
	})
}

// save writes a view, if its writer is elected and has seen the one before, and
// whom it takes for dead has no lease.
func (s *store) save(n *node, term uint64, out controller.Output, done func(ok bool)) {
	next, encoded := out.View, len(out.View.Encode())
	s.call(n, encoded, func() (func(), int) {
		var version uint64
		if s.view != nil {
			version = s.view.Version
		}
		if s.leader != n.place || s.term != term || next.Version != version+1 {
			return func() { done(false) }, 16
		}
		for _, id := range out.Presumed {
			if s.lease[s.w.byID[id].place].alive {
				return func() { done(false) }, 16
			}
		}
		s.w.check.saved(s.view, next, out.Events)
		s.view, s.bytes = next, encoded
		s.w.views++
		s.w.viewBytes = max(s.w.viewBytes, encoded)
		for _, other := range s.w.nodes {
			if other != n {
				s.push(other)
			}
		}
		return func() { done(true) }, 16
	})
}

// push sends the view to a node that watches it. When it is lost, the node
// hears of it with its next keep-alive.
func (s *store) push(n *node) {
	if !n.up {
		return
	}
	leader, view, incarnation := s.leader, s.view, n.incarnation
	s.w.net.send(storePlace, n.place, s.bytes, func() {
		if n.up && n.incarnation == incarnation {
			n.learn(leader, view)
		}
	})
}
