package command

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/larder-cache/larder/internal/resp"
)

// pubsub knows who has subscribed to what. It is safe for concurrent use.
//
// Its lock is the last one taken: messages are published with keys locked
// (keyspace events), and [Link.Push], called under it, never blocks.
type pubsub struct {
	total atomic.Int64 // subscriptions of all clients: zero, nobody listens

	mu       sync.RWMutex
	channels subscribers // GUARDED_BY(mu), as the next ones
	shards   subscribers
	patterns subscribers

	others *neighbours // who want to know of what is subscribed to here
}

// subscribers has the clients by the name of what they subscribed to.
type subscribers map[string]map[*Session]struct{}

// subscriptions are one client's, guarded by the lock of pubsub.
type subscriptions struct {
	channels, shards, patterns map[string]struct{}
}

// subscriptionKind selects among channels, patterns and shard channels.
type subscriptionKind uint8

const (
	toChannel subscriptionKind = iota
	toPattern
	toShard
)

func (p *pubsub) init(others *neighbours) {
	p.others = others
	p.channels, p.shards, p.patterns = subscribers{}, subscribers{}, subscribers{}
}

// of returns both sides of one kind of subscription.
//
// REQUIRES: p.mu held.
func (p *pubsub) of(kind subscriptionKind, s *Session) (subscribers, *map[string]struct{}) {
	switch kind {
	case toPattern:
		return p.patterns, &s.subs.patterns
	case toShard:
		return p.shards, &s.subs.shards
	}
	return p.channels, &s.subs.channels
}

// subscribe adds a subscription if it is new.
func (p *pubsub) subscribe(s *Session, kind subscriptionKind, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, own := p.of(kind, s)
	if *own == nil {
		*own = map[string]struct{}{}
	}
	if _, known := (*own)[name]; !known {
		p.total.Add(1)
	}
	(*own)[name] = struct{}{}
	if all[name] == nil {
		all[name] = map[*Session]struct{}{}
		p.others.wants.add(wantOf(kind, name))
	}
	all[name][s] = struct{}{}
	s.countSubscriptions()
}

// unsubscribe removes a subscription if there is one.
func (p *pubsub) unsubscribe(s *Session, kind subscriptionKind, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unsubscribeLocked(s, kind, name)
}

func (p *pubsub) unsubscribeLocked(s *Session, kind subscriptionKind, name string) {
	all, own := p.of(kind, s)
	if _, ok := (*own)[name]; !ok {
		return
	}
	p.total.Add(-1)
	delete(*own, name)
	if delete(all[name], s); len(all[name]) == 0 {
		delete(all, name)
		p.others.drop(wantOf(kind, name))
	}
	s.countSubscriptions()
}

// countSubscriptions brings the numbers that are read without the lock up to
// date. The client's class and gate are its own goroutine's to set.
//
// REQUIRES: the lock of pubsub held.
func (s *Session) countSubscriptions() {
	s.shared.subs.Store(int32(len(s.subs.channels)))
	s.shared.psubs.Store(int32(len(s.subs.patterns)))
	s.shared.ssubs.Store(int32(len(s.subs.shards)))
}

// names returns a client's subscriptions of one kind in order.
func (p *pubsub) names(s *Session, kind subscriptionKind) []string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	_, own := p.of(kind, s)
	names := make([]string, 0, len(*own))
	for name := range *own {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// removeAll removes all subscriptions of a client.
func (p *pubsub) removeAll(s *Session) {
	if s.subscriptionCount() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, kind := range []subscriptionKind{toChannel, toPattern, toShard} {
		_, own := p.of(kind, s)
		for name := range *own {
			p.unsubscribeLocked(s, kind, name)
		}
	}
}

// publish sends a message to the subscribers of a channel and of the patterns
// it matches, and returns how many have got it.
func (p *pubsub) publish(channel, message []byte) (receivers int) {
	return p.publishTo(channel, message, everybody)
}

// everybody and anyKey select the clients that get a message: all, or those
// that do not know the other nodes.
func everybody(*Session) bool { return true }
func anyKey(s *Session) bool  { return !s.Redirects }

// publishTo is publish for some clients.
func (p *pubsub) publishTo(channel, message []byte, to func(*Session) bool) (receivers int) {
	if p.total.Load() == 0 {
		return 0
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if list := p.channels[string(channel)]; len(list) != 0 {
		m := newEncoded(func(w *resp.Writer) { writeMessage(w, "message", channel, message) })
		for s := range list {
			if to(s) {
				m.push(s)
				receivers++
			}
		}
	}
	for pattern, list := range p.patterns {
		if !globMatch([]byte(pattern), channel, false) {
			continue
		}
		m := newEncoded(func(w *resp.Writer) {
			w.Push(4)
			w.BulkString("pmessage")
			w.BulkString(pattern)
			w.Bulk(channel)
			w.Bulk(message)
		})
		for s := range list {
			if to(s) {
				m.push(s)
				receivers++
			}
		}
	}
	return receivers
}

// publishShard sends a message to the subscribers of a shard channel.
func (p *pubsub) publishShard(channel, message []byte) (receivers int) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	list := p.shards[string(channel)]
	m := newEncoded(func(w *resp.Writer) { writeMessage(w, "smessage", channel, message) })
	for s := range list {
		m.push(s)
	}
	return len(list)
}

func writeMessage(w *resp.Writer, kind string, channel, message []byte) {
	w.Push(3)
	w.BulkString(kind)
	w.Bulk(channel)
	w.Bulk(message)
}

// encoded is a message that is written at most once for each version of the
// protocol, however many clients get it.
type encoded struct {
	write func(*resp.Writer)
	bytes [2][]byte
}

func newEncoded(write func(*resp.Writer)) *encoded { return &encoded{write: write} }

func (e *encoded) push(s *Session) {
	version := resp.Version(s.shared.version.Load())
	i := 0
	if version == resp.RESP3 {
		i = 1
	}
	if e.bytes[i] == nil {
		w := resp.Writer{Version: version}
		e.write(&w)
		e.bytes[i] = w.Buf
	}
	s.Link.Push(e.bytes[i])
}
