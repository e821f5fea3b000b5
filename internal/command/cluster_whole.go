package command

import (
	"math/rand/v2"

	"github.com/larder-cache/larder/internal/cluster"
)

// errWholeInTransaction is for commands that ask all nodes: a transaction is
// executed by one, while others wait for it.
const errWholeInTransaction = "ERR A transaction of a cluster is executed by one node and cannot have a command about all keys"

// inCluster reports whether a command about all keys has to look beyond the
// local tables. When it is not possible at all that is the reply, and refused is
// true.
func (c *Context) inCluster() (cluster, refused bool) {
	if c.Session.routes == nil {
		return false, false
	}
	if c.tx.running && !c.isLocal() {
		c.Error(errWholeInTransaction)
		return true, true
	}
	return true, false
}

// leavesLoop has the commands that in a cluster may have to wait for other
// nodes, and when they do. They are asked of requests on an event loop only.
var leavesLoop = map[string]longRequest{
	"pubsub|channels": asksAll, "pubsub|numsub": asksAll, "pubsub|numpat": asksAll,
	"pubsub|shardchannels": asksAll, "pubsub|shardnumsub": asksAll,
	"dbsize": asksAll, "keys": asksAll, "scan": asksAll, "randomkey": asksAll, "flushdb": asksAll, "flushall": asksAll,
}

func asksAll(_ *Executor, s *Session, _ [][]byte) bool { return !s.Redirects }

// mustLeave reports whether a request that has no keys has to leave the event
// loop since it waits for other nodes.
//
// REQUIRES: s.routes is not nil.
func (x *Executor) mustLeave(s *Session, cmd *Command, args [][]byte) bool {
	return cmd.leaves != nil && !s.MayBlock && cmd.leaves(x, s, args)
}

// dbsizeOfAll is DBSIZE of a cluster.
func (c *Context) dbsizeOfAll() {
	n := uint64(0)
	if c.sweepAll(c.sweepOf(sweepCount, c.DB, 0), func(out *swept) { n += out.keysCounted() }) {
		c.Out.Int(int64(n))
	}
}

// keysCounted returns how many keys the partitions that were done have.
func (r *swept) keysCounted() (n uint64) {
	for _, p := range r.reports {
		if p.state == sweepDone {
			n += p.count
		}
	}
	return n
}

// keysOfAll is KEYS of a cluster.
func (c *Context) keysOfAll() {
	q := c.sweepOf(sweepList, c.DB, 0)
	q.pattern = c.Args[1]
	list := c.listKeys(nil)
	if c.sweepAll(q, list.takeSwept) {
		list.finish(nil)
		return
	}
	list.giveUp()
}

// takeSwept appends keys that were found.
func (l *keyList) takeSwept(out *swept) {
	if !l.none {
		l.c.Out.Raw(out.keys.Buf)
		l.n += out.n
		l.bytes += len(out.keys.Buf)
	}
}

// giveUp removes the list, behind which the error stands that is the reply.
func (l *keyList) giveUp() {
	out := &l.c.Out
	text := out.Buf[l.mark+l.bytes:]
	out.Buf = append(out.Buf[:l.mark], text...)
}

// flushAll is FLUSHDB, or FLUSHALL with everyDB, of a cluster.
func (c *Context) flushAll(db int) {
	if c.sweepAll(c.sweepOf(sweepFlush, db, 0), func(*swept) {}) {
		c.Out.OK()
	}
}

