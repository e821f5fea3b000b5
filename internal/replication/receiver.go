package replication

import (
	"errors"
	"fmt"
	"sync"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// Guard is asked by a [Receiver] before it changes a partition.
type Guard interface {
	// Incoming reports whether copies of the partition from that node may be
	// stored: this node does not answer requests for it. If so it stays like that
	// until Applied is called. With first a copy begins: the guard may wait until
	// it has heard of the move, too.
	Incoming(partition int, from string, first bool) bool
	Applied()
	// HandedOver is told that the partition is complete, with every write that
	// its former owner has acknowledged, and that this node is its owner from
	// that epoch on. It may come twice. The batch is acknowledged when it returns.
	HandedOver(partition int, from string, epoch uint64) error
}

// Errors of a receiver; they reach the sender as text.
var (
	// ErrOver is returned for a batch of a stream that a later one has replaced.
	ErrOver = errors.New("replication: the stream is over")
	// ErrNotIncoming is returned for a partition that this node does not take.
	ErrNotIncoming = errors.New("replication: this node does not take the partition")
	// ErrFull is returned when this node has no memory for what is copied.
	ErrFull = errors.New("replication: no memory left")
)

// Receiver applies the batches of all nodes. Safe for concurrent use; the
// batches of one stream have to come one after the other.
type Receiver struct {
	store    *memory.Store
	guard    Guard
	counters *Counters
	limits   limits

	mu      sync.Mutex
	sources map[string]*incoming // GUARDED_BY(mu), by node
}

// incoming is the stream of one node.
type incoming struct {
	mu                  sync.Mutex
	incarnation, stream uint64       // GUARDED_BY(mu), as the next
	begun               map[int]bool // partitions whose copy has begun in this stream
}

// NewReceiver returns a receiver that stores into store.
func NewReceiver(store *memory.Store, guard Guard, partitions int, counters *Counters) *Receiver {
	return &Receiver{
		store: store, guard: guard, counters: counters, sources: map[string]*incoming{},
		limits: limits{partitions: partitions, databases: store.Databases()},
	}
}

// Apply applies a batch from a node. The batch is not kept. On an error what
// came before it in the batch is applied, and the sender has to begin again.
func (r *Receiver) Apply(from string, data []byte) error {
	b, err := openBatch(data, r.limits)
	if err != nil {
		r.counters.Refused.Add(1)
		return err
	}
	in := r.source(from)
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.enter(b.incarnation, b.stream) {
		r.counters.Refused.Add(1)
		return ErrOver
	}
	r.counters.BytesIn.Add(uint64(len(data)))
	now := r.store.Now()
	for {
		e, more, err := b.next()
		if err == nil && more {
			err = r.apply(in, from, &e, now)
		}
		if err != nil {
			r.counters.Refused.Add(1)
			return err
		}
		if !more {
			return nil
		}
	}
}

func (r *Receiver) source(from string) *incoming {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.sources[from]
	if in == nil {
		in = &incoming{begun: map[int]bool{}}
		r.sources[from] = in
	}
	return in
}

// enter reports whether a batch belongs to the present stream, or begins a new
// one.
//
// REQUIRES: in.mu held.
func (in *incoming) enter(incarnation, stream uint64) bool {
	switch {
	case incarnation == in.incarnation && stream == in.stream:
		return true
	case incarnation < in.incarnation || incarnation == in.incarnation && stream < in.stream:
		return false
	}
	in.incarnation, in.stream = incarnation, stream
	clear(in.begun)
	return true
}

// apply applies one record.
func (r *Receiver) apply(in *incoming, from string, e *effect, now int64) error {
	p := e.partition
	if e.kind == effectHandOver {
		delete(in.begun, p)
		return r.guard.HandedOver(p, from, e.epoch)
	}
	if !r.guard.Incoming(p, from, e.kind == effectBegin) {
		if in.begun[p] {
			return nil // the move has been given up: what is on its way is of no use
		}
		return fmt.Errorf("%w: partition %d", ErrNotIncoming, p)
	}
	defer r.guard.Applied()
	if e.kind == effectBegin {
		r.store.FlushPartition(p)
		in.begun[p] = true
		return nil
	}
	if !in.begun[p] {
		return fmt.Errorf("%w: partition %d: its copy has not begun", ErrOver, p)
	}
	return r.change(e, now)
}

// change applies a change of a key.
func (r *Receiver) change(e *effect, now int64) error {
	switch e.kind {
	case effectClear:
		r.store.ClearPartition(e.db, e.partition)
		return nil
	case effectDelete:
		h := r.store.Lock(e.db, e.key, now)
		h.Delete()
		h.Release()
		r.counters.Deletes.Add(1)
		return nil
	}
	if err := r.store.Reserve(len(e.key) + len(e.value)); err != nil {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	h := r.store.Lock(e.db, e.key, now)
	h.Restore(e.value, e.expireAt, e.is, e.flags)
	h.Release()
	r.counters.Puts.Add(1)
	return nil
}
