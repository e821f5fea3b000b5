package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/hashing"
)

func message(kind string, words ...string) string {
	words = append([]string{kind}, words...)
	b := fmt.Sprintf("*%d\r\n", len(words))
	for _, w := range words {
		b += bulk(w)
	}
	return b
}

func confirmed(kind, name string, n int) string {
	return fmt.Sprintf("*3\r\n%s%s:%d\r\n", bulk(kind), bulk(name), n)
}

// What is published at any node reaches the subscribers at every node, in the
// order of each publisher, from the moment of the confirmation on; the reply
// counts all of them.
func TestPublishAcrossNodes(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		var subscribers []*client
		for i, d := range c.list {
			cl := d.any.dial()
			cl.send(request("SUBSCRIBE", "news"))
			cl.expect(confirmed("subscribe", "news", 1))
			subscribers = append(subscribers, cl)
			if got := c.list[(i+1)%3].any.dial().ask("PUBLISH", "news", "hello"); got != fmt.Sprintf(":%d\r\n", i+1) {
				t.Errorf("PUBLISH to %d subscribers: %q", i+1, got)
			}
			for _, s := range subscribers {
				s.expect(message("message", "news", "hello"))
			}
		}
		pattern := c.list[2].own.dial()
		pattern.send(request("PSUBSCRIBE", "n*"))
		pattern.expect(confirmed("psubscribe", "n*", 1))
		const n = 300
		for i, d := range c.list {
			var all, replies strings.Builder
			for m := range n {
				all.WriteString(request("PUBLISH", "news", fmt.Sprint(i, ":", m)))
				replies.WriteString(":4\r\n")
			}
			publisher := d.any.dial()
			publisher.send(all.String())
			publisher.expect(replies.String())
			for m := range n {
				for _, s := range subscribers {
					s.expect(message("message", "news", fmt.Sprint(i, ":", m)))
				}
				pattern.expect(message("pmessage", "n*", "news", fmt.Sprint(i, ":", m)))
			}
		}
		any := c.list[1].any.dial()
		any.send(request("PUBSUB", "CHANNELS"), request("PUBSUB", "CHANNELS", "x*"), request("PUBSUB", "NUMSUB", "news", "other"), request("PUBSUB", "NUMPAT"),
			request("PUBLISH", "nobody", "x"), request("MULTI"), request("PUBLISH", "news", "in a transaction"), request("EXEC"))
		any.expect("*1\r\n" + bulk("news") + "*0\r\n" + "*4\r\n" + bulk("news") + ":3\r\n" + bulk("other") + ":0\r\n:1\r\n" +
			":1\r\n+OK\r\n+QUEUED\r\n*1\r\n:1\r\n")
		pattern.expect(message("pmessage", "n*", "nobody", "x"))
		for _, s := range subscribers {
			s.expect(message("message", "news", "in a transaction"))
		}
		local := c.list[1].own.dial()
		local.send(request("PUBSUB", "NUMSUB", "news"), request("PUBSUB", "NUMPAT"))
		local.expect("*2\r\n" + bulk("news") + ":1\r\n:0\r\n")
	})
}

// Nothing is sent to nodes that have no subscribers.
func TestPublishToNobody(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		cl := c.list[0].any.dial()
		c.list[0].any.eventually("knows that others want nothing", func() bool {
			sent := c.list[0].net.Stats().Outbound.FramesOut
			cl.ask("PUBLISH", "x", "1")
			return c.list[0].net.Stats().Outbound.FramesOut == sent
		})
		s := c.list[0].any.dial()
		s.send(request("SUBSCRIBE", "x"))
		s.expect(confirmed("subscribe", "x", 1))
		sent := c.list[0].net.Stats().Outbound.FramesOut
		for range 100 {
			if got := cl.ask("PUBLISH", "x", "1"); got != ":1\r\n" {
				t.Fatal(got)
			}
		}
		if now := c.list[0].net.Stats().Outbound.FramesOut; now != sent {
			t.Errorf("%d frames were sent to nodes without subscribers", now-sent)
		}
	})
}

