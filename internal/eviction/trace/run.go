package trace

import (
	"fmt"

	"github.com/larder-cache/larder/internal/eviction"
)

// Cache describes the simulated cache of one run.
type Cache struct {
	// Capacity is in objects, or in bytes when Sized.
	Capacity uint64
	// Sized makes every object count with its size in the trace, which must
	// have sizes; otherwise every object counts as one.
	Sized bool
	// Shards is the number of independent caches the keys are spread over by
	// hash, each with its own policy and an equal part of the capacity, as in
	// the server. Zero is one.
	Shards int
}

// Misses is the outcome of a run.
type Misses struct {
	// Objects is the number of requests not served from the cache.
	Objects int `json:"objects"`
	// Bytes is the sum of the sizes of those; zero unless the run was sized.
	Bytes uint64 `json:"bytes,omitempty"`
}

// Run replays t on a cache under the named policy. A missed object that fits
// the cache at all is always admitted; what a policy does not want it evicts
// next. An object that returns in another size is a hit that changes its size.
func Run(t *Trace, name eviction.Name, c Cache) (Misses, error) {
	caches, err := newCache(t, name, c)
	if err != nil {
		return Misses{}, err
	}
	return replay(t, c.Sized, caches), nil
}

// shard is one of the caches of a run.
type shard struct {
	policy   eviction.Policy
	capacity uint64
	used     uint64
}

// newCache makes the caches of a run over one memory.
func newCache(t *Trace, name eviction.Name, c Cache) (*cache, error) {
	if c.Sized && !t.Sized() {
		return nil, fmt.Errorf("trace %q has no sizes", t.Name)
	}
	n := max(c.Shards, 1)
	m := &cache{memory: newMemory(t, c.Sized), resident: make([]bool, t.Distinct+1), shards: make([]shard, n)}
	for i := range m.shards {
		p, err := eviction.New(name, m.memory)
		if err != nil {
			return nil, err
		}
		// The remainder goes to the first shards.
		part := c.Capacity / uint64(n)
		if uint64(i) < c.Capacity%uint64(n) {
			part++
		}
		p.SetCapacity(max(part, 1))
		m.shards[i] = shard{policy: p, capacity: part}
	}
	return m, nil
}

// cache is what a run replays on.
type cache struct {
	*memory
	resident []bool
	shards   []shard
}

// shardOf returns the shard of a hash. It uses the high bits, as a policy may
// expect the rest to be random within a shard.
func (c *cache) shardOf(hash uint64) *shard {
	return &c.shards[(hash>>32)*uint64(len(c.shards))>>32]
}

// replay runs every request and counts the misses.
func replay(t *Trace, sized bool, c *cache) Misses {
	var misses Misses
	size := uint32(1)
	for i, key := range t.Keys {
		if sized {
			size = t.Sizes[i]
		}
		if !c.request(eviction.Ref(key+1), size) {
			misses.Objects++
			if sized {
				misses.Bytes += uint64(size)
			}
		}
	}
	return misses
}

// request serves one request and reports whether it was a hit.
func (c *cache) request(r eviction.Ref, size uint32) bool {
	hash := c.Hash(r)
	s := c.shardOf(hash)
	if c.resident[r] {
		s.policy.Touch(r, hash, 0)
		if before := c.Size(r); before != size {
			c.sizes[r] = size
			s.policy.Resize(r, before, size)
			s.used += uint64(size) - uint64(before)
			c.makeRoom(s, 0)
		}
		return true
	}
	if uint64(size) > s.capacity {
		return false
	}
	c.makeRoom(s, uint64(size))
	if c.sizes != nil {
		c.sizes[r] = size
	}
	c.nodes[r] = eviction.Node{}
	c.resident[r] = true
	s.used += uint64(size)
	s.policy.Add(r, hash, size, 0)
	return false
}

// makeRoom evicts until need more bytes fit.
func (c *cache) makeRoom(s *shard, need uint64) {
	for s.used+need > s.capacity {
		v := s.policy.Victim()
		if v == 0 || !c.resident[v] {
			panic(fmt.Sprintf("trace: policy named %d as victim, which is not resident", v))
		}
		s.policy.Evicted(v)
		c.resident[v] = false
		s.used -= uint64(c.Size(v))
	}
}
