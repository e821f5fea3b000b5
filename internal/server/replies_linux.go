package server

import (
	"slices"
	"sync"

	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/command"
)

// replies takes what other nodes answer to requests of a loop's clients, until
// the loop fetches it: once for all that has arrived together. It implements
// [peer.Sink] and is safe for concurrent use.
type replies struct {
	l *loop

	mu     sync.Mutex
	list   []reply // GUARDED_BY(mu)
	text   []byte  // GUARDED_BY(mu): the short ones
	noted  bool    // GUARDED_BY(mu): the loop has been told
	closed bool    // GUARDED_BY(mu): the loop has ended

	spareList []reply // the loop's
	spareText []byte  // the loop's
}

// reply is one reply: a part of text, or, when it is long, as it came.
type reply struct {
	tag      uint64
	from, to int
	long     peer.Reply
	err      error
}

const (
	// longReply is the length in bytes from which on a reply is not copied.
	longReply = 16 << 10
	// keptReplies is the room for short replies, in bytes, that is kept.
	keptReplies = 1 << 20
	// keptRooms is how much memory to gather replies in a loop keeps.
	keptRooms = 64
)

// Complete implements [peer.Sink].
func (r *replies) Complete(tag uint64, data peer.Reply, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		data.Release()
		return
	}
	if err = command.OutcomeOf(data, err); len(data.Data) >= longReply {
		r.list = append(r.list, reply{tag: tag, long: data, err: err})
		return
	}
	from := len(r.text)
	r.text = append(r.text, data.Data...)
	r.list = append(r.list, reply{tag: tag, from: from, to: len(r.text), err: err})
	data.Release()
}

// Flush implements [peer.Sink].
func (r *replies) Flush() {
	r.mu.Lock()
	tell := !r.noted && len(r.list) > 0
	r.noted = r.noted || tell
	r.mu.Unlock()
	if tell {
		r.l.send(note{kind: noteReplies})
	}
}

// Gather implements [command.Gatherer].
func (r *replies) Gather(lane command.Lane) {
	if !slices.Contains(r.l.lanes, lane) {
		r.l.lanes = append(r.l.lanes, lane)
	}
}

// take returns what has arrived, to be given back with giveBack.
func (r *replies) take() (list []reply, text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noted = false
	list, text = r.list, r.text
	r.list, r.text = r.spareList[:0], r.spareText[:0]
	return list, text
}

func (r *replies) giveBack(list []reply, text []byte) {
	clear(list)
	r.spareList, r.spareText = list, text
	if cap(text) > keptReplies {
		r.spareList, r.spareText = nil, nil
	}
}

// close has what still comes dropped. It reports false when something waits.
func (r *replies) close() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) > 0 || r.noted {
		return false
	}
	r.closed = true
	return true
}

// A tag of replies has the connection's slot and generation above the bits that
// are the executor's, as many bits of each as there is room for.
const (
	slotShift = command.TagBits
	slotBits  = 22
	genShift  = slotShift + slotBits
	genMask   = 1<<(64-genShift) - 1
)

func replyTag(slot, gen int32) uint64 {
	return uint64(slot)<<slotShift | uint64(gen)&genMask<<genShift
}

// addressee returns the connection that a reply is for, nil when it is gone.
func (l *loop) addressee(tag uint64) *loopConn {
	slot := int(tag >> slotShift & (1<<slotBits - 1))
	if slot >= len(l.conns) {
		return nil
	}
	c := l.conns[slot]
	if c == nil || uint64(c.gen)&genMask != tag>>genShift {
		return nil
	}
	return c
}

// takeReplies puts the replies that have arrived into the output of their
// clients, and then settles each of these once.
func (l *loop) takeReplies() {
	list, text := l.replies.take()
	for i := range list {
		r := &list[i]
		c := l.addressee(r.tag)
		if c == nil {
			r.long.Release()
			continue
		}
		if n := len(l.rooms); n > 0 && c.session.Out.Furnish(l.rooms[n-1]) {
			l.rooms = l.rooms[:n-1]
		}
		if r.long.Data != nil {
			l.srv.away.Arrived(c.session, r.tag, r.long.Data, r.long.Release, r.err)
		} else {
			l.srv.away.Arrived(c.session, r.tag, text[r.from:r.to], nil, r.err)
		}
		if !c.touched {
			c.touched = true
			l.touched = append(l.touched, c)
		}
	}
	l.replies.giveBack(list, text)
	for i, c := range l.touched {
		l.touched[i] = nil
		c.touched = false
		l.goOn(c)
	}
	l.touched = l.touched[:0]
}

// goOn is the turn of a connection that has got replies of other nodes.
func (l *loop) goOn(c *loopConn) {
	if c.closed || c.away {
		return
	}
	c.wrote, c.active = 0, l.ticks
	if c.session.NeedsRepair() && !c.drop {
		if c.mayRepair() {
			l.leave(c, c.repair)
			return
		}
		l.srv.away.GiveUp(c.session)
	}
	l.settle(c)
	if c.closed || c.away {
		return
	}
	if room := c.session.Out.Vacate(); cap(room) > 0 && cap(room) <= keptOut && len(l.rooms) < keptRooms {
		l.rooms = append(l.rooms, room)
	}
}

// mayRepair takes one of the places for commands that wait, if there is one.
func (c *loopConn) mayRepair() bool {
	if c.srv.parked.Add(1) <= int64(c.srv.cfg.MaxParked) {
		return true
	}
	c.srv.parked.Add(-1)
	c.counts.busy.Add(1)
	return false
}

// repair has requests forwarded again that could not be the first time.
func (c *loopConn) repair() {
	defer c.loop.all.parked.Done()
	c.session.MayBlock = true
	c.srv.away.Repair(c.session)
	c.session.MayBlock = false
	c.srv.parked.Add(-1)
	c.wrote = 0
	c.flush()
	c.loop.send(note{noteReturn, c})
}