// scanOfAll is SCAN of a cluster. A cursor is a partition and a hash: where the
// owner of the partition goes on, whoever that is by then, since all nodes hash
// with the same seed. A call goes through as many partitions as it takes to have
// seen about count keys, in their order, and ends with a whole partition or
// within one.
//
// Most calls ask one node. When the partition that the cursor is in ends, all
// owners are asked how many keys the others have, so that empty ones cost
// nothing, and then for the keys of as many as are needed.
func (c *Context) scanOfAll(list *keyList, cursor uint64, count int) {
	p, hash := int(cursor>>32), uint32(cursor)
	if cursor>>32 >= cluster.Partitions {
		p, hash = cluster.Partitions, 0
	}
	limit := uint32(min(count, sweepVisited))
	next := uint64(0)
	take := func(out *swept) {
		for _, r := range out.reports {
			if r.state == sweepEnough {
				next = uint64(r.partition)<<32 | uint64(r.cursor)
			}
		}
		list.takeSwept(out)
	}
	ok, seen := true, 0
	if hash != 0 {
		q := sweep{op: sweepList, db: c.DB, pattern: list.pattern}
		if !c.isLocal() || c.Session.routes.IsHere(p) {
			q.items = []sweepItem{{p, hash, limit}}
		}
		ok = c.sweepAll(q, func(out *swept) { take(out); seen += out.n })
		p++
	}
	if ok && next == 0 && p < cluster.Partitions && (seen < int(limit) || hash == 0) {
		ok = c.scanOn(list, p, limit, take, &next)
	} else if next == 0 && p < cluster.Partitions {
		next = uint64(p) << 32
	}
	if !ok {
		list.giveUp()
		return
	}
	list.finish(&next)
}

// scanOn is the part of scanOfAll that begins with a partition.
func (c *Context) scanOn(list *keyList, first int, limit uint32, take func(*swept), next *uint64) bool {
	var have [cluster.Partitions]uint64
	if !c.sweepAll(c.sweepOf(sweepCount, c.DB, first), func(out *swept) {
		for _, r := range out.reports {
			if r.state == sweepDone {
				have[r.partition] = r.count
			}
		}
	}) {
		return false
	}
	q := sweep{op: sweepList, db: c.DB, pattern: list.pattern}
	p, left := first, int64(limit)
	for ; p < cluster.Partitions && left > 0; p++ {
		if have[p] == 0 {
			continue
		}
		it := sweepItem{partition: p}
		if int64(have[p]) >= left {
			it.limit = uint32(left)
		}
		q.items = append(q.items, it)
		left -= int64(have[p])
	}
	if !c.sweepAll(q, take) {
		return false
	}
	if *next == 0 && p < cluster.Partitions {
		*next = uint64(p) << 32
	}
	return true
}

// randomTries is how often a random place is looked at before all keys are
// gone through, since most have expired.
const randomTries = 16

// randomOfAll is RANDOMKEY of a cluster: a partition is drawn by how many keys
// it has, and a place in the order of hashes of its keys.
func (c *Context) randomOfAll() {
	var have [cluster.Partitions]uint64
	total := uint64(0)
	if !c.sweepAll(c.sweepOf(sweepCount, c.DB, 0), func(out *swept) {
		for _, r := range out.reports {
			if r.state == sweepDone {
				have[r.partition] = r.count
			}
		}
		total += out.keysCounted()
	}) {
		return
	}
	var found []byte
	q := sweep{op: sweepList, db: c.DB, pattern: []byte("*")}
	take := func(out *swept) {
		if found == nil && out.n > 0 {
			key, _, _ := cutBulk(out.keys.Buf)
			found = append(found, key...)
		}
	}
	for try := 0; total > 0 && found == nil && try < randomTries; try++ {
		at := rand.Uint64N(total)
		p := 0
		for ; at >= have[p]; p++ {
			at -= have[p]
		}
		for _, from := range []uint32{rand.Uint32(), 0} {
			q.items = append(q.items[:0], sweepItem{p, from, 1})
			if found == nil && !c.sweepAll(q, take) {
				return
			}
		}
	}
	if total > 0 && found == nil && !c.sweepAll(c.sweepOf(sweepList, c.DB, 0), take) {
		return
	}
	if found == nil {
		c.Out.Null()
		return
	}
	c.Out.Raw(found)
}
