package memory

import "runtime"

// flushAtOnce bounds the entries dropped under one hold of a shard's lock, to
// some 20 us.
const flushAtOnce = 48

// Flush removes all entries of a database and returns how many there were.
// Keys written meanwhile by others may or may not be removed.
func (s *Store) Flush(db int) (n int) {
	for _, sh := range s.shards {
		sh.mu.Lock()
		clear(sh.watched)
		if sh.only(db) && !s.observing() {
			n += sh.keys(db)
			sh.tellCleared(db)
			sh.reset()
			sh.unlock()
			continue
		}
		for _, k := range sh.spacesOf(db) {
			if k != nil {
				n += int(k.index.count - k.negatives)
				sh.flush(k, Flushed)
			}
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

// flush drops the entries of a keyspace, those written meanwhile perhaps. The
// shard is locked, and unlocked in between.
func (s *shard) flush(k *keyspace, why Change) {
	from := uint32(0)
	for more := k.index.count > 0; more; {
		if from, more = s.flushSome(k, from, why); more {
			s.unlock()
			runtime.Gosched()
			s.mu.Lock()
		}
	}
}

// flushSome drops some entries with a hash of at least from. It returns where
// to go on and whether there may be more.
func (s *shard) flushSome(k *keyspace, from uint32, why Change) (next uint32, more bool) {
	var refs [flushAtOnce]Ref
	n := 0
	k.index.ascend(from, func(hash uint32, r Ref) bool {
		refs[n], next = r, hash
		n++
		return n < len(refs)
	})
	for _, r := range refs[:n] {
		s.drop(r, why, true)
	}
	return next, n == len(refs)
}

// keys returns how many keys a database has in the shard.
func (s *shard) keys(db int) (n int) {
	for _, k := range s.spacesOf(db) {
		if k != nil {
			n += int(k.index.count - k.negatives)
		}
	}
	return n
}

// only reports whether a database is the only one with entries, has some, and
// nothing is being read from the shard's memory.
func (s *shard) only(db int) bool {
	count := uint64(0)
	for _, k := range s.spacesOf(db) {
		if k != nil {
			count += k.index.count
		}
	}
	// Runs that are no entry's are staged values and pinned readers' ones.
	return count != 0 && count == s.entries && len(s.runs.pages) == 0
}

// reset gives back all memory of a shard at once. The policy forgets the entries
// under the same hold of the lock: it would write to what has their place.
func (s *shard) reset() {
	for _, k := range s.live {
		k.index.free()
		k.negatives, k.timed, k.mapped = 0, 0, 0
	}
	s.mapped, s.entries, s.fullest = 0, 0, 0
	s.runs.purge(&s.region, 0)
	s.arena.reset()
	s.wheel = wheel{tick: s.wheel.tick}
	s.changes++
	s.count()
	if err := s.setPolicy(s.rules.name); err != nil {
		panic("memory: policy: " + err.Error()) // the name was valid before
	}
}
