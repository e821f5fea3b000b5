package replication

import (
	"sync"
	"sync/atomic"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// outbox gathers records for one node until the sender takes them. It is safe
// for concurrent use; records come from under the locks of shards, so nothing
// here waits.
//
// Lock order: a shard, then mu; mu is a leaf.
type outbox struct {
	mu     sync.Mutex
	buf    []byte   // GUARDED_BY(mu), as all below: records, behind room for a batch's head
	large  []pinned // values that belong into buf
	queued int      // bytes of both
	total  uint64   // bytes ever queued
	urgent uint64   // of them those up to the last record that is not deferred
	closed bool     // the stream is broken: nothing is taken any more
	slow   bool     // there is something among buf that may take its time; see isQuick

	turns *turns        // of this node's event loops
	hot   atomic.Bool   // something is queued that the turn under way is to send
	ready chan struct{} // has an element when there is something to send
}

// pinned is a value that is not copied under the lock of its shard.
type pinned struct {
	at      int // place in buf
	value   []byte
	release func()
}

// largeValue is the length from which on a value is pinned instead of copied
// while its shard is locked: copying less takes some 10 us at most.
const largeValue = 64 << 10

func newOutbox(t *turns) *outbox {
	return &outbox{buf: make([]byte, maxHead), turns: t, ready: make(chan struct{}, 1)}
}

// append lets f append records that may take their time to be applied, and tells
// where they are; false when the stream is broken.
func (o *outbox) append(f func(b []byte) []byte) (p place, ok bool) { return o.appendHurried(true, f) }

// appendQuick is append for records that are quickly applied.
func (o *outbox) appendQuick(f func(b []byte) []byte) (p place, ok bool) {
	return o.appendHurried(false, f)
}

func (o *outbox) appendHurried(slow bool, f func(b []byte) []byte) (p place, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.slow = o.slow || slow
	if p, ok = o.appendLocked(f); ok {
		o.hurry()
	}
	return p, ok
}

// defers is append for records that are in no hurry: they are sent with others,
// or after wake.
func (o *outbox) defers(f func(b []byte) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.slow = true
	o.appendLocked(f)
}

func (o *outbox) appendLocked(f func(b []byte) []byte) (p place, ok bool) {
	if o.closed {
		return p, false
	}
	before := len(o.buf)
	o.buf = f(o.buf)
	o.added(len(o.buf) - before)
	return place{o.total, o.queued}, true
}

// place is where a record ends in the stream, and how much is queued up to there.
type place struct {
	end    uint64
	queued int
}

// put appends the state of an entry.
//
// REQUIRES: the lock of the entry's shard.
func (o *outbox) put(partition int, seq uint64, db int, e memory.Entry) (p place, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p, ok = o.putLocked(partition, seq, db, e); ok {
		o.hurry()
	}
	return p, ok
}

// scanned is put for an entry that a scan has met: it is sent with others, or after
// wake.
func (o *outbox) scanned(partition int, seq uint64, db int, e memory.Entry) (p place, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p, ok = o.putLocked(partition, seq, db, e); ok {
		o.urgent = o.total
	}
	return p, ok
}

func (o *outbox) putLocked(partition int, seq uint64, db int, e memory.Entry) (p place, ok bool) {
	if o.closed {
		return p, false
	}
	value := e.Value()
	before, apart := len(o.buf), 0
	o.buf = appendPut(o.buf, partition, seq, db, e, len(value))
	if data, release, isPinned := pin(e, len(value)); isPinned {
		o.large = append(o.large, pinned{len(o.buf), data, release})
		apart = len(data)
	} else {
		o.buf = append(o.buf, value...)
	}
	o.added(len(o.buf) - before + apart)
	return place{o.total, o.queued}, true
}

// added counts what was appended.
//
// REQUIRES: o.mu held.
func (o *outbox) added(n int) {
	o.queued += n
	o.total += uint64(n)
}

// hurry has everything sent that is queued: at the end of the turn under way, or
// else by the sender's own goroutine.
//
// REQUIRES: o.mu held.
func (o *outbox) hurry() {
	o.urgent = o.total
	if !o.hot.Load() {
		o.hot.Store(true)
	}
	if !o.turns.note() {
		o.wake()
	}
}

// wake wakes the sender.
func (o *outbox) wake() {
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// pin keeps a large value where it is.
func pin(e memory.Entry, n int) (data []byte, release func(), ok bool) {
	if n < largeValue {
		return nil, nil, false
	}
	return e.Pin()
}

// load is what is taken from an outbox at a time.
type load struct {
	records []byte   // behind room for the head of a batch
	large   []pinned // values that belong into records
	bytes   int      // of both, without that room
	slow    bool     // applying it may take its time
}

// take returns everything that is queued; spare is memory that may be used for
// what comes next.
func (o *outbox) take(spare []byte) load {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := load{o.buf, o.large, o.queued, o.slow}
	if cap(spare) < maxHead {
		spare = make([]byte, maxHead)
	}
	o.buf, o.large, o.queued, o.slow = spare[:maxHead], nil, 0, false
	return l
}

// waiting returns the bytes that are queued.
func (o *outbox) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.queued
}

// end returns the place in the stream behind everything queued so far.
func (o *outbox) end() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.total
}

// urgentEnd is end without the deferred records that nothing follows.
func (o *outbox) urgentEnd() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.urgent
}

// close drops what is queued and refuses what comes.
func (o *outbox) close() {
	o.mu.Lock()
	large := o.large
	o.closed, o.buf, o.large, o.queued = true, nil, nil, 0
	o.mu.Unlock()
	release(large)
}

func release(large []pinned) {
	for _, p := range large {
		p.release()
	}
}

// batch returns the head and the records, with pinned values in their places, and
// lets these go. Without such it is memory of the records.
func (l *load) batch(head []byte) []byte {
	from := maxHead - len(head)
	copy(l.records[from:], head)
	if l.large == nil {
		return l.records[from:]
	}
	batch := make([]byte, 0, len(head)+l.bytes)
	for _, p := range l.large {
		batch = append(batch, l.records[from:p.at]...)
		batch = append(batch, p.value...)
		from = p.at
	}
	batch = append(batch, l.records[from:]...)
	release(l.large)
	return batch
}
