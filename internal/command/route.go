package command

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
)

// The way of a request in a cluster
//
// Every request with keys is looked up in the table of routes that its batch
// has begun with:
//
//	Here      it is executed
//	There     it is forwarded to the owner, or, for a client that speaks the
//	          protocol of Redis Cluster, answered with MOVED once the owner serves
//	Arriving  it waits for the next table
//	Nowhere   CLUSTERDOWN
//	Unreached CLUSTERDOWN, since this node is cut off from most others
//
// Invariant: a table is replaced while no batch is inside, see [isolation], or by
// one that has the same ways. So what is looked up before a command holds while it
// runs, and no write comes after the partition was given away. After a wait it is
// looked up again.

// routeTable is where the routes in force are.
type routeTable struct {
	now atomic.Pointer[cluster.Routes] // nil: the node is alone

	mu       sync.Mutex
	keeper   *Session      // GUARDED_BY(mu): keeps the others out
	replaced chan struct{} // GUARDED_BY(changes): closed when there is another table; nil: nobody waits
	changes  sync.Mutex
}

// routeWait is for how long a request waits until it can be executed or
// forwarded.
const routeWait = 2 * time.Second

// retryEvery is how often an owner that cannot be reached is tried again.
const retryEvery = 20 * time.Millisecond

// maxHops is how often a request is forwarded on by nodes that are not, or no
// longer, the owner. A node waits until its view is as new as the sender's, so
// each hop means that the partition has moved once more while the request was on
// its way: one or two happen, this many mean that something is wrong.
const maxHops = 8

// Errors of requests that have no way to go, as Redis Cluster words them.
const (
	errCrossSlot   = "CROSSSLOT Keys in request don't hash to the same slot"
	errClusterDown = "CLUSTERDOWN Hash slot not served"
	errCutOff      = "CLUSTERDOWN This node does not hear most of the others; the request was not executed: connect to another node"
	errHops        = "TRYAGAIN The request was sent from node to node, whose views of the cluster differ; it was not executed"
	errArriving    = "TRYAGAIN The slot is being moved to this node, which does not have all of it yet; the request was not executed"
)

// Reroute replaces the table of routes; nil makes the node one that is alone.
// It returns when the table is in force: every request from then on goes by it,
// and every request that went by the one before has been executed, forwarded,
// or waits and will go by the new one. It waits for the batches that are at work, no
// longer than a turn of an event loop takes; not when the new table has the same
// ways, by which they may go on: see [cluster.Routes.SameWays]. The store has to have
// partitions. Safe for concurrent use.
func (x *Executor) Reroute(r *cluster.Routes) {
	t := &x.routes
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keeper == nil {
		t.keeper = &Session{MayBlock: true}
	}
	s := t.keeper
	if former := t.now.Load(); former != nil && r != nil && former.SameWays(r) {
		t.replace(r)
		return
	}
	x.isolation.enter(s)
	x.isolation.exclude(x, s)
	t.replace(r)
	x.isolation.readmit(s)
	x.isolation.leave(s, 0)
}

// replace puts a table in place of the one in force, and tells who waits for that.
func (t *routeTable) replace(r *cluster.Routes) {
	t.changes.Lock()
	defer t.changes.Unlock()
	t.now.Store(r)
	if t.replaced != nil {
		close(t.replaced)
		t.replaced = nil
	}
}

// Routes returns the table in force, nil when the node is alone. It may be
// replaced at any time.
func (x *Executor) Routes() *cluster.Routes { return x.routes.now.Load() }

// after returns a channel that is closed when another table than r is in force.
func (t *routeTable) after(r *cluster.Routes) <-chan struct{} {
	t.changes.Lock()
	defer t.changes.Unlock()
	if t.now.Load() != r {
		over := make(chan struct{})
		close(over)
		return over
	}
	if t.replaced == nil {
		t.replaced = make(chan struct{})
	}
	return t.replaced
}

// exclude keeps everybody else out, as [isolation.exclude] does.
func (x *Executor) exclude(s *Session) bool {
	ok := x.isolation.exclude(x, s)
	s.routes = x.routes.now.Load()
	return ok
}

// readmit ends what exclude has begun.
func (x *Executor) readmit(s *Session) {
	x.isolation.readmit(s)
	s.routes = x.routes.now.Load()
}

