package command

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/peer"
)

// neighbours are the other nodes of the cluster, as far as what their clients
// have asked for goes. Safe for concurrent use.
type neighbours struct {
	x     *Executor
	wants wants

	now      atomic.Pointer[vicinity] // nil: the node is alone
	watching atomic.Bool              // some other node wants to hear of changed keys
	listens  atomic.Bool              // some other node has subscribers
	closed   atomic.Bool
	removed  atomic.Bool // this node is none of the cluster any more: nobody tells it anything

	mu      sync.Mutex
	all     map[cluster.NodeID]*neighbour // GUARDED_BY(mu)
	changed chan struct{}                 // GUARDED_BY(mu): closed when a neighbour has answered
	retry   bool                          // GUARDED_BY(mu): a timer to tell again is set

	lost atomic.Uint64 // messages and names of keys that could not be sent
}

// vicinity are the neighbours as of a table of routes, by the place in its
// view; nil is the node itself. Immutable.
type vicinity struct {
	routes *cluster.Routes
	list   []*neighbour
}

// neighbour is one other node.
type neighbour struct {
	all  *neighbours
	id   cluster.NodeID
	node atomic.Pointer[cluster.Node]

	heard atomic.Pointer[interest] // what it wants; nil: not known, so everything
	acked atomic.Uint64            // the version of our interest that it knows

	mu      sync.Mutex
	telling bool // GUARDED_BY(mu): an interest is on its way
	excused bool // GUARDED_BY(mu): it could not be reached just now: nobody waits for it
	missed  bool // GUARDED_BY(mu): it did not hear in time that our clients track

	news outbox
}

const (
	// interestWait is for how long a client waits until other nodes know what it
	// has subscribed to.
	interestWait = time.Second
	// tellAgainAfter is when a node is told again that could not be reached.
	tellAgainAfter = 100 * time.Millisecond
	// lowerInterestAfter is for how long others still think that something is
	// wanted when the last client has gone.
	lowerInterestAfter = 2 * time.Second
)

func (n *neighbours) init(x *Executor) {
	n.x, n.all, n.changed = x, map[cluster.NodeID]*neighbour{}, make(chan struct{})
	n.wants.init()
}

// boot tells this process from a former one of the node.
func (n *neighbours) boot() uint64 { return uint64(n.x.started.UnixNano()) }

// meet brings the neighbours in line with the routes in force, and introduces
// this node to new ones.
func (n *neighbours) meet() {
	r := n.x.Routes()
	if r == nil || n.closed.Load() {
		n.now.Store(nil)
		n.watch()
		return
	}
	n.mu.Lock()
	v := &vicinity{routes: r, list: make([]*neighbour, len(r.View.Nodes))}
	there := map[cluster.NodeID]*neighbour{}
	for i := range r.View.Nodes {
		if int16(i) == r.Self {
			continue
		}
		node := &r.View.Nodes[i]
		b := n.all[node.ID]
		if b == nil {
			b = &neighbour{all: n, id: node.ID}
		}
		b.node.Store(node)
		there[node.ID], v.list[i] = b, b
	}
	n.all = there
	n.now.Store(v)
	n.mu.Unlock()
	n.watch()
	n.tell()
}

// LeaveCluster ends what this node tells others of its clients. For the end of
// the process; it may be called more than once.
func (x *Executor) LeaveCluster() {
	x.neighbours.closed.Store(true)
	x.neighbours.meet()
}

// errRemoved answers who wants to be told of what happens in the cluster.
const errRemoved = "CLUSTERDOWN This node has been removed from the cluster and hears nothing of it: connect to another one"

// RemovedFromCluster says that other nodes tell this one nothing any more. Clients
// that wait for messages, or for word of changed keys, are closed: they find
// another node. To be called again now and then: a client may have been about to
// subscribe.
func (x *Executor) RemovedFromCluster() {
	x.neighbours.removed.Store(true)
	x.near.dropAll(dropLost)
	for _, s := range x.sessions.all() {
		if s.subscriptionCount() > 0 || s.has(flagTracking) {
			s.Interrupt()
			s.Link.Kill(true)
		}
	}
}

