package memory

import (
	"sync"

	"github.com/larder-cache/larder/internal/eviction"
	"github.com/larder-cache/larder/internal/storage/offheap"
)

// shard is one part of a store: everything in it is guarded by mu.
type shard struct {
	mu sync.Mutex
	arena
	store  *Store
	number int
	spaces []*keyspace // by [hashes.spaceAt]
	live   []*keyspace // those that have been made, by number
	ids    []uint16    // by database number: the id that its entries carry
	dbs    []uint16    // the database number of an id
	hints  []hint      // as spaces, but for swapped databases; read without mu
	taps   []Tap       // by the partition's number in the shard; nil: none at all
	tapped int         // how many of taps there are
	wheel  wheel
	policy eviction.Policy // nil: none is needed
	rules  rules

	version uint64           // of the last write
	changes uint64           // grows whenever an entry moves or goes: cached refs are void
	keep    Ref              // an entry that must not be evicted: it is being replaced
	watched map[uint64]watch // by hash; see Handle.Watch
	notices []notice
	voided  []KeyRef
	counted uint64 // bytes of this shard in store.used
	mapped  uint64 // bytes of indexes outside of the arena
	entries uint64 // in all keyspaces
	fullest uint64 // no keyspace has more entries
	stats   shardStats
	scratch []byte

	_ [64]byte
}

// rules is what the shard needs to know of the policy's name.
type rules struct {
	name     eviction.Name
	evicts   bool
	volatile bool // only entries that expire are candidates
	random   bool
	byTTL    bool
}

type shardStats struct {
	evicted, expired, moved uint64
}

// keyspace is one numbered database within a shard or, in a store with
// partitions, within one partition.
type keyspace struct {
	index     index
	id        uint16   // what entries carry; SwapDB gives it to another database
	local     uint16   // the partition's number in the shard
	number    Ref      // place in shard.live
	mapped    uint64   // bytes of the index in shard.mapped
	negatives uint64   // remembered absences
	timed     uint64   // entries that expire
	untold    uint64   // entries evicted without a tap to be told; see Store.EvictedUntold
	_         [16]byte // so that it begins and ends with a cache line
}

func newShard(s *Store, number int) (sh *shard, err error) {
	databases := s.config.Databases
	spaces := databases << s.localBits
	sh = &shard{
		store: s, number: number,
		spaces: make([]*keyspace, spaces), hints: make([]hint, spaces),
		ids: make([]uint16, databases), dbs: make([]uint16, databases),
	}
	for db := range databases {
		sh.ids[db], sh.dbs[db] = uint16(db), uint16(db)
	}
	if sh.arena, err = newArena(); err != nil {
		return nil, err
	}
	sh.wheel.tick = s.config.Clock() >> tickShift
	return sh, nil
}

// Invariant: eviction.Entries is implemented for refs of live entries only.
var (
	_ eviction.Entries = (*shard)(nil)
	_ eviction.Sampler = (*shard)(nil)
)

// Node implements [eviction.Entries].
func (s *shard) Node(r Ref) *eviction.Node {
	return offheap.At[eviction.Node](&s.region, uint64(r)*unit)
}

// Hash implements [eviction.Entries].
func (s *shard) Hash(r Ref) uint64 { return s.store.hash(s.key(r)) }

// Size implements [eviction.Entries].
func (s *shard) Size(r Ref) uint32 {
	if isRun(r) {
		return uint32(s.runs.size(r))
	}
	return s.header(r).metaBits() & metaUnits * unit
}

// space returns the keyspace at a place of spaces, made on first use.
func (s *shard) space(at int) *keyspace {
	k := s.spaces[at]
	if k == nil {
		k = s.makeSpace(at)
	}
	return k
}

func (s *shard) makeSpace(at int) *keyspace {
	db, local := at>>s.store.localBits, at&(1<<s.store.localBits-1)
	k := &keyspace{id: s.ids[db], local: uint16(local), number: Ref(len(s.live))}
	k.index.hint = &s.hints[at]
	k.index.hint.index.Store(&k.index)
	if s.store.partitioned {
		k.index.arena, k.index.owner = &s.arena, k.number
	}
	s.spaces[at] = k
	s.live = append(s.live, k)
	return k
}

// database returns the number of the database a keyspace is of.
func (s *shard) database(k *keyspace) int { return int(s.dbs[k.id]) }

// spacesOf returns the keyspaces of a database, nil ones among them.
func (s *shard) spacesOf(db int) []*keyspace {
	bits := s.store.localBits
	return s.spaces[db<<bits : (db+1)<<bits]
}

// spaceOf returns the keyspace of an entry with that key.
func (s *shard) spaceOf(r Ref, key []byte) *keyspace {
	db := int(s.dbs[s.keyspaceOf(r)])
	return s.spaces[s.store.spaceAt(db, s.store.local(key))]
}

// tracked reports whether an entry is known to the policy.
func (s *shard) tracked(r Ref) bool {
	return s.policy != nil && (!s.rules.volatile || s.expireAt(r) != 0)
}