// enter comes before the first request of a batch, and after a wait.
func (x *Executor) enter(s *Session) {
	x.isolation.enter(s)
	s.routes = x.routes.now.Load()
}

// way is where a request is to go.
type way struct {
	kind  wayKind
	slot  int   // of its first key
	owner int16 // for wayThere: the node, by its place in the view
}

type wayKind uint8

const (
	wayHere      wayKind = iota // execute it
	wayThere                    // the owner of all its keys executes it
	wayArriving                 // this node will, but cannot yet
	wayNowhere                  // nobody can
	wayUnreached                // somebody can, but this node does not know who
	wayCross                    // its keys are of several slots, which the command cannot have
	waySplit                    // its keys are of several nodes, and the command can be split
)

// way looks a request up in the table of the batch.
func (s *Session) way(cmd *Command, args [][]byte) way {
	slot := cmd.slotOf(args)
	switch {
	case slot >= 0:
		return s.wayOfSlot(slot)
	case slot == noSlot:
		return way{}
	case cmd.keys.split == notSplit || s.Redirects || !cmd.keys.fits(len(args)):
		return way{kind: wayCross}
	}
	return s.wayOfMany(cmd, args)
}

// wayOfSlot looks a slot up.
func (s *Session) wayOfSlot(slot int) way {
	place := s.routes.At(hashing.Partition(uint16(slot)))
	return way{wayOf(place.Kind), slot, place.Owner}
}

// wayOf translates a place of the table.
func wayOf(k cluster.PlaceKind) wayKind {
	switch k {
	case cluster.Here:
		return wayHere
	case cluster.There:
		return wayThere
	case cluster.Arriving:
		return wayArriving
	case cluster.Unreached:
		return wayUnreached
	}
	return wayNowhere
}

// wayOfMany is way for keys of several slots.
func (s *Session) wayOfMany(cmd *Command, args [][]byte) (w way) {
	k := &cmd.keys
	for at, end := k.at, k.end(len(args)); at < end; at += k.step {
		slot := int(hashing.Slot(args[at]))
		place := s.routes.At(hashing.Partition(uint16(slot)))
		kind := wayOf(place.Kind)
		switch {
		case kind == wayNowhere || kind == wayArriving || kind == wayUnreached:
			return way{kind, slot, place.Owner}
		case at == k.at:
			w = way{kind, slot, place.Owner}
		case place.Owner != w.owner:
			w.kind = waySplit
		}
	}
	return w
}

// route decides where a request is executed. It reports done when that is not
// here, or not now: then out is the outcome, and the reply is written or on its
// way.
func (x *Executor) route(s *Session, cmd *Command, args [][]byte) (out Outcome, done bool) {
	if cmd.keys.form == oneKeyAt {
		s.partition = x.placeOf(s, args[cmd.keys.at]).Partition()
		if s.routes.IsHere(s.partition) {
			return Continue, false
		}
	}
	w := s.way(cmd, args)
	if w.kind == wayHere || cmd.watches && s.gates&gateMulti != 0 {
		return Continue, false // inside MULTI there is no WATCH
	}
	return x.away(s, cmd, args, w)
}

// away is route for a request that is not executed here and now.
func (x *Executor) away(s *Session, cmd *Command, args [][]byte, w way) (out Outcome, done bool) {
	if s.readsCopies && (w.kind == wayThere || w.kind == wayUnreached) && x.mayReadCopy(s, cmd, w.slot) {
		s.fromCopy = true
		return Continue, false
	}
	if text := s.dead(w); text != "" {
		return x.reject(s, cmd, args, text), true
	}
	if w.kind == wayThere {
		if out, done, ok := x.readNear(s, cmd, args, w); ok {
			return out, done
		}
	}
	switch {
	case s.MayBlock:
		return x.awayWaiting(s, cmd, args)
	case w.kind == wayArriving || cmd.watches:
		return Park, true
	case w.kind == waySplit:
		return x.spread(s, cmd, args), true
	}
	return x.forward(s, cmd, args, w), true
}

