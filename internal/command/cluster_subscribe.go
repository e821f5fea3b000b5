package command

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/resp"
)

// Sharded publish and subscribe
//
// A client of the protocol of Redis Cluster subscribes to a shard channel at the
// owner of its slot, and is sent there by MOVED; when the slot goes to another
// node it is unsubscribed and told. Any other client subscribes where it is, to
// channels of any slots, for as long as it likes. What is published, by either,
// reaches both: like other messages it goes to the nodes with subscribers.

// servesShard reports whether the client may use shard channels here. If not, an
// error is the reply.
func (c *Context) servesShard(channels [][]byte) bool {
	s := c.Session
	if s.routes == nil || !s.Redirects {
		return true
	}
	slot := noSlot
	for _, name := range channels {
		slot = joinSlots(slot, int(hashing.Slot(name)))
	}
	if slot == manySlots {
		c.Error(errCrossSlot)
		return false
	}
	if text := s.dead(s.wayOfSlot(slot)); text != "" {
		c.Error(text)
		return false
	}
	return true
}

// maySubscribe sees to it that in a cluster the client can subscribe: the other
// nodes know what it wants. If not, the outcome and the reply are there.
func (c *Context) maySubscribe(kind subscriptionKind) bool {
	channels := c.Args[1:]
	if kind == toShard && !c.servesShard(channels) || !c.raise(wantsOf(kind, channels)) {
		return false
	}
	if kind == toShard && !c.servesShard(channels) { // it may have moved meanwhile
		c.endRaise()
		return false
	}
	return true
}

func wantsOf(kind subscriptionKind, names [][]byte) []want {
	list := make([]want, len(names))
	for i, name := range names {
		list[i] = wantOf(kind, string(name))
	}
	return list
}

// shardsMoved unsubscribes the clients of the protocol of Redis Cluster from the
// shard channels of slots that are no longer served here, and tells them.
func (x *Executor) shardsMoved(moved func(name []byte) bool) {
	r := x.Routes()
	p := &x.pubsub
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, clients := range p.shards {
		if r == nil || !moved([]byte(name)) || r.At(hashing.PartitionOf([]byte(name))).Owner == r.Self {
			continue
		}
		for s := range clients {
			if !s.Redirects {
				continue
			}
			p.unsubscribeLocked(s, toShard, name)
			w := resp.Writer{Version: resp.Version(s.shared.version.Load())}
			w.Push(3)
			w.BulkString("sunsubscribe")
			w.BulkString(name)
			w.Int(int64(s.shared.ssubs.Load()))
			s.Link.Push(w.Buf)
		}
	}
}

// KindAudience asks a node what its clients have subscribed to. A frame: u8
// version of the format, u8 kind of subscription, number of names, each with its
// length; without names all are asked for. The reply: u8 version of the format,
// number of names, each: length, name, number of subscribers.
const KindAudience uint8 = 0x24

const audienceFormat = 1

// audience is what clients have subscribed to: names and how many they are.
type audience map[string]int

// audienceHere returns the subscribers of names, or of all with none, on this
// node.
func (p *pubsub) audience(kind subscriptionKind, names [][]byte) audience {
	p.mu.RLock()
	defer p.mu.RUnlock()
	all := p.channels
	switch kind {
	case toPattern:
		all = p.patterns
	case toShard:
		all = p.shards
	}
	a := audience{}
	for _, name := range names {
		a[string(name)] = len(all[string(name)])
	}
	if names == nil {
		for name, clients := range all {
			a[name] = len(clients)
		}
	}
	return a
}

// audienceOfAll adds the subscribers on all nodes. When a node that is alive
// does not answer, an error is the reply and ok is false. A client of the
// protocol of Redis Cluster is told of this node, as there.
//
// REQUIRES: the session may block, if it asks other nodes.
func (c *Context) audienceOfAll(kind subscriptionKind, names [][]byte) (a audience, ok bool) {
	x, s := c.Exec, c.Session
	a = x.pubsub.audience(kind, names)
	if s.routes == nil || s.Redirects || s.tx.running {
		return a, true
	}
	frame := []byte{audienceFormat, byte(kind)}
	frame = binary.AppendUvarint(frame, uint64(len(names)))
	for _, name := range names {
		frame = appendWord(frame, name)
	}
	type question struct {
		to *neighbour
		*errand
	}
	var asked []question
	for _, b := range x.neighbours.list() {
		if b == nil {
			continue
		}
		e := &errand{done: make(chan struct{})}
		if err := b.send(KindAudience, frame, e); err != nil { // and nothing will be completed
			e.err = err
			close(e.done)
		}
		asked = append(asked, question{b, e})
	}
	for _, e := range asked {
		if s.waitFor(x, e.done, 0, false) == waitGone && !e.abandon() {
			c.Close()
			return nil, false
		}
		err := e.err
		if err == nil {
			err = a.add(e.reply.Data)
		}
		e.reply.Release()
		if err != nil && x.alive(e.to.id) {
			c.Error("CLUSTERDOWN Node " + e.to.id.Short() + " may have subscribers and cannot be reached")
			return nil, false
		}
	}
	return a, true
}

func (a audience) append(b []byte) []byte {
	b = append(b, audienceFormat)
	b = binary.AppendUvarint(b, uint64(len(a)))
	for name, n := range a {
		b = binary.AppendUvarint(appendWord(b, []byte(name)), uint64(n))
	}
	return b
}

var errAudience = errors.New("subscriptions of another node can not be understood")

// add adds what another node has answered.
func (a audience) add(reply []byte) error {
	c := frameCursor{rest: reply}
	if c.byte() != audienceFormat {
		return errAudience
	}
	for range c.count(2, len(reply)) {
		name := c.word()
		if n := c.number(); !c.bad {
			a[string(name)] += int(n)
		}
	}
	if c.bad {
		return errAudience
	}
	return nil
}

// names returns the names in order.
func (a audience) names() []string {
	list := make([]string, 0, len(a))
	for name := range a {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// serveAudience answers KindAudience.
func (r *Remote) serveAudience(q peer.Request) {
	c := frameCursor{rest: append([]byte(nil), q.Data...)}
	if c.byte() != audienceFormat {
		r.refuse(q.ID)
		return
	}
	kind := subscriptionKind(c.byte())
	var names [][]byte
	for range c.count(1, maxRemoteWords) {
		names = append(names, c.word())
	}
	if c.bad || len(c.rest) > 0 || kind > toShard {
		r.refuse(q.ID)
		return
	}
	id := q.ID
	r.workers.Go(func() {
		reply := r.x.pubsub.audience(kind, names).append(nil)
		_ = r.out.Reply(id, statusDone, peer.Payload{Head: reply}) // fails when nobody waits any more
	})
}
