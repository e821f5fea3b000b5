package memory

import (
	"math/bits"
	"math/rand/v2"
)

// randomTimed returns a random entry that expires. When few do, it gives up
// looking and returns the one that expires first.
func (s *shard) randomTimed() Ref {
	for range 64 {
		if r := s.randomEntry(); r != 0 && s.expireAt(r) != 0 {
			return r
		}
	}
	return s.wheel.nearest(&s.arena)
}

// randomEntry returns a random entry, of each keyspace as often as it has
// entries, zero when there is none.
func (s *shard) randomEntry() Ref { return s.Random(rand.Uint64()) }

// fewSpaces is how many keyspaces are looked at one by one to find a random
// entry's.
const fewSpaces = 4

// Random implements [eviction.Sampler].
func (s *shard) Random(random uint64) Ref {
	if s.entries == 0 {
		return 0
	}
	if len(s.live) > fewSpaces {
		if r := s.throw(random); r != 0 {
			return r
		}
	}
	return pick(s.live, s.entries, random)
}

// throw returns a random entry, each with the same probability, or zero. It
// takes any keyspace and returns an entry of it with a probability in
// proportion to how many it has; so it is quick when they have about as many
// each, as partitions do.
func (s *shard) throw(random uint64) Ref {
	for range 16 {
		which, _ := bits.Mul64(random, uint64(len(s.live)))
		k := s.live[which]
		random = mix(random)
		if at, rest := bits.Mul64(random, s.fullest); at < k.index.count {
			return k.index.random(rest)
		}
		random = mix(random)
	}
	return 0
}

// mix returns the next of a sequence of random numbers (splitmix64: G. Steele,
// D. Lea, C. Flood, OOPSLA 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// pick returns a random one of the entries of some keyspaces, which have total
// entries together, zero when that is zero.
func pick(spaces []*keyspace, total, random uint64) Ref {
	at, rest := bits.Mul64(random, total)
	for _, k := range spaces {
		if k == nil {
			continue
		}
		if at < k.index.count {
			return k.index.random(rest)
		}
		at -= k.index.count
	}
	return 0
}
