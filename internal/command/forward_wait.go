package command

import (
	"sync/atomic"

	"github.com/larder-cache/larder/internal/cluster/peer"
)

// errand is one forwarded request whose reply somebody waits for. It is the
// sink of that request alone.
//
// Who owns the reply: the one who comes second of the reply and the end of the
// waiting.
type errand struct {
	state atomic.Uint32
	done  chan struct{} // closed when the reply is there
	reply peer.Reply
	err   error
}

// States of an errand.
const (
	errandWaiting uint32 = iota
	errandDone
	errandAbandoned // nobody waits any more
)

// Complete implements [peer.Sink].
func (e *errand) Complete(_ uint64, r peer.Reply, err error) {
	e.reply, e.err = r, OutcomeOf(r, err)
	if e.state.CompareAndSwap(errandWaiting, errandDone) {
		close(e.done)
		return
	}
	r.Release()
}

// Flush implements [peer.Sink].
func (e *errand) Flush() {}

// abandon ends the waiting and reports whether the reply was faster.
func (e *errand) abandon() (done bool) {
	return !e.state.CompareAndSwap(errandWaiting, errandAbandoned)
}

// takeReply makes a reply of another node that of the session.
func (s *Session) takeReply(r peer.Reply) {
	if len(r.Data) < copiedReply {
		s.Out.Raw(r.Data)
		r.Release()
		return
	}
	s.Out.RawRef(r.Data, r.Release)
}

// copiedReply is the length in bytes from which on a reply is not copied.
const copiedReply = 16 << 10

// ask sends a request to another node, waits, and has take handle the reply,
// which is to be released.
//
// REQUIRES: s.MayBlock, w is wayThere.
func (x *Executor) ask(s *Session, kind uint8, r *remoteRequest, w way, readOnly bool, take func(peer.Reply)) answer {
	e := &errand{done: make(chan struct{})}
	h := x.hopTo(s, w.owner)
	by := h.relayIn(s.routes)
	head, body := s.flights.encode(kind, r.along(h.path, s))
	err := x.queue(s, h, kind, head, body, e, 0)
	if err != nil {
		return answerOf(err, readOnly)
	}
	s.flights.flush(false)
	a := x.awaitErrand(s, e, readOnly, take)
	if a.again && e.err == errNotRelayed {
		x.forwarding.notRelayed(by, x.clock.monotonic())
	}
	return a
}

// awaitErrand waits for the reply of a request that was sent.
func (x *Executor) awaitErrand(s *Session, e *errand, readOnly bool, take func(peer.Reply)) answer {
	if s.waitFor(x, e.done, 0, false) == waitGone && !e.abandon() {
		return answer{refusal: errUnknown}
	}
	if e.err != nil {
		e.reply.Release()
		x.forwarding.errors.Add(1)
		a := answerOf(e.err, readOnly)
		if a.again {
			x.forwarding.retries.Add(1)
		}
		return a
	}
	take(e.reply)
	return answer{}
}
