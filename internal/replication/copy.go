package replication

import (
	"sync"
	"sync/atomic"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// Copy is one partition on its way to another node. Safe for concurrent use.
//
// Invariant: from the first record of a copy to its last, every change of the
// partition is in the stream, in the order in which the changes of a key were made.
type Copy struct {
	sender    *Sender
	partition int
	epoch     uint64

	state   atomic.Int32 // CopyState
	scanned atomic.Int64 // entries
	total   atomic.Int64 // entries at the start
	bytes   atomic.Int64 // of the scan

	tapped  sync.Mutex // serializes tapping and untapping
	hasTap  bool       // GUARDED_BY(tapped)
	over    bool       // GUARDED_BY(tapped): no tap any more
	ending  sync.Mutex // serializes finish
	ended   chan struct{}
	failure error // set before ended is closed
}

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
func (c *Copy) Node() string { return c.sender.cfg.Node }

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
// fewer when they are large, which takes some 20 us.
const (
	chunkEntries = 64
	chunkBytes   = 128 << 10
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
	if !c.begin() {
		return
	}
	for db := range s.cfg.Store.Databases() {
		for cursor, done := uint32(0), false; !done; {
			if !s.room() || c.State() != Scanning {
				return
			}
			before := c.bytes.Load()
			n := 0
			cursor, done = s.cfg.Store.ScanPartition(db, c.partition, cursor, chunk(c.scanned.Load(), c.bytes.Load()), 0, func(e memory.Entry) {
				n++
				c.bytes.Add(int64(len(e.Key()) + len(e.Value()) + 16))
				s.out.put(c.partition, db, e)
			})
			c.scanned.Add(int64(n))
			if s.cfg.Limiter != nil && n > 0 {
				c.throttle(int(c.bytes.Load() - before))
			}
		}
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

// begin writes the first record and sets the tap, in this order, so that no
// change can come before it.
func (c *Copy) begin() bool {
	s := c.sender
	c.tapped.Lock()
	defer c.tapped.Unlock()
	if c.over || !c.state.CompareAndSwap(int32(Waiting), int32(Scanning)) {
		return false
	}
	total := 0
	for db := range s.cfg.Store.Databases() {
		total += s.cfg.Store.PartitionLen(db, c.partition)
	}
	c.total.Store(int64(total))
	_, ok := s.out.append(func(b []byte) []byte { return appendMark(b, effectBegin, c.partition, c.epoch) })
	if !ok {
		return false
	}
	s.cfg.Store.Tap(c.partition, c)
	c.hasTap = true
	return true
}

// untap ends the flow of changes.
func (c *Copy) untap() {
	c.tapped.Lock()
	defer c.tapped.Unlock()
	c.over = true
	if c.hasTap {
		c.sender.cfg.Store.Untap(c.partition)
		c.hasTap = false
	}
}

// Put implements [memory.Tap].
func (c *Copy) Put(db int, e memory.Entry) {
	queued, _ := c.sender.out.put(c.partition, db, e)
	c.sender.judge(queued)
}

// Delete implements [memory.Tap].
func (c *Copy) Delete(db int, key []byte, _ memory.Change) {
	queued, _ := c.sender.out.append(func(b []byte) []byte { return appendDelete(b, c.partition, db, key) })
	c.sender.judge(queued)
}

// Clear implements [memory.Tap].
func (c *Copy) Clear(db int) {
	c.sender.out.append(func(b []byte) []byte { return appendClear(b, c.partition, db) })
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
	c.untap()
	if c.sender.HandOver(c.partition, epoch) == nil {
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
	c.untap()
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
