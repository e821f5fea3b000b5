package server_test

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// Two nodes that do not reach each other answer for each other's keys by way of a
// third, which executes nothing.
func TestRelay(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		from, third, owner := c.list[0], c.list[1], c.list[2]
		part(from, owner)
		tag := "{" + c.keyOf(owner, "t") + "}"
		key, own, other := tag+"k", c.keyOf(from, "own"), c.keyOf(third, "other")
		cl := from.any.dial()
		cl.send(request("SET", key, "1"), request("INCR", key), request("PING"), request("GET", key),
			request("MSET", own, "a", other, "b", key, "3"), request("MGET", other, key, own), request("EXISTS", own, other, key, tag+"none"))
		cl.expect("+OK\r\n:2\r\n+PONG\r\n" + bulk("2") + "+OK\r\n*3\r\n" + bulk("b") + bulk("3") + bulk("a") + ":3\r\n")
		cl.send(request("WATCH", key), request("MULTI"), request("INCR", key), request("GET", key), request("EXEC"))
		cl.expect("+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:4\r\n" + bulk("4"))
		cl.send(request("WATCH", key), request("SET", key, "5"), request("MULTI"), request("GET", key), request("EXEC"))
		cl.expect("+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n")
		cl.send(request("DBSIZE"), request("FLUSHALL"), request("DBSIZE"), request("GET", key))
		cl.expect(":3\r\n+OK\r\n:0\r\n$-1\r\n")
		large := fmt.Sprintf("%0200000d", 7)
		cl.send(request("SET", key, large), request("GET", key))
		cl.expect("+OK\r\n" + bulk(large))
		if n := from.x.Snapshot().Relayed; n < 10 {
			t.Errorf("%d requests were relayed", n)
		}
		if n := third.x.Snapshot(); n.Relayed != 0 || n.Forwarded != 0 {
			t.Errorf("the third node has relayed %d requests of its own, and forwarded %d", n.Relayed, n.Forwarded)
		}
		rejoin(from, owner)
		before := from.x.Snapshot().Relayed
		cl.send(request("GET", key))
		cl.expect(bulk(large))
		if n := from.x.Snapshot().Relayed; n != before {
			t.Error("a request was relayed although the owner can be reached")
		}
	})
}

// Nothing goes from third node to third node: an owner that none of those reaches
// that the client's node reaches is out of reach.
func TestRelayedOnce(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		from, third, owner := c.list[0], c.list[1], c.list[2]
		part(from, owner)
		part(third, owner)
		cl := from.any.dial()
		key := c.keyOf(owner, "k")
		cl.send(request("SET", key, "1"), request("PING"))
		cl.expect("-CLUSTERDOWN The owner of the key cannot be reached\r\n+PONG\r\n")
		if n := third.x.Snapshot().Relayed; n != 0 {
			t.Errorf("the third node has had %d requests relayed", n)
		}
		rejoin(third, owner)
		reply := ""
		for begun := time.Now(); reply != "+OK\r\n"; { // the third node is left alone for a moment
			cl.send(request("SET", key, "1"))
			if reply = cl.reply(); time.Since(begun) > patience {
				t.Fatalf("got %q", reply)
			}
		}
	})
}

// Clients find the same as with a node that is alone while two nodes lose each other
// and find each other again, and partitions move.
func TestRelayedSameAsAlone(t *testing.T) {
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) {
			c, alone := newNodes(t, mode, 3), newNodes(t, mode, 1)
			alone.list[0].x.Reroute(nil)
			var keys []string
			for client := range 4 {
				keys = append(keys, keysOf(client)...)
			}
			stop := make(chan struct{})
			var faults, clients sync.WaitGroup
			faults.Go(func() { moveAround(c, keys, stop) })
			faults.Go(func() { partAndRejoin(c, stop) })
			for n := range 4 {
				clients.Go(func() { compare(t, c, alone.list[0], n) })
			}
			clients.Wait()
			close(stop)
			faults.Wait()
			for i, d := range c.list {
				if n := d.x.Snapshot().Relayed; (n == 0) != (i == 1) {
					t.Errorf("%d requests of node %d were relayed", n, i)
				}
			}
		})
	}
}

// partAndRejoin has two nodes lose each other again and again, for a moment.
func partAndRejoin(c *nodes, stop chan struct{}) {
	a, b := c.list[0], c.list[2]
	defer rejoin(a, b)
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-time.After(2 * time.Millisecond): // no faster than clients notice
		}
		if i%2 == 0 {
			part(a, b)
		} else {
			rejoin(a, b)
		}
	}
}
