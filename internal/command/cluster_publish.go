package command

import (
	"errors"
	"strconv"

	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/hashing"
)

// KindPublish publishes a message to the clients of a node. A frame: u8 version
// of the format, u8 kind of subscription, length of the channel, channel,
// message to the end. The reply is the number of receivers as an integer of RESP.
const KindPublish uint8 = 0x23

const publishFormat = 1

// splitReceivers adds the numbers of receivers; a node that cannot be reached
// has none.
const splitReceivers splitForm = 0x10

// publish is PUBLISH and SPUBLISH: to the clients of this node, and to those of
// the nodes that want it. The reply is the number of all who got it.
//
// On an event loop the reply of a message that goes to other nodes is a hole,
// and the client's next request is executed at once. Messages of one client go
// to a node over one link, so they arrive in order.
//
// In a transaction nobody can be waited for: the reply then counts the
// receivers on this node only.
func (c *Context) publish(kind subscriptionKind) {
	x, s := c.Exec, c.Session
	if s.routes == nil {
		c.Out.Int(int64(x.publishHere(kind, c.Args[1], c.Args[2])))
		return
	}
	if kind == toShard && !c.servesShard(c.Args[1:2]) {
		return
	}
	slot := hashing.Slot(c.Args[1])
	var room [8]*neighbour
	to := room[:0]
	for _, b := range x.neighbours.list() {
		if b != nil && b.wantsMessage(kind, slot) {
			to = append(to, b)
		}
	}
	switch {
	case len(to) == 0:
		c.Out.Int(int64(x.publishHere(kind, c.Args[1], c.Args[2])))
	case s.tx.running:
		c.Out.Int(int64(x.publishHere(kind, c.Args[1], c.Args[2])))
		frame := appendPublish(nil, kind, c.Args[1], c.Args[2])
		for _, b := range to {
			if x.sendPublish(s, b, frame, nobody, 0) != nil {
				x.neighbours.lost.Add(1)
			}
		}
	case s.MayBlock:
		c.publishWaiting(kind, to)
	case s.flights.sink == nil:
		c.outcome = Park
	case s.flights.full():
		c.outcome = Hold
	default:
		c.publishAhead(kind, to)
	}
}

func (x *Executor) publishHere(kind subscriptionKind, channel, message []byte) int {
	if kind == toShard {
		return x.pubsub.publishShard(channel, message)
	}
	return x.pubsub.publish(channel, message)
}

func appendPublish(b []byte, kind subscriptionKind, channel, message []byte) []byte {
	b = append(b, publishFormat, byte(kind))
	return append(appendWord(b, channel), message...)
}

// sendPublish hands a message to the client's link to a node.
func (x *Executor) sendPublish(s *Session, b *neighbour, frame []byte, sink peer.Sink, tag uint64) error {
	if x.forwarding.by == nil {
		return peer.ErrUnreachable
	}
	lane := x.forwarding.by.Lane(b.node.Load(), s.flights.lane)
	if lane == nil {
		return peer.ErrUnreachable
	}
	if err := lane.Queue(KindPublish, peer.Payload{Head: frame}, sink, tag); err != nil {
		return err
	}
	s.flights.touch(lane)
	return nil
}

// publishAhead leaves a hole for the reply.
func (c *Context) publishAhead(kind subscriptionKind, to []*neighbour) {
	x, s := c.Exec, c.Session
	f := &s.flights
	f.frame = appendPublish(f.frame[:0], kind, c.Args[1], c.Args[2])
	g := &gather{form: splitReceivers, parts: make([]gatherPart, len(to)+1), left: len(to) + 1}
	hole := s.Out.Hole()
	g.put(len(to), receivers(x.publishHere(kind, c.Args[1], c.Args[2])))
	for i, b := range to {
		seq := f.add(s.routes, flight{hole: hole, slot: manySlots, kind: KindPublish, gather: g, part: i})
		if err := x.sendPublish(s, b, f.frame, f.sink, f.tagOf(seq)); err != nil {
			f.takeBack(seq)
			x.neighbours.lost.Add(1)
			g.put(i, receivers(0))
		}
	}
	if cap(f.frame) > keptFrame {
		f.frame = nil
	}
	if g.left == 0 {
		s.Out.Fill(hole, g.compose(), nil)
	}
}

func receivers(n int) []byte {
	return append(strconv.AppendInt([]byte{':'}, int64(n), 10), "\r\n"...)
}

// receivers is compose for splitReceivers.
func (g *gather) receivers() []byte {
	total := 0
	for i := range g.parts {
		if n, _, ok := cutHeader(g.parts[i].reply, ':'); ok {
			total += n
		}
	}
	return receivers(total)
}

// publishWaiting waits for the replies of all nodes.
func (c *Context) publishWaiting(kind subscriptionKind, to []*neighbour) {
	x, s := c.Exec, c.Session
	frame := appendPublish(nil, kind, c.Args[1], c.Args[2])
	total := x.publishHere(kind, c.Args[1], c.Args[2])
	errands := make([]*errand, 0, len(to))
	for _, b := range to {
		e := &errand{done: make(chan struct{})}
		if x.sendPublish(s, b, frame, e, 0) != nil {
			x.neighbours.lost.Add(1)
			continue
		}
		errands = append(errands, e)
	}
	s.flights.flush(false)
	for _, e := range errands {
		if s.waitFor(x, e.done, 0, false) == waitGone && !e.abandon() {
			c.Close()
			return
		}
		if n, _, ok := cutHeader(e.reply.Data, ':'); ok && e.err == nil {
			total += n
		} else {
			x.neighbours.lost.Add(1)
		}
		e.reply.Release()
	}
	c.Out.Int(int64(total))
}

// nobody is a sink for what nobody waits for.
var nobody peer.Sink = new(noSink)

type noSink struct{ _ byte }

// Complete implements [peer.Sink].
func (*noSink) Complete(_ uint64, r peer.Reply, _ error) { r.Release() }

// Flush implements [peer.Sink].
func (*noSink) Flush() {}

var errPublish = errors.New("message of another node can not be understood")

func parsePublish(frame []byte) (kind subscriptionKind, channel, message []byte, err error) {
	c := frameCursor{rest: frame}
	if c.byte() != publishFormat {
		return 0, nil, nil, errPublish
	}
	kind = subscriptionKind(c.byte())
	channel = c.word()
	if c.bad || kind != toChannel && kind != toShard {
		return 0, nil, nil, errPublish
	}
	return kind, channel, c.rest, nil
}

// servePublish publishes a message of another node.
func (r *Remote) servePublish(q peer.Request, out *peer.Batch) {
	kind, channel, message, err := parsePublish(q.Data)
	if err != nil {
		r.refuse(q.ID)
		return
	}
	n := r.x.publishHere(kind, channel, message)
	_ = out.Reply(q.ID, statusDone, peer.Payload{Head: receivers(n)}) // never too long
}
