package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/server"
)

// paused has a node hold writes back until the returned function is called.
func paused(d *node) (end func()) {
	admin := d.any.dial()
	admin.send(request("CLIENT", "PAUSE", "100000", "WRITE"))
	admin.expect("+OK\r\n")
	return func() {
		admin.send(request("CLIENT", "UNPAUSE"))
		admin.expect("+OK\r\n")
	}
}

// forwarded returns how many requests a node has handed to links.
func forwarded(d *node) uint64 { return d.x.Snapshot().Forwarded }

// A client has a limited number of requests under way to other nodes; what it
// sends beyond waits, and all is answered in order.
func TestForwardedRequestsAreBounded(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		owner, via := c.list[0], c.list[1]
		far, near := c.keyOf(owner, "far"), c.keyOf(via, "near")
		end := paused(owner)
		cl := via.any.dial()
		const n = 5000
		all, want := "", ""
		for i := range n {
			all += request("INCR", far) + request("INCR", near)
			want += fmt.Sprintf(":%d\r\n:%d\r\n", i+1, i+1)
		}
		go cl.send(all, request("PING"))
		limit := uint64(1)
		if c.mode == server.ModeLoops {
			limit = 1024
		}
		via.any.eventually("the limit is reached", func() bool { return forwarded(via) == limit })
		<-time.After(20 * time.Millisecond)
		if got := forwarded(via); got != limit {
			t.Errorf("%d requests under way", got)
		}
		end()
		cl.expect(want + "+PONG\r\n")
	})
}

// A request that may wait, or takes long, does so when the replies before it are
// there, and those after it come after it.
func TestParkBehindForwarded(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		owner, via := c.list[0], c.list[1]
		key := c.keyOf(owner, "k")
		end := paused(owner)
		cl := via.any.dial()
		big := strings.Repeat("x", 200_000)
		cl.send(request("SET", key, "1"), request("WAIT", "0", "0"), request("SET", key, big), request("WAIT", "0", "0"),
			request("MULTI"), request("GET", key), request("STRLEN", key), request("EXEC"), request("ECHO", big))
		via.any.eventually("the first is under way", func() bool { return forwarded(via) == 1 })
		end()
		cl.expect("+OK\r\n:0\r\n+OK\r\n:0\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n" + bulk(big) + ":200000\r\n" + bulk(big))
	})
}

// A client that goes away while it waits for another node leaves nothing behind,
// and its place is somebody else's.
func TestKilledWhileForwarded(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		owner, via := c.list[0], c.list[1]
		key := c.keyOf(owner, "k")
		end := paused(owner)
		var gone []*client
		for range 20 {
			cl := via.any.dial()
			cl.send(request("INCR", key), request("INCR", key), request("PING"))
			gone = append(gone, cl)
		}
		via.any.eventually("all are under way", func() bool { return forwarded(via) >= 20 })
		killer := via.any.dial()
		killer.send(request("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
		killer.expect(":20\r\n")
		for _, cl := range gone {
			cl.expectEnd()
		}
		var next []*client
		for range 20 {
			cl := via.any.dial()
			cl.send(request("ECHO", "new"))
			cl.expect(bulk("new"))
			next = append(next, cl)
		}
		end()
		for _, cl := range next {
			cl.send(request("SET", key, "v"), request("GET", key))
			cl.expect("+OK\r\n" + bulk("v"))
		}
	})
}

// QUIT, the end of the stream and a shutdown come behind the replies of other nodes.
func TestEndBehindForwarded(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		owner, via := c.list[0], c.list[1]
		key := c.keyOf(owner, "k")
		end := paused(owner)
		quits, stays := via.any.dial(), via.any.dial()
		for i, cl := range []*client{quits, stays} {
			cl.send(request("SET", key, "1"))
			via.any.eventually("it is under way", func() bool { return forwarded(via) == uint64(i)+1 })
		}
		quits.send(request("QUIT"))
		stopped := make(chan error)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			stopped <- via.any.Shutdown(ctx)
		}()
		<-time.After(20 * time.Millisecond)
		end()
		quits.expect("+OK\r\n+OK\r\n")
		quits.expectEnd()
		stays.expect("+OK\r\n")
		stays.expectEnd()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// Large values pass through, in both directions.
