package eviction

// ghosts remembers the usage of entries that were evicted lately, in two bytes
// each: a tag of the key's hash, the use level, and the epoch of the last use. A
// tag can be another key's: about one lookup in thirty finds a ghost that is not
// its own, which costs a misplaced class, nothing else.
//
// Sets hold ghostWays ghosts, the youngest first; a full set forgets its oldest.
// The table grows with the number of resident entries. An epoch is a number of
// evictions, so that however seldom they are, the epochs reach as far back as
// the ghosts.
type ghosts struct {
	slots []uint16
	mask  uint32 // number of sets - 1
	// starts holds the clock at the start of the last epochs, epoch the
	// current one, and puts the evictions in it.
	starts [epochs]uint32
	epoch  uint32
	puts   int
}

const (
	ghostWays     = 8
	epochBits     = 5
	epochs        = 1 << epochBits
	levelMask     = 7
	ghostTagShift = 8
)

// spread mixes the bits of a key's hash that are the same in the whole shard
// into all bits.
func spread(hash uint64) uint64 {
	hash ^= hash >> 32
	hash *= 0x9fb21c651e98df25
	return hash ^ hash>>29
}

// set returns the slots of the set of a key and the tag in place.
func (g *ghosts) set(hash uint64) (slots []uint16, tag uint16) {
	h := spread(hash)
	first := (uint32(h) & g.mask) * ghostWays
	// Zero is an empty slot, so a tag is 1 to 255.
	return g.slots[first:][:ghostWays:ghostWays], max(uint16(h>>48), 1<<ghostTagShift) &^ (1<<ghostTagShift - 1)
}

// put remembers an evicted key, last used at the given time.
func (g *ghosts) put(hash uint64, u usage, last, now uint32) {
	if len(g.slots) == 0 {
		return
	}
	if g.puts++; g.puts > 2*len(g.slots)/epochs {
		g.puts = 0
		g.epoch++
		g.starts[g.epoch%epochs] = now
	}
	slots, tag := g.set(hash)
	copy(slots[1:], slots)
	slots[0] = tag | uint16(u.level())<<epochBits | uint16(g.epochOf(last, now))
}

// epochOf returns the epoch, modulo epochs, in which a time was; the oldest
// known for times before it.
func (g *ghosts) epochOf(time, now uint32) uint32 {
	back := uint32(0)
	for back < epochs-1 && now-g.starts[(g.epoch-back)%epochs] < now-time {
		back++
	}
	return (g.epoch - back) % epochs
}

// take forgets the key and returns what was remembered: its usage with an
// unknown octave, and about how many accesses ago it was last used.
func (g *ghosts) take(hash uint64, now uint32) (u usage, interval uint32, ok bool) {
	if len(g.slots) == 0 {
		return 0, 0, false
	}
	slots, tag := g.set(hash)
	for i, s := range slots {
		if s&^(1<<ghostTagShift-1) != tag {
			continue
		}
		copy(slots[i:], slots[i+1:])
		slots[ghostWays-1] = 0
		u = usage(s>>epochBits&levelMask) << octaveBits
		return u, now - g.middle(uint32(s)%epochs, now), true
	}
	return 0, 0, false
}

// middle returns the time in the middle of an epoch.
func (g *ghosts) middle(epoch, now uint32) uint32 {
	start, end := g.starts[epoch], now
	if epoch != g.epoch%epochs {
		end = g.starts[(epoch+1)%epochs]
	}
	return start + (end-start)/2
}

// grow makes room for about n ghosts, a power of two.
func (g *ghosts) grow(n int) {
	n = max(n, ghostWays)
	if len(g.slots) == 0 {
		g.slots = make([]uint16, n)
	}
	for len(g.slots) < n {
		// A key's set is the low bits of its hash, so its ghost is now in one
		// of two sets: it is copied to both and dies in the wrong one.
		g.slots = append(g.slots[:len(g.slots):len(g.slots)], g.slots...)
	}
	g.mask = uint32(len(g.slots)/ghostWays - 1)
}
