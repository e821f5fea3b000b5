package memory

import (
	"github.com/zeebo/xxh3"

	"github.com/larder-cache/larder/internal/storage/offheap"
)

// HashRange is a part of a partition: the entries of one database with hashes
// from From to Last. Stores with the same seed have the same keys in it.
type HashRange struct {
	DB, Partition int
	From, Last    uint32
	// After leaves out what expires by then, in Unix milliseconds: stores whose
	// clocks differ remove it at different times.
	After int64
}

// Digest is what entries come to: keys, values, expiries, kinds and flags, in any
// order. Different entries have the same digest once in 2^64 times.
type Digest struct {
	Entries int
	Bytes   int // of keys and values
	Sum     uint64
}

// So much is digested under one hold of a shard's lock, which takes some 10 us.
// Large values are digested without it.
const (
	digestEntries = 64
	digestBytes   = 128 << 10
)

// DigestSome digests a piece of a range: the entries from r.From on that can be
// done at once, all those of a hash or none. It calls fn with the piece and
// returns where to go on; done when that was the last.
//
// fn runs under the partition's lock, as that of [Store.ScanPartition] does: at
// that place in the order of changes the piece has that digest. It is not called
// when a large value changes while it is digested.
func (s *Store) DigestSome(r HashRange, fn func(HashRange, Digest)) (next uint32, done bool) {
	sh, local := s.of(r.Partition)
	at := s.spaceAt(r.DB, local)
	sh.mu.Lock()
	g := digester{s: sh, after: r.After}
	last, done := g.some(sh.spaces[at], r)
	r.Last = last
	if len(g.large) > 0 {
		sh.mu.Unlock()
		finish(g.large)
		sh.mu.Lock()
		g = digester{s: sh, after: r.After, known: g.large}
		g.all(sh.spaces[at], r)
	}
	if !g.changed {
		fn(r, g.Digest)
	}
	sh.mu.Unlock()
	return last + 1, done
}

// DigestRange digests a range that nobody writes to meanwhile. It may stop when
// it has met more than most entries.
func (s *Store) DigestRange(r HashRange, most int) Digest {
	sh, local := s.of(r.Partition)
	at := s.spaceAt(r.DB, local)
	g := digester{s: sh, after: r.After}
	for done := false; !done && g.Entries <= most; r.From++ {
		sh.mu.Lock()
		r.From, done = g.some(sh.spaces[at], r)
		sh.mu.Unlock()
		finish(g.large)
		for _, v := range g.large {
			g.Sum += v.sum
		}
		g.large = g.large[:0]
	}
	return g.Digest
}

// digester digests entries of one shard.
type digester struct {
	Digest
	s     *shard
	after int64
	large []largeValue // met and not digested
	// known are large values that were digested before; when there are some and
	// another one is met, the range has changed.
	known   []largeValue
	changed bool
}

// largeValue is a value that is digested without the lock.
type largeValue struct {
	version uint64 // of the entry
	seed    uint64 // what the entry comes to without the value
	value   []byte // pinned
	release func()
	sum     uint64
}

// finish digests values and releases them.
//
// REQUIRES: the lock of their shard is not held.
func finish(large []largeValue) {
	for i := range large {
		v := &large[i]
		v.sum = xxh3.HashSeed(v.value, v.seed)
		v.release()
	}
}

// slot is one of an index.
type slot struct {
	hash uint32
	ref  Ref
}

// some digests the first entries of a range and returns the last hash that it has
// come to; done when that is the range's. The memory of all entries is asked for
// before the first is looked at.
//
// REQUIRES: g.s.mu held.
func (g *digester) some(k *keyspace, r HashRange) (last uint32, done bool) {
	if k == nil {
		return r.Last, true
	}
	var buf [digestEntries + 8]slot
	list, done := buf[:0], true
	k.index.ascend(r.From, func(hash uint32, ref Ref) bool {
		if n := len(list); hash > r.Last || n >= digestEntries && hash != list[n-1].hash {
			done = hash > r.Last
			return false
		}
		at := g.s.region.AddressOf(uint64(ref) * unit)
		offheap.Prefetch(at)
		offheap.Prefetch(at + 64)
		list = append(list, slot{hash, ref})
		return true
	})
	end := g.Bytes + digestBytes
	for i, at := range list {
		if (g.Bytes >= end || len(g.large) > 0) && at.hash != list[i-1].hash {
			return list[i-1].hash, false
		}
		g.add(at.ref)
	}
	if done {
		return r.Last, true
	}
	return list[len(list)-1].hash, false
}

// all digests the whole of a range.
//
// REQUIRES: g.s.mu held.
func (g *digester) all(k *keyspace, r HashRange) {
	if k == nil {
		return
	}
	k.index.ascend(r.From, func(hash uint32, ref Ref) bool {
		if hash <= r.Last {
			g.add(ref)
		}
		return hash <= r.Last && !g.changed
	})
}

// add digests an entry.
//
// REQUIRES: g.s.mu held.
func (g *digester) add(r Ref) {
	at := g.s.expireAt(r)
	if at != 0 && at <= g.after {
		return
	}
	e, l := Entry{g.s, r}, g.s.layout(r)
	key, value := g.s.region.Bytes(l.key, l.keyLen), g.s.region.Bytes(l.value, l.valueLen)
	g.Entries++
	g.Bytes += len(key) + len(value)
	seed := xxh3.HashSeed(key, mix(uint64(at))^uint64(e.Kind())<<8^uint64(e.Flags()))
	if len(value) < PinThreshold {
		g.Sum += xxh3.HashSeed(value, seed)
		return
	}
	for _, v := range g.known {
		if v.version == e.Version() {
			g.Sum += v.sum
			return
		}
	}
	if g.changed = len(g.known) > 0; g.changed {
		return
	}
	value, release, _ := e.Pin() // a value of that size is always in a run
	g.large = append(g.large, largeValue{version: e.Version(), seed: seed, value: value, release: release})
}