func TestLargeForwarded(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		owner, via := c.list[0], c.list[1]
		key, near := c.keyOf(owner, "k"), c.keyOf(via, "n")
		cl := via.any.dial()
		value := string(blob(3 << 20))
		for range 3 {
			go cl.send(request("SET", key, value), request("SET", near, "near"), request("GET", key), request("MGET", key, near, key))
			cl.expect("+OK\r\n+OK\r\n" + bulk(value) + "*3\r\n" + bulk(value) + bulk("near") + bulk(value))
		}
	})
}

// Until a partition has arrived requests wait for it, but not for ever.
func TestArriving(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		to, from := c.list[1], c.list[0]
		key := c.keyOf(from, "k")
		p := hashing.PartitionOf([]byte(key))
		c.change(func(v *cluster.View) {
			at := int16(v.Index(to.id))
			v.Rows[p].Owner, v.Rows[p].Target, v.Rows[p].Epoch = at, at, 2
		})
		to.reroute(func(int) bool { return false })
		from.reroute(nil)
		clients := []*client{to.any.dial(), to.own.dial(), from.any.dial(), c.list[2].any.dial()}
		for _, cl := range clients {
			cl.send(request("INCR", key), request("PING"))
		}
		to.any.eventually("all wait", func() bool { return to.x.Snapshot().BlockedClients == 4 })
		to.reroute(nil)
		sum := 0
		for _, cl := range clients {
			sum += int(cl.reply()[1] - '0')
			cl.expect("+PONG\r\n")
		}
		if sum != 1+2+3+4 {
			t.Errorf("sum of the replies %d", sum)
		}
		c.change(func(v *cluster.View) { v.Rows[p].Epoch++ })
		to.reroute(func(int) bool { return false })
		for _, cl := range clients[:3] {
			cl.send(request("GET", key))
			cl.expect("-TRYAGAIN The slot is being moved to this node, which does not have all of it yet; the request was not executed\r\n")
		}
	})
}

// inherit makes a node the owner of all that another one had, which alone is told.
func (c *nodes) inherit(from, to *node) {
	c.change(func(v *cluster.View) {
		for p := range v.Rows {
			if int(v.Rows[p].Owner) == v.Index(from.id) {
				v.Rows[p].Owner = int16(v.Index(to.id))
				v.Rows[p].Epoch++
			}
		}
	})
	to.reroute(nil)
}

// When the owner is gone a read is tried again until it fails, a write that may
// have been executed is not, and clients go on.
func TestOwnerGone(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		owner, via := c.list[0], c.list[1]
		key, near := c.keyOf(owner, "k"), c.keyOf(via, "n")
		admin := owner.any.dial()
		admin.send(request("CLIENT", "PAUSE", "3000", "ALL")) // of which no client can end it
		admin.expect("+OK\r\n")
		write, read := via.any.dial(), via.any.dial()
		write.send(request("INCR", key), request("INCR", near))
		read.send(request("GET", key), request("INCR", near))
		via.any.eventually("both are under way", func() bool { return forwarded(via) == 2 })
		owner.net.Close()
		write.expect("-ERR The connection to the owner of the key was lost: whether the request was executed is not known\r\n")
		write.reply()
		c.inherit(owner, via)
		read.expect("$-1\r\n")
		read.reply()
		far := c.keyOf(c.list[2], "far")
		c.list[2].net.Close()
		read.send(request("GET", far), request("PING"))
		read.expect("-CLUSTERDOWN The owner of the key cannot be reached\r\n+PONG\r\n")
	})
}

