package server_test

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/replication"
	"github.com/larder-cache/larder/internal/server"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// nodes is a cluster in one process: real servers, real links, and a view that
// the test changes.
type nodes struct {
	t          testing.TB
	mode       server.Mode
	list       []*node
	opened     func(*node)
	namespaces func() []*cache.Namespace // of a node; nil: none

	mu   sync.Mutex
	view *cluster.View // GUARDED_BY(mu)
}

// node is one node of it. It is the forwarder of its executor and the handler of
// its peer network.
type node struct {
	all   *nodes
	id    cluster.NodeID
	cache *cache.Cache
	x     *command.Executor
	logs  *replication.Logs // nil: nothing is replicated
	net   *peer.Network
	any   *harness    // any node, any key
	own   *harness    // the protocol of Redis Cluster
	mute  atomic.Bool // it reaches no other node
	apart sync.Map    // cluster.NodeID of those that it does not reach

	mu    sync.Mutex
	links map[cluster.NodeID]map[int]*peer.Link // GUARDED_BY(mu)
}

// newNodes starts n nodes that own partitions in turns.
func newNodes(t testing.TB, mode server.Mode, n int) *nodes {
	return newNodesWith(t, mode, n, func(*node) {})
}

// newNodesWith is newNodes that calls opened for each node before it has clients.
func newNodesWith(t testing.TB, mode server.Mode, n int, opened func(*node)) *nodes {
	c := &nodes{t: t, mode: mode, opened: opened}
	c.start(n)
	return c
}

// start starts n nodes.
func (c *nodes) start(n int) {
	var known []cluster.Node
	for range n {
		d := c.open()
		c.list = append(c.list, d)
		known = append(known, cluster.Node{
			ID: d.id, Peer: d.net.Addr().String(),
			RESP: d.any.Addrs()[0].String(), RESPCluster: d.own.Addrs()[0].String(),
		})
	}
	c.view = cluster.NewView(known)
	c.change(func(v *cluster.View) {
		for p := range v.Rows {
			v.Rows[p].Owner, v.Rows[p].Epoch = int16(p%n), 1
		}
	})
	for _, d := range c.list {
		d.reroute(nil)
	}
	c.connect()
}

// connect waits until all nodes reach each other.
func (c *nodes) connect() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, from := range c.list {
		for _, to := range c.list {
			for lane := 0; from != to && lane < 2; lane++ {
				if err := from.link(to.id, lane).WaitUp(ctx); err != nil {
					c.t.Fatal(err)
				}
			}
		}
	}
}

