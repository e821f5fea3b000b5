package command

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/resp"
)

// Remote executes what another node forwards over one connection: it is the
// [peer.Session] of that. Requests are executed in the order of arrival by the
// goroutine that reads the connection, except those that have to wait:
//
//	Serve ─┬─ executed, answered in place
//	       ╰─ parks: a goroutine with a proxy executes it, and after it what
//	          else comes of the same client; answered through the responder
//
// Invariant: requests of one client are executed one after the other, in order.
type Remote struct {
	x   *Executor
	out *peer.Responder
	s   *Session // of the reading goroutine; may not block

	inside bool // between Begin and End
	turn   int  // requests and bytes since Begin, weighed

	mu      sync.Mutex
	queues  map[uint64]*remoteQueue // GUARDED_BY(mu): by client, of those that wait
	closed  bool                    // GUARDED_BY(mu)
	workers sync.WaitGroup
	waiting atomic.Int32 // queues there are

	held     heldFrames
	stopHeld func()
}

// remoteQueue are the requests of a client that wait for one that waits.
type remoteQueue struct {
	frames []remoteFrame // the first is at work
	proxy  *Session
}

// remoteFrame is a request in memory of its own.
type remoteFrame struct {
	id   uint32
	kind uint8
	data []byte
}

const (
	// remoteTurn is how many requests are executed before the batch is ended, so
	// that a link that never rests does not keep a new table out.
	remoteTurn = 256
	// remoteTurnBytes is how many bytes of replies count as one request.
	remoteTurnBytes = 1 << 10
)

// NewRemote returns what serves a connection from another node whose requests
// are of the kinds of this package. name tells which node, for the slow log.
func (x *Executor) NewRemote(name string, out *peer.Responder) *Remote {
	r := &Remote{x: x, out: out, s: x.newInternal(name), queues: map[uint64]*remoteQueue{}}
	r.held.x, r.held.out = x, out
	r.stopHeld = x.WakeOnAcknowledged(&r.held)
	return r
}

// Serve implements [peer.Session].
func (r *Remote) Serve(q peer.Request, out *peer.Batch) {
	if q.Kind >= KindSweep {
		r.serveOther(q, out)
		return
	}
	req := &r.s.incoming
	if err := req.parse(q.Kind, q.Data); err != nil || req.db >= r.x.store.Databases() {
		out.Reply(q.ID, 0, peer.Payload{Head: []byte("-ERR " + errFrame.Error() + "\r\n")})
		return
	}
	r.x.forwarding.served.Add(1)
	if r.waitsBehind(req.client, q) {
		return
	}
	r.begin()
	r.s.serveAs(req, origin{hops: req.hops, view: max(1, req.view)})
	if !r.execute(q, req, out) {
		r.park(req.client, q)
	}
	if r.turn >= remoteTurn {
		r.end()
	}
}

// execute executes a request and answers in place. It reports false when the
// request has to wait.
func (r *Remote) execute(q peer.Request, req *remoteRequest, out *peer.Batch) bool {
	s := r.s
	if s.isEarly(r.x, q.Kind, req) {
		return false
	}
	w := &s.Out
	room := w.Buf
	w.Buf = out.Begin(q.ID, 0)
	before := len(w.Buf)
	outcome := r.x.executeFrame(s, q.Kind, req)
	if outcome == Park || outcome == Hold {
		w.Buf = room
		return false
	}
	s.ctx.Args = nil // they do not outlive this call
	r.turn += 1 + (len(w.Buf)-before)/remoteTurnBytes
	if s.origin.misrouted {
		w.Truncate(resp.Mark{})
		w.Buf = room
		out.Reply(q.ID, statusMisrouted, peer.Payload{})
		return true
	}
	head, rest := attachment(w)
	if s.holds.need.Any() {
		r.held.keep(s, q.ID, head[before:], rest)
		w.Buf = room
		return true
	}
	if out.End(head, rest) != nil {
		release(rest)
		out.Reply(q.ID, 0, peer.Payload{Head: []byte(replyTooLarge)})
	}
	w.Buf = room
	return true
}

// Statuses of replies.
const (
	statusDone       uint8 = iota
	statusMisrouted        // not executed: it did not find the owner
	statusLost             // executed or not: this node was not, or not for long enough, the owner
	statusNotRelayed       // not executed: this node, asked to relay, does not reach the owner
)

