package replication

import (
	"context"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/larder-cache/larder/internal/storage/memory"
	"github.com/larder-cache/larder/internal/ticks"
)

// SyncCounters count how copies are compared with what their owners have. They
// only grow.
type SyncCounters struct {
	SyncRounds             atomic.Uint64 // through all partitions that this node owns
	SyncEntries, SyncBytes atomic.Uint64 // digested, as an owner and as a copy
	SyncDifferences        atomic.Uint64 // copies of this node that were not what their owners have
	SyncRepairs            atomic.Uint64 // copies of what this node owns that are made anew for that
	SyncLate               atomic.Uint64 // ranges that could not be judged: see syncMargin
	SyncThinned            atomic.Uint64 // ranges that lack what this node has evicted, and are left so while memory is short
	CopyEvictions          atomic.Uint64 // entries of copies that this node has evicted
}

func (c *SyncCounters) digested(d memory.Digest) {
	c.SyncEntries.Add(uint64(d.Entries))
	c.SyncBytes.Add(uint64(d.Bytes))
}

const (
	// syncSteps is how many steps a round has, and syncAtOnce how many are taken
	// together: to be woken, and to send a batch, costs more than the digests.
	syncSteps  = 200
	syncAtOnce = 10
	// syncRate is how many bytes a second an owner digests, syncEntry those that
	// an entry counts for by itself: a million small entries take 20 s, and less
	// than a hundredth of a core at each end. See BenchmarkDigest in memory.
	syncRate  = 32 << 20
	syncEntry = 512
	// syncSlice is how much is digested between two waits where there is more than
	// syncRate allows, for the same reason.
	syncSlice = syncRate / 8
	// syncMargin is how long an entry has to have left to be digested. Clocks that
	// differ less, the time on the way included, remove the same entries; a copy
	// whose clock is further ahead does not judge.
	syncMargin = 10 * time.Second
)

// Sync compares the copies of what this node owns with it until ctx ends: a
// two-hundredth of the partitions for each interval, ten intervals at a time, so that
// a round of all takes 200 times every, or longer where there is much. To each copy
// that has caught up it sends what the entries of a range come to, at the place in
// the stream where that is so; see [Receiver.Apply] for what follows.
func (l *Logs) Sync(ctx context.Context, every time.Duration, counters *Counters) {
	s := newSyncer(l, counters)
	step := 0
	for range ticks.Every(ctx.Done(), syncAtOnce*every) {
		for p := step * maxPartitions / syncSteps; p < (step+syncAtOnce)*maxPartitions/syncSteps; p++ {
			s.sync(ctx, p)
		}
		s.send()
		if step += syncAtOnce; step == syncSteps {
			step = 0
			counters.SyncRounds.Add(1)
		}
	}
}

// syncer compares partitions. It belongs to one goroutine.
type syncer struct {
	logs     *Logs
	counters *Counters
	limiter  *rate.Limiter
	allowed  int              // bytes until the next wait
	written  map[*Sender]bool // whose streams have digests that wait to be sent
}

func newSyncer(l *Logs, c *Counters) *syncer {
	return &syncer{logs: l, counters: c, limiter: rate.NewLimiter(syncRate, 2*syncSlice), written: map[*Sender]bool{}}
}

// sync sends the digests of one partition.
func (s *syncer) sync(ctx context.Context, p int) {
	g := s.logs.list[p].Load()
	if g == nil {
		return
	}
	store := s.logs.store
	for db := range store.Databases() {
		r := memory.HashRange{DB: db, Partition: p, Last: math.MaxUint32}
		for done := false; !done; {
			if len(g.caughtUp()) == 0 {
				return
			}
			r.After = store.Now() + syncMargin.Milliseconds()
			var sum memory.Digest
			r.From, done = store.DigestSome(r, func(piece memory.HashRange, d memory.Digest) {
				sum = d
				s.write(g, piece, d)
			})
			s.counters.digested(sum)
			if !s.pace(ctx, sum) {
				return
			}
		}
	}
}

// write appends a digest to the streams of the copies that have caught up.
//
// REQUIRES: the lock of the partition's shard.
func (s *syncer) write(g *Log, r memory.HashRange, d memory.Digest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.retired.Load() {
		return // what changes is not told any more
	}
	for _, c := range g.copies {
		if c.State() == CaughtUp {
			c.sender.out.defers(func(b []byte) []byte { return appendDigest(b, r, d) })
			s.written[c.sender] = true
		}
	}
}

// pace waits until as much may be digested again; false when ctx has ended.
func (s *syncer) pace(ctx context.Context, d memory.Digest) bool {
	const record = 64 // what a range counts for that is empty
	runtime.Gosched() // others may wait for the shard
	s.allowed -= record + d.Bytes + d.Entries*syncEntry
	for s.allowed < 0 {
		if s.limiter.Tokens() < syncSlice {
			s.send()
		}
		if s.limiter.WaitN(ctx, syncSlice) != nil {
			return false
		}
		s.allowed += syncSlice
	}
	return true
}

// send has digests sent that wait.
func (s *syncer) send() {
	for sender := range s.written {
		sender.out.wake()
	}
	clear(s.written)
}

// caughtUp returns the copies that have everything.
func (g *Log) caughtUp() (list []*Copy) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.copies {
		if c.State() == CaughtUp {
			list = append(list, c)
		}
	}
	return list
}

// Difference is a range of a copy that is not what its owner has.
type Difference struct {
	Owner string
	memory.HashRange
	Has, Want memory.Digest // Want without the bytes
}

// agrees reports whether a range of a copy is what its owner has at this place in
// the stream, as far as that can be judged.
//
// Entries that this node has evicted to make room are missing for a reason: as
// long as memory is short a new copy would not have them for long either. Once it
// is not they are a difference like any other.
//
// REQUIRES: c.mu held.
func (r *Receiver) agrees(c *copied, e *effect) (has memory.Digest, ok bool) {
	has = r.store.DigestRange(e.hashes, e.digest.Entries)
	r.counters.digested(has)
	r.countEvicted(c, e.partition)
	switch {
	case has.Entries == e.digest.Entries && has.Sum == e.digest.Sum:
		return has, true
	case r.store.Now() >= e.hashes.After:
		r.counters.SyncLate.Add(1)
		return has, true
	case c.thinned && has.Entries < e.digest.Entries && r.store.NearLimit():
		r.counters.SyncThinned.Add(1)
		return has, true
	}
	r.counters.SyncDifferences.Add(1)
	return has, false
}

// countEvicted notes what this node has evicted of a copy since it was last
// asked.
//
// REQUIRES: c.mu held.
func (r *Receiver) countEvicted(c *copied, p int) {
	if n := r.store.EvictedUntold(p); n != c.evicted {
		r.counters.CopyEvictions.Add(n - c.evicted)
		c.evicted, c.thinned = n, true
	}
}

// restarts forgets what was evicted of a copy: from here on it is what the owner
// has, or this node is the owner.
//
// REQUIRES: c.mu held.
func (r *Receiver) restarts(c *copied, p int) {
	c.evicted, c.thinned = r.store.EvictedUntold(p), false
}
