package memory

// Stats of a store, in bytes and counts since it was opened.
type Stats struct {
	Used       uint64 // what counts against the limit: blocks, index, Go runtime
	Peak       uint64 // the largest Used seen by a tick
	Blocks     uint64 // entries with headers and slack
	Index      uint64
	Holes      uint64 // free stretches between blocks
	FreePages  uint64 // resident pages of runs that are free
	Resident   uint64 // all of the above that the engine has mapped and touched
	Overhead   uint64 // held by the Go runtime
	Entries    uint64 // remembered absences included
	Negatives  uint64
	Evicted    uint64
	Expired    uint64
	Moved      uint64 // entries moved to join holes
	Writes     uint64 // changes of entries: values, expiry, deletions
	Candidates bool   // the policy evicts
}

// Stats adds up all shards, locking one at a time.
func (s *Store) Stats() Stats {
	var t Stats
	for _, sh := range s.shards {
		sh.mu.Lock()
		t.Blocks += (sh.liveUnits-sh.tableUnits)*unit + sh.runs.held*4096
		t.Index += sh.tableUnits*unit + sh.mapped
		t.Holes += sh.holeUnits * unit
		t.FreePages += sh.runs.kept * 4096
		t.Resident += sh.footprint()
		t.Entries += sh.entries
		for _, k := range sh.live {
			t.Negatives += k.negatives
		}
		t.Evicted += sh.stats.evicted
		t.Expired += sh.stats.expired
		t.Moved += sh.stats.moved
		t.Writes += sh.version
		t.Candidates = sh.rules.evicts
		sh.mu.Unlock()
	}
	t.Overhead = uint64(s.overhead.Load())
	t.Used = t.Blocks + t.Index + t.Overhead
	t.Peak = max(s.peak.Load(), t.Used)
	return t
}

// Used returns the bytes that count against the limit: entries, index, and
// what the Go runtime holds.
func (s *Store) Used() uint64 {
	st := s.statsUsed()
	return st + uint64(s.overhead.Load())
}

func (s *Store) statsUsed() (n uint64) {
	for _, sh := range s.shards {
		sh.mu.Lock()
		n += sh.liveUnits*unit + sh.runs.held*4096 + sh.mapped
		sh.mu.Unlock()
	}
	return n
}

// Len returns the number of keys of a database, expired ones that have not
// been removed yet included.
func (s *Store) Len(db int) (n int) {
	for _, sh := range s.shards {
		sh.mu.Lock()
		for _, k := range sh.spacesOf(db) {
			if k != nil {
				n += int(k.index.count - k.negatives)
			}
		}
		sh.mu.Unlock()
	}
	return n
}

// Expires returns how many keys of a database have an expiry.
func (s *Store) Expires(db int) (n int) {
	for _, sh := range s.shards {
		sh.mu.Lock()
		for _, k := range sh.spacesOf(db) {
			if k != nil {
				n += int(k.timed)
			}
		}
		sh.mu.Unlock()
	}
	return n
}

// AverageTTL estimates, from a sample, the mean time to live in milliseconds
// of the keys of a database that expire.
func (s *Store) AverageTTL(db int, now int64) int64 {
	const perShard = 16
	sum, n := int64(0), int64(0)
	for _, sh := range s.shards {
		sh.mu.Lock()
		left, looked := perShard, 8*perShard
		for _, k := range sh.spacesOf(db) {
			if k == nil || k.timed == 0 || left <= 0 || looked <= 0 {
				continue
			}
			k.index.ascend(0, func(_ uint32, r Ref) bool {
				if at := sh.expireAt(r); at > now {
					sum += at - now
					n++
					left--
				}
				looked--
				return left > 0 && looked > 0
			})
		}
		sh.mu.Unlock()
	}
	if n == 0 {
		return 0
	}
	return sum / n
}