// allocate returns a block for an entry of size bytes and, for a block of a
// segment, its units. It evicts what the limit asks for.
func (s *shard) allocate(size uint64) (r Ref, units uint32) {
	if size > maxBlock {
		return s.allocateRun(size), 0
	}
	n := unitsOf(size)
	if r, units = s.fit(n); r != 0 {
		return r, units
	}
	if s.runs.kept > 0 && !s.store.room(segmentBytes) {
		s.runs.purge(&s.region, 0)
		s.count()
	}
	freed := uint64(0)
	for !s.store.room(segmentBytes) && freed < 8*uint64(n)+2048 {
		u := s.evict()
		if u == 0 {
			break
		}
		if r, units = s.fit(n); r != 0 {
			return r, units
		}
		freed += u
	}
	// At the limit this overshoots by one segment; maintain pays it back.
	if err := s.grow(); err != nil {
		panic("memory: segment: " + err.Error())
	}
	s.count()
	r, units = s.fit(n)
	return r, units
}

func (s *shard) allocateRun(size uint64) Ref {
	s.makeRoom(pagesOf(size) * offheap.PageSize)
	r, err := s.runs.take(&s.region, size)
	if err != nil {
		panic("memory: run: " + err.Error())
	}
	s.count()
	return r
}

// makeRoom evicts until n more bytes are within the limit or nothing is left.
func (s *shard) makeRoom(n uint64) {
	for !s.store.room(n) {
		if s.runs.kept > 0 {
			s.runs.purge(&s.region, 0)
			s.count()
			continue
		}
		if s.evict() == 0 {
			return
		}
		s.count()
		if s.holeUnits > 2*segmentUnits {
			s.empty(1 << 20)
		}
	}
}

// evict gives up the entry the policy names and returns its size in units, 0
// when there is no candidate.
func (s *shard) evict() uint64 {
	r := s.victimEntry()
	if r == 0 || r == s.keep {
		return 0
	}
	n := uint64(s.Size(r)) / unit
	if s.policy != nil {
		s.policy.Evicted(r)
	}
	s.stats.evicted++
	s.drop(r, Evicted, false)
	return n
}

// victimEntry returns the entry to evict next, 0 when there is none.
func (s *shard) victimEntry() Ref {
	switch {
	case s.policy != nil:
		return s.policy.Victim()
	case s.rules.byTTL:
		return s.wheel.nearest(&s.arena)
	case s.rules.random && s.rules.volatile:
		return s.randomTimed()
	case s.rules.random:
		return s.randomEntry()
	}
	return 0
}

// drop removes an entry from everything and frees its block. tell says whether
// the policy has still to be told.
//
// A tap is told at once, except of what a handle does: see [Handle.Release].
func (s *shard) drop(r Ref, why Change, tell bool) {
	key := s.key(r)
	k := s.spaceOf(r, key)
	hash := s.store.hash(key)
	s.notify(k, key, why)
	if why != Deleted && why != Written {
		s.tellDrop(k, key, why)
	}
	s.detach(k, r, tell)
	k.index.remove(uint32(hash), r)
	s.entries--
	s.recount(k)
	s.freeBlock(r)
}

// detach takes an entry out of the policy and the wheel and the counts.
func (s *shard) detach(k *keyspace, r Ref, tell bool) {
	if tell && s.tracked(r) {
		s.policy.Remove(r)
	}
	if s.expireAt(r) != 0 {
		s.wheel.remove(&s.arena, r)
		k.timed--
	}
	if s.kindOf(r) == Negative {
		k.negatives--
	}
}

func (s *shard) kindOf(r Ref) Kind { return Kind(s.header(r).metaBits() & metaKind >> kindShift) }

func (s *shard) freeBlock(r Ref) {
	s.changes++
	if isRun(r) {
		s.runs.free(&s.region, r)
		s.count()
		return
	}
	s.arena.free(r, s.header(r).metaBits()&metaUnits)
	if s.resized {
		s.count()
	}
}

// count makes the store's sum of resident bytes include this shard's.
func (s *shard) count() {
	s.resized = false
	now := s.footprint()
	if now != s.counted {
		s.store.used.Add(int64(now) - int64(s.counted))
		s.counted = now
	}
}

// footprint returns the resident bytes of the shard.
func (s *shard) footprint() uint64 { return s.resident() + s.mapped }

// recount takes note of the memory of an index that has changed.
func (s *shard) recount(k *keyspace) {
	now := k.index.mapped()
	if now == k.mapped && !s.resized {
		return
	}
	s.mapped += now - k.mapped
	k.mapped = now
	s.count()
}

// added takes note of a new entry of a keyspace.
func (s *shard) added(k *keyspace) {
	s.entries++
	s.fullest = max(s.fullest, k.index.count)
	s.recount(k)
}

// expireSome removes up to budget entries whose time has come and reports
// whether all are gone.
func (s *shard) expireSome(now int64, budget int) bool {
	for {
		r := s.wheel.expired(&s.arena, now, &budget)
		if r == 0 {
			return budget >= 0
		}
		s.stats.expired++
		s.drop(r, Expired, true)
	}
}

// unlock releases the lock and then tells those who want to know what happened
// under it.
func (s *shard) unlock() {
	if len(s.notices) == 0 && len(s.voided) == 0 {
		s.mu.Unlock()
		return
	}
	notices, voided := s.notices, s.voided
	s.notices, s.voided = nil, nil
	s.mu.Unlock()
	for _, n := range notices {
		s.store.observer.Changed(n.db, n.key, n.change)
	}
	for _, k := range voided {
		s.store.config.Voided(k.DB, k.Key)
	}
}