// Shard channels: clients of the protocol of Redis Cluster use them at the owner,
// others anywhere; both hear the same.
func TestShardChannels(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		name := c.keyOf(c.list[0], "shard")
		slot := hashing.Slot([]byte(name))
		moved := fmt.Sprintf("-MOVED %d %s\r\n", slot, c.list[0].own.Addrs()[0])
		owner, other, any := c.list[0].own.dial(), c.list[1].own.dial(), c.list[2].any.dial()
		other.send(request("SSUBSCRIBE", name), request("SPUBLISH", name, "x"), request("SSUBSCRIBE", name, "another"))
		other.expect(moved + moved + "-CROSSSLOT Keys in request don't hash to the same slot\r\n")
		owner.send(request("SSUBSCRIBE", name))
		owner.expect(confirmed("ssubscribe", name, 1))
		any.send(request("SSUBSCRIBE", name, "another"))
		any.expect(confirmed("ssubscribe", name, 1) + confirmed("ssubscribe", "another", 2))
		for i, publisher := range []*client{c.list[0].own.dial(), c.list[1].any.dial(), c.list[2].any.dial()} {
			if got := publisher.ask("SPUBLISH", name, fmt.Sprint(i)); got != ":2\r\n" {
				t.Errorf("SPUBLISH %d: %q", i, got)
			}
			owner.expect(message("smessage", name, fmt.Sprint(i)))
			any.expect(message("smessage", name, fmt.Sprint(i)))
		}
		asks := c.list[1].any.dial()
		asks.send(request("PUBSUB", "SHARDNUMSUB", name), request("PUBSUB", "SHARDCHANNELS", "another"))
		asks.expect("*2\r\n" + bulk(name) + ":2\r\n*1\r\n" + bulk("another"))
		c.mu.Lock()
		to := int16(c.view.Index(c.list[1].id))
		c.mu.Unlock()
		partition := hashing.Partition(slot)
		c.move([]int{partition}, to, nil)
		c.list[0].x.MovedAway([]int{partition})
		owner.expect(confirmed("sunsubscribe", name, 0))
		owner.send(request("GET", "{"+name+"}x"), request("PING"))
		owner.expect("$-1\r\n+PONG\r\n") // in the last step of a move nobody is sent away
		if got := other.ask("SPUBLISH", name, "last"); got != ":1\r\n" {
			t.Errorf("SPUBLISH: %q", got)
		}
		any.expect(message("smessage", name, "last"))
	})
}

// TestRemovedNodeTellsNobody: who waits for messages of a cluster that the node is
// none of any more is closed, and nobody else.
func TestRemovedNodeTellsNobody(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		d := c.list[1]
		reader, subscriber, tracker := d.any.dial(), d.any.dial(), d.any.dial()
		subscriber.send(request("SUBSCRIBE", "news"))
		subscriber.expect(confirmed("subscribe", "news", 1))
		tracker.ask("HELLO", "3")
		if got := tracker.ask("CLIENT", "TRACKING", "ON"); got != "+OK\r\n" {
			t.Fatal(got)
		}
		d.x.RemovedFromCluster()
		subscriber.expectEnd()
		tracker.expectEnd()
		refused := "-CLUSTERDOWN This node has been removed from the cluster and hears nothing of it: connect to another one\r\n"
		reader.send(request("SUBSCRIBE", "news"), request("PSUBSCRIBE", "n*"), request("SSUBSCRIBE", "news"), request("PING"))
		reader.expect(refused + refused + refused + "+PONG\r\n")
	})
}

// Events of the keys of all nodes reach a client that uses any node for any key;
// one of the protocol of Redis Cluster hears of its node only, as there.
func TestKeyspaceEventsAcrossNodes(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		for _, d := range c.list {
			d.any.dial().ask("CONFIG", "SET", "notify-keyspace-events", "KEA")
		}
		any, local := c.list[0].any.dial(), c.list[0].own.dial()
		for _, cl := range []*client{any, local} {
			cl.send(request("PSUBSCRIBE", "__key*__:*"))
			cl.expect(confirmed("psubscribe", "__key*__:*", 1))
		}
		writer := c.list[2].any.dial()
		want := ""
		for i, d := range []*node{c.list[1], c.list[0]} {
			key := c.keyOf(d, "k")
			writer.ask("SET", key, "1")
			want = message("pmessage", "__key*__:*", "__keyspace@0__:"+key, "set") + message("pmessage", "__key*__:*", "__keyevent@0__:set", key)
			any.expect(want)
			if i == 1 {
				local.expect(want)
			}
		}
	})
}
