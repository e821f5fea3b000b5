package server_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/larder-cache/larder/internal/cluster"
)

// list takes the bulk strings out of a reply that is a list of them.
func list(reply string) (words []string) {
	lines := strings.Split(reply, "\r\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "$") && !strings.HasPrefix(line, "$-") {
			words = append(words, lines[i+1])
		}
	}
	return words
}

// ask sends a request and returns the reply.
func (c *client) ask(words ...string) string {
	c.send(request(words...))
	return c.reply()
}

// walk goes through a database with SCAN and returns what it has listed.
func (c *client) walk(options ...string) (keys []string) {
	for cursor := "0"; ; {
		reply := c.ask(append([]string{"SCAN", cursor}, options...)...)
		if !strings.HasPrefix(reply, "*2\r\n") {
			c.t.Errorf("SCAN: %q", reply)
			return keys
		}
		words := list(reply)
		keys = append(keys, words[1:]...)
		if cursor = words[0]; cursor == "0" {
			return keys
		}
	}
}

// fill writes keys through a node and returns their names in order.
func (c *nodes) fill(d *node, n int) (keys []string) {
	cl := d.any.dial()
	for i := range n {
		keys = append(keys, fmt.Sprint("key:", i))
		cl.send(request("SET", keys[i], fmt.Sprint(i)))
	}
	cl.expect(strings.Repeat("+OK\r\n", n))
	slices.Sort(keys)
	return keys
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

// What is about all keys is about those of all nodes, through any of them; a
// client of the protocol of Redis Cluster is told of those of its node.
func TestWholeCluster(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		const n = 1500
		keys := c.fill(c.list[0], n)
		own := 0
		for i, d := range c.list {
			cl, local := d.any.dial(), d.own.dial()
			if got := cl.ask("DBSIZE"); got != fmt.Sprintf(":%d\r\n", n) {
				t.Errorf("DBSIZE: %q", got)
			}
			if got := sorted(list(cl.ask("KEYS", "*"))); !slices.Equal(got, keys) {
				t.Errorf("KEYS lists %d of %d keys", len(got), n)
			}
			if got := list(cl.ask("KEYS", "key:1?")); len(got) != 10 {
				t.Errorf("KEYS key:1?: %q", got)
			}
			for _, count := range []string{"1", "10", "333", "1000000"} {
				if got := sorted(cl.walk("COUNT", count)); !slices.Equal(got, keys) {
					t.Errorf("SCAN COUNT %s lists %d of %d keys", count, len(got), n)
				}
			}
			if got := cl.walk("MATCH", "key:1?", "COUNT", "100"); len(got) != 10 {
				t.Errorf("SCAN MATCH: %q", got)
			}
			if got := cl.walk("TYPE", "hash", "COUNT", "100"); len(got) != 0 {
				t.Errorf("SCAN TYPE hash: %q", got)
			}
			if got := list(cl.ask("RANDOMKEY")); len(got) != 1 || !slices.Contains(keys, got[0]) {
				t.Errorf("RANDOMKEY: %q", got)
			}
			mine := sorted(local.walk("COUNT", "7"))
			if !slices.Equal(mine, sorted(list(local.ask("KEYS", "*")))) || local.ask("DBSIZE") != fmt.Sprintf(":%d\r\n", len(mine)) {
				t.Errorf("node %d: SCAN, KEYS and DBSIZE of the node differ", i)
			}
			for _, key := range mine {
				if c.owner(key) != d {
					t.Errorf("node %d lists %s, which another one owns", i, key)
				}
			}
			own += len(mine)
		}
		if own != n {
			t.Errorf("the nodes have %d keys, want %d", own, n)
		}
	})
}

// A flush is done everywhere, and only in the database that is meant.
func TestFlushWholeCluster(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		c.fill(c.list[0], 300)
		cl := c.list[1].any.dial()
		cl.send(request("SELECT", "1"), request("SET", "x", "1"), request("SET", "y", "1"), request("SET", "z", "1"),
			request("FLUSHDB", "ASYNC"), request("DBSIZE"), request("RANDOMKEY"), request("SCAN", "0"), request("SELECT", "0"), request("DBSIZE"),
			request("FLUSHALL", "SYNC"), request("DBSIZE"), request("KEYS", "*"), request("FLUSHALL", "x"),
			request("MULTI"), request("DBSIZE"), request("EXEC"))
		cl.expect("+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n:0\r\n$-1\r\n*2\r\n$1\r\n0\r\n*0\r\n+OK\r\n:300\r\n+OK\r\n:0\r\n*0\r\n-ERR syntax error\r\n" +
			"+OK\r\n+QUEUED\r\n*1\r\n-ERR A transaction of a cluster is executed by one node and cannot have a command about all keys\r\n")
		c.fill(c.list[0], 300)
		local := c.list[0].own.dial()
		local.send(request("FLUSHALL"), request("DBSIZE"))
		local.expect("+OK\r\n:0\r\n")
		if got := cl.ask("DBSIZE"); got == ":0\r\n" || got == ":300\r\n" {
			t.Errorf("after FLUSHALL of one node: DBSIZE %q", got)
		}
	})
}

// A key that is there all the time is listed exactly once by SCAN, and once by
// KEYS, while partitions move; DBSIZE counts it once.
func TestScanWhilePartitionsMove(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		keys := c.fill(c.list[0], 400)
		stop := make(chan struct{})
		var mover sync.WaitGroup
		mover.Go(func() { moveAround(c, keys, stop) })
		var clients sync.WaitGroup
		for i := range 3 {
			clients.Go(func() {
				cl := c.list[i].any.dial()
				for round := range 12 {
					if got := sorted(cl.walk("COUNT", fmt.Sprint(1+17*round))); !slices.Equal(got, keys) {
						t.Errorf("SCAN lists %d keys, want %d", len(got), len(keys))
					}
					if got := sorted(list(cl.ask("KEYS", "*"))); !slices.Equal(got, keys) {
						t.Errorf("KEYS lists %d keys, want %d", len(got), len(keys))
					}
				}
			})
		}
		clients.Wait()
		close(stop)
		mover.Wait()
		if got := c.list[0].any.dial().ask("FLUSHALL"); got != "+OK\r\n" {
			t.Error(got)
		}
		if got := c.list[1].any.dial().ask("DBSIZE"); got != ":0\r\n" {
			t.Errorf("after FLUSHALL: %q", got)
		}
	})
}

// When an owner cannot be asked there is an error, and not a part of the keys.
func TestWholeClusterWithoutANode(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		c.fill(c.list[0], 100)
		c.list[2].net.Close()
		var clients sync.WaitGroup
		for _, words := range [][]string{{"DBSIZE"}, {"KEYS", "*"}, {"SCAN", "0", "COUNT", "100"}, {"FLUSHALL"}, {"RANDOMKEY"}} {
			clients.Go(func() {
				want := "-CLUSTERDOWN Node " + c.list[2].id.Short() + " owns some of the keys and cannot be reached\r\n"
				if got := c.list[0].any.dial().ask(words...); got != want {
					t.Errorf("%q: %q", words, got)
				}
			})
		}
		clients.Wait()
		c.change(func(v *cluster.View) {
			for p := range v.Rows {
				if v.Nodes[v.Rows[p].Owner].ID == c.list[2].id {
					v.Rows[p].Owner = cluster.NoNode
				}
			}
		})
		c.list[0].reroute(nil)
		if got := c.list[0].any.dial().ask("DBSIZE"); got != "-CLUSTERDOWN Hash slot not served\r\n" {
			t.Errorf("DBSIZE: %q", got)
		}
	})
}
