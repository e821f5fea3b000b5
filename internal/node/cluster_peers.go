package node

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/membership"
	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/replication"
)

// Lanes between nodes: what is said on one does not wait for the others.
const (
	laneControl  = "control"
	laneStream   = "stream"
	laneRequests = "requests/" // and a number
)

// Statuses of replies on the lanes control and stream.
const (
	statusDone   uint8 = 0
	statusFailed uint8 = 1 // the payload says why
)

// lines is how the other nodes are reached, and how they reach this one.
type lines struct {
	network  *peer.Network
	executor *command.Executor
	member   *membership.Member // set before the first connection is served
	ready    chan struct{}      // closed when member is set

	lanes     int
	mu        sync.Mutex                                      // serializes additions to links
	listening map[cluster.NodeID]time.Time                    // GUARDED_BY(mu)
	links     atomic.Pointer[map[cluster.NodeID]requestLinks] // immutable
}

// requestLinks are the links to one node that requests are forwarded by.
type requestLinks struct {
	addr string
	list []*peer.Link
}

func newLines(x *command.Executor) *lines {
	l := &lines{executor: x, ready: make(chan struct{}), lanes: min(4, runtime.GOMAXPROCS(0))}
	l.links.Store(&map[cluster.NodeID]requestLinks{})
	return l
}

var (
	_ peer.Handler      = (*lines)(nil)
	_ membership.Peers  = (*lines)(nil)
	_ command.Forwarder = (*lines)(nil)
)

// Lane implements [command.Forwarder].
func (l *lines) Lane(to *cluster.Node, n int) command.Lane {
	known, ok := (*l.links.Load())[to.ID]
	if !ok || known.addr != to.Peer {
		if known, ok = l.open(to); !ok {
			return nil
		}
	}
	return known.list[n%len(known.list)]
}

// Silent implements [command.Forwarder].
func (l *lines) Silent(node cluster.NodeID) time.Duration {
	return time.Since(l.network.LastHeard(string(node)))
}

// open opens the links to a node that is new or has another address.
func (l *lines) open(to *cluster.Node) (requestLinks, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	with := map[cluster.NodeID]requestLinks{}
	for id, links := range *l.links.Load() {
		with[id] = links
	}
	links := requestLinks{addr: to.Peer}
	for i := range l.lanes {
		link, err := l.network.Link(string(to.ID), to.Peer, laneRequests+strconv.Itoa(i))
		if err != nil {
			return links, false
		}
		links.list = append(links.list, link)
	}
	with[to.ID] = links
	l.links.Store(&with)
	return links, true
}

// prepare opens the links to nodes before the first request needs them.
func (l *lines) prepare(v *cluster.View, self cluster.NodeID) {
	for i := range v.Nodes {
		if n := &v.Nodes[i]; n.ID != self && n.State != cluster.Left {
			l.Lane(n, 0)
		}
	}
}

// link returns the link to a node for a purpose, once it is up.
func (l *lines) link(ctx context.Context, to *cluster.Node, lane string) (*peer.Link, error) {
	link, err := l.network.Link(string(to.ID), to.Peer, lane)
	if err != nil {
		return nil, err
	}
	if err := link.WaitUp(ctx); err != nil {
		if cause := link.Err(); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("node %s at %s: %w", to.ID.Short(), to.Peer, err)
	}
	return link, nil
}

// Call implements [membership.Peers].
func (l *lines) Call(ctx context.Context, to *cluster.Node, kind uint8, payload []byte) ([]byte, error) {
	link, err := l.link(ctx, to, laneControl)
	if err != nil {
		return nil, err
	}
	r, err := link.Call(ctx, kind, peer.Payload{Head: payload})
	if err != nil {
		return nil, err
	}
	defer r.Release()
	if r.Status != statusDone {
		return nil, errors.New(string(r.Data))
	}
	return append([]byte(nil), r.Data...), nil
}

// Hear implements [membership.Peers].
func (l *lines) Hear(to *cluster.Node) membership.Hearing {
	link, err := l.network.Link(string(to.ID), to.Peer, laneControl)
	if err != nil {
		return membership.Hearing{}
	}
	link.Watch(true)
	if err := link.Err(); err != nil && errors.Is(err, syscall.ECONNREFUSED) {
		return membership.Hearing{Gone: true}
	}
	heard := l.network.LastHeard(string(to.ID))
	if heard.IsZero() {
		heard = l.since(to.ID)
	}
	return membership.Hearing{Silent: time.Since(heard)}
}

