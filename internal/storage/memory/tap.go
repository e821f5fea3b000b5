package memory

// Tap is told of every change in one partition, in the order in which they
// happen: what it takes to keep a copy of the partition elsewhere.
//
// All methods are called under the partition's lock, so calls for one partition
// never overlap; those for different ones may. They must be short, must not
// block and must not call the store or a handle. What they are given is valid
// during the call only: they copy it, or pin a large value with [Entry.Pin]
// instead, which costs no copy and keeps the memory until it is released (a
// later write to the key then takes new memory). A number that a tap gives
// away within its methods, and within the function of [Store.ScanPartition], is
// a number in the order of changes.
//
// A key written through a handle is told once, in its final state, when the
// handle or the group of handles is released; all keys of a group are told
// before the first of their shards is unlocked. Entries that go by themselves
// are told at once, possibly while other keys are being written.
//
// Invariant: applying the calls in order to a copy that was equal to the
// partition when the tap was attached keeps it equal whenever no handle of the
// partition is held. So does starting with an empty copy and appending each
// entry of a complete [Store.ScanPartition] to the same order.
type Tap interface {
	// Put tells that the entry of a key has been created, replaced or modified:
	// value, expiry, kind or flags. Remembered absences are entries. The same
	// state may be told again.
	Put(db int, e Entry)
	// Delete tells that a key has no entry any more; the copy need not have
	// one either. why is [Deleted], [Expired], [Evicted], [Flushed] or [Moved].
	Delete(db int, key []byte, why Change)
	// Clear tells that a database has no entries in the partition any more.
	Clear(db int)
}

// Tap attaches a tap to a partition, in place of the one that may be there,
// between two changes. It panics without [Config.Partitions].
//
// SwapDB is told as Clear of both databases and a Put for each of their
// entries, under the lock.
func (s *Store) Tap(p int, t Tap) {
	sh, local := s.of(p)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.taps == nil {
		sh.taps = make([]Tap, 1<<s.localBits)
	}
	if sh.taps[local] == nil {
		sh.tapped++
	}
	sh.taps[local] = t
}

// Untap takes the tap of a partition off, if there is one. When it returns no
// method of the tap is running and none will be called.
func (s *Store) Untap(p int) {
	sh, local := s.of(p)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.taps == nil || sh.taps[local] == nil {
		return
	}
	sh.taps[local] = nil
	if sh.tapped--; sh.tapped == 0 {
		sh.taps = nil
	}
}

// tell tells the tap the state that the handle has left its key in. Of several
// handles of one key only the one that wrote last does, and an entry that has
// been evicted since was told when that happened.
//
// REQUIRES: s.taps is not nil.
func (h *Handle) tell() {
	t := h.s.taps[h.space.local]
	if t == nil {
		return
	}
	r := h.space.index.find(&h.s.arena, uint32(h.hash), h.key)
	gone := h.state&deleted != 0
	switch {
	case r == 0 && gone:
		t.Delete(h.db, h.key, Deleted)
	case r != 0 && !gone && h.s.header(r).versionNumber() == h.version:
		t.Put(h.db, Entry{h.s, r})
	}
}

// tellDrop tells of an entry that goes by itself, and counts an evicted one that
// nobody is told of.
func (s *shard) tellDrop(k *keyspace, key []byte, why Change) {
	switch {
	case s.taps != nil && s.taps[k.local] != nil:
		s.taps[k.local].Delete(s.database(k), key, why)
	case why == Evicted:
		k.untold++
	}
}

// tellCleared tells that all entries of a database go at once.
func (s *shard) tellCleared(db int) {
	for _, t := range s.taps {
		if t != nil {
			t.Clear(db)
		}
	}
}

// tellSwapped tells of two databases that have been exchanged.
func (s *shard) tellSwapped(a, b int) {
	for local, t := range s.taps {
		if t == nil || a == b {
			continue
		}
		for _, db := range [2]int{a, b} {
			t.Clear(db)
			if k := s.spaces[s.store.spaceAt(db, local)]; k != nil {
				k.index.ascend(0, func(_ uint32, r Ref) bool {
					t.Put(db, Entry{s, r})
					return true
				})
			}
		}
	}
}