func (c *nodes) open() *node {
	t := c.t
	d := &node{all: c, id: cluster.NewNodeID(), links: map[cluster.NodeID]map[int]*peer.Link{}}
	observer := &command.Observer{}
	store, err := memory.Open(memory.Config{Shards: 16, Partitions: true, Seed: []byte("the same"), Observer: observer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	var namespaces []*cache.Namespace
	if c.namespaces != nil {
		namespaces = c.namespaces()
	}
	d.cache = cache.New(store, namespaces)
	d.x = command.New(command.Config{Cache: d.cache, Options: command.DefaultOptions(), Observer: observer})
	d.x.ForwardBy(d)
	c.opened(d)
	t.Cleanup(d.x.LeaveCluster)
	d.net, err = peer.Open(peer.Config{
		Self:  peer.Identity{Cluster: "test", Node: string(d.id), Incarnation: 1},
		Plain: true, Listen: "127.0.0.1:0", Handler: d,
		Heartbeat: 5 * time.Second, IdleHeartbeat: 5 * time.Second, IdleTimeout: time.Minute, // a busy machine is no dead one
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.net.Close() })
	d.any, d.own = d.serve(false), d.serve(true)
	return d
}

// serve opens a listener for clients.
func (d *node) serve(redirects bool) *harness {
	t := d.all.t
	h := newHarness(t, d.all.mode)
	h.cfg.Unix = ""
	srv, err := server.New(h.cfg, server.Commands{Executor: d.x, Redirects: redirects}, nil)
	if err == nil {
		err = srv.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	h.Server = srv
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if n := srv.Stats(); n.Total.Connections != 0 || n.Parked != 0 {
			t.Errorf("%d connections, %d parked clients left", n.Total.Connections, n.Parked)
		}
	})
	return h
}

// Open implements [peer.Handler].
func (d *node) Open(from peer.Info, _ string, r *peer.Responder) (peer.Session, error) {
	return d.x.NewRemote(from.Node, r), nil
}

// Lane implements [command.Forwarder].
func (d *node) Lane(to *cluster.Node, n int) command.Lane {
	if _, apart := d.apart.Load(to.ID); apart || d.mute.Load() {
		return nil
	}
	if l := d.link(to.ID, n%2); l != nil {
		return l
	}
	return nil
}

// part has two nodes not reach each other.
func part(a, b *node) {
	a.apart.Store(b.id, true)
	b.apart.Store(a.id, true)
}

// rejoin ends that.
func rejoin(a, b *node) {
	a.apart.Delete(b.id)
	b.apart.Delete(a.id)
}

// Silent implements [command.Forwarder].
func (d *node) Silent(node cluster.NodeID) time.Duration {
	return time.Since(d.net.LastHeard(string(node)))
}

func (d *node) link(to cluster.NodeID, lane int) *peer.Link {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.links[to] == nil {
		d.links[to] = map[int]*peer.Link{}
	}
	if l := d.links[to][lane]; l != nil {
		return l
	}
	for _, other := range d.all.list {
		if other.id != to {
			continue
		}
		l, err := d.net.Link(string(to), other.net.Addr().String(), fmt.Sprint("requests-", lane))
		if err != nil {
			return nil
		}
		d.links[to][lane] = l
		return l
	}
	return nil
}

// change makes the next version of the view.
func (c *nodes) change(f func(v *cluster.View)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.view.Clone()
	f(v)
	v.Version++
	c.view = v
}

// reroute gives a node the view there is; arrived are its own partitions in
// the last step of a move that it has all of, nil for all.
func (d *node) reroute(arrived func(int) bool) {
	d.all.mu.Lock()
	v := d.all.view
	d.all.mu.Unlock()
	if arrived == nil {
		arrived = func(int) bool { return true }
	}
	d.x.Reroute(cluster.NewRoutes(v, d.id, arrived))
	d.x.ViewChanged(v)
}

// at returns the node with an index of the view.
func (c *nodes) at(index int16) *node {
	c.mu.Lock()
	id := c.view.Nodes[index].ID
	c.mu.Unlock()
	for _, d := range c.list {
		if d.id == id {
			return d
		}
	}
	return nil
}

// owner returns the node that owns a key.
func (c *nodes) owner(key string) *node {
	c.mu.Lock()
	at := c.view.Rows[hashing.PartitionOf([]byte(key))].Owner
	c.mu.Unlock()
	return c.at(at)
}

// keyOf returns a key that the node owns.
func (c *nodes) keyOf(d *node, name string) string {
	for i := range 10_000 {
		if key := fmt.Sprint(name, i); c.owner(key) == d {
			return key
		}
	}
	c.t.Fatal("no such key")
	return ""
}

// move gives partitions another owner, as a move does in its last step: the new
// owner knows first and waits, the former one stops, the data goes over, and then
// the new owner serves. Nodes that are neither learn of it late.
func (c *nodes) move(partitions []int, to int16, keys []string) {
	from := map[int]*node{}
	c.change(func(v *cluster.View) {
		for _, p := range partitions {
			row := &v.Rows[p]
			if row.Owner == to {
				continue
			}
			from[p] = c.byID(v.Nodes[row.Owner].ID)
			row.Owner, row.Target = to, to
			row.Epoch++
		}
	})
	target := c.at(to)
	target.reroute(func(p int) bool { return from[p] == nil })
	for _, d := range c.list {
		for _, owner := range from {
			if owner == d {
				d.reroute(nil)
				break
			}
		}
	}
	for _, key := range keys {
		if owner := from[hashing.PartitionOf([]byte(key))]; owner != nil {
			owner.handOver(target, key)
		}
	}
	target.reroute(nil)
	for _, d := range c.list {
		d.reroute(nil)
	}
}

func (c *nodes) byID(id cluster.NodeID) *node {
	for _, d := range c.list {
		if d.id == id {
			return d
		}
	}
	return nil
}

// handOver moves what a key has in the first two databases.
func (d *node) handOver(to *node, key string) {
	now := time.Now().UnixMilli()
	for db := range 2 {
		h := d.cache.Lock(db, []byte(key), now)
		e, found := h.Peek()
		if !found {
			h.Release()
			continue
		}
		value, expireAt := append([]byte(nil), e.Value()...), e.ExpireAt()
		h.Delete()
		h.Release()
		h = to.cache.Lock(db, []byte(key), now)
		h.Set(value, expireAt)
		h.Release()
	}
}

// inClusters runs a test in clusters of three nodes in each mode.
func inClusters(t *testing.T, test func(t *testing.T, c *nodes)) {
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) { test(t, newNodes(t, mode, 3)) })
	}
}

// reply reads one reply of any kind.
func (c *client) reply() string {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Errorf("read: %v", err)
		return ""
	}
	n, _ := strconv.Atoi(strings.TrimRight(line[1:], "\r\n"))
	switch line[0] {
	case '$', '=':
		if n < 0 {
			return line
		}
		body := make([]byte, n+2)
		if _, err := io.ReadFull(c.r, body); err != nil {
			c.t.Errorf("read: %v", err)
		}
		return line + string(body)
	case '%':
		n *= 2
	case '*', '~', '>':
	default:
		return line
	}
	for range n {
		line += c.reply()
	}
	return line
}
