package memory

import (
	"fmt"
	"hash/maphash"
	"math/bits"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/eviction"
	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/ticks"
)

// Config of a [Store].
type Config struct {
	// MaxBytes limits the memory of the process: entries, index, holes, and
	// what the Go runtime holds. Zero: no limit.
	MaxBytes uint64
	// Policy decides what leaves at the limit. Empty: eviction.Default.
	Policy eviction.Name
	// Databases is the number of numbered databases. Zero: 16.
	Databases int
	// Shards is a power of two. Zero: four per core and at least 16. With
	// Partitions at most [hashing.Partitions].
	Shards int
	// Partitions keeps the keys of every partition of a cluster apart, so that
	// one partition can be counted, visited, copied and dropped: see
	// [Store.ScanPartition], [Store.FlushPartition] and [Store.Tap].
	Partitions bool
	// Seed of the hash of keys, of any length. Stores with the same seed visit
	// the keys of a partition in the same order, so that a cursor of one is
	// good in the other. Empty: a random one, with a faster hash. Whoever
	// knows the seed can make keys that collide.
	Seed []byte
	// Observer is told of every change of a key. May be nil.
	Observer Observer
	// Voided is called, without a lock, when a write has made a token of
	// [Handle.Watch] void. May be nil.
	Voided func(db int, key []byte)
	// Clock returns the time in Unix milliseconds. Nil: the system's.
	Clock func() int64
}

// Change says what happened to a key.
type Change uint8

// The changes.
const (
	Written Change = iota // created, replaced or modified, expiry included
	Deleted
	Expired
	Evicted
	Flushed
	// Moved: another node has the partition of the key now. The key is as it
	// was, for those who ask there.
	Moved
)

// Observer is told what happens to keys, after the lock is released. Its
// methods may be called from any goroutine.
type Observer interface {
	// Observing tells whether anybody is interested; while not, Changed is not
	// called.
	Observing() bool
	// Changed is called with a key the observer may keep.
	Changed(db int, key []byte, c Change)
}

type notice struct {
	db     int
	key    []byte
	change Change
}

// Store is the engine. All methods are safe for concurrent use.
type Store struct {
	config   Config
	shards   []*shard
	observer Observer
	hashes

	used     atomic.Int64  // resident bytes of all shards
	limit    atomic.Int64  // for used; 0: none
	overhead atomic.Int64  // bytes the Go runtime holds
	max      atomic.Uint64 // Config.MaxBytes
	peak     atomic.Uint64
	tokens   atomic.Uint64
	turn     atomic.Uint64 // shard that gives up entries next for a large value
	lazyOnly atomic.Bool   // expired entries stay until they are met: SetActiveExpiry

	stop chan struct{}
	done sync.WaitGroup
}

// Open returns an empty store and starts its housekeeping.
func Open(c Config) (*Store, error) {
	if c.Databases == 0 {
		c.Databases = 16
	}
	if c.Shards == 0 {
		c.Shards = max(16, 1<<bits.Len(uint(4*runtime.GOMAXPROCS(0)-1)))
	}
	if c.Shards&(c.Shards-1) != 0 {
		return nil, fmt.Errorf("%d shards: not a power of two", c.Shards)
	}
	if c.Partitions && c.Shards > hashing.Partitions {
		return nil, fmt.Errorf("%d shards: more than the %d partitions", c.Shards, hashing.Partitions)
	}
	if c.Clock == nil {
		c.Clock = func() int64 { return time.Now().UnixMilli() }
	}
	if c.Policy == "" {
		c.Policy = eviction.Default
	}
	s := &Store{
		config: c, observer: c.Observer, hashes: newHashes(c),
		stop: make(chan struct{}),
	}
	for i := range c.Shards {
		sh, err := newShard(s, i)
		if err != nil {
			s.freeAll()
			return nil, err
		}
		s.shards = append(s.shards, sh)
	}
	s.measureOverhead()
	s.SetMaxBytes(c.MaxBytes)
	if err := s.SetPolicy(c.Policy); err != nil {
		s.freeAll()
		return nil, err
	}
	s.done.Add(1)
	go s.run()
	return s, nil
}