// list returns the other nodes, with gaps.
func (n *neighbours) list() []*neighbour {
	if v := n.now.Load(); v != nil {
		return v.list
	}
	return nil
}

// watch sums up what the other nodes want.
func (n *neighbours) watch() {
	watching, listens := false, false
	for _, b := range n.list() {
		if b == nil {
			continue
		}
		watching = watching || b.wantsChanges()
		i := b.heard.Load()
		listens = listens || i == nil || i.patterns || i.channels != slotSet{}
	}
	n.watching.Store(watching)
	n.listens.Store(listens)
}

func (b *neighbour) wantsChanges() bool {
	i := b.heard.Load()
	return i == nil || i.changes
}

func (b *neighbour) wantsMessage(kind subscriptionKind, slot uint16) bool {
	i := b.heard.Load()
	return i == nil || i.covers(kind, slot)
}

// tell tells every neighbour that does not know it what this node wants.
func (n *neighbours) tell() {
	for _, b := range n.list() {
		if b != nil {
			b.tell()
		}
	}
}

// tell sends the interest, unless it is known or on its way.
func (b *neighbour) tell() {
	n := b.all
	b.mu.Lock()
	if b.telling || n.closed.Load() {
		b.mu.Unlock()
		return
	}
	i := n.wants.now(n.boot())
	if b.acked.Load() >= i.version {
		b.mu.Unlock()
		return
	}
	b.telling, b.excused = true, false
	b.mu.Unlock()
	if err := b.send(KindInterest, i.append(nil, n.self()), &introduction{b, i}); err != nil {
		b.told(i, err)
	}
}

// self returns the id of this node.
func (n *neighbours) self() cluster.NodeID {
	if r := n.x.Routes(); r != nil {
		return r.Node(r.Self).ID
	}
	return ""
}

// send hands a frame to the first link to the node, and has it leave.
func (b *neighbour) send(kind uint8, frame []byte, sink peer.Sink) error {
	by := b.all.x.forwarding.by
	if by == nil {
		return peer.ErrUnreachable
	}
	lane := by.Lane(b.node.Load(), 0)
	if lane == nil {
		return peer.ErrUnreachable
	}
	if err := lane.Queue(kind, peer.Payload{Head: frame}, sink, 0); err != nil {
		return err
	}
	lane.Flush()
	return nil
}

// introduction is the sink of a frame that tells our interest.
type introduction struct {
	to   *neighbour
	ours *interest
}

// Complete implements [peer.Sink].
func (i *introduction) Complete(_ uint64, r peer.Reply, err error) {
	b := i.to
	if err == nil {
		var theirs *interest
		if _, theirs, err = parseInterest(r.Data); err == nil {
			b.hear(theirs)
		}
	}
	r.Release()
	b.told(i.ours, err)
}

// Flush implements [peer.Sink].
func (*introduction) Flush() {}

// told notes that the node knows our interest, or why not.
func (b *neighbour) told(ours *interest, err error) {
	b.mu.Lock()
	b.telling = false
	late := err == nil && b.missed
	b.excused = err != nil
	b.missed = err != nil && (b.missed || ours.changes)
	b.mu.Unlock()
	if err == nil {
		b.acked.Store(ours.version)
	}
	n := b.all
	n.mu.Lock()
	close(n.changed)
	n.changed = make(chan struct{})
	n.mu.Unlock()
	if late {
		// It may have changed keys that our clients read meanwhile.
		n.x.forgetOwned(b.id)
	}
	n.tellAgain(err)
}

// tellAgain has the neighbours told that do not know our interest: at once,
// though not by this goroutine, or after a while when one could not be reached.
func (n *neighbours) tellAgain(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.retry || n.closed.Load() || err == nil && n.known() {
		return
	}
	n.retry = true
	after := time.Duration(0)
	if err != nil {
		after = tellAgainAfter
	}
	time.AfterFunc(after, func() {
		n.mu.Lock()
		n.retry = false
		n.mu.Unlock()
		n.tell()
	})
}

// known reports whether all neighbours know our interest.
func (n *neighbours) known() bool {
	n.wants.mu.Lock()
	version := n.wants.version
	n.wants.mu.Unlock()
	for _, b := range n.list() {
		if b != nil && b.acked.Load() < version {
			return false
		}
	}
	return true
}

