package command

import (
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
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
	routes := c.Session.routes
	self := routes.Self
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
		if c.Exec.alive(v.Nodes[r.Owner].ID) && routes.At(p).Kind != cluster.Unreached {
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
