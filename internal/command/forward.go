package command

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/resp"
)

// Forwarder finds the links to other nodes. Safe for concurrent use.
type Forwarder interface {
	// Lane returns a link to a node, nil when there is none. Requests that one
	// goroutine submits to one lane of a node arrive in that order; n is any
	// number that is not negative, and the same for one client all its life. It
	// does not block.
	Lane(to *cluster.Node, n int) Lane
	// Silent returns for how long nothing has been heard of a node.
	Silent(node cluster.NodeID) time.Duration
}

// Lane is one link to one node, as the commands use it; [peer.Link] is one.
type Lane interface {
	Queue(kind uint8, p peer.Payload, sink peer.Sink, tag uint64) error
	Flush()
	// IsUp reports whether the link is connected.
	IsUp() bool
}

// ForwardBy sets how requests reach other nodes. To be called before the first
// table of routes.
func (x *Executor) ForwardBy(f Forwarder) { x.forwarding.by = f }

// forwarding is what an executor has to forward requests with.
type forwarding struct {
	by Forwarder // nil: no node can be reached

	sent    atomic.Uint64 // requests handed to links
	errors  atomic.Uint64 // of them answered with an error here, or not handed over at all
	retries atomic.Uint64 // times a request was forwarded again
	relayed atomic.Uint64 // of those sent the ones handed to a third node
	served  atomic.Uint64 // requests of other nodes' clients

	proxies proxies

	lost      sync.Map // cluster.NodeID -> time.Duration: when a request has waited for the node in vain
	unrelayed sync.Map // relay -> time.Duration: when the one could not relay to the other
}

// lostFor is for how long nobody waits again for a node that another request has
// waited for in vain, unless it has been heard since: the requests of a pipeline
// wait once for each node that is gone, not one after the other.
const lostFor = 5 * routeWait

func (f *forwarding) giveUp(id cluster.NodeID, now time.Duration) { f.lost.Store(id, now) }

func (f *forwarding) givenUp(id cluster.NodeID, now time.Duration) bool {
	at, ok := f.lost.Load(id)
	return ok && f.by != nil && now-at.(time.Duration) < min(lostFor, f.by.Silent(id))
}

// Errors of requests that could not be forwarded.
const (
	errLinkFull     = "TRYAGAIN The link to the owner of the key is full; the request was not executed"
	errUnreachable  = "CLUSTERDOWN The owner of the key cannot be reached"
	errUnknown      = "ERR The connection to the owner of the key was lost: whether the request was executed is not known"
	errOvertaken    = "TRYAGAIN The owner of the key could not be reached; the request was not executed, but a later one was"
	errFrameTooLong = "ERR The request is too large to be forwarded to the owner of the key"
)

// answerOf returns the error to answer when a request was not forwarded, or its
// reply did not come, and whether it may be forwarded again: it was not
// executed, or does no harm.
func answerOf(err error, readOnly bool) answer {
	switch {
	case errors.Is(err, peer.ErrBusy):
		return answer{refusal: errLinkFull}
	case errors.Is(err, peer.ErrTooLarge):
		return answer{refusal: errFrameTooLong}
	case err == errMisrouted:
		return answer{refusal: errHops, again: true}
	case errors.Is(err, peer.ErrUnreachable) || readOnly:
		return answer{refusal: errUnreachable, again: true}
	}
	return answer{refusal: errUnknown}
}

// origin is of a session that works for another node's client, or for one of
// ours that could not have its reply at the first attempt. The zero value is
// that of a client's own session.
type origin struct {
	hops   uint8
	client uint64 // who the next node takes the client for; zero: the session
	view   uint64 // version of the sender's view
	// misrouted is set when the request was not executed for want of an owner.
	misrouted bool
}

// requestFor describes a request of the session's client for another node.
func (x *Executor) requestFor(s *Session, args [][]byte) *remoteRequest {
	r := &s.flights.request
	x.addressed(r, s)
	r.words = args
	return r
}

// addressed fills what all frames have.
func (x *Executor) addressed(r *remoteRequest, s *Session) {
	r.resp3 = s.Out.Version == resp.RESP3
	r.noTouch = s.gates&gateNoTouch != 0
	r.db, r.client, r.view = s.DB, uint64(s.ID), s.routes.Version()
	r.hops = 0
	if s.origin.view != 0 {
		r.hops = s.origin.hops + 1
		if s.origin.client != 0 {
			r.client = s.origin.client
		}
	}
}

// encode writes the frame of a request into memory of the session's own. body
// is to be sent behind it.
func (f *flights) encode(kind uint8, r *remoteRequest) (head, body []byte) {
	if cap(f.frame) > keptFrame {
		f.frame = nil
	}
	switch kind {
	case KindTransaction:
		f.frame = r.appendTransaction(f.frame[:0])
	case KindNear:
		f.frame = r.appendNear(f.frame[:0])
	default:
		f.frame, body = r.appendRequest(f.frame[:0])
	}
	return f.frame, body
}

// keptFrame is the room for frames, in bytes, that a session keeps.
const keptFrame = 64 << 10

// queue hands a frame to a link. It leaves with the next flush.
func (x *Executor) queue(s *Session, h hop, kind uint8, head, body []byte, sink peer.Sink, tag uint64) error {
	if h.lane == nil {
		return peer.ErrUnreachable
	}
	f := &s.flights
	if !h.isDirect() {
		f.relay = append(appendRelay(f.relay[:0], kind, s.routes.Node(h.owner).ID), head...)
		kind, head = KindRelay, f.relay
	}
	if err := h.lane.Queue(kind, peer.Payload{Head: head, Body: body}, sink, tag); err != nil {
		x.forwarding.errors.Add(1)
		return err
	}
	x.forwarding.sent.Add(1)
	if !h.isDirect() {
		x.forwarding.relayed.Add(1)
	}
	f.touch(h.lane)
	return nil
}

