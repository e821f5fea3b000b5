package command

import (
	"errors"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// Bounds of what a node does of a sweep before it answers; the rest is asked
// for again.
const (
	sweepBytes   = 1 << 20 // of keys
	sweepVisited = 1 << 16 // entries
	// sweepUnpaused is how many partitions are done at a time before others
	// may pass.
	sweepUnpaused = 32
)

// sweepHere does the items of partitions that this node serves, and reports of
// every item.
//
// REQUIRES: s is inside a batch, with routes.
func (x *Executor) sweepHere(s *Session, q *sweep, out *swept) {
	visited := 0
	for i, it := range q.items {
		if i%sweepUnpaused == sweepUnpaused-1 {
			x.pauseSweep(s)
		}
		r := sweepReport{partition: it.partition, cursor: it.cursor}
		switch {
		case !s.routes.IsHere(it.partition):
			r.state = sweepElsewhere
		case q.op == sweepCount:
			r.count = x.countPartition(q.db, it.partition)
		case q.op == sweepFlush:
			x.flushPartition(s, q.db, it.partition, &r)
		case visited >= sweepVisited || len(out.keys.Buf) >= sweepBytes:
			r.state = sweepLater
		default:
			visited += x.listPartition(s, q, it, &r, out, sweepVisited-visited)
		}
		out.reports = append(out.reports, r)
		if x.logs != nil && r.state != sweepElsewhere {
			x.logs.Add(&s.holds.need, it.partition)
		}
	}
	if q.op == sweepFlush {
		x.tracker.flushed()
		x.neighbours.flushed()
		x.holders.flushed()
	}
}

func (x *Executor) countPartition(db, p int) (n uint64) {
	if db != everyDB {
		return uint64(x.store.PartitionLen(db, p))
	}
	for d := range x.store.Databases() {
		n += uint64(x.store.PartitionLen(d, p))
	}
	return n
}

// flushPartition deletes what a partition has. Without a cursor to go on from
// it is begun again when the partition moves meanwhile, which does no harm.
func (x *Executor) flushPartition(s *Session, db, p int, r *sweepReport) {
	for d := range x.store.Databases() {
		if db != everyDB && db != d {
			continue
		}
		if x.store.PartitionLen(d, p) > inlineWork {
			x.pauseSweep(s)
		}
		if !s.routes.IsHere(p) {
			r.state = sweepElsewhere
			return
		}
		x.store.ClearPartition(d, p)
	}
}

// listPartition lists keys of a partition and returns how many entries it has
// visited.
func (x *Executor) listPartition(s *Session, q *sweep, it sweepItem, r *sweepReport, out *swept, room int) (visited int) {
	limit := int(it.limit)
	all := len(q.pattern) == 1 && q.pattern[0] == '*'
	list := func(e memory.Entry) {
		visited++
		if key := e.Key(); e.Kind() != memory.Negative && (all || globMatch(q.pattern, key, false)) {
			out.keys.Bulk(key)
			out.n++
		}
	}
	for {
		step := scanBatch
		if limit > 0 {
			step = min(step, limit-visited)
		}
		next, done := x.store.ScanPartition(q.db, it.partition, r.cursor, step, s.ctx.Now, list)
		if done {
			return visited
		}
		r.cursor = next
		switch {
		case limit > 0 && visited >= limit:
			r.state = sweepEnough
			return visited
		case visited >= room || len(out.keys.Buf) >= sweepBytes:
			r.state = sweepLater
			return visited
		}
		if x.pauseSweep(s); !s.routes.IsHere(it.partition) {
			r.state = sweepElsewhere // to be gone on with from the cursor
			return visited
		}
	}
}

// pauseSweep lets transactions and new tables of routes pass.
func (x *Executor) pauseSweep(s *Session) {
	if s.MayBlock && !s.tx.running {
		x.isolation.leave(s, s.ctx.Now)
		x.enter(s)
	}
}

// sweepOf returns the work on partitions from first on in whole.
func (c *Context) sweepOf(op sweepOp, db, first int) sweep {
	q := sweep{op: op, db: db, pattern: []byte("*")}
	for p := first; p < cluster.Partitions; p++ {
		if !c.isLocal() || c.Session.routes.IsHere(p) {
			q.items = append(q.items, sweepItem{partition: p})
		}
	}
	return q
}

// isLocal reports whether what is about all keys is about those of this node:
// for clients that know the other nodes, as in Redis Cluster. Nor does anything
// but the keys of this node belong to a transaction.
func (c *Context) isLocal() bool { return c.Redirects }

// sweepAll does a sweep wherever its partitions are; take is given each part
// that has been done, which it must not keep. It reports false when the request
// has its answer: an error, since not everything could be done in time, or none,
// since the client is gone.
//
// REQUIRES: the session may block, unless c.isLocal.
func (c *Context) sweepAll(q sweep, take func(*swept)) bool {
	x, s := c.Exec, c.Session
	if c.isLocal() {
		return c.sweepLocal(q, take)
	}
	if q.op == sweepFlush {
		x.near.dropAll(dropWritten)
		defer x.near.dropAll(dropWritten)
	}
	until := x.clock.monotonic() + routeWait
	for len(q.items) > 0 {
		round := sweepRound{x: x, s: s, q: &q, take: take}
		if !round.run() {
			c.Close()
			return false
		}
		if round.left = append(round.left, round.unsent...); len(round.left) == 0 {
			return true
		}
		q.items = round.left
		switch now := x.clock.monotonic(); {
		case round.progress:
			until = now + routeWait
		case now >= until || round.hopeless:
			c.Error(round.refusal)
			return false
		default:
			if s.waitFor(x, x.routes.after(s.routes), min(until-now, retryEvery), false) == waitGone {
				c.Close()
				return false
			}
		}
	}
	return true
}

// sweepLocal is sweepAll for what this node serves; what leaves it meanwhile is
// left out.
func (c *Context) sweepLocal(q sweep, take func(*swept)) bool {
	for len(q.items) > 0 {
		var out swept
		c.Exec.sweepHere(c.Session, &q, &out)
		take(&out)
		var left []sweepItem
		for i, r := range out.reports {
			if r.state == sweepLater {
				left = append(left, sweepItem{r.partition, r.cursor, q.items[i].limit})
			}
		}
		q.items = left
	}
	return true
}

// sweepRound is one attempt at what is left of a sweep.
type sweepRound struct {
	x    *Executor
	s    *Session
	q    *sweep
	take func(*swept)

	parts    map[int16]*sweepPart
	unsent   []sweepItem // nobody could be asked
	left     []sweepItem // asked, but not done
	refusal  string      // why the last one of these was not
	progress bool
	hopeless bool // this node is cut off: waiting does not help
}

// sweepPart is what one node is asked.
type sweepPart struct {
	sweep
	errand *errand
	by     relay // who was asked to hand it on, if that was necessary
	err    error
}

// run asks all owners. It reports false when the client is gone.
func (r *sweepRound) run() bool {
	x, s := r.x, r.s
	r.divide()
	for owner, part := range r.parts {
		if owner == s.routes.Self {
			continue
		}
		e := &errand{done: make(chan struct{})}
		h := x.hopTo(s, owner)
		part.by = h.relayIn(s.routes)
		if part.err = x.queue(s, h, KindSweep, part.append(nil), nil, e, 0); part.err == nil {
			part.errand = e
		}
	}
	s.flights.flush(false)
	routes := s.routes
	if part := r.parts[routes.Self]; part != nil {
		var out swept
		x.sweepHere(s, &part.sweep, &out)
		r.settle(part, &out)
	}
	gone := false
	for owner, part := range r.parts {
		if owner == routes.Self {
			continue
		}
		if e := part.errand; e != nil {
			if gone = gone || s.waitFor(x, e.done, 0, false) == waitGone; gone && !e.abandon() {
				continue
			}
			part.err = e.err
		}
		r.collect(part, routes.Node(owner))
	}
	return !gone
}

// divide assigns the items to nodes.
func (r *sweepRound) divide() {
	r.parts = map[int16]*sweepPart{}
	for _, it := range r.q.items {
		switch place := r.s.routes.At(it.partition); place.Kind {
		case cluster.Here, cluster.There:
			part := r.parts[place.Owner]
			if part == nil {
				part = &sweepPart{sweep: *r.q}
				part.items = nil
				r.parts[place.Owner] = part
			}
			part.items = append(part.items, it)
		case cluster.Arriving:
			r.unsent, r.refusal = append(r.unsent, it), errArriving
		case cluster.Unreached:
			r.unsent, r.refusal, r.hopeless = append(r.unsent, it), errCutOff, true
		default:
			r.unsent, r.refusal = append(r.unsent, it), errClusterDown
		}
	}
}

// collect takes what a node has answered.
func (r *sweepRound) collect(part *sweepPart, n *cluster.Node) {
	if part.errand != nil {
		defer part.errand.reply.Release()
	}
	var out swept
	err := part.err
	if err == nil {
		out, err = parseSwept(part.errand.reply.Data)
	}
	if err == nil && len(out.reports) == len(part.items) {
		r.settle(part, &out)
		return
	}
	if err == errNotRelayed {
		r.x.forwarding.notRelayed(part.by, r.x.clock.monotonic())
	}
	r.x.forwarding.errors.Add(1)
	r.left = append(r.left, part.items...)
	r.refusal = "CLUSTERDOWN Node " + n.ID.Short() + " owns some of the keys and cannot be reached"
	if errors.Is(err, peer.ErrBusy) {
		r.refusal = errLinkFull
	}
}

// settle hands on what has been done, and keeps what has not.
func (r *sweepRound) settle(part *sweepPart, out *swept) {
	for i, report := range out.reports {
		it := part.items[i]
		switch report.state {
		case sweepDone, sweepEnough:
			r.progress = true
			continue
		case sweepLater:
			r.progress = true
		case sweepElsewhere:
			r.refusal = errHops
		}
		if it.limit > 0 && report.cursor != it.cursor {
			// Some of what was asked for has been listed; where it ended is all
			// that counts.
			out.reports[i].state = sweepEnough
			continue
		}
		it.cursor = report.cursor
		r.left = append(r.left, it)
	}
	r.take(out)
}

// serveSweep does a sweep for another node, off the goroutine that reads the
// connection.
func (r *Remote) serveSweep(q peer.Request) {
	s, err := parseSweep(append([]byte(nil), q.Data...), r.x.store.Databases())
	if err != nil {
		r.refuse(q.ID)
		return
	}
	id := q.ID
	r.aside(func(p *Session) {
		var out swept
		r.x.Begin(p)
		if p.routes != nil {
			r.x.sweepHere(p, &s, &out)
		}
		r.x.End(p)
		if p.holds.lost {
			_ = r.out.Reply(id, statusLost, peer.Payload{})
			return
		}
		head := out.append(make([]byte, 0, 16+12*len(out.reports)))
		_ = r.out.Reply(id, statusDone, peer.Payload{Head: head, Body: out.keys.Buf}) // fails when nobody waits any more
	})
}

// aside runs something with a session that may block.
func (r *Remote) aside(f func(p *Session)) {
	r.workers.Go(func() {
		p := r.x.forwarding.proxies.take(r.x)
		p.wait.done = r.s.wait.done
		f(p)
		r.x.forwarding.proxies.giveBack(r.x, p)
	})
}

func (r *Remote) refuse(id uint32) {
	_ = r.out.Reply(id, statusDone, peer.Payload{Head: []byte("-ERR " + errFrame.Error() + "\r\n")})
}
