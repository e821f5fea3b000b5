package command

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// Membership is what CLUSTER tells of the other nodes, beyond the view. Its
// methods are safe for concurrent use and do not block.
type Membership interface {
	// Alive reports whether a node is known to work.
	Alive(id cluster.NodeID) bool
	// Links returns the connections to and from other nodes.
	Links() []PeerLink
}

// PeerLink is a connection that this node has made to another.
type PeerLink struct {
	Node     cluster.NodeID
	Lane     string    // what it is for
	Heard    time.Time // when something came last
	Buffered int       // bytes of requests that are not answered yet
}

// view returns the view in force, nil after having answered that there is none.
func (c *Context) view() *cluster.View {
	if r := c.Exec.Routes(); r != nil {
		return r.View
	}
	c.Error(errNoCluster)
	return nil
}

// slotRange is a run of slots, both ends included, of one row of the view.
type slotRange struct {
	first, last int
	row         *cluster.Row
}

// ranges returns the runs of slots whose partitions have the same owner and
// replicas. Partitions without an owner are left out.
func ranges(v *cluster.View) (list []slotRange) {
	for p := range v.Rows {
		row := &v.Rows[p]
		if row.Owner == cluster.NoNode {
			continue
		}
		first := p * hashing.SlotsPerPartition
		if n := len(list); n > 0 && list[n-1].last == first-1 && sameNodes(list[n-1].row, row) {
			list[n-1].last += hashing.SlotsPerPartition
			continue
		}
		list = append(list, slotRange{first, first + hashing.SlotsPerPartition - 1, row})
	}
	return list
}

func sameNodes(a, b *cluster.Row) bool {
	return a.Owner == b.Owner && slices.Equal(a.InSync, b.InSync)
}

// endpoint returns where clients of the cluster protocol reach a node.
func endpoint(n *cluster.Node) (host string, port int) {
	addr := n.RESPCluster
	if addr == "" {
		addr = n.RESP
	}
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0
	}
	port, _ = strconv.Atoi(text)
	return host, port
}

func runClusterSlots(c *Context) {
	v := c.view()
	if v == nil {
		return
	}
	list := ranges(v)
	c.Out.Array(len(list))
	for _, r := range list {
		c.Out.Array(3 + len(r.row.InSync))
		c.Out.Int(int64(r.first))
		c.Out.Int(int64(r.last))
		c.slotNode(&v.Nodes[r.row.Owner])
		for _, at := range r.row.InSync {
			c.slotNode(&v.Nodes[at])
		}
	}
}

func (c *Context) slotNode(n *cluster.Node) {
	host, port := endpoint(n)
	c.Out.Array(4)
	c.Out.BulkString(host)
	c.Out.Int(int64(port))
	c.Out.BulkString(string(n.ID))
	c.Out.Map(0)
}

// owned returns the runs of slots that a node owns.
func owned(v *cluster.View, at int16) (list []slotRange) {
	for _, r := range ranges(v) {
		if r.row.Owner != at {
			continue
		}
		if n := len(list); n > 0 && list[n-1].last == r.first-1 {
			list[n-1].last = r.last
			continue
		}
		list = append(list, r)
	}
	return list
}

func runClusterShards(c *Context) {
	v := c.view()
	if v == nil {
		return
	}
	c.Out.Array(len(v.Nodes))
	for i := range v.Nodes {
		n := &v.Nodes[i]
		slots := owned(v, int16(i))
		c.Out.Map(2)
		c.Out.BulkString("slots")
		c.Out.Array(2 * len(slots))
		for _, r := range slots {
			c.Out.Int(int64(r.first))
			c.Out.Int(int64(r.last))
		}
		c.Out.BulkString("nodes")
		c.Out.Array(1)
		c.shardNode(n)
	}
}

