package command

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
)

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
