package trace

import "math/bits"

// Optimum returns the misses of the offline optimum (Belady's MIN) with room for
// capacity objects: the entry whose next use is farthest away leaves, where an
// object that is never used again does not enter. Sizes are ignored.
func Optimum(t *Trace, capacity int) int {
	if capacity <= 0 {
		return len(t.Keys)
	}
	next := NextUse(t)
	// The resident objects are known by the time of their next use, which is
	// unique; those without one never enter.
	resident := newTimeSet(len(t.Keys))
	count, misses := 0, 0
	for i := range t.Keys {
		if resident.has(i) {
			resident.remove(i)
			count--
		} else {
			misses++
		}
		if next[i] == Never {
			continue
		}
		if count == capacity {
			far := resident.max()
			if far < int(next[i]) {
				continue
			}
			resident.remove(far)
			count--
		}
		resident.add(int(next[i]))
		count++
	}
	return misses
}

// Never is the next use of an object that is not requested again.
const Never = ^uint32(0)

// NextUse returns for every request the index of the next request for the same
// key, [Never] for the last one.
func NextUse(t *Trace) []uint32 {
	next := make([]uint32, len(t.Keys))
	seen := make([]uint32, t.Distinct)
	for i := range seen {
		seen[i] = Never
	}
	for i := len(t.Keys) - 1; i >= 0; i-- {
		k := t.Keys[i]
		next[i] = seen[k]
		seen[k] = uint32(i)
	}
	return next
}

// timeSet is a set of request indices as a tree of 64-bit words: each level
// says which words of the level below are not zero, so that the largest member
// is found in one step per level.
type timeSet struct {
	levels [][]uint64 // the lowest level first
}

func newTimeSet(n int) *timeSet {
	s := &timeSet{}
	for {
		n = (n + 63) / 64
		s.levels = append(s.levels, make([]uint64, max(n, 1)))
		if n <= 1 {
			return s
		}
	}
}

func (s *timeSet) has(i int) bool { return s.levels[0][i>>6]>>(i&63)&1 != 0 }

func (s *timeSet) add(i int) {
	for _, level := range s.levels {
		old := level[i>>6]
		level[i>>6] = old | 1<<(i&63)
		if old != 0 {
			return
		}
		i >>= 6
	}
}

func (s *timeSet) remove(i int) {
	for _, level := range s.levels {
		level[i>>6] &^= 1 << (i & 63)
		if level[i>>6] != 0 {
			return
		}
		i >>= 6
	}
}

// max returns the largest member of a set that is not empty.
func (s *timeSet) max() int {
	i := 0
	for l := len(s.levels) - 1; l >= 0; l-- {
		i = i<<6 | (63 - bits.LeadingZeros64(s.levels[l][i]))
	}
	return i
}