// Close stops the housekeeping and frees all memory. Nothing may use the store
// or a pinned value afterwards. To be called once.
func (s *Store) Close() {
	close(s.stop)
	s.done.Wait()
	s.freeAll()
}

func (s *Store) freeAll() {
	for _, sh := range s.shards {
		sh.mu.Lock()
		for _, k := range sh.live {
			k.index.free()
		}
		sh.region.Free()
		sh.mu.Unlock()
	}
}

// Lock locks the shard of a key. now is the time in Unix milliseconds that
// decides what has expired. The key must stay unchanged until Release.
func (s *Store) Lock(db int, key []byte, now int64) Handle {
	if !s.plain {
		return s.LockAt(s.Place(key), db, key, now)
	}
	hash := maphash.Bytes(s.random, key)
	sh := s.shards[hash>>s.shift]
	sh.mu.Lock()
	return Handle{s: sh, space: sh.space(db), db: db, key: key, hash: hash, now: now}
}

// LockAt is Lock for a key whose place is known.
func (s *Store) LockAt(at Place, db int, key []byte, now int64) Handle {
	shard, local := s.shardOf(at)
	sh := s.shards[shard]
	sh.mu.Lock()
	return Handle{s: sh, space: sh.space(s.spaceAt(db, local)), db: db, key: key, hash: at.hash, now: now}
}

// KeyRef names a key.
type KeyRef struct {
	DB  int
	Key []byte
}

// Handles are several keys whose shards are locked together.
type Handles struct {
	handles []Handle
	shards  []*shard // locked, ascending
}

// LockAll locks the shards of several keys, which may repeat.
func (s *Store) LockAll(keys []KeyRef, now int64) (g Handles) {
	s.LockInto(&g, keys, now)
	return g
}

// LockInto is LockAll that uses the memory of g, which has been released.
func (s *Store) LockInto(g *Handles, keys []KeyRef, now int64) {
	g.handles, g.shards = g.handles[:0], g.shards[:0]
	for _, k := range keys {
		at := s.Place(k.Key)
		shard, local := s.shardOf(at)
		sh := s.shards[shard]
		g.handles = append(g.handles, Handle{
			s: sh, db: k.DB, key: k.Key, hash: at.hash, now: now, shared: true, local: uint16(local),
		})
		g.shards = append(g.shards, sh)
	}
	slices.SortFunc(g.shards, func(a, b *shard) int { return a.number - b.number })
	g.shards = slices.Compact(g.shards)
	for _, sh := range g.shards {
		sh.mu.Lock()
	}
	for i := range g.handles {
		h := &g.handles[i]
		h.space = h.s.space(s.spaceAt(h.db, int(h.local)))
	}
}

// At returns the handle of the i-th key. It must not be released alone.
func (g *Handles) At(i int) *Handle { return &g.handles[i] }

// Release unlocks all keys.
func (g *Handles) Release() {
	for i := range g.handles {
		if h := &g.handles[i]; h.state&changed != 0 && h.s.taps != nil {
			h.tell()
		}
	}
	for _, sh := range g.shards {
		sh.maintain()
		sh.unlock()
	}
}

// Now returns the time in Unix milliseconds by the store's clock.
func (s *Store) Now() int64 { return s.config.Clock() }

// Databases returns the number of databases.
func (s *Store) Databases() int { return s.config.Databases }

// Shards returns the number of shards.
func (s *Store) Shards() int { return len(s.shards) }

// observing reports whether notices are wanted.
func (s *Store) observing() bool { return s.observer != nil && s.observer.Observing() }