// knows reports whether every neighbour that can be reached knows our interest
// of a version.
func (n *neighbours) knows(version uint64) bool {
	for _, b := range n.list() {
		if b == nil || b.acked.Load() >= version {
			continue
		}
		b.mu.Lock()
		excused := b.excused
		b.mu.Unlock()
		if !excused {
			return false
		}
	}
	return true
}

// hear takes what a node wants.
func (b *neighbour) hear(i *interest) {
	for {
		former := b.heard.Load()
		if former != nil && (former.boot > i.boot || former.boot == i.boot && former.version >= i.version) {
			return
		}
		if !b.heard.CompareAndSwap(former, i) {
			continue
		}
		if former != nil && former.boot != i.boot {
			// Another process: it knows nothing of us, and has lost what it had.
			b.acked.Store(0)
			b.all.x.forgetOwned(b.id)
			b.all.tellAgain(peer.ErrLost)
		}
		b.all.watch()
		return
	}
}

// forgetOwned ends near copies and tells clients that track that what they have
// of the keys of a node may have changed.
func (x *Executor) forgetOwned(id cluster.NodeID) {
	if x.Routes() != nil {
		x.mayHaveChanged()
	}
}

// find returns a neighbour by its id, nil when it is not in the view.
func (n *neighbours) find(id cluster.NodeID) *neighbour {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all[id]
}

// serveInterest takes what another node wants and tells what this one wants.
func (r *Remote) serveInterest(q peer.Request, out *peer.Batch) {
	n := &r.x.neighbours
	from, i, err := parseInterest(q.Data)
	if err != nil {
		r.refuse(q.ID)
		return
	}
	// A node that is not in our view yet tells us again once we tell it.
	if b := n.find(from); b != nil {
		b.hear(i)
	}
	own := n.wants.now(n.boot())
	_ = out.Reply(q.ID, statusDone, peer.Payload{Head: own.append(nil, n.self())}) // never too long
}

// claim notes that something is about to be wanted, until release, and returns
// the version of the interest that the others have to know.
func (n *neighbours) claim(list []want) (version uint64) {
	for _, what := range list {
		version = max(version, n.wants.add(what))
	}
	// Those that could not be reached before may be reached now: nobody is
	// excused without an attempt.
	for _, b := range n.list() {
		if b != nil && b.acked.Load() < version {
			b.tell()
		}
	}
	return version
}

// await waits until the other nodes know a version of the interest.
//
// REQUIRES: s.MayBlock.
func (n *neighbours) await(s *Session, version uint64) (gone bool) {
	until := n.x.clock.monotonic() + interestWait
	for {
		n.mu.Lock()
		changed := n.changed
		n.mu.Unlock()
		left := until - n.x.clock.monotonic()
		if n.knows(version) || left <= 0 {
			return false
		}
		if s.waitFor(n.x, changed, left, false) == waitGone {
			return true
		}
	}
}

// raise has the other nodes know that these are about to be wanted. When that
// takes waiting, which the session must not do, or the session is gone, ok is
// false and the outcome is that of the request. Otherwise c.endRaise is to be
// called once they have been noted for themselves.
func (c *Context) raise(list []want) (ok bool) {
	n, s := &c.Exec.neighbours, c.Session
	if n.removed.Load() {
		c.Error(errRemoved)
		return false
	}
	version := n.claim(list)
	c.raised = list
	switch {
	case n.knows(version) || s.tx.running:
		return true
	case !s.MayBlock:
		c.outcome = Park
	case !n.await(s, version):
		return true
	default:
		c.Close()
	}
	c.endRaise()
	return false
}

// endRaise gives back what raise has claimed.
func (c *Context) endRaise() {
	c.Exec.neighbours.release(c.raised)
	c.raised = nil
}

// release takes back what claim has noted.
func (n *neighbours) release(list []want) {
	for _, what := range list {
		n.drop(what)
	}
}

// drop notes that somebody does not want something any more.
func (n *neighbours) drop(what want) {
	if n.wants.drop(what) {
		time.AfterFunc(lowerInterestAfter, func() {
			if n.wants.lower() {
				n.tell()
			}
		})
	}
}