func (c *Context) shardNode(n *cluster.Node) {
	host, port := endpoint(n)
	health := "online"
	if !c.Exec.alive(n.ID) {
		health = "fail"
	}
	c.Out.Map(7)
	c.pair("id", string(n.ID))
	c.Out.BulkString("port")
	c.Out.Int(int64(port))
	c.pair("ip", host)
	c.pair("endpoint", host)
	c.pair("role", "master")
	c.Out.BulkString("replication-offset")
	c.Out.Int(0)
	c.pair("health", health)
}

func (c *Context) pair(name, value string) {
	c.Out.BulkString(name)
	c.Out.BulkString(value)
}

// alive reports whether a node is known to work; this one does.
func (x *Executor) alive(id cluster.NodeID) bool {
	r := x.Routes()
	if r != nil && r.Node(r.Self).ID == id {
		return true
	}
	m := x.membership.Load()
	return m == nil || (*m).Alive(id)
}

// JoinCluster tells the executor whom to ask about the other nodes.
func (x *Executor) JoinCluster(m Membership) { x.membership.Store(&m) }

func runClusterNodes(c *Context) {
	v := c.view()
	if v == nil {
		return
	}
	self := c.Exec.Routes().Self
	heard := map[cluster.NodeID]time.Time{}
	for _, l := range c.Exec.links() {
		if l.Heard.After(heard[l.Node]) {
			heard[l.Node] = l.Heard
		}
	}
	var b strings.Builder
	for i := range v.Nodes {
		writeNode(&b, c.Exec, v, int16(i), self, heard[v.Nodes[i].ID])
	}
	c.Out.Verbatim("txt", b.String())
}

// writeNode writes a line of CLUSTER NODES: id, address, flags, owner, ping sent,
// pong received, epoch, state of the link, slots.
func writeNode(b *strings.Builder, x *Executor, v *cluster.View, at, self int16, heard time.Time) {
	n := &v.Nodes[at]
	host, port := endpoint(n)
	flags, link := "master", "connected"
	if at == self {
		flags = "myself,master"
	} else if !x.alive(n.ID) {
		flags, link = "master,fail", "disconnected"
	}
	pong := int64(0)
	if !heard.IsZero() {
		pong = heard.UnixMilli()
	}
	epoch := cluster.Epoch(0)
	for p := range v.Rows {
		if v.Rows[p].Owner == at {
			epoch = max(epoch, v.Rows[p].Epoch)
		}
	}
	b.WriteString(string(n.ID) + " " + net.JoinHostPort(host, strconv.Itoa(port)) + "@" + portOf(n.Peer))
	if n.Name != "" && !strings.ContainsAny(n.Name, " ,\n") {
		b.WriteString("," + n.Name)
	}
	b.WriteString(" " + flags + " - 0 " + strconv.FormatInt(pong, 10) + " " + strconv.FormatUint(uint64(epoch), 10) + " " + link)
	for _, r := range owned(v, at) {
		b.WriteString(" " + strconv.Itoa(r.first) + "-" + strconv.Itoa(r.last))
	}
	if at == self {
		writeMoves(b, v, self)
	}
	b.WriteByte('\n')
}

// writeMoves writes the slots that leave this node or come to it, as Redis does.
func writeMoves(b *strings.Builder, v *cluster.View, self int16) {
	for p := range v.Rows {
		r := &v.Rows[p]
		for slot := p * hashing.SlotsPerPartition; slot < (p+1)*hashing.SlotsPerPartition; slot++ {
			switch {
			case r.Target == cluster.NoNode:
			case r.Owner == self:
				b.WriteString(" [" + strconv.Itoa(slot) + "->-" + string(v.Nodes[r.Target].ID) + "]")
			case r.Target == self && r.Owner != cluster.NoNode:
				b.WriteString(" [" + strconv.Itoa(slot) + "-<-" + string(v.Nodes[r.Owner].ID) + "]")
			}
		}
	}
}

func portOf(addr string) string {
	if _, port, err := net.SplitHostPort(addr); err == nil {
		return port
	}
	return "0"
}

