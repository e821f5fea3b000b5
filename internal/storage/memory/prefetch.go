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

// hint tells where an index and its slots lie, without a lock. What it says may be
// out of date, and its parts may not belong together: it is used to load memory
// early, and for nothing else.
type hint struct {
	index atomic.Pointer[index]
	slots atomic.Uint64 // address
	n     atomic.Uint64 // homes; 0: no table
}

// publish makes the index's place known, after it has changed.
func (x *index) publish() {
	if x.hint == nil {
		return
	}
	if x.n != 0 {
		x.hint.slots.Store(uint64(x.address()))
	}
	x.hint.n.Store(x.n)
}

// PrefetchSlot has the slot of a key loaded and returns the key's place.
func (s *Store) PrefetchSlot(db int, key []byte) Place {
	at := s.Place(key)
	shard, local := s.shardOf(at)
	h := &s.shards[shard].hints[s.spaceAt(db, local)]
	if n := h.n.Load(); n != 0 {
		offheap.Prefetch(offheap.Address(h.slots.Load() + uint64(uint32(at.hash))*n>>32*8))
		if s.partitioned { // one index of a thousand
			offheap.Prefetch(offheap.AddressIn(h.index.Load()))
		}
	}
	return at
}

// maxPrefetch bounds the cache lines loaded of an entry: what follows the
// processor fetches by itself once it sees that it is read in order.
const maxPrefetch = 10

// PrefetchEntry has the entry of a key loaded whose slot has arrived.
func (s *Store) PrefetchEntry(db int, at Place) {
	shard, local := s.shardOf(at)
	sh := s.shards[shard]
	if !sh.mu.TryLock() {
		return
	}
	if k := sh.spaces[s.spaceAt(db, local)]; k != nil {
		if r := k.index.first(uint32(at.hash)); r != 0 {
			entry := sh.region.AddressOf(uint64(r) * unit)
			// As many lines as an entry of the shard has on average.
			lines := min(sh.liveUnits*unit/64/sh.entries+2, maxPrefetch)
			for line := range offheap.Address(lines) {
				offheap.Prefetch(entry + 64*line)
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