// abandonAfter is the silence that becomes a node which others have followed, or
// hear: one that owes an answer is heard every 100 ms.
const abandonAfter = 250 * time.Millisecond

// Abandon implements [membership.Peers].
func (l *lines) Abandon(node *cluster.Node) { l.network.Break(string(node.ID), abandonAfter) }

// Overdue implements [membership.Peers].
func (l *lines) Overdue(least time.Duration) (list []cluster.NodeID) {
	for _, node := range l.network.Overdue(least) {
		list = append(list, cluster.NodeID(node))
	}
	return list
}

// since returns when a node that has never been heard was listened to first.
func (l *lines) since(id cluster.NodeID) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listening == nil {
		l.listening = map[cluster.NodeID]time.Time{}
	}
	if _, ok := l.listening[id]; !ok {
		l.listening[id] = time.Now()
	}
	return l.listening[id]
}

// Open implements [peer.Handler].
func (l *lines) Open(from peer.Info, lane string, r *peer.Responder) (peer.Session, error) {
	id, err := cluster.ParseNodeID(from.Node)
	if err != nil {
		return nil, err
	}
	switch {
	case lane == laneControl || lane == laneStream:
		select {
		case <-l.ready:
		case <-time.After(upWithin):
			return nil, errors.New("this node is starting")
		}
		s := &serial{from: id, member: l.member, out: r, queue: make(chan queued, 64), done: make(chan struct{})}
		s.answer = s.control
		if lane == laneStream {
			s.answer, s.quick = s.apply, replication.IsQuick
		}
		go s.run()
		return s, nil
	case len(lane) > len(laneRequests) && lane[:len(laneRequests)] == laneRequests:
		return l.executor.NewRemote("node "+id.Short(), r), nil
	}
	return nil, fmt.Errorf("unknown lane: the nodes' releases are too far apart")
}

// serial serves a lane in order, in a goroutine of its own: what it does may
// take its time, and heartbeats go on meanwhile. A full queue makes the other
// node wait. What is quick, and has nothing before it, is served at once.
type serial struct {
	from   cluster.NodeID
	member *membership.Member
	out    *peer.Responder
	answer func(kind uint8, data []byte) ([]byte, error)
	quick  func(data []byte) bool // nil: nothing is
	before atomic.Int32           // requests in the queue or at work
	queue  chan queued
	done   chan struct{}
}

// queued is a request that waits for its turn.
type queued struct {
	id   uint32
	kind uint8
	data []byte
	hold peer.Releaser
}

// Serve implements [peer.Session].
func (s *serial) Serve(q peer.Request, out *peer.Batch) {
	if s.quick != nil && s.before.Load() == 0 && s.quick(q.Data) {
		status, data := s.serve(q.Kind, q.Data)
		_ = out.Reply(q.ID, status, peer.Payload{Head: data}) // it is short
		return
	}
	s.before.Add(1)
	s.queue <- queued{q.ID, q.Kind, q.Data, q.Retain()}
}

// EndBatch implements [peer.Session].
func (s *serial) EndBatch(*peer.Batch) {}

// Close implements [peer.Session].
func (s *serial) Close(error) {
	close(s.queue)
	<-s.done
}

func (s *serial) run() {
	defer close(s.done)
	for q := range s.queue {
		status, data := s.serve(q.kind, q.data)
		q.hold.Release()
		_ = s.out.Reply(q.id, status, peer.Payload{Head: data}) // fails when the connection is gone
		s.before.Add(-1)
	}
}

func (s *serial) serve(kind uint8, data []byte) (status uint8, reply []byte) {
	reply, err := s.answer(kind, data)
	if err != nil {
		return statusFailed, []byte(err.Error())
	}
	return statusDone, reply
}

func (s *serial) control(kind uint8, data []byte) ([]byte, error) {
	return s.member.Answer(s.from, kind, data)
}

func (s *serial) apply(_ uint8, data []byte) ([]byte, error) {
	refused, err := s.member.Apply(s.from, data)
	return replication.AppendRefusals(nil, refused), err
}