// errMisrouted says that a request was not executed since it did not find the
// owner of its keys.
var errMisrouted = errors.New("the request did not find the owner of its keys")

// OutcomeOf returns what has become of a forwarded request, given what its
// [peer.Sink] was told: the error to be handed to [Executor.Arrived].
func OutcomeOf(r peer.Reply, err error) error {
	switch {
	case err != nil:
	case r.Status == statusMisrouted:
		return errMisrouted
	case r.Status == statusLost:
		return peer.ErrLost
	case r.Status == statusNotRelayed:
		return errNotRelayed
	}
	return err
}

const replyTooLarge = "-ERR the reply is too large to be forwarded\r\n"

func release(a peer.Attachment) {
	if a.Owner != nil {
		a.Owner.Release()
	}
}

func (r *Remote) begin() {
	if !r.inside {
		r.x.BeginTurn()
		r.x.Begin(r.s)
		r.inside, r.turn = true, 0
	}
}

func (r *Remote) end() {
	if r.inside {
		r.x.End(r.s)
		r.x.EndTurn()
		r.inside = false
		r.held.endBatch()
	}
}

// EndBatch implements [peer.Session].
func (r *Remote) EndBatch(*peer.Batch) {
	r.end()
	r.s.flights.flush(false) // what is relayed leaves
}

// waitsBehind reports whether a request was put behind one of the same client
// that waits.
func (r *Remote) waitsBehind(client uint64, q peer.Request) bool {
	if r.waiting.Load() == 0 {
		return false // only this goroutine makes a queue
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	queue := r.queues[client]
	if queue == nil {
		return false
	}
	queue.frames = append(queue.frames, remoteFrame{q.ID, q.Kind, bytes.Clone(q.Data)})
	return true
}

// park has a goroutine execute a request.
func (r *Remote) park(client uint64, q peer.Request) {
	proxy := r.x.forwarding.proxies.take(r.x)
	first := remoteFrame{q.ID, q.Kind, bytes.Clone(q.Data)}
	queue := &remoteQueue{frames: []remoteFrame{first}, proxy: proxy}
	r.mu.Lock()
	r.queues[client] = queue
	r.mu.Unlock()
	r.waiting.Add(1)
	r.workers.Go(func() { r.work(client, queue, first) })
}

// work executes the requests of one client until there are no more.
func (r *Remote) work(client uint64, queue *remoteQueue, frame remoteFrame) {
	p := queue.proxy
	for more := true; more; frame, more = r.next(client, queue) {
		r.answer(p, frame)
	}
	r.x.forwarding.proxies.giveBack(r.x, p)
}

// next removes the request that is done and returns the one behind it.
func (r *Remote) next(client uint64, queue *remoteQueue) (f remoteFrame, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	queue.frames = queue.frames[1:]
	if len(queue.frames) == 0 || r.closed {
		delete(r.queues, client)
		r.waiting.Add(-1)
		return f, false
	}
	return queue.frames[0], true
}

// answer executes one request and sends its reply.
func (r *Remote) answer(p *Session, f remoteFrame) {
	o := origin{hops: f.data[2], view: 1}
	if outcome := r.x.perform(p, f.kind, f.data, o); outcome != Continue && p.Out.Size() == 0 {
		p.Out.Error(errUnknown)
	}
	head, rest := attachment(&p.Out)
	status := statusDone
	switch {
	case p.origin.misrouted:
		status = statusMisrouted
	case p.holds.lost:
		release(rest)
		p.holds.lost, status, head, rest = false, statusLost, nil, peer.Attachment{}
	}
	err := r.out.Reply(f.id, status, peer.Payload{Body: head, Attach: rest})
	if err != nil {
		release(rest)
		if err == peer.ErrTooLarge {
			r.out.Reply(f.id, 0, peer.Payload{Head: []byte(replyTooLarge)})
		}
	}
	p.Out.Reset()
}

// Close implements [peer.Session]: it returns when nothing of the connection is
// at work any more.
func (r *Remote) Close(error) {
	r.end() // first: what is at work may wait for everybody to be outside
	r.s.Interrupt()
	r.mu.Lock()
	r.closed = true
	for _, queue := range r.queues {
		queue.proxy.Interrupt()
	}
	r.mu.Unlock()
	r.workers.Wait()
	r.stopHeld()
	r.held.close()
	r.x.endInternal(r.s)
}
