package server_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
)

// WAIT tells how many copies have what the client has written.
func TestWaitForCopies(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		d := c.list[0]
		second := d.copyTo("second")
		free, far := c.keyOf(d, "free:"), c.keyOf(c.list[1], "far")
		d.x.SetUnheld(isFree)
		cl := d.any.dial()
		cl.send(request("WAIT", "0", "0"), request("SET", free, "1"), request("WAIT", "2", "0"))
		cl.expect(":2\r\n+OK\r\n:2\r\n")
		second.stop()
		cl.send(request("SET", free, "1"), request("WAIT", "1", "0"), request("WAIT", "2", "5"))
		cl.expect("+OK\r\n:1\r\n:1\r\n")
		cl.send(request("WAIT", "2", "0"))
		cl.silent()
		second.goOn()
		cl.expect(":2\r\n")
		cl.send(request("SET", far, "1"), request("WAIT", "0", "0"), request("MULTI"), request("WAIT", "9", "0"), request("EXEC"))
		cl.expect("+OK\r\n:0\r\n+OK\r\n+QUEUED\r\n*1\r\n:0\r\n") // the other node has no copies
	})
}

// Clients are told of the copies.
func TestReplicasAreShown(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		d := c.list[0]
		named := d.copyTo(string(c.list[1].id))
		cl := d.any.dial()
		cl.send(request("SET", c.keyOf(d, "k"), "v"))
		cl.expect("+OK\r\n")
		cl.send(request("ROLE"))
		host, port, _ := net.SplitHostPort(c.list[1].any.Addrs()[0].String())
		role := cl.reply()
		if !strings.HasPrefix(role, "*3\r\n$6\r\nmaster\r\n:1\r\n*2\r\n*3\r\n") || !strings.Contains(role, "*3\r\n"+bulk(host)+bulk(port)+bulk("1")) {
			t.Errorf("role %q", role)
		}
		cl.send(request("INFO", "replication"))
		info := cl.reply()
		for _, want := range []string{"role:master\r\n", "connected_slaves:2\r\n", "ip=" + host + ",port=" + port + ",state=online,offset=1,lag=0\r\n", "master_repl_offset:1\r\n"} {
			if !strings.Contains(info, want) {
				t.Errorf("%q is not in %q", want, info)
			}
		}
		named.sender.Close()
		cl.send(request("INFO", "replication"))
		if info := cl.reply(); !strings.Contains(info, "port="+port+",state=wait_bgsave,") {
			t.Errorf("without the stream: %q", info)
		}
	})
}

// A client with READONLY is served from copies, others are not.
func TestReadOnlyClients(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, _ *copies) {
		owner, has := c.list[0], c.list[1]
		key := c.keyOf(owner, "k")
		p := hashing.PartitionOf([]byte(key))
		c.change(func(v *cluster.View) { v.Rows[p].InSync = []int16{int16(v.Index(has.id))} })
		for _, d := range c.list {
			d.reroute(nil)
		}
		h := has.cache.Lock(0, []byte(key), time.Now().UnixMilli())
		h.Set([]byte("of the copy"), 0)
		h.Release()
		moved := fmt.Sprintf("-MOVED %d %s\r\n", hashing.Slot([]byte(key)), owner.own.Addrs()[0])
		cl := has.own.dial()
		cl.send(request("GET", key), request("READONLY"), request("GET", key), request("STRLEN", key), request("SET", key, "v"), request("READWRITE"), request("GET", key))
		cl.expect(moved + "+OK\r\n" + bulk("of the copy") + ":11\r\n" + moved + "+OK\r\n" + moved)
		any := has.any.dial()
		any.send(request("READONLY"), request("GET", key))
		any.expect("+OK\r\n$-1\r\n")
		cl.send(request("READONLY"), request("GET", c.keyOf(owner, "without")))
		cl.expect("+OK\r\n")
		if reply := cl.reply(); !strings.HasPrefix(reply, "-MOVED ") {
			t.Errorf("%q", reply)
		}
	})
}