// laneTo returns the link of a session to a node, nil when there is none.
func (x *Executor) laneTo(s *Session, owner int16) Lane {
	if x.forwarding.by == nil {
		return nil
	}
	return x.forwarding.by.Lane(s.routes.Node(owner), s.flights.lane)
}

// touch notes that a lane is to be flushed.
func (f *flights) touch(lane Lane) {
	for _, l := range f.dirty {
		if l == lane {
			return
		}
	}
	f.dirty = append(f.dirty, lane)
}

// Gatherer is an optional ability of a session's sink ([Session.AnswerTo]): it
// flushes lanes later, once for the requests of several clients. It is called by
// the session's goroutine.
type Gatherer interface{ Gather(Lane) }

// flush sends what was queued, or, when that is allowed, leaves it to the sink.
func (f *flights) flush(later bool) {
	g, gathers := f.sink.(Gatherer)
	for i, l := range f.dirty {
		if later && gathers {
			g.Gather(l)
		} else {
			l.Flush()
		}
		f.dirty[i] = nil
	}
	f.dirty = f.dirty[:0]
}

// forward sends a request to the owner of its keys and leaves a hole where its
// reply belongs.
//
// REQUIRES: s may not block, w is wayThere.
func (x *Executor) forward(s *Session, cmd *Command, args [][]byte, w way) Outcome {
	f := &s.flights
	if f.sink == nil {
		return Park
	}
	if f.full() {
		return Hold
	}
	h := x.hopTo(s, w.owner)
	if f.crosses(h.path) {
		return Hold
	}
	head, body := f.encode(KindRequest, x.requestFor(s, args).along(h.path, s))
	mark := s.Out.Mark()
	fl := flight{path: h.path, hole: s.Out.Hole(), kind: KindRequest, slot: w.slot, readOnly: cmd.Flags&ReadOnly != 0}
	x.takesOff(s, &fl, cmd, args)
	i := f.add(s.routes, fl)
	err := x.queue(s, h, KindRequest, head, body, f.sink, f.tagOf(i))
	if err == nil {
		f.keep(i, head, body)
		s.shared.lastCommand.Store(cmd)
		return Continue
	}
	f.takeBack(i)
	s.Out.Truncate(mark)
	a := answerOf(err, false)
	if a.again {
		return Park // with time to wait for the owner, or another one
	}
	return x.reject(s, cmd, args, a.refusal)
}

// Arrived takes the reply of another node to a request of the session, or the
// error that came instead, and puts it into its place in the output. data is
// copied unless release is given, which is called once. To be called by the
// session's goroutine, outside of Begin and End; a tag that is not, or no longer,
// awaited is ignored. See [Session.AnswerTo].
func (x *Executor) Arrived(s *Session, tag uint64, data []byte, release func(), err error) {
	f := &s.flights
	fl := f.find(tag)
	if fl == nil {
		if release != nil {
			release()
		}
		return
	}
	if err == errNotRelayed {
		x.forwarding.notRelayed(fl.path.relayIn(f.routes), x.clock.monotonic())
	}
	f.arrived(fl)
	x.landed(fl)
	if err == nil {
		f.settle(s, fl, data, release)
		return
	}
	a := answerOf(err, fl.readOnly)
	if a.again && fl.to > fl.from {
		fl.failed = true
		f.failed++
		return
	}
	x.failFlight(s, fl, a.refusal)
}

// failFlight answers a forwarded request with an error.
func (x *Executor) failFlight(s *Session, fl *flight, text string) {
	x.forwarding.errors.Add(1)
	x.stats.countError(text)
	var line resp.Writer
	line.Error(text)
	s.flights.settle(s, fl, line.Buf, nil)
}

// Repair forwards again, in their order, the requests whose reply did not come
// though they may be repeated, and waits for their replies. A write that was not
// executed, when a later one for the same key was, is answered with an error. For a goroutine that
// has set MayBlock, outside of Begin and End.
//
// REQUIRES: [Session.NeedsRepair].
func (x *Executor) Repair(s *Session) {
	f := &s.flights
	for seq := f.oldest; f.failed > 0; seq++ { // with the last one all may be forgotten
		fl := f.at(seq)
		if !fl.failed {
			continue
		}
		fl.failed = false
		f.failed--
		if !fl.readOnly && f.overtaken(seq) {
			x.failFlight(s, fl, errOvertaken)
			continue
		}
		x.forwarding.retries.Add(1)
		p := x.forwarding.proxies.take(x)
		p.wait.done = s.wait.done
		outcome := x.perform(p, fl.kind, f.kept[fl.from:fl.to], origin{view: f.version(), client: uint64(s.ID)})
		switch {
		case p.holds.lost && !fl.readOnly:
			x.failFlight(s, fl, errUnknown)
		case p.holds.lost || outcome != Continue:
			x.failFlight(s, fl, errUnreachable)
		default:
			x.landed(fl)
			f.settle(s, fl, takeOutput(&p.Out), nil)
		}
		x.forwarding.proxies.giveBack(x, p)
	}
	f.shrink()
}

// GiveUp is Repair for a server that has no goroutine to spare: the requests are
// answered with an error.
func (x *Executor) GiveUp(s *Session) {
	f := &s.flights
	for seq := f.oldest; f.failed > 0; seq++ {
		if fl := f.at(seq); fl.failed {
			fl.failed = false
			f.failed--
			x.failFlight(s, fl, errUnreachable)
		}
	}
	f.shrink()
}
