package memory

import (
	"sync/atomic"

	"github.com/larder-cache/larder/internal/storage/offheap"
)

// Of a read of one key among millions most of the time goes into waiting for
// memory, twice: for the slot of the index and for the entry. A caller that
// knows some keys in advance has both waits begun before it needs them: first
// [Store.PrefetchSlot] for each, a little later [Store.PrefetchEntry]. This is
// the group prefetching of Chen et al., ICDE 2004, spread over requests.

// tableHint tells where an index lies without a lock. It may be out of date: it
// is used for hints only.
type tableHint struct {
	slots offheap.Address
	n     uint64
}

// hint makes the index's place known, after it has changed.
func (x *index) publish() {
	if x.hint == nil {
		return
	}
	if x.n == 0 {
		x.hint.Store(nil)
		return
	}
	x.hint.Store(&tableHint{slots: x.address(), n: x.n})
}

type hint = atomic.Pointer[tableHint]

// PrefetchSlot has the slot of a key loaded and returns what PrefetchEntry
// wants.
func (s *Store) PrefetchSlot(db int, key []byte) (token uint64) {
	at := s.place(key)
	if t := s.shards[at.shard].hints[s.spaceAt(db, at.local)].Load(); t != nil {
		offheap.Prefetch(t.slots + offheap.Address(uint64(uint32(at.hash))*t.n>>32*8))
	}
	return s.token(at)
}

// token packs a place: with partitions local number, shard and the lower half
// of the hash, without them the hash, from which all else follows.
func (h *hashes) token(at place) uint64 {
	if !h.partitioned {
		return at.hash
	}
	return uint64(at.local<<h.shardBits|at.shard)<<32 | uint64(uint32(at.hash))
}

// placeOf is the inverse of token.
func (h *hashes) placeOf(token uint64) place {
	if !h.partitioned {
		return place{hash: token, shard: int(token >> h.shift)}
	}
	p := int(token >> 32)
	return place{hash: uint64(uint32(token)), shard: p & h.shardMask, local: p >> h.shardBits}
}

// maxPrefetch bounds the cache lines loaded of an entry: what follows the
// processor fetches by itself once it sees that it is read in order.
const maxPrefetch = 10

// PrefetchEntry has the entry of a key loaded whose slot has arrived.
func (s *Store) PrefetchEntry(db int, token uint64) {
	of := s.placeOf(token)
	sh := s.shards[of.shard]
	if !sh.mu.TryLock() {
		return
	}
	if k := sh.spaces[s.spaceAt(db, of.local)]; k != nil {
		if r := k.index.first(uint32(of.hash)); r != 0 {
			at := sh.region.AddressOf(uint64(r) * unit)
			// As many lines as an entry of the shard has on average.
			lines := min(sh.liveUnits*unit/64/sh.entries+2, maxPrefetch)
			for line := range offheap.Address(lines) {
				offheap.Prefetch(at + 64*line)
			}
		}
	}
	sh.mu.Unlock()
}

// first returns the first entry with that hash, zero when there is none.
func (x *index) first(hash uint32) Ref {
	if x.n == 0 {
		return 0
	}
	t, i := x.in(hash)
	for ; ; i++ {
		s := t.slots[i]
		if s == 0 || uint32(s>>32) > hash {
			return 0
		}
		if uint32(s>>32) == hash {
			return Ref(s)
		}
	}
}
