package replication

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// Guard is asked by a [Receiver] before it changes a partition.
type Guard interface {
	// Incoming reports whether effects of the partition from that node may be
	// stored: the node is its owner, or hands it over, and this node has it as a
	// copy and does not answer requests for it. If so it stays like that until
	// Applied is called. version is of what the node goes by: the guard may wait
	// until it goes by that, too; 0: it need not.
	Incoming(partition int, from string, version uint64) bool
	Applied()
	// HandedOver is told that the partition is complete, with every write that
	// its former owner has acknowledged, seq being the last, and that this node is
	// its owner from that epoch on. It may come twice. The batch is acknowledged
	// when it returns.
	HandedOver(partition int, from string, seq, epoch uint64) error
	// Differs is told of a range of a copy that is not what its owner has. The copy
	// is not whole any more, and is refused. No lock is held.
	Differs(Difference)
}

// Errors of a receiver; they reach the sender as text.
var (
	// ErrOver is returned for a batch of a stream that a later one has replaced.
	ErrOver = errors.New("replication: the stream is over")
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

	// copies is what this node has of each partition that it is a copy of.
	copies [maxPartitions]copied
	// promises counts the promises, so that streams find out that there is a new one.
	promises atomic.Uint64
	began    time.Time
}

// copied is a copy that this node has. Lock order: incoming.mu, then mu.
type copied struct {
	mu      sync.Mutex
	seq     uint64 // GUARDED_BY(mu), as the next: of the last effect that is applied
	whole   bool   // every effect up to seq is
	floor   uint64 // epochs below it are over: nothing is taken from their owners
	evicted uint64 // memory.Store.EvictedUntold, as it was last
	thinned bool   // this node has evicted entries that the owner may have
}

// incoming is the stream of one node.
type incoming struct {
	mu                  sync.Mutex
	incarnation, stream uint64       // GUARDED_BY(mu), as the next
	begun               []uint64     // by partition: 1 more than the epoch under which its copy has begun in this stream; 0: it has not
	refused             []Refusal    // by the batch at work
	found               []Difference // by the batch at work
	group               [groupSize]effect
	promises            uint64       // that have been told
	answered            atomic.Int64 // when the last batch was answered, as [Receiver.Answered]
}

// NewReceiver returns a receiver that stores into store.
func NewReceiver(store *memory.Store, guard Guard, partitions int, counters *Counters) *Receiver {
	return &Receiver{
		store: store, guard: guard, counters: counters, sources: map[string]*incoming{},
		limits: limits{partitions: partitions, databases: store.Databases()}, began: time.Now(),
	}
}

// Apply applies a batch from a node and returns the partitions of it that were
// not. The batch is not kept. On an error what came before it in the batch is
// applied, and the sender has to begin again.
func (r *Receiver) Apply(from string, data []byte) (refused []Refusal, err error) {
	b, err := openBatch(data, r.limits)
	if err != nil {
		r.counters.Refused.Add(1)
		return nil, err
	}
	in := r.source(from)
	in.mu.Lock()
	defer func() {
		found := in.found
		in.found = nil
		in.mu.Unlock()
		for _, d := range found {
			r.guard.Differs(d)
		}
	}()
	if !in.enter(b.incarnation, b.stream) {
		r.counters.Refused.Add(1)
		return nil, ErrOver
	}
	r.counters.BytesIn.Add(uint64(len(data)))
	in.refused = nil
	now := r.store.Now()
	for more := true; more; {
		var group []effect
		group, more, err = b.some(in.group[:0])
		r.prefetch(group)
		for i := range group {
			if failed := r.apply(in, from, &group[i], b.version, now); failed != nil {
				more, err = false, failed
				break
			}
		}
		if err != nil {
			r.counters.Refused.Add(1)
			return nil, err
		}
	}
	// In this order: a promise that the look misses finds the time of this
	// answer, and is kept from then on for as long as the answer may count.
	in.answered.Store(int64(time.Since(r.began)) + 1)
	r.tellPromises(in)
	return in.refused, nil
}

// prefetch has loaded from memory what the effects of a group change: most of the
// time of a change is waiting for that.
func (r *Receiver) prefetch(group []effect) {
	for i := range group {
		if e := &group[i]; e.isChange() {
			e.at = r.store.PrefetchSlot(e.db, e.key)
		}
	}
	for i := range group {
		if e := &group[i]; e.isChange() {
			r.store.PrefetchEntry(e.db, e.at)
		}
	}
}

