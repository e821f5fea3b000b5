package command

import (
	"math/bits"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/replication"
	"github.com/larder-cache/larder/internal/resp"
)

// partitionSet is a set of partitions.
type partitionSet [hashing.Partitions / 64]uint64

// wrote remembers that the client has written to a partition, for WAIT.
func (h *holds) wrote(p int) {
	if h.written == nil {
		h.written = &partitionSet{}
	}
	h.written[p/64] |= 1 << (p % 64)
}

// each calls f with every partition of the set, which may be nil.
func (set *partitionSet) each(f func(p int)) {
	if set == nil {
		return
	}
	for i, word := range set {
		for ; word != 0; word &= word - 1 {
			f(i*64 + bits.TrailingZeros64(word))
		}
	}
}

// waiter counts the copies that have everything a client has written.
type waiter struct {
	here  replication.Written
	any   bool // the client has written something here
	there int  // what every other partition that it has written to has at least; -1: there is none
}

// waiterFor returns that of a client. Of a partition of another node the copies
// count that the view names: what was written there is answered when they have it.
func (x *Executor) waiterFor(s *Session) *waiter {
	w := &waiter{there: -1}
	s.holds.written.each(func(p int) {
		if s.routes.IsHere(p) {
			x.logs.Mark(&w.here, p)
			w.any = true
		} else if n := len(s.routes.View.Rows[p].InSync); w.there < 0 || n < w.there {
			w.there = n
		}
	})
	if !w.any && w.there < 0 {
		w.there = len(x.replicas())
	}
	return w
}

func (w *waiter) copies() int {
	switch {
	case !w.any:
		return w.there
	case w.there < 0:
		return w.here.Copies()
	}
	return min(w.there, w.here.Copies())
}

// waitsLong reports whether a WAIT has to wait.
func waitsLong(x *Executor, s *Session, args [][]byte) bool {
	if x.logs == nil || s.routes == nil {
		return true
	}
	n, ok := parseInt(args[1])
	return ok && int64(x.waiterFor(s).copies()) < n
}

// waitForCopies waits until so many copies have all that the client has written,
// or ms milliseconds have passed (zero: for ever), inside a transaction not at
// all. It returns how many have; false when the client was unblocked with an
// error, which is then the reply, or is gone.
func (c *Context) waitForCopies(want, ms int64) (copies int, ok bool) {
	x, s := c.Exec, c.Session
	w := x.waiterFor(s)
	until := x.clock.monotonic() + time.Duration(ms)*time.Millisecond
	for {
		changed := x.replicated.acks.next()
		copies = w.copies()
		if int64(copies) >= want || s.tx.running {
			return copies, true
		}
		left := time.Duration(0)
		if ms > 0 {
			if left = until - x.clock.monotonic(); left <= 0 {
				return copies, true
			}
		}
		switch s.waitFor(x, changed, left, true) {
		case waitElapsed, waitUnblock:
			return w.copies(), true
		case waitError:
			c.Error("UNBLOCKED client unblocked via CLIENT UNBLOCK")
			return 0, false
		case waitGone:
			c.Close()
			return 0, false
		}
	}
}

// replicas returns the nodes whose acknowledgements this one needs.
func (x *Executor) replicas() []replication.ReplicaStats {
	if x.logs == nil {
		return nil
	}
	return slices.DeleteFunc(x.logs.Stats(), func(r replication.ReplicaStats) bool { return r.InSync == 0 })
}

// replicaAddress returns where clients find a node. redirects: those of the
// protocol of Redis Cluster.
func (x *Executor) replicaAddress(id string, redirects bool) (host, port string) {
	r := x.Routes()
	if r == nil {
		return "", "0"
	}
	n := r.View.Node(cluster.NodeID(id))
	if n == nil {
		return "", "0"
	}
	address := n.RESP
	if redirects {
		address = n.RESPCluster
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", "0"
	}
	return host, port
}

