package eviction

import "math/bits"

// usage is what the adaptive policy remembers of an entry's past in one byte:
// in the upper three bits how often it was used, in the lower five the octave of
// the last interval between two uses. The zero value is an entry used once.
type usage uint8

// The use levels: 1, 2, 3 to 4, 5 to 11, and 12 or more uses. The two wide
// levels are left with the probability that makes their mean stay right.
const (
	useLevels   = 5
	octaveBits  = 5
	octaveMask  = 1<<octaveBits - 1
	leaveLevel2 = 1 << 31       // one in 2 of 1<<32
	leaveLevel3 = (1 << 32) / 7 // one in 7
)

// level returns the use level, 0 to useLevels-1.
func (u usage) level() int { return int(u >> octaveBits) }

// octave returns the bit length of the last interval, 0 to 31.
func (u usage) octave() int { return int(u & octaveMask) }

// used returns the usage after one more use, interval accesses after the one
// before. The random number decides when a wide level is left.
func (u usage) used(interval, random uint32) usage {
	level := u >> octaveBits
	switch {
	case level < 2,
		level == 2 && random < leaveLevel2,
		level == 3 && random < leaveLevel3:
		level++
	}
	return level<<octaveBits | usage(min(bits.Len32(interval), octaveMask))
}

// The classes of entries whose reuse is learned separately: those used once, and
// the others by level and by the octave of their last interval relative to the
// number of resident entries.
const (
	intervalClasses = 8
	classes         = 1 + (useLevels-1)*intervalClasses
)

// class returns the class of u in a cache of about 1<<scale entries.
func (u usage) class(scale int) int {
	level := u.level()
	if level == 0 {
		return 0
	}
	q := min(max(u.octave()-scale+4, 0), intervalClasses-1)
	return 1 + (level-1)*intervalClasses + q
}
