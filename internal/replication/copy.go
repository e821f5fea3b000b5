package replication

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// Copy is one partition on its way to another node. Safe for concurrent use.
//
// Invariant: from the first record of a copy to its last, every change of the
// partition is in the stream, in the order in which the changes of a key were made.
type Copy struct {
	sender    *Sender // nil of a copy that there is not: see missing
	log       *Log
	node      string // of a copy that there is not
	partition int
	epoch     uint64
	resumes   bool // the node has everything already

	state   atomic.Int32 // CopyState
	scanned atomic.Int64 // entries
	total   atomic.Int64 // entries at the start
	bytes   atomic.Int64 // of the scan

	void    atomic.Bool   // the node has refused: what it acknowledges does not count
	pledged atomic.Bool   // because it has promised itself to an owner of a higher epoch
	last    atomic.Uint64 // place in the stream of the last effect; written under the log's lock
	begun   sync.Mutex    // serializes attaching and detaching
	over    bool          // GUARDED_BY(begun): not attached any more, or never
	ending  sync.Mutex    // serializes finish
	ended   chan struct{}
	failure error // set before ended is closed

	behind atomic.Int64 // since when nothing comes that was written; see lag
}

// never is a place that no stream reaches.
const never = 1<<64 - 1

// CopyState is how far a copy is.
type CopyState int32

// The states, in their order.
const (
	Waiting  CopyState = iota // others are scanned first
	Scanning                  // its entries are being sent
	CaughtUp                  // the node has everything; changes follow as they are made
	Handing                   // the last record is under way
	Ended                     // handed over, or failed: see Err
)

// String returns the word that operators are shown.
func (s CopyState) String() string {
	return [...]string{"waiting", "scanning", "caught up", "handing over", "ended"}[s]
}

// Partition returns what is copied.
func (c *Copy) Partition() int { return c.partition }

// Node returns where to, as [SenderConfig] has it.
func (c *Copy) Node() string {
	if c.sender == nil {
		return c.node
	}
	return c.sender.cfg.Node
}

// missing stands for a copy that a node should have and that there is not: it
// acknowledges nothing.
func missing(partition int, node string) *Copy {
	c := &Copy{node: node, partition: partition, ended: make(chan struct{})}
	c.state.Store(int32(Ended))
	c.last.Store(never)
	return c
}

// Place returns where the last effect of the partition is in the stream.
func (c *Copy) Place() uint64 { return c.last.Load() }

// Acknowledged reports whether the node has acknowledged the stream up to a place.
func (c *Copy) Acknowledged(place uint64) bool { return c.ackedTo() >= place }

// Log returns what the copy is of.
func (c *Copy) Log() *Log { return c.log }

// Pledged reports whether the node has refused because it has promised to take
// nothing from owners of so low an epoch.
func (c *Copy) Pledged() bool { return c.pledged.Load() }

// ackedTo returns the place up to which the node has applied the stream.
func (c *Copy) ackedTo() uint64 {
	if c.sender == nil || c.void.Load() {
		return 0
	}
	return c.sender.ackedTo.Load()
}

// confirmed reports whether the node has said lately that it takes nothing from
// another owner.
func (c *Copy) confirmed(now time.Duration) bool {
	return c.sender != nil && now-time.Duration(c.sender.heard.Load()) < c.log.logs.lease
}

// confirm asks the node for that and returns the place of the question.
func (c *Copy) confirm() uint64 {
	if c.sender == nil {
		return c.last.Load()
	}
	p, ok := c.sender.out.appendQuick(func(b []byte) []byte { return appendRecord(b, effectConfirm, c.partition, 0) })
	if !ok {
		return never
	}
	return max(p.end, c.last.Load())
}

// Epoch returns the epoch under which the copy began.
func (c *Copy) Epoch() uint64 { return c.epoch }

// State returns how far the copy is.
func (c *Copy) State() CopyState { return CopyState(c.state.Load()) }

// Progress returns the entries scanned so far, how many there were at the
// start, and the bytes they took on the wire.
func (c *Copy) Progress() (scanned, total, bytes int64) {
	return c.scanned.Load(), c.total.Load(), c.bytes.Load()
}

// Estimate returns about how many bytes the whole scan will have.
func (c *Copy) Estimate() uint64 {
	scanned, total, bytes := c.Progress()
	if scanned == 0 {
		return uint64(total)
	}
	return uint64(bytes) / uint64(scanned) * uint64(max(scanned, total))
}

// Done is closed when the copy has ended.
func (c *Copy) Done() <-chan struct{} { return c.ended }

// Err returns why the copy failed, nil when it has been handed over.
//
// REQUIRES: Done is closed.
func (c *Copy) Err() error { return c.failure }

// A chunk is what is scanned under one hold of a shard's lock: so many entries,
// fewer when they are large, which takes some 20 us. It is a batch that is quickly
// applied.
const (
	chunkEntries = 64
	chunkBytes   = 48 << 10
)

// A scan goes chunk by chunk: the next one begins when the node has acknowledged
// the last, and a rest is over that is longer the longer that has taken, and the more
// of a chunk it was: many partitions have but a few entries. So no more than a chunk is
// in the way of changes, and a scan gives way by itself: whatever is short, here or
// there, lengthens what the rest is measured by.
const (
	// restShare is how many times as long as a full chunk a rest is.
	restShare = 8
	// longestRest keeps a scan going when there is hardly any processor time: until a
	// copy is there, another node that dies takes acknowledged writes with it.
	longestRest = 20 * time.Millisecond
)