// dead returns the error of a request that has no way to go, "" when it has one.
// For a client that is redirected that is MOVED, but not in the last step of a
// move: the new owner may not know of it yet, and would send the client back. It may
// also reach an owner that this node does not.
func (s *Session) dead(w way) string {
	switch {
	case w.kind == wayCross:
		return errCrossSlot
	case w.kind == wayNowhere:
		return errClusterDown
	case w.kind == wayUnreached && s.Redirects && w.owner != s.routes.Self:
		return s.moved(w)
	case w.kind == wayUnreached:
		return errCutOff
	case w.kind == wayThere && s.Redirects && !s.routes.View.Arriving(hashing.Partition(uint16(w.slot))):
		return s.moved(w)
	case w.kind == wayThere && s.origin.hops >= maxHops:
		s.origin.misrouted = true
		return errHops
	}
	return ""
}

// awayWaiting is away for a client that may wait: until the request can be
// executed here, or was executed elsewhere.
func (x *Executor) awayWaiting(s *Session, cmd *Command, args [][]byte) (out Outcome, done bool) {
	v := x.awaitWay(s, func() way { return s.way(cmd, args) }, func(w way) answer {
		if cmd.watches {
			return x.watchThere(s, args, w)
		}
		return x.askOwner(s, cmd, args, w)
	})
	switch {
	case v.here:
		return Continue, false
	case v.split:
		return x.spreadWaiting(s, cmd, args), true
	case v.gone:
		return Close, true
	case v.refusal != "":
		return x.reject(s, cmd, args, v.refusal), true
	}
	return Continue, true
}

// askOwner sends a request to the owner of its keys and waits for the reply.
//
// REQUIRES: s.MayBlock, w is wayThere.
func (x *Executor) askOwner(s *Session, cmd *Command, args [][]byte, w way) answer {
	fl := flight{slot: w.slot, readOnly: cmd.Flags&ReadOnly != 0}
	if k := x.hotKeyOf(s, cmd, args, w); k != nil {
		return x.askNear(s, k, args, w)
	}
	x.takesOff(s, &fl, cmd, args)
	defer x.landed(&fl)
	return x.ask(s, KindRequest, x.requestFor(s, args), w, fl.readOnly, s.takeReply)
}

// verdict is what has become of a request that waited for its way. The zero
// value says that another node has answered it.
type verdict struct {
	here, split, gone bool
	refusal           string
}

// answer is what has become of one attempt to forward a request: it was
// answered, or refused, and then again tells whether it may be tried once more.
type answer struct {
	refusal string
	again   bool
}

// awaitWay waits until a request can be executed here or was answered by the
// node that there sends it to. The way is looked up again after every wait.
//
// REQUIRES: s.MayBlock.
func (x *Executor) awaitWay(s *Session, find func() way, there func(way) answer) verdict {
	until := x.clock.monotonic() + routeWait
	first := true
	for waited := false; s.routes != nil; waited = true {
		w := find()
		if text := s.dead(w); text != "" {
			return verdict{refusal: text}
		}
		text, pause := errArriving, routeWait
		switch w.kind {
		case wayHere:
			if waited {
				s.ctx.Now = x.clock.millis(x.clock.monotonic())
			}
			return verdict{here: true}
		case waySplit:
			return verdict{split: true}
		case wayThere:
			a := there(w)
			if !a.again {
				return verdict{refusal: a.refusal}
			}
			text, pause = a.refusal, retryEvery
			if first && x.forwarding.givenUp(s.routes.Node(w.owner).ID, x.clock.monotonic()) {
				return verdict{refusal: text}
			}
			first = false
		}
		left := until - x.clock.monotonic()
		if left <= 0 {
			if w.kind == wayThere {
				x.forwarding.giveUp(s.routes.Node(w.owner).ID, x.clock.monotonic())
			}
			return verdict{refusal: text}
		}
		if s.waitFor(x, x.routes.after(s.routes), min(left, pause), false) == waitGone {
			return verdict{gone: true}
		}
	}
	return verdict{here: true}
}

// moved is the error that tells a client where a slot is served.
func (s *Session) moved(w way) string {
	address := s.routes.Node(w.owner).RESPCluster
	if address == "" {
		return "CLUSTERDOWN The owner of hash slot " + strconv.Itoa(w.slot) + " has no listener for cluster clients"
	}
	return "MOVED " + strconv.Itoa(w.slot) + " " + address
}
