package memory

import (
	"math/rand/v2"
	"slices"
)

// Scan visits about count entries of a database from cursor on, 0 to begin,
// and returns the cursor to go on from, 0 when all have been visited. An entry
// that is present from the first call to the last is visited exactly once,
// whatever happens to others and however the tables grow. fn runs under the
// lock of the entry's shard: it must copy what it keeps and not call the store.
//
// A cursor is a place in the order of (shard, hash).
func (s *Store) Scan(db int, cursor uint64, count int, now int64, fn func(Entry)) (next uint64) {
	number, from := cursor>>32, uint32(cursor)
	for ; number < uint64(len(s.shards)); number, from = number+1, 0 {
		sh := s.shards[number]
		sh.mu.Lock()
		k := sh.spaces[db]
		more := false
		if k != nil {
			var last uint32
			k.index.ascend(from, func(hash uint32, r Ref) bool {
				if count <= 0 && hash != last {
					from, more = hash, true
					return false
				}
				last = hash
				count--
				if at := sh.expireAt(r); sh.kindOf(r) != Negative && (at == 0 || at > now) {
					fn(Entry{sh, r})
				}
				return true
			})
		}
		sh.mu.Unlock()
		if more {
			return number<<32 | uint64(from)
		}
		if count <= 0 && number+1 < uint64(len(s.shards)) {
			return (number + 1) << 32
		}
	}
	return 0
}

// Random returns a copy of the key of a random live entry.
func (s *Store) Random(db int, now int64) (key []byte, ok bool) {
	for tries := range 100 + len(s.shards) {
		sh := s.shards[rand.IntN(len(s.shards))]
		if tries >= 100 {
			sh = s.shards[tries-100]
		}
		sh.mu.Lock()
		if k := sh.spaces[db]; k != nil && k.index.count > 0 {
			r := k.index.near(rand.Uint32())
			if at := sh.expireAt(r); sh.kindOf(r) != Negative && (at == 0 || at > now) {
				key, ok = slices.Clone(sh.key(r)), true
			}
		}
		sh.mu.Unlock()
		if ok {
			return key, true
		}
	}
	// What is left are a few entries among many that have expired.
	cursor := uint64(0)
	for {
		cursor = s.Scan(db, cursor, 100, now, func(e Entry) {
			if key == nil {
				key = slices.Clone(e.Key())
			}
		})
		if key != nil || cursor == 0 {
			return key, key != nil
		}
	}
}

// Flush removes all entries of a database and returns how many there were.
// Keys written meanwhile by others may or may not be removed.
func (s *Store) Flush(db int) (n int) {
	for _, sh := range s.shards {
		sh.mu.Lock()
		clear(sh.watched)
		k := sh.spaces[db]
		if k == nil || k.index.count == 0 {
			sh.mu.Unlock()
			continue
		}
		n += int(k.index.count - k.negatives)
		if sh.only(k) && !s.observing() {
			sh.reset()
			sh.unlock()
			continue
		}
		for left := k.index.count; left > 0 && k.index.count > 0; {
			for range min(left, 256) {
				if k.index.count == 0 {
					break
				}
				left--
				var r Ref
				k.index.ascend(0, func(_ uint32, ref Ref) bool { r = ref; return false })
				sh.drop(r, Flushed, true)
			}
			sh.unlock()
			sh.mu.Lock()
		}
		sh.unlock()
	}
	return n
}

// FlushAll removes all entries of all databases.
func (s *Store) FlushAll() (n int) {
	for db := range s.Databases() {
		n += s.Flush(db)
	}
	return n
}

// only reports whether a keyspace is the only one with entries and nothing is
// being read from the shard's memory.
func (s *shard) only(k *keyspace) bool {
	for _, other := range s.spaces {
		if other != nil && other != k && other.index.count > 0 {
			return false
		}
	}
	// Runs that are no entry's are staged values and pinned readers' ones.
	return len(s.runs.pages) == 0
}

// reset gives back all memory of a shard at once.
func (s *shard) reset() {
	for _, k := range s.spaces {
		if k != nil {
			k.index.free()
			k.negatives, k.timed = 0, 0
		}
	}
	s.runs.purge(&s.region, 0)
	s.region.Decommit(0, uint64(len(s.segments))*segmentBytes)
	region, runs := s.region, s.runs
	s.arena = arena{region: region, open: -1, victim: -1, runs: runs}
	s.wheel = wheel{tick: s.wheel.tick}
	s.changes++
	s.count()
	name := s.rules.name
	s.mu.Unlock()
	// The policy forgets with the entries; the name was valid before.
	err := s.setPolicy(name)
	s.mu.Lock()
	if err != nil {
		panic("memory: policy: " + err.Error())
	}
}

// SwapDB exchanges the contents of two databases.
func (s *Store) SwapDB(a, b int) {
	for _, sh := range s.shards {
		sh.mu.Lock()
	}
	for _, sh := range s.shards {
		sh.space(a)
		sh.space(b)
		sh.spaces[a], sh.spaces[b] = sh.spaces[b], sh.spaces[a]
		clear(sh.watched)
		sh.changes++
	}
	for _, sh := range s.shards {
		sh.mu.Unlock()
	}
}