func (r *Receiver) source(from string) *incoming {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.sources[from]
	if in == nil {
		in = &incoming{begun: make([]uint64, r.limits.partitions)}
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

// apply applies one record, or refuses its partition.
//
// Invariant: a partition is handed over to a process that has all of it. The word
// may reach one that was started after the copy had gone to the former one: a
// stream without anything under way outlives its connections.
func (r *Receiver) apply(in *incoming, from string, e *effect, version uint64, now int64) error {
	p := e.partition
	c := &r.copies[p]
	if e.kind == effectHandOver {
		begun := in.begun[p] != 0
		if !c.mayBeHanded(e.seq, begun) {
			in.refuse(p, NotTaken)
			return nil
		}
		in.begun[p] = 0
		c.reached(e.seq, true)
		return r.guard.HandedOver(p, from, e.seq, e.epoch)
	}
	epoch, begun := in.begun[p]-1, in.begun[p] != 0
	if e.kind == effectBegin || e.kind == effectResume {
		epoch, begun = e.epoch, true
	} else {
		version = 0
	}
	if !begun {
		in.refuse(p, NotTaken) // refused before
		return nil
	}
	if !r.guard.Incoming(p, from, version) {
		in.refuse(p, NotTaken)
		return nil
	}
	defer r.guard.Applied()
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch < c.floor {
		in.refuse(p, Promised)
		return nil
	}
	switch e.kind {
	case effectBegin:
		r.promise(c, epoch) // a former owner's stream may still be open
		r.store.FlushPartition(p)
		in.begun[p] = epoch + 1
		c.seq, c.whole = e.seq, false
		r.restarts(c, p)
		return nil
	case effectResume:
		if !c.whole || c.seq != e.seq {
			in.refuse(p, NotTaken)
			return nil
		}
		r.promise(c, epoch)
		in.begun[p] = epoch + 1
		return nil
	case effectComplete:
		c.whole = true
		return nil
	case effectConfirm:
		return nil
	case effectDigest:
		if has, ok := r.agrees(c, e); !ok {
			c.whole = false
			in.refuse(p, Differs)
			in.found = append(in.found, Difference{from, e.hashes, has, e.digest})
		}
		return nil
	}
	c.seq = max(c.seq, e.seq)
	return r.change(e, now)
}

// tellPromises refuses the partitions of a stream that have been promised to
// others since the last batch, whether the batch has something of them or not.
//
// Invariant: no answer given after a promise leaves its owner in the belief that
// it is the owner still.
func (r *Receiver) tellPromises(in *incoming) {
	n := r.promises.Load()
	if n == in.promises {
		return
	}
	in.promises = n
	for p, begun := range in.begun {
		if begun == 0 {
			continue
		}
		c := &r.copies[p]
		c.mu.Lock()
		over := begun-1 < c.floor
		c.mu.Unlock()
		if over {
			in.refuse(p, Promised)
		}
	}
}

// Answered returns for how long no batch of a node has been answered; ok is false
// when none ever was.
func (r *Receiver) Answered(node string) (ago time.Duration, ok bool) {
	at := r.source(node).answered.Load()
	return time.Since(r.began) - time.Duration(at-1), at != 0
}

// refuse ends the copy of a partition in this stream.
func (in *incoming) refuse(p int, why RefusalReason) {
	in.begun[p] = 0
	if n := len(in.refused); n == 0 || in.refused[n-1].Partition != p {
		in.refused = append(in.refused, Refusal{p, why})
	}
}

// mayBeHanded reports whether a copy has every effect up to seq; of one that has
// begun in the stream those that it has are the last.
func (c *copied) mayBeHanded(seq uint64, begun bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.whole && (begun || c.seq >= seq)
}

func (c *copied) reached(seq uint64, whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq, c.whole = max(c.seq, seq), whole
}

// Has notes that this node has every effect of a partition up to seq: it has been
// the owner.
func (r *Receiver) Has(partition int, seq uint64) {
	c := &r.copies[partition]
	c.reached(seq, true)
	c.mu.Lock()
	defer c.mu.Unlock()
	r.restarts(c, partition)
}

// Drop notes that this node has nothing of a partition any more.
func (r *Receiver) Drop(partition int) { r.copies[partition].reached(0, false) }

// Promise makes this node take nothing from owners of epochs below epoch, and
// returns the number of the last effect that it has, and whether it has all up to
// there. When it returns no effect of such an owner is acknowledged any more.
func (r *Receiver) Promise(partition int, epoch uint64) (seq uint64, whole bool) {
	c := &r.copies[partition]
	c.mu.Lock()
	defer c.mu.Unlock()
	r.promise(c, epoch)
	return c.seq, c.whole
}

// promise raises the floor of a copy.
//
// REQUIRES: c.mu held.
func (r *Receiver) promise(c *copied, epoch uint64) {
	if epoch > c.floor {
		c.floor = epoch
		r.promises.Add(1)
	}
}

// Seq returns the number of the last effect that this node has of a partition.
func (r *Receiver) Seq(partition int) uint64 {
	c := &r.copies[partition]
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seq
}

// Whole reports whether this node has every effect of a partition up to some number.
func (r *Receiver) Whole(partition int) bool {
	c := &r.copies[partition]
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.whole
}

// change applies a change of a key.
func (r *Receiver) change(e *effect, now int64) error {
	switch e.kind {
	case effectClear:
		r.store.ClearPartition(e.db, e.partition)
		return nil
	case effectDelete:
		h := r.store.LockAt(e.at, e.db, e.key, now)
		h.Delete()
		h.Release()
		r.counters.Deletes.Add(1)
		return nil
	}
	if err := r.store.Reserve(len(e.key) + len(e.value)); err != nil {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	h := r.store.LockAt(e.at, e.db, e.key, now)
	h.Restore(e.value, e.expireAt, e.is, e.flags)
	h.Release()
	r.counters.Puts.Add(1)
	return nil
}