// chunk returns how many entries to scan next, given those scanned so far.
func chunk(entries, bytes int64) int {
	if entries == 0 {
		return 4
	}
	return int(max(1, min(chunkEntries, chunkBytes/max(1, bytes/entries))))
}

// scan sends every entry of the partition.
func (c *Copy) scan() {
	s := c.sender
	if !c.resumes && !c.begin() {
		return
	}
	for db := range s.cfg.Store.Databases() {
		if c.resumes {
			break
		}
		for cursor, done := uint32(0), false; !done; {
			if c.State() != Scanning {
				return
			}
			begun, before := s.cfg.Logs.now(), c.bytes.Load()
			n := 0
			cursor, done = s.cfg.Store.ScanPartition(db, c.partition, cursor, chunk(c.scanned.Load(), c.bytes.Load()), 0, func(e memory.Entry) {
				n++
				c.bytes.Add(int64(len(e.Key()) + len(e.Value()) + 16))
				if p, ok := s.out.scanned(c.partition, c.log.seqLocked(), db, e); ok {
					c.last.Store(p.end)
				}
			})
			if n == 0 {
				continue
			}
			c.scanned.Add(int64(n))
			if !s.flushed() {
				return
			}
			bytes := c.bytes.Load() - before
			s.rest(s.cfg.Logs.now()-begun, max(float64(n)/chunkEntries, float64(bytes)/chunkBytes))
			if s.cfg.Limiter != nil {
				c.throttle(int(bytes))
			}
		}
	}
	if !c.resumes {
		s.out.append(func(b []byte) []byte { return appendRecord(b, effectComplete, c.partition, 0) })
	}
	if s.flushed() && c.state.CompareAndSwap(int32(Scanning), int32(CaughtUp)) {
		s.cfg.Changed()
	}
}

func (c *Copy) throttle(n int) {
	l := c.sender.cfg.Limiter
	for n > 0 {
		part := min(n, l.Burst())
		if l.WaitN(c.sender.ctx, part) != nil {
			return
		}
		n -= part
	}
}

// begin makes the copy one of the log's.
func (c *Copy) begin() bool {
	c.begun.Lock()
	defer c.begun.Unlock()
	if c.over || !c.state.CompareAndSwap(int32(Waiting), int32(Scanning)) {
		return false
	}
	total := 0
	for db := range c.sender.cfg.Store.Databases() {
		total += c.sender.cfg.Store.PartitionLen(db, c.partition)
	}
	c.total.Store(int64(total))
	return c.log.attach(c)
}

// begins writes the first record. It is called by the log.
func (c *Copy) begins(seq uint64) bool {
	kind := effectBegin
	if c.resumes {
		kind = effectResume
	}
	p, ok := c.sender.out.append(func(b []byte) []byte { return appendMark(b, kind, c.partition, seq, c.epoch) })
	c.last.Store(p.end)
	return ok
}

// detach ends the flow of changes.
func (c *Copy) detach() {
	c.begun.Lock()
	defer c.begun.Unlock()
	c.over = true
	c.log.detach(c)
}

// put, delete and clear append an effect. They are called by the log.
func (c *Copy) put(db int, seq uint64, e memory.Entry) {
	p, ok := c.sender.out.put(c.partition, seq, db, e)
	c.appended(p, ok)
}

func (c *Copy) delete(db int, seq uint64, key []byte) {
	c.appended(c.sender.out.appendQuick(func(b []byte) []byte { return appendDelete(b, c.partition, seq, db, key) }))
}

func (c *Copy) clear(db int, seq uint64) {
	c.appended(c.sender.out.append(func(b []byte) []byte { return appendClear(b, c.partition, seq, db) }))
}

// appended notes where the last effect is. When the stream has broken that is a
// place which is never reached.
func (c *Copy) appended(p place, ok bool) {
	if !ok {
		c.last.Store(never)
		return
	}
	c.last.Store(p.end)
	c.sender.bound(p.queued)
}

// HandOver ends the copy with the word that the node is the owner under the
// given epoch, and waits until that has been applied. No write to the partition
// may be made on this node any more: what comes behind the record is lost.
func (c *Copy) HandOver(epoch uint64) error {
	if !c.state.CompareAndSwap(int32(CaughtUp), int32(Handing)) {
		select {
		case <-c.ended:
			return c.failure
		default:
			return ErrBehind
		}
	}
	c.detach()
	seq := c.log.Seq()
	_, ok := c.sender.out.append(func(b []byte) []byte { return appendMark(b, effectHandOver, c.partition, seq, epoch) })
	if ok && c.sender.flushed() {
		c.sender.cfg.Counters.Finished.Add(1)
		c.finish(nil)
	}
	<-c.ended // at once, or when the sender has failed all its copies
	return c.failure
}

// Abort gives the copy up. The node drops what it has got when it learns that
// the partition does not come, or with the next copy.
func (c *Copy) Abort() { c.finish(ErrAborted) }

// finish ends the copy, once.
func (c *Copy) finish(err error) {
	c.detach()
	c.sender.forget(c)
	c.ending.Lock()
	defer c.ending.Unlock()
	if c.State() == Ended {
		return
	}
	c.failure = err
	c.state.Store(int32(Ended))
	if err != nil {
		c.sender.cfg.Counters.Failed.Add(1)
	}
	close(c.ended)
	c.sender.cfg.Changed()
}
