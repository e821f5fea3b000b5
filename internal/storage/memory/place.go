package memory

import (
	"hash/maphash"
	"math/bits"

	"github.com/zeebo/xxh3"

	"github.com/larder-cache/larder/internal/hashing"
)

// hashes tells where in a store a key belongs. It does not change.
//
// Without partitions the upper bits of the key's hash choose the shard. With
// them the key's slot does: neighbouring partitions are in different shards,
// and within a shard a partition has a local number.
type hashes struct {
	plain       bool // neither partitions nor a seed
	partitioned bool
	seeded      bool
	seed        uint64
	random      maphash.Seed
	shift       uint // without partitions hash >> shift is the shard
	shardMask   int  // with partitions p & shardMask is the shard
	shardBits   uint // and p >> shardBits the local number
	localBits   uint // bits of a local number; 0 without partitions
}

// Place is where a key belongs in a store. It stays the same for as long as the
// store lives, and is of no use in another.
type Place struct {
	hash      uint64 // the lower half is the place in the index
	partition int    // 0 in stores without them
}

// Partition returns the partition of the key. It is 0 in a store without
// [Config.Partitions].
func (p Place) Partition() int { return p.partition }

func newHashes(c Config) hashes {
	shardBits := uint(bits.TrailingZeros(uint(c.Shards)))
	h := hashes{
		partitioned: c.Partitions, seeded: len(c.Seed) != 0, random: maphash.MakeSeed(),
		shift: 64 - shardBits, shardMask: c.Shards - 1, shardBits: shardBits,
	}
	h.plain = !h.partitioned && !h.seeded
	if h.seeded {
		h.seed = xxh3.Hash(c.Seed)
	}
	if h.partitioned {
		h.localBits = uint(bits.TrailingZeros(hashing.Partitions)) - shardBits
	}
	return h
}

func (h *hashes) hash(key []byte) uint64 {
	if h.seeded {
		return xxh3.HashSeed(key, h.seed)
	}
	return maphash.Bytes(h.random, key)
}

// Place returns the place of a key.
func (h *hashes) Place(key []byte) Place {
	if !h.partitioned {
		return Place{hash: h.hash(key)}
	}
	return Place{h.hash(key), hashing.PartitionOf(key)}
}

// shardOf returns the number of the shard of a place, and that of its partition in
// the shard.
func (h *hashes) shardOf(p Place) (shard, local int) {
	if !h.partitioned {
		return int(p.hash >> h.shift), 0
	}
	return p.partition & h.shardMask, p.partition >> h.shardBits
}

// local returns the number of a key's partition in its shard.
func (h *hashes) local(key []byte) int {
	if !h.partitioned {
		return 0
	}
	return hashing.PartitionOf(key) >> h.shardBits
}

// spaceAt returns the place in shard.spaces of a database and a partition.
func (h *hashes) spaceAt(db, local int) int { return db<<h.localBits | local }
