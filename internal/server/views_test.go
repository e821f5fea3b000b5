package server_test

import (
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
)

// A node that is behind waits for the view that the sender goes by, and what its
// client sends meanwhile comes after.
func TestOlderView(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		from, to := c.list[0], c.list[1]
		key := c.keyOf(from, "k")
		c.change(func(v *cluster.View) {
			row := &v.Rows[hashing.PartitionOf([]byte(key))]
			row.Owner = int16(v.Index(to.id))
			row.Epoch++
		})
		from.reroute(nil)
		cl := from.any.dial()
		cl.send(request("INCR", key), request("INCR", key), request("GET", key))
		to.any.eventually("the request waits", func() bool { return to.x.Snapshot().BlockedClients == 1 })
		if n := to.x.Snapshot().Forwarded; n != 0 {
			t.Errorf("%d requests were sent back", n)
		}
		to.reroute(nil)
		cl.expect(":1\r\n:2\r\n" + bulk("2"))
	})
}

// A request that comes to a former owner goes on to the new one.
func TestForwardedOn(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		from, to, late := c.list[0], c.list[1], c.list[2]
		key := c.keyOf(from, "k")
		c.change(func(v *cluster.View) {
			row := &v.Rows[hashing.PartitionOf([]byte(key))]
			row.Owner = int16(v.Index(to.id))
			row.Epoch++
		})
		to.reroute(nil)
		from.reroute(nil)
		cl := late.any.dial()
		near := c.keyOf(late, "n")
		cl.send(request("INCR", key), request("MSET", key, "5", near, "6"), request("MGET", near, key, near),
			request("WATCH", key), request("MULTI"), request("INCR", key), request("EXEC"))
		cl.expect(":1\r\n+OK\r\n*3\r\n" + bulk("6") + bulk("5") + bulk("6") + "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:6\r\n")
		if n := from.x.Snapshot().Forwarded; n < 4 {
			t.Errorf("the former owner has sent %d requests on", n)
		}
	})
}

// Nodes that send a request to each other give up, and say so.
func TestViewsThatDiffer(t *testing.T) {
	c := newNodes(t, modes()[0], 2)
	a, b := c.list[0], c.list[1]
	key := c.keyOf(a, "k")
	own := func(owner *node) func(v *cluster.View) {
		return func(v *cluster.View) {
			v.Rows[hashing.PartitionOf([]byte(key))].Owner = int16(v.Index(owner.id))
			v.Version-- // it is not raised: two views with one version
		}
	}
	c.change(own(b))
	a.reroute(nil)
	c.change(own(a))
	b.reroute(nil)
	cl := a.any.dial()
	begun := time.Now()
	cl.send(request("SET", key, "1"), request("PING"))
	cl.expect("-TRYAGAIN The request was sent from node to node, whose views of the cluster differ; it was not executed\r\n+PONG\r\n")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}
