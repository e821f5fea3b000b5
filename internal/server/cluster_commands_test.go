package server_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
)

// ownerOf is which node, by its id, has a run of slots.
type ownerOf struct {
	first, last int
	id          string
}

// library returns a connection of a client library to one node.
func (h *harness) library() *redis.Client {
	cl := redis.NewClient(&redis.Options{Addr: h.Addrs()[0].String()})
	h.t.Cleanup(func() { cl.Close() })
	return cl
}

// merged joins neighbouring runs of one node.
func merged(list []ownerOf) (out []ownerOf) {
	slices.SortFunc(list, func(a, b ownerOf) int { return a.first - b.first })
	for _, o := range list {
		if n := len(out); n > 0 && out[n-1].id == o.id && out[n-1].last == o.first-1 {
			out[n-1].last = o.last
			continue
		}
		out = append(out, o)
	}
	return out
}

// CLUSTER SLOTS, SHARDS and NODES tell the same, at every node and by both
// protocols: what the view says.
func TestClusterCommandsAgree(t *testing.T) {
	ctx := context.Background()
	inClusters(t, func(t *testing.T, c *nodes) {
		c.change(func(v *cluster.View) { // runs of several partitions, and one that moves
			for p := range v.Rows {
				v.Rows[p].Owner = int16(p * 3 / cluster.Partitions)
			}
			v.Rows[5].Owner, v.Rows[700].Target = 2, 0
		})
		var want []ownerOf
		for p := range c.view.Rows {
			first := p * hashing.SlotsPerPartition
			want = append(want, ownerOf{first, first + hashing.SlotsPerPartition - 1, string(c.view.Owner(p))})
		}
		want = merged(want)
		for _, d := range c.list {
			d.reroute(nil)
		}
		for _, d := range c.list {
			for _, h := range []*harness{d.any, d.own} {
				cl := h.library()
				slots, err := cl.ClusterSlots(ctx).Result() //lint:ignore SA1019 the command is still there, and clients use it
				if err != nil {
					t.Fatal(err)
				}
				var got []ownerOf
				for _, s := range slots {
					got = append(got, ownerOf{s.Start, s.End, s.Nodes[0].ID})
					if at := c.byID(cluster.NodeID(s.Nodes[0].ID)).own.Addrs()[0].String(); s.Nodes[0].Addr != at {
						t.Errorf("SLOTS: node at %s, want %s", s.Nodes[0].Addr, at)
					}
				}
				if !slices.Equal(merged(got), want) {
					t.Errorf("SLOTS: %v, want %v", got, want)
				}
				shards, err := cl.ClusterShards(ctx).Result()
				if err != nil {
					t.Fatal(err)
				}
				got = nil
				for _, s := range shards {
					for _, r := range s.Slots {
						got = append(got, ownerOf{int(r.Start), int(r.End), s.Nodes[0].ID})
					}
					if at := c.byID(cluster.NodeID(s.Nodes[0].ID)).own.Addrs()[0].String(); fmt.Sprint(s.Nodes[0].IP, ":", s.Nodes[0].Port) != at || s.Nodes[0].Role != "master" || s.Nodes[0].Health != "online" {
						t.Errorf("SHARDS: %+v", s.Nodes[0])
					}
				}
				if !slices.Equal(merged(got), want) {
					t.Errorf("SHARDS: %v, want %v", got, want)
				}
				checkNodes(t, c, d, cl.ClusterNodes(ctx).Val(), want)
				if id := cl.ClusterMyID(ctx).Val(); id != string(d.id) {
					t.Errorf("MYID: %q", id)
				}
				info := cl.ClusterInfo(ctx).Val()
				for _, line := range []string{"cluster_state:ok", "cluster_slots_assigned:16384", "cluster_known_nodes:3", "cluster_size:3", "cluster_partitions_moving:1"} {
					if !strings.Contains(info, line+"\r\n") {
						t.Errorf("INFO lacks %s:\n%s", line, info)
					}
				}
			}
		}
	})
}

// checkNodes reads CLUSTER NODES.
func checkNodes(t *testing.T, c *nodes, self *node, text string, want []ownerOf) {
	t.Helper()
	var got []ownerOf
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != len(c.list) {
		t.Errorf("NODES has %d lines", len(lines))
	}
	for _, line := range lines {
		fields := strings.Fields(line)
		d := c.byID(cluster.NodeID(fields[0]))
		_, port, _ := strings.Cut(d.net.Addr().String(), ":")
		if address, _, _ := strings.Cut(fields[1], ","); address != d.own.Addrs()[0].String()+"@"+port {
			t.Errorf("NODES: %s", line)
		}
		flags := "master"
		if d == self {
			flags = "myself,master"
		}
		if fields[2] != flags || fields[3] != "-" || fields[7] != "connected" {
			t.Errorf("NODES: %s", line)
		}
		for _, f := range fields[8:] {
			if strings.HasPrefix(f, "[") {
				if d != self {
					t.Errorf("NODES: moves of another node: %s", line)
				}
				continue
			}
			from, to, isRun := strings.Cut(f, "-")
			if !isRun {
				to = from
			}
			first, _ := strconv.Atoi(from)
			last, _ := strconv.Atoi(to)
			got = append(got, ownerOf{first, last, fields[0]})
		}
	}
	if got := merged(got); !slices.Equal(got, want) {
		t.Errorf("NODES: %v, want %v", got, want)
	}
}

