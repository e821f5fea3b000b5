package memory

import "github.com/larder-cache/larder/internal/hashing"

// The methods of this file are for stores with [Config.Partitions]; they panic
// in others, and for a partition that is not below [hashing.Partitions].

// of returns the shard of a partition and the partition's number in it.
func (s *Store) of(p int) (sh *shard, local int) {
	if !s.partitioned || p < 0 || p >= hashing.Partitions {
		panic("memory: no such partition")
	}
	return s.shards[p&s.shardMask], p >> s.shardBits
}

// PartitionLen returns the number of keys of a database in a partition, expired
// ones that have not been removed yet included.
func (s *Store) PartitionLen(db, p int) int {
	sh, local := s.of(p)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	k := sh.spaces[s.spaceAt(db, local)]
	if k == nil {
		return 0
	}
	return int(k.index.count - k.negatives)
}

// EvictedUntold returns how many entries of a partition were evicted while it had
// no tap. Where the partition is a copy, the original may have them still.
func (s *Store) EvictedUntold(p int) (n uint64) {
	sh, local := s.of(p)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for db := range s.Databases() {
		if k := sh.spaces[s.spaceAt(db, local)]; k != nil {
			n += k.untold
		}
	}
	return n
}

// ScanPartition visits about count entries of a database in a partition from
// cursor on, 0 to begin, in the order of their hashes, and returns where to go
// on; done when that was the last. Every entry present throughout is visited
// exactly once, also when some of the calls go to another store with the same
// seed. Remembered absences are visited too; what has expired by now is not.
//
// fn runs under the partition's lock, as the methods of a [Tap] do: what both
// append to one stream is in the order in which it happened. It must copy what
// it keeps, may pin ([Entry.Pin]), and must not call the store.
func (s *Store) ScanPartition(db, p int, cursor uint32, count int, now int64, fn func(Entry)) (next uint32, done bool) {
	sh, local := s.of(p)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	k := sh.spaces[s.spaceAt(db, local)]
	if k == nil {
		return 0, true
	}
	next, _, more := sh.visit(k, cursor, count, func(e Entry) {
		if at := e.ExpireAt(); at == 0 || at > now {
			fn(e)
		}
	})
	return next, !more
}

// FlushPartition drops all entries of a partition in all databases and returns
// how many there were, remembered absences included: the partition is another
// node's now. It voids the tokens of [Handle.Watch]. Observers are told with
// [Moved]. The lock is held for some 20 us at a time; nobody should write to
// the partition meanwhile, or what is written may stay.
func (s *Store) FlushPartition(p int) (n int) {
	for db := range s.Databases() {
		n += s.clearPartition(db, p, Moved)
	}
	return n
}

// ClearPartition drops all entries of one database in a partition, as Flush
// does, and returns how many there were: what a copy does on [Tap.Clear].
func (s *Store) ClearPartition(db, p int) (n int) { return s.clearPartition(db, p, Flushed) }

func (s *Store) clearPartition(db, p int, why Change) (n int) {
	sh, local := s.of(p)
	sh.mu.Lock()
	defer sh.unlock()
	sh.voidPartition(local)
	k := sh.spaces[s.spaceAt(db, local)]
	if k == nil {
		return 0
	}
	n = int(k.index.count)
	sh.flush(k, why)
	if k.index.count == 0 {
		k.index.free()
		sh.recount(k)
	}
	return n
}