func (x *Executor) links() []PeerLink {
	if m := x.membership.Load(); m != nil {
		return (*m).Links()
	}
	return nil
}

func runClusterInfo(c *Context) {
	v := c.view()
	if v == nil {
		return
	}
	assigned, ok, size := 0, 0, 0
	var highest, mine cluster.Epoch
	self := c.Exec.Routes().Self
	for p := range v.Rows {
		r := &v.Rows[p]
		highest = max(highest, r.Epoch)
		if r.Owner == self {
			mine = max(mine, r.Epoch)
		}
		if r.Owner == cluster.NoNode {
			continue
		}
		assigned += hashing.SlotsPerPartition
		if c.Exec.alive(v.Nodes[r.Owner].ID) {
			ok += hashing.SlotsPerPartition
		}
	}
	for _, n := range v.Owned() {
		if n > 0 {
			size++
		}
	}
	state := "ok"
	if ok < hashing.Slots {
		state = "fail"
	}
	var b strings.Builder
	field := func(name string, value any) {
		b.WriteString(name + ":")
		switch v := value.(type) {
		case string:
			b.WriteString(v)
		case int:
			b.WriteString(strconv.Itoa(v))
		case uint64:
			b.WriteString(strconv.FormatUint(v, 10))
		}
		b.WriteString("\r\n")
	}
	field("cluster_state", state)
	field("cluster_slots_assigned", assigned)
	field("cluster_slots_ok", ok)
	field("cluster_slots_pfail", 0)
	field("cluster_slots_fail", assigned-ok)
	field("cluster_known_nodes", len(v.Nodes))
	field("cluster_size", size)
	field("cluster_current_epoch", uint64(highest))
	field("cluster_my_epoch", uint64(mine))
	field("cluster_view_version", v.Version)
	field("cluster_partitions_moving", len(v.Moving()))
	field("total_cluster_links_buffer_limit_exceeded", 0)
	c.Out.Verbatim("txt", b.String())
}

func runClusterMyID(c *Context) {
	if c.view() != nil {
		r := c.Exec.Routes()
		c.Out.BulkString(string(r.Node(r.Self).ID))
	}
}

// parseSlot reads an argument that names a slot; false after an error answer.
func (c *Context) parseSlot(arg []byte) (slot int, ok bool) {
	n, ok := parseInt(arg)
	if !ok || n < 0 || n >= hashing.Slots {
		c.Error("ERR Invalid or out of range slot")
		return 0, false
	}
	return int(n), true
}

func runClusterKeySlot(c *Context) {
	if c.view() != nil {
		c.Out.Int(int64(hashing.Slot(c.Args[2])))
	}
}

// eachKeyInSlot calls f with the keys of a slot that this node serves, until it
// returns false. f must not keep the key.
func (c *Context) eachKeyInSlot(slot int, f func(key []byte) bool) {
	p := hashing.Partition(uint16(slot))
	if !c.Session.routes.IsHere(p) {
		return // what there is of it is a copy that arrives or is about to be dropped
	}
	for cursor, done := uint32(0), false; !done; {
		enough := false
		cursor, done = c.Exec.store.ScanPartition(c.DB, p, cursor, 256, c.Now, func(e memory.Entry) {
			if e.Kind() != memory.Negative && !enough && int(hashing.Slot(e.Key())) == slot {
				enough = !f(e.Key())
			}
		})
		done = done || enough
	}
}

func runClusterCountKeysInSlot(c *Context) {
	if c.view() == nil {
		return
	}
	if slot, ok := c.parseSlot(c.Args[2]); ok {
		n := 0
		c.eachKeyInSlot(slot, func([]byte) bool { n++; return true })
		c.Out.Int(int64(n))
	}
}

