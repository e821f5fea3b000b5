package memory

import (
	"fmt"

	"github.com/larder-cache/larder/internal/eviction"
)

// room reports whether n more resident bytes are within the limit.
func (s *Store) room(n uint64) bool {
	limit := s.limit.Load()
	return limit == 0 || s.used.Load()+int64(n) <= limit
}

// over reports whether the limit is exceeded.
func (s *Store) over() bool {
	limit := s.limit.Load()
	return limit != 0 && s.used.Load() > limit
}

// NearLimit reports whether less than a tenth of the memory, and a segment for
// each shard, is left: what is written may soon have others evicted.
func (s *Store) NearLimit() bool {
	return !s.room(uint64(s.limit.Load())/10 + uint64(len(s.shards))*segmentBytes)
}

// MaxBytes returns the limit, 0 for none.
func (s *Store) MaxBytes() uint64 { return s.max.Load() }

// SetMaxBytes changes the limit. A lower one is reached by evicting a little
// with every write and tick.
func (s *Store) SetMaxBytes(n uint64) {
	s.max.Store(n)
	s.applyLimit()
	for _, sh := range s.shards {
		sh.mu.Lock()
		if sh.policy != nil {
			sh.policy.SetCapacity(s.shardCapacity())
		}
		sh.mu.Unlock()
	}
}

// applyLimit subtracts what the Go runtime holds from the limit, at most half
// of it, and a margin of 1 % for what shards overshoot.
func (s *Store) applyLimit() {
	limit := int64(s.max.Load())
	if limit > 0 {
		limit = max(limit-min(s.overhead.Load(), limit/2)-limit/100, 1)
	}
	s.limit.Store(limit)
}

func (s *Store) shardCapacity() uint64 { return uint64(s.limit.Load()) / uint64(len(s.shards)) }

// Policy returns the name of the eviction policy.
func (s *Store) Policy() eviction.Name { return s.shards[0].rulesNow().name }

func (s *shard) rulesNow() rules {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rules
}

// SetPolicy changes the eviction policy. The new one starts with the entries in
// hash order, or in the order of last use where both know it. Otherwise all count
// as used now.
func (s *Store) SetPolicy(name eviction.Name) error {
	for _, sh := range s.shards {
		sh.mu.Lock()
		err := sh.setPolicy(name)
		sh.mu.Unlock()
		if err != nil {
			return fmt.Errorf("eviction policy: %w", err)
		}
	}
	return nil
}

// setPolicy is [Store.SetPolicy] for one shard, which is locked.
func (s *shard) setPolicy(name eviction.Name) error {
	var p eviction.Policy
	if name.Tracked() {
		var err error
		if p, err = eviction.New(name, s); err != nil {
			return err
		}
		p.SetCapacity(s.store.shardCapacity())
	}
	next := rules{
		name: name, evicts: name != eviction.NoEviction, volatile: name.Volatile(),
		random: name == eviction.AllKeysRandom || name == eviction.VolatileRandom,
		byTTL:  name == eviction.VolatileTTL,
	}
	now := s.store.Now()
	for _, k := range s.live {
		k.index.ascend(0, func(_ uint32, r Ref) bool {
			s.handOver(r, p, next, now)
			return true
		})
	}
	s.policy, s.rules = p, next
	return nil
}

// handOver takes an entry to the policy p, which is to follow the shard's. Nothing
// of an entry that has not been handed over is written before.
func (s *shard) handOver(r Ref, p eviction.Policy, next rules, now int64) {
	at, known := s.lastUse(r)
	if !known {
		at = useTime(now)
	}
	n := s.Node(r)
	n.Bits, n.Prev, n.Next = 0, 0, 0
	if p == nil || next.volatile && s.expireAt(r) == 0 {
		n.Prev = Ref(at)
		return
	}
	p.Add(r, s.Hash(r), s.Size(r), useTime(now))
	if t, ok := p.(eviction.Timekeeper); ok && known {
		t.SetLastUse(r, at)
	}
}

// Reserve makes room for n bytes about to be written. It returns [ErrFull]
// when memory is full and the policy has nothing to give up. Writes of less
// than a segment need not ask: they evict as they go.
func (s *Store) Reserve(n int) error {
	limit := s.limit.Load()
	if limit == 0 || s.used.Load()+int64(n)+int64(len(s.shards))*segmentBytes/2 <= limit {
		return nil
	}
	if n >= maxBlock {
		s.evictAcross(uint64(n))
	}
	if s.evictable() {
		return nil
	}
	// Nothing can be evicted: what counts is what is in use, since holes can
	// still be filled.
	if s.Used()+uint64(n) <= s.max.Load() {
		return nil
	}
	return ErrFull
}

// evictable reports whether some shard has a candidate.
func (s *Store) evictable() bool {
	for _, sh := range s.shards {
		sh.mu.Lock()
		ok := sh.rules.evicts && sh.victimEntry() != 0
		sh.mu.Unlock()
		if ok {
			return true
		}
	}
	return false
}

// evictAcross takes from the shards in turn until n bytes fit or none has
// anything left: one shard alone may not hold that much.
func (s *Store) evictAcross(n uint64) {
	for gave := true; gave && !s.room(n); {
		gave = false
		for range s.shards {
			sh := s.shards[s.turn.Add(1)%uint64(len(s.shards))]
			sh.mu.Lock()
			before := sh.footprint()
			target := max(n/uint64(len(s.shards)), segmentBytes)
			for freed := uint64(0); freed < target && !s.room(n); {
				u := sh.evict() * unit
				if u == 0 {
					break
				}
				gave = true
				freed += u
			}
			for sh.holeUnits > 2*segmentUnits && !s.room(n) {
				at := sh.stats.moved
				sh.empty(1 << 16)
				if sh.stats.moved == at {
					break
				}
			}
			sh.runs.purge(&sh.region, 0)
			sh.count()
			gave = gave || sh.footprint() < before
			sh.unlock()
		}
	}
}