// The commands about slots tell of the keys that a node serves.
func TestKeysOfSlots(t *testing.T) {
	ctx := context.Background()
	inClusters(t, func(t *testing.T, c *nodes) {
		owner := c.list[1]
		tag := c.keyOf(owner, "t")
		slot := int(hashing.Slot([]byte(tag)))
		in := c.list[0].any.dial()
		var keys []string
		for i := range 5 {
			keys = append(keys, fmt.Sprintf("{%s}%d", tag, i))
			in.ask("SET", keys[i], "1")
		}
		cl := owner.own.library()
		if n := cl.ClusterCountKeysInSlot(ctx, slot).Val(); n != 5 {
			t.Errorf("COUNTKEYSINSLOT: %d", n)
		}
		if got := cl.ClusterGetKeysInSlot(ctx, slot, 100).Val(); !slices.Equal(sorted(got), keys) {
			t.Errorf("GETKEYSINSLOT: %q", got)
		}
		if got := cl.ClusterGetKeysInSlot(ctx, slot, 2).Val(); len(got) != 2 {
			t.Errorf("GETKEYSINSLOT 2: %q", got)
		}
		if n := cl.ClusterKeySlot(ctx, tag).Val(); int(n) != slot {
			t.Errorf("KEYSLOT: %d, want %d", n, slot)
		}
		if n := c.list[0].own.library().ClusterCountKeysInSlot(ctx, slot).Val(); n != 0 {
			t.Errorf("another node counts %d keys", n)
		}
		raw := owner.own.dial()
		s := strconv.Itoa(slot)
		raw.send(request("CLUSTER", "SLOT-STATS", "SLOTSRANGE", s, s), request("CLUSTER", "SLOT-STATS", "ORDERBY", "KEY-COUNT", "LIMIT", "1"))
		one := fmt.Sprintf("*1\r\n*2\r\n:%d\r\n*2\r\n%s:5\r\n", slot, bulk("key-count"))
		raw.expect(one + one)
		raw.send(request("CLUSTER", "COUNTKEYSINSLOT", "16384"), request("CLUSTER", "GETKEYSINSLOT", "0", "-1"), request("CLUSTER", "KEYSLOT"),
			request("CLUSTER", "SLOT-STATS", "SLOTSRANGE", "5", "3"), request("CLUSTER", "REPLICAS", "x"), request("READONLY"), request("READWRITE"), request("ASKING"))
		raw.expect("-ERR Invalid or out of range slot\r\n-ERR Invalid number of keys\r\n-ERR wrong number of arguments for 'cluster|keyslot' command\r\n" +
			"-ERR Start slot number 5 is greater than end slot number 3\r\n-ERR Unknown node x\r\n+OK\r\n+OK\r\n+OK\r\n")
	})
}

// A client of the protocol of Redis Cluster sees a cluster and one database; any
// other sees a server that is alone.
func TestTwoFaces(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		any, own := c.list[0].any.dial(), c.list[0].own.dial()
		for _, face := range []struct {
			cl            *client
			mode, enabled string
		}{{any, "standalone", "0"}, {own, "cluster", "1"}} {
			if got := face.cl.ask("HELLO"); !strings.Contains(got, bulk("mode")+bulk(face.mode)) {
				t.Errorf("HELLO: %q", got)
			}
			info := face.cl.ask("INFO", "server", "cluster")
			for _, line := range []string{"redis_mode:" + face.mode, "cluster_enabled:" + face.enabled, "cluster_view_version:1", "cluster_nodes:3"} {
				if !strings.Contains(info, line+"\r\n") {
					t.Errorf("INFO lacks %s:\n%s", line, info)
				}
			}
		}
		own.send(request("SELECT", "0"), request("SELECT", "1"), request("MOVE", "a", "1"), request("COPY", "{a}1", "{a}2", "DB", "1"),
			request("SWAPDB", "0", "1"), request("WAIT", "0", "0"))
		key := hashing.Slot([]byte("a"))
		moved := ""
		if d := c.owner("a"); d != c.list[0] {
			moved = fmt.Sprintf("-MOVED %d %s\r\n", key, d.own.Addrs()[0])
		}
		move, copied := moved, moved
		if moved == "" {
			move, copied = "-ERR MOVE is not allowed in cluster mode\r\n", "-ERR Copying to another database is not allowed in cluster mode\r\n"
		}
		own.expect("+OK\r\n-ERR SELECT is not allowed in cluster mode\r\n" + move + copied + "-ERR SWAPDB is not allowed in cluster mode\r\n:0\r\n")
		any.send(request("SELECT", "1"), request("SELECT", "0"), request("SWAPDB", "0", "1"))
		any.expect("+OK\r\n+OK\r\n-ERR SWAPDB is not allowed in cluster mode\r\n")
	})
}

// A cluster client of go-redis works while partitions move: requests, scans of
// every node, and shard channels.
func TestLibraryClusterClient(t *testing.T) {
	ctx := context.Background()
	inClusters(t, func(t *testing.T, c *nodes) {
		cl := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{c.list[0].own.Addrs()[0].String()}})
		t.Cleanup(func() { cl.Close() })
		var keys []string
		for i := range 200 {
			keys = append(keys, fmt.Sprint("key:", i))
			if err := cl.Set(ctx, keys[i], i, 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		for round := range 5 {
			for i, key := range keys {
				if i%20 == 0 {
					c.move([]int{hashing.PartitionOf([]byte(key))}, int16(round%3), keys)
				}
				if got, err := cl.Get(ctx, key).Int(); err != nil || got != i {
					t.Fatalf("GET %s: %d, %v", key, got, err)
				}
			}
		}
		if n, err := cl.DBSize(ctx).Result(); err != nil || n != 200 {
			t.Errorf("DBSIZE: %d, %v", n, err)
		}
	})
}
