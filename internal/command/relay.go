package command

import (
	"errors"
	"fmt"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/peer"
)

// Relaying
//
// Two nodes may not reach each other while both reach a third. What a node cannot
// hand to the owner of its keys, because the link is down, goes to a third node,
// which hands the frame on as it is and passes the reply back as it is:
//
//	our client ─▶ node ─ KindRelay ─▶ third node ─ the frame ─▶ owner
//
// The owner decides, and holds replies back, as if it had been asked directly. The
// third node neither looks at the frame nor tries again.
//
// Invariant: only requests of a node's own clients are relayed, and a third node
// hands on to the owner alone: so no request wanders.
// Invariant: requests of one client to one owner are under way by one path at a
// time; see [flights.crosses].

// KindRelay asks a node to hand a request on. The frame:
//
//	u8 version of this format, u8 kind of the request
//	length (of variable length) of the id of the owner, the id
//	frame of the request
//
// The reply is that of the owner, or has the status statusNotRelayed.
const KindRelay uint8 = 0x25

const relayFormat = 1

// errNotRelayed says that the third node does not reach the owner either: the
// request was not executed.
var errNotRelayed = fmt.Errorf("the node that was asked to relay: %w", peer.ErrUnreachable)

// hop is how a request leaves this node.
type hop struct {
	lane Lane // nil: no way
	path
}

// path is the owner of a request's keys, and who it is sent to: the owner, or a
// node that relays. Both are places in the view of the session's table.
type path struct{ owner, via int16 }

func (p path) isDirect() bool { return p.via == p.owner }

// relayRest is for how long a node that could not relay to an owner is not asked
// again.
const relayRest = 100 * time.Millisecond

// relay is a pair of a node that relays and the owner.
type relay struct{ via, owner cluster.NodeID }

// hopTo chooses the way to an owner: the link to it, or, when that is down, to a
// node that may relay. Which one depends on the session, so that clients are
// spread and each keeps its own.
func (x *Executor) hopTo(s *Session, owner int16) hop {
	direct := hop{x.laneTo(s, owner), path{owner, owner}}
	if direct.isUp() || x.forwarding.by == nil || !s.isOurs() {
		return direct
	}
	nodes := s.routes.View.Nodes
	for i := range nodes {
		via := int16((int(owner) + 1 + s.flights.lane + i) % len(nodes))
		if via == owner || via == s.routes.Self || nodes[via].State == cluster.Left {
			continue
		}
		if h := (hop{x.laneTo(s, via), path{owner, via}}); h.isUp() && !x.forwarding.rests(h.relayIn(s.routes), x.clock.monotonic()) {
			return h
		}
	}
	return direct
}

func (h hop) isUp() bool { return h.lane != nil && h.lane.IsUp() }

// reaches reports whether the link to a node is up.
func (x *Executor) reaches(s *Session, owner int16) bool {
	return hop{lane: x.laneTo(s, owner)}.isUp()
}

// isOurs reports whether the session works for a client of this node.
func (s *Session) isOurs() bool { return s.origin.view == 0 || s.origin.client != 0 }

// along makes a request one that leaves by a path. The owner knows clients by their
// numbers, for each connection: those of the node that relays are not to be taken
// for those of ours, or one would wait behind the other.
func (r *remoteRequest) along(p path, s *Session) *remoteRequest {
	if !p.isDirect() {
		r.client |= uint64(s.routes.Self+1) << relayedClients
	}
	return r
}

// relayedClients is how many bits the numbers of clients have.
const relayedClients = 48

// relayIn returns the nodes of a path by a table.
func (p path) relayIn(t *cluster.Routes) relay { return relay{t.Node(p.via).ID, t.Node(p.owner).ID} }

// notRelayed notes that one node has just said that it does not reach the other.
func (f *forwarding) notRelayed(r relay, now time.Duration) { f.unrelayed.Store(r, now) }

// rests reports whether that was a moment ago.
func (f *forwarding) rests(r relay, now time.Duration) bool {
	at, ok := f.unrelayed.Load(r)
	return ok && now-at.(time.Duration) < relayRest
}

// appendRelay appends what comes before the frame of a request.
func appendRelay(b []byte, kind uint8, owner cluster.NodeID) []byte {
	return appendWord(append(b, relayFormat, kind), []byte(owner))
}

// parseRelay is the inverse of appendRelay; the frame aliases data.
func parseRelay(data []byte) (kind uint8, owner cluster.NodeID, frame []byte, err error) {
	c := frameCursor{rest: data}
	format := c.byte()
	kind = c.byte()
	owner = cluster.NodeID(c.word())
	if c.bad || format != relayFormat || kind != KindRequest && kind != KindTransaction && kind != KindWatch && kind != KindSweep {
		return 0, "", nil, errFrame
	}
	return kind, owner, c.rest, nil
}

// serveRelay hands a request of another node on to the owner.
func (r *Remote) serveRelay(q peer.Request, out *peer.Batch) {
	kind, owner, frame, err := parseRelay(q.Data)
	if err != nil {
		r.refuse(q.ID)
		return
	}
	lane := r.x.relayLane(owner)
	if lane == nil || lane.Queue(kind, peer.Payload{Head: frame}, (*relaySink)(r), uint64(q.ID)) != nil {
		_ = out.Reply(q.ID, statusNotRelayed, peer.Payload{}) // never too long
		return
	}
	r.s.flights.touch(lane)
}

// relayLane returns the link to another node by which all go on that are relayed to
// it: what has come in order goes on in order. Nil: there is none.
func (x *Executor) relayLane(owner cluster.NodeID) Lane {
	by, routes := x.forwarding.by, x.Routes()
	if by == nil || routes == nil {
		return nil
	}
	n := routes.View.Node(owner)
	if n == nil || n.ID == routes.Node(routes.Self).ID {
		return nil
	}
	return by.Lane(n, 0)
}

// relaySink passes replies of owners back.
type relaySink Remote

// Complete implements [peer.Sink].
func (r *relaySink) Complete(tag uint64, reply peer.Reply, err error) {
	id, status, p := uint32(tag), reply.Status, peer.Payload{Body: reply.Data}
	switch {
	case errors.Is(err, peer.ErrUnreachable):
		status = statusNotRelayed
	case err != nil:
		status = statusLost
	case len(reply.Data) >= copiedReply:
		p = peer.Payload{Attach: peer.Attachment{Parts: [][]byte{reply.Data}, Owner: releases{reply.Release}}}
		if r.out.Queue(id, status, p) != nil {
			reply.Release() // nobody waits any more
		}
		return
	}
	_ = r.out.Queue(id, status, p) // as above
	reply.Release()
}

// Flush implements [peer.Sink].
func (r *relaySink) Flush() { r.out.Flush() }

// crosses reports whether a request to an owner would overtake one of the client's
// that is under way to it by another path, or be overtaken; then the client waits.
func (f *flights) crosses(p path) bool {
	if f.detours == 0 && p.isDirect() {
		return false
	}
	for seq := f.oldest; seq != f.next; seq++ {
		if fl := f.at(seq); fl.underway && fl.path.owner == p.owner && fl.path.via != p.via {
			f.holding, f.until = true, 0
			return true
		}
	}
	return false
}