// Of a long pipeline what an owner that has gone has not answered is read again,
// between replies that have come; when several owners have gone it all waits once.
func TestOwnersGoneInPipeline(t *testing.T) {
	const count = 100 // more than a client keeps the room for
	inClusters(t, func(t *testing.T, c *nodes) {
		owner, via, other := c.list[0], c.list[1], c.list[2]
		lost, there := request("GET", c.keyOf(owner, "k")), request("GET", c.keyOf(other, "k"))
		admin := owner.any.dial()
		admin.send(request("CLIENT", "PAUSE", "3000", "ALL")) // of which no client can end it
		admin.expect("+OK\r\n")
		cl := via.any.dial()
		cl.send(strings.Repeat(lost+there, count/2))
		via.any.eventually("what the other node has is answered", func() bool { return other.x.Snapshot().ForwardServed == count/2 })
		owner.net.Close()
		c.inherit(owner, via)
		cl.expect(strings.Repeat("$-1\r\n", count))

		c.change(func(v *cluster.View) {
			for p := range v.Rows {
				if p%2 == 0 {
					v.Rows[p].Owner = int16(v.Index(owner.id))
					v.Rows[p].Epoch++
				}
			}
		})
		via.reroute(nil)
		other.net.Close()
		lost, there = request("GET", c.keyOf(owner, "k")), request("GET", c.keyOf(other, "k"))
		cl.send(strings.Repeat(lost+there, count/2))
		cl.expect(strings.Repeat("-CLUSTERDOWN The owner of the key cannot be reached\r\n", count))
	})
}

// A transaction is executed by the owner of its keys as a whole, and not at all
// when what it watches has changed, or has moved.
func TestRemoteTransactions(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		owner, via := c.list[0], c.list[1]
		tag := "{" + c.keyOf(owner, "t") + "}"
		a, b := tag+"a", tag+"b"
		keys := []string{a, b}
		cl, other := via.any.dial(), c.list[2].any.dial()
		transaction := request("MULTI") + request("INCR", a) + request("GET", b) + request("EXEC")
		cl.send(request("WATCH", a, b), transaction, request("GET", a))
		cl.expect("+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n$-1\r\n" + bulk("1"))
		cl.send(request("WATCH", a, b))
		cl.expect("+OK\r\n")
		other.send(request("SET", b, "changed"))
		other.expect("+OK\r\n")
		cl.send(transaction, transaction)
		cl.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*-1\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:2\r\n" + bulk("changed"))

		moves := func(to *node) {
			c.mu.Lock()
			at := int16(c.view.Index(to.id))
			c.mu.Unlock()
			c.move([]int{hashing.PartitionOf([]byte(tag))}, at, keys)
		}
		for _, to := range []*node{via, c.list[2], owner} {
			cl.send(request("WATCH", a), request("PING"))
			cl.expect("+OK\r\n+PONG\r\n")
			moves(to)
			cl.send(transaction)
			cl.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*-1\r\n")
		}
		cl.send(request("WATCH", a), request("UNWATCH"), request("WATCH", "x"))
		cl.expect("+OK\r\n+OK\r\n+OK\r\n")
		moves(via)
		cl.send(request("UNWATCH"), transaction)
		cl.expect("+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:3\r\n" + bulk("changed"))
		moves(owner)
		cl.send(request("MULTI"), request("SELECT", "1"), request("SET", a, "db1"), request("EXEC"), request("GET", a), request("SELECT", "0"))
		cl.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n" + bulk("db1") + "+OK\r\n")
		cl.send(request("MULTI"), request("CLIENT", "SETNAME", "n"), request("GET", a), request("EXEC"), request("PING"))
		cl.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: it has a command about the connection, and its keys are served by another node\r\n+PONG\r\n")
		cl.send(request("WATCH", a), request("WATCH", "x"), request("MULTI"), request("WATCH", a), request("INCR", a, "x"), request("EXEC"), request("UNWATCH"))
		cl.expect("+OK\r\n-CROSSSLOT Keys in request don't hash to the same slot\r\n+OK\r\n")
	})
}
