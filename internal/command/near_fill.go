package command

import (
	"bytes"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/resp"
)

// nearFill is a request for a hot key, for all who want to read it meanwhile. It
// is the [peer.Sink] of that request.
type nearFill struct {
	x     *Executor
	key   *hotKey
	asked time.Duration // monotonic, before it was handed to the link
	epoch cluster.Epoch
	lane  Lane

	waiters []nearWaiter // GUARDED_BY(key.mu)
}

// nearWaiter is who is told the reply. Of a fill the first one has begun it.
type nearWaiter struct {
	sink  peer.Sink
	tag   uint64
	resp3 bool
}

// mayReadNear reports whether reads of a client may be answered from copies: not
// those that have to agree with what else the client is told. A client that
// tracks is told of changes of what it reads only by its owner; one that watches
// must not read what is older than the versions it was told; NO-TOUCH is for the
// owner to heed.
func (x *Executor) mayReadNear(s *Session, cmd *Command) bool {
	return cmd == x.near.get && s.gates&(gateTracking|gateNoTouch|gateMulti) == 0 && len(s.tx.watched) == 0 &&
		!s.Redirects && s.origin.view == 0 && !x.neighbours.removed.Load()
}

// hotKeyOf returns the hot key that a client reads, nil when the request is to be
// forwarded as any other: behind a write of its own, too.
func (x *Executor) hotKeyOf(s *Session, cmd *Command, args [][]byte, w way) *hotKey {
	if !x.mayReadNear(s, cmd) {
		return nil
	}
	return x.hotKeyAt(s, args[1], w)
}

// hotKeyAt is hotKeyOf for a client that may read from copies.
func (x *Executor) hotKeyAt(s *Session, key []byte, w way) *hotKey {
	k := x.near.find(s.DB, key, x.near.hashOf(key))
	if k == nil || x.near.now() < time.Duration(k.direct.Load()) || s.flights.writesTo(w.slot) || !x.reaches(s, w.owner) {
		return nil // an owner that is out of reach could not tell of changes
	}
	return k
}

// takesOff notes in a flight, before it is sent, what its reply means for copies.
func (x *Executor) takesOff(s *Session, fl *flight, cmd *Command, args [][]byte) {
	switch {
	case x.near.get == nil:
	case !fl.readOnly:
		fl.slots = slotsOf(cmd, args)
		x.near.wrote(fl.slot, fl.slots)
	case x.mayReadNear(s, cmd):
		fl.read = x.near.hashOf(args[1])
	}
}

// landed ends the copies that the reply of a flight may be newer than.
func (x *Executor) landed(fl *flight) {
	switch {
	case fl.read != 0:
		x.near.changed(fl.read, dropRead)
	case !fl.readOnly || fl.kind == KindTransaction:
		x.near.wrote(fl.slot, fl.slots)
	}
}

// readNear answers a read of a hot key of another node from a copy, or has it
// wait for one. When ok is false it is to be forwarded.
//
// REQUIRES: w is wayThere.
func (x *Executor) readNear(s *Session, cmd *Command, args [][]byte, w way) (out Outcome, done, ok bool) {
	if !x.mayReadNear(s, cmd) {
		return Continue, false, false
	}
	x.near.counted(s.DB, args[1])
	k := x.hotKeyAt(s, args[1], w)
	if k == nil {
		return Continue, false, false
	}
	if s.nearCopy = x.near.read(k, s.epochOf(w.slot)); s.nearCopy != nil {
		return Continue, false, true
	}
	if s.MayBlock || s.flights.sink == nil {
		return Continue, false, false // askNear
	}
	return x.forwardNear(s, cmd, args, w, k), true, true
}

// answerNear answers with the copy that readNear has found.
func (c *Context) answerNear() {
	n := c.nearCopy
	c.nearCopy = nil
	c.Exec.near.hits.Add(1)
	c.Cache.Count(c.Args[1], n.found(), 1)
	if n.found() {
		c.Out.Raw(n.reply)
		return
	}
	c.Out.Null()
	c.Notify(NotifyKeyMiss, "keymiss", c.DB, c.Args[1])
}

// forwardNear is forward for a hot key: the reply is that of a fill.
//
// REQUIRES: s may not block.
func (x *Executor) forwardNear(s *Session, cmd *Command, args [][]byte, w way, k *hotKey) Outcome {
	f := &s.flights
	if f.full() {
		return Hold
	}
	mark := s.Out.Mark()
	i := f.add(s.routes, flight{hole: s.Out.Hole(), kind: KindRequest, slot: w.slot, readOnly: true})
	began, err := x.joinFill(s, k, args, w, f.sink, f.tagOf(i))
	if err != nil {
		f.takeBack(i)
		s.Out.Truncate(mark)
		if a := answerOf(err, true); !a.again {
			return x.reject(s, cmd, args, a.refusal)
		}
		return Park
	}
	head, body := f.encode(KindRequest, x.requestFor(s, args))
	f.keep(i, head, body) // should the fill fail
	s.shared.lastCommand.Store(cmd)
	if !began {
		s.local.add(x, cmd) // which the owner does for the one that it sees
	}
	return Continue
}

