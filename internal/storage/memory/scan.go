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
// A cursor is a place in the order of (shard, hash), with partitions in that
// of (partition, hash).
func (s *Store) Scan(db int, cursor uint64, count int, now int64, fn func(Entry)) (next uint64) {
	number, from := cursor>>32, uint32(cursor)
	last := uint64(len(s.shards))<<s.localBits - 1
	for ; number <= last; number, from = number+1, 0 {
		sh := s.shards[int(number)&s.shardMask]
		sh.mu.Lock()
		more := false
		if k := sh.spaces[s.spaceAt(db, int(number)>>s.shardBits)]; k != nil {
			from, count, more = sh.visit(k, from, count, func(e Entry) {
				if at := e.ExpireAt(); e.Kind() != Negative && (at == 0 || at > now) {
					fn(e)
				}
			})
		}
		sh.mu.Unlock()
		if more {
			return number<<32 | uint64(from)
		}
		if count <= 0 && number < last {
			return (number + 1) << 32
		}
	}
	return 0
}

// visit calls fn for about count entries of a keyspace in the order of their
// hashes, from one on. It returns the hash to go on from, whether there is more
// there, and what is left of count. Entries of one hash are not separated.
func (s *shard) visit(k *keyspace, from uint32, count int, fn func(Entry)) (next uint32, left int, more bool) {
	last := from
	k.index.ascend(from, func(hash uint32, r Ref) bool {
		if count <= 0 && hash != last {
			next, more = hash, true
			return false
		}
		last = hash
		count--
		fn(Entry{s, r})
		return true
	})
	return next, count, more
}

// Random returns a copy of the key of a random live entry.
func (s *Store) Random(db int, now int64) (key []byte, ok bool) {
	for tries := range 100 + len(s.shards) {
		sh := s.shards[rand.IntN(len(s.shards))]
		if tries >= 100 {
			sh = s.shards[tries-100]
		}
		sh.mu.Lock()
		spaces, total := sh.spacesOf(db), uint64(0)
		for _, k := range spaces {
			if k != nil {
				total += k.index.count
			}
		}
		if r := pick(spaces, total, rand.Uint64()); r != 0 {
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

// SwapDB exchanges the contents of two databases. A tap is told of the
// exchange as of the writes that bring it about: see [Tap].
func (s *Store) SwapDB(a, b int) {
	for _, sh := range s.shards {
		sh.mu.Lock()
	}
	for _, sh := range s.shards {
		x, y := sh.spacesOf(a), sh.spacesOf(b)
		for i := range x {
			x[i], y[i] = y[i], x[i]
		}
		sh.ids[a], sh.ids[b] = sh.ids[b], sh.ids[a]
		sh.dbs[sh.ids[a]], sh.dbs[sh.ids[b]] = uint16(a), uint16(b)
		clear(sh.watched)
		sh.changes++
		sh.tellSwapped(a, b)
	}
	for _, sh := range s.shards {
		sh.mu.Unlock()
	}
}