// replicaOffset returns how far a node is when this one is at offset: behind by
// what is under way to it. Redis counts bytes of one stream; here the offset
// counts effects of all partitions, and a node without anything under way has it.
func replicaOffset(offset uint64, r *replication.ReplicaStats) uint64 {
	return offset - min(offset, r.Unacked)
}

// writeRole answers ROLE of a node that owns partitions.
func (c *Context) writeRole() {
	x := c.Exec
	offset := uint64(0)
	if x.logs != nil {
		offset = x.logs.Offset()
	}
	list := x.replicas()
	c.Out.Array(3)
	c.Out.BulkString("master")
	c.Out.Int(int64(offset))
	c.Out.Array(len(list))
	for i := range list {
		host, port := x.replicaAddress(list[i].Node, c.Redirects)
		c.Out.Array(3)
		c.Out.BulkString(host)
		c.Out.BulkString(port)
		c.Out.BulkString(strconv.FormatUint(replicaOffset(offset, &list[i]), 10))
	}
}

// infoReplicas writes what INFO replication says of the copies, and returns the
// offset.
func (x *Executor) infoReplicas(w *infoWriter) (offset uint64) {
	list := x.replicas()
	if x.logs != nil {
		offset = x.logs.Offset()
	}
	w.field("connected_slaves", len(list))
	for i := range list {
		r := &list[i]
		state := "online"
		switch {
		case r.Broken > 0:
			state = "wait_bgsave" // Redis's word for one that gets everything anew
		case r.Scanning > 0:
			state = "send_bulk"
		}
		host, port := x.replicaAddress(r.Node, false)
		w.field("slave"+strconv.Itoa(i), "ip="+host+",port="+port+",state="+state+
			",offset="+strconv.FormatUint(replicaOffset(offset, r), 10)+",lag="+decimal(int64(r.Lag/time.Second)))
	}
	return offset
}

// infoSync writes what INFO replication says of how copies are compared with what
// their owners have; nothing for a node that is alone.
func (x *Executor) infoSync(w *infoWriter) {
	c := x.replicated.counters
	if c == nil {
		return
	}
	w.field("sync_rounds", c.SyncRounds.Load())
	w.field("sync_entries", c.SyncEntries.Load())
	w.field("sync_bytes", c.SyncBytes.Load())
	w.field("sync_differences", c.SyncDifferences.Load())
	w.field("sync_repairs", c.SyncRepairs.Load())
	w.field("sync_late", c.SyncLate.Load())
	w.field("sync_thinned", c.SyncThinned.Load())
	w.field("copy_evictions", c.CopyEvictions.Load())
}

// mayReadCopy reports whether a request of a client with READONLY is served from
// this node's copy of a slot, which may be behind.
func (x *Executor) mayReadCopy(s *Session, cmd *Command, slot int) bool {
	return x.logs != nil && s.Redirects && cmd.Flags&ReadOnly != 0 && !cmd.watches &&
		s.routes.HasCopy(hashing.Partition(uint16(slot)))
}

// answeredFromCopy is answered for a request that reads a copy: a source is not
// asked, since only the owner stores what it supplies.
func (x *Executor) answeredFromCopy(s *Session, c *Context, mark resp.Mark) bool {
	missed := c.reads.Missed()
	c.reads.Reset()
	if !missed {
		return true
	}
	s.Out.Truncate(mark)
	c.outcome = x.reject(s, c.Cmd, c.Args, s.moved(s.way(c.Cmd, c.Args)))
	return false
}

// runReadonly is READONLY: reads of what this node has a copy of are served from
// it, though it may be behind.
func runReadonly(c *Context) {
	if c.view() != nil {
		c.Session.readsCopies = true
		c.Out.OK()
	}
}

// runReadwrite takes READONLY back.
func runReadwrite(c *Context) {
	if c.view() != nil {
		c.Session.readsCopies = false
		c.Out.OK()
	}
}