func runClusterGetKeysInSlot(c *Context) {
	if c.view() == nil {
		return
	}
	slot, ok := c.parseSlot(c.Args[2])
	if !ok {
		return
	}
	limit, ok := parseInt(c.Args[3])
	if !ok || limit < 0 {
		c.Error("ERR Invalid number of keys")
		return
	}
	var keys [][]byte
	if limit > 0 {
		c.eachKeyInSlot(slot, func(key []byte) bool {
			keys = append(keys, slices.Clone(key))
			return int64(len(keys)) < limit
		})
	}
	c.Out.Array(len(keys))
	for _, key := range keys {
		c.Out.Bulk(key)
	}
}

func runClusterLinks(c *Context) {
	if c.view() == nil {
		return
	}
	list := c.Exec.links()
	c.Out.Array(len(list))
	for _, l := range list {
		c.Out.Map(6)
		c.pair("direction", "to")
		c.pair("node", string(l.Node))
		c.Out.BulkString("create-time")
		c.Out.Int(l.Heard.UnixMilli())
		c.pair("events", "rw")
		c.Out.BulkString("send-buffer-allocated")
		c.Out.Int(int64(l.Buffered))
		c.Out.BulkString("send-buffer-used")
		c.Out.Int(int64(l.Buffered))
	}
}

func runClusterReplicas(c *Context) {
	v := c.view()
	if v == nil {
		return
	}
	id, err := cluster.ParseNodeID(string(c.Args[2]))
	if err != nil || v.Index(id) == cluster.NoNode {
		c.Error("ERR Unknown node " + string(clip(c.Args[2], shownWords)))
		return
	}
	c.Out.Array(0)
}

// runClusterOK accepts what concerns clients of the cluster protocol and needs
// no state: a larder node never redirects with ASK.
func runClusterOK(c *Context) {
	if c.view() != nil {
		c.Out.OK()
	}
}

func runClusterHelp(c *Context) {
	c.help("CLUSTER",
		"COUNTKEYSINSLOT <slot>",
		"    Return the number of keys in <slot> on this node.",
		"GETKEYSINSLOT <slot> <count>",
		"    Return key names stored on this node in a slot.",
		"INFO",
		"    Return information about the cluster.",
		"KEYSLOT <key>",
		"    Return the hash slot for <key>.",
		"LINKS",
		"    Return information about all network links between this node and its peers.",
		"MYID",
		"    Return the node id.",
		"MYSHARDID",
		"    Return the node's shard id.",
		"NODES",
		"    Return cluster configuration seen by node. Output format:",
		"    <id> <ip:port@peer,name> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...",
		"REPLICAS <node-id>",
		"    Return <node-id> replicas.",
		"SHARDS",
		"    Return information about slot range mappings and the nodes associated with them.",
		"SLOTS",
		"    Return information about slots range mappings. Each range is made of:",
		"    start, end, master and replicas IP addresses, ports and ids",
		"SLOT-STATS SLOTSRANGE <start-slot> <end-slot> | ORDERBY <metric> [LIMIT <limit>] [ASC|DESC]",
		"    Return the number of keys of slots on this node.",
	)
}

// topologyChannel is where clients can subscribe to changes of the view: they
// get its version, in RESP3 as a push. A client of the cluster protocol then
// need not wait for a MOVED to ask for the slots again.
const topologyChannel = "__cluster__:topology"

// ViewChanged tells the subscribers that there is another view.
//
// It is to be called after every [Executor.Reroute].
func (x *Executor) ViewChanged(v *cluster.View) {
	x.neighbours.meet()
	x.pubsub.publish([]byte(topologyChannel), strconv.AppendUint(nil, v.Version, 10))
}

// MovedAway tells that partitions have another owner: what clients have cached
// of their keys is invalidated, since this node will not hear of changes.
func (x *Executor) MovedAway(partitions []int) {
	moved := [cluster.Partitions]bool{}
	for _, p := range partitions {
		moved[p] = true
	}
	isMoved := func(key []byte) bool { return moved[hashing.PartitionOf(key)] }
	x.tracker.invalidateIf(isMoved)
	x.shardsMoved(isMoved)
}