func (s *shard) notify(k *keyspace, key []byte, c Change) {
	if s.store.observing() {
		s.notices = append(s.notices, notice{s.database(k), slices.Clone(key), c})
	}
}

// contains reports whether b lies in the engine's memory. It needs no lock: a
// region stays where it is.
func (s *Store) contains(b []byte) bool {
	for _, sh := range s.shards {
		if sh.region.Contains(b) {
			return true
		}
	}
	return false
}

// expires reports whether expired entries are removed though nobody asks.
func (s *Store) expires() bool { return !s.lazyOnly.Load() }

// SetActiveExpiry switches the removal of expired entries that nobody asks
// for on or off.
func (s *Store) SetActiveExpiry(on bool) { s.lazyOnly.Store(!on) }

const tickInterval = 100 * time.Millisecond

// expireAtOnce bounds the entries removed under one hold of a shard's lock, to
// some 20 us, so that requests get through while many entries expire.
const expireAtOnce = 48

// run is the housekeeping: expiry, memory to be given back, the limit.
func (s *Store) run() {
	defer s.done.Done()
	n := 0
	for range ticks.Every(s.stop, tickInterval) {
		if n%10 == 0 {
			s.measureOverhead()
		}
		s.Tick(s.config.Clock(), n%10 == 0)
		if n%decayTicks == decayTicks-1 {
			s.decay()
		}
		n++
	}
}

// decayTicks is how many ticks a minute has: that often counters of frequency
// age by one, as with Redis's lfu-decay-time of 1.
const decayTicks = int(time.Minute / tickInterval)

// decay ages the counters of policies that have some.
func (s *Store) decay() {
	for _, sh := range s.shards {
		sh.mu.Lock()
		if p, ok := sh.policy.(eviction.Decayer); ok {
			p.Decay(1)
		}
		sh.mu.Unlock()
	}
}

// Tick removes what has expired by now and gives idle pages back: those that
// were not used between the last two calls with purge.
// The housekeeping calls it ten times a second; tests move the clock with it.
func (s *Store) Tick(now int64, purge bool) {
	for _, sh := range s.shards {
		for done := !s.expires(); !done; {
			sh.mu.Lock()
			done = sh.expireSome(now, expireAtOnce)
			sh.unlock()
			runtime.Gosched()
		}
		sh.mu.Lock()
		sh.maintain()
		sh.fullest = 0
		for _, k := range sh.live {
			if k.index.settle() {
				sh.recount(k)
			}
			sh.fullest = max(sh.fullest, k.index.count)
		}
		if sh.runs.kept > 0 {
			sh.runs.purgeIdle(&sh.region, purge)
			sh.count()
		}
		sh.unlock()
	}
	if used := s.Used(); used > s.peak.Load() {
		s.peak.Store(used)
	}
}

var runtimeMetrics = []string{
	"/memory/classes/total:bytes",
	"/memory/classes/heap/released:bytes",
	"/memory/classes/heap/free:bytes",
}

// measureOverhead looks at what the Go runtime holds, which counts against the
// limit.
func (s *Store) measureOverhead() {
	samples := make([]metrics.Sample, len(runtimeMetrics))
	for i, name := range runtimeMetrics {
		samples[i].Name = name
	}
	metrics.Read(samples)
	s.overhead.Store(int64(samples[0].Value.Uint64() - samples[1].Value.Uint64()))
	s.applyLimit()
}

// Stage returns memory for a value of n bytes of a key that is about to be
// written: see [Staged]. The caller has reserved the room.
func (s *Store) Stage(db int, key []byte, n int) *Staged {
	shard, _ := s.shardOf(s.Place(key))
	return s.shards[shard].stage(len(key), n)
}

// EachShard calls fn with the number of every shard while its lock is held.
func (s *Store) EachShard(fn func(shard int)) {
	for _, sh := range s.shards {
		sh.mu.Lock()
		fn(sh.number)
		sh.mu.Unlock()
	}
}