// askNear is ask for a hot key.
//
// REQUIRES: s.MayBlock, w is wayThere.
func (x *Executor) askNear(s *Session, k *hotKey, args [][]byte, w way) answer {
	e := &errand{done: make(chan struct{})}
	if _, err := x.joinFill(s, k, args, w, e, 0); err != nil {
		return answerOf(err, true)
	}
	s.flights.flush(false)
	return x.awaitErrand(s, e, true, s.takeReply)
}

// joinFill has a sink told the value of a hot key: by the fill under way, if that
// was not asked for too long ago, or by one that it begins. With an error the
// sink hears nothing.
func (x *Executor) joinFill(s *Session, k *hotKey, args [][]byte, w way, sink peer.Sink, tag uint64) (began bool, err error) {
	to := nearWaiter{sink, tag, s.Out.Version == resp.RESP3}
	now, epoch := x.near.now(), s.epochOf(w.slot)
	k.mu.Lock()
	if f := k.fill; f != nil && f.epoch == epoch && now-f.asked < k.staleness {
		f.waiters = append(f.waiters, to)
		k.mu.Unlock()
		x.near.joined.Add(1)
		return false, nil
	}
	f := &nearFill{x: x, key: k, asked: now, epoch: epoch, waiters: []nearWaiter{to}}
	f.lane = x.laneTo(s, w.owner)
	k.fill = f
	k.mu.Unlock()
	r := x.requestFor(s, args)
	r.resp3, r.client = false, k.hash // one that waits at the owner is in the way of no client
	r.holder, r.lifetime = x.neighbours.self(), k.staleness
	head, _ := s.flights.encode(KindNear, r)
	if err := x.queue(s, hop{f.lane, path{w.owner, w.owner}}, KindNear, head, nil, f, 0); err != nil {
		f.answer(f.end(nil)[1:], peer.Reply{}, err)
		return true, err
	}
	return true, nil
}

// Complete implements [peer.Sink].
func (f *nearFill) Complete(_ uint64, r peer.Reply, err error) {
	reply := peer.Reply{Status: r.Status}
	var value *nearCopy
	if OutcomeOf(r, err) == nil {
		reply.Data, value = f.parse(r.Data)
	}
	r.Release()
	kept := value
	if len(reply.Data) > maxNearReply {
		kept = nil
		f.key.direct.Store(int64(f.x.near.now() + directFor))
	}
	waiters := f.end(kept)
	if value != nil { // the owner has counted the one read that it has seen
		f.x.cache.Count([]byte(f.key.key), value.found(), len(waiters)-1)
	}
	f.answer(waiters, reply, err)
}

// Flush implements [peer.Sink]; Complete has told everybody.
func (f *nearFill) Flush() {}

// parse returns the reply for a client of RESP2, and the copy to keep: nil when
// it is an error, or not from the owner.
func (f *nearFill) parse(data []byte) (reply []byte, value *nearCopy) {
	n, rest, isOwner := cutHeader(data, '*')
	ms, rest, ok := cutHeader(rest, ':')
	reply, rest, whole := cutBulk(rest)
	if !isOwner || n != 2 || !ok || !whole || len(rest) > 0 {
		return bytes.Clone(data), nil
	}
	left := f.key.staleness
	if ms >= 0 && int64(ms) < left.Milliseconds() {
		left = time.Duration(ms) * time.Millisecond
	}
	reply = bytes.Clone(reply)
	return reply, &nearCopy{reply, f.asked + left, f.epoch, f.lane}
}

// end ends the fill, keeps the copy if the fill was not voided, and returns who
// waits for it.
func (f *nearFill) end(kept *nearCopy) (waiters []nearWaiter) {
	k, n := f.key, &f.x.near
	k.mu.Lock()
	waiters, f.waiters = f.waiters, nil
	current := k.fill == f
	if current {
		k.fill = nil
		if kept != nil {
			k.copy.Store(kept)
		}
	}
	k.mu.Unlock()
	switch {
	case !current:
		// Those who wait may be told what is newer than the copy by now.
		n.changed(k.hash, dropRead)
	case kept != nil:
		n.fills.Add(1)
	}
	return waiters
}

// answer tells the reply, or the error, to those who wait.
func (f *nearFill) answer(waiters []nearWaiter, reply peer.Reply, err error) {
	var last peer.Sink
	for _, w := range waiters {
		r := reply
		if w.resp3 && string(r.Data) == "$-1\r\n" {
			r.Data = []byte("_\r\n")
		}
		w.sink.Complete(w.tag, r, err)
		if last != nil && last != w.sink {
			last.Flush()
		}
		last = w.sink
	}
	if last != nil {
		last.Flush()
	}
}
