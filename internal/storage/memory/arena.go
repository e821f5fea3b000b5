package memory

import (
	"math/bits"

	"github.com/larder-cache/larder/internal/storage/offheap"
)

const (
	unit         = 8         // bytes; blocks are aligned to it and measured in it
	segmentBytes = 256 << 10 // a segment holds blocks of any size side by side
	segmentUnits = segmentBytes / unit
	maxBlock     = 4095 * unit // larger entries get a run of pages of their own

	arenaBytes   = 32 << 30 // address space of one arena: what a Ref can reach
	segmentSpace = arenaBytes / 2
	firstRun     = segmentSpace / unit // refs from here on are runs
	minHole      = 2                   // units: a hole holds its size and two links
)

// arena is the memory of one shard: segments filled with blocks side by side,
// and runs of pages for entries beyond [maxBlock]. A block that is freed
// becomes a hole, joined with the holes beside it; holes are reused best fit
// first. When holes take too large a share, the sparsest segment is emptied
// ([shard.compact]), so that memory follows a workload whose sizes change.
//
// Invariant: a segment below its bump mark is a gapless sequence of blocks and
// holes, with never two holes in a row.
// Invariant: a block behind a hole carries metaAfter, and the last 4 bytes of
// a hole are its length in units.
// Invariant: every hole is in the bin of its size, those of the segment being
// emptied excepted.
// Invariant: emptied is where a block or a hole of the victim begins, or its end.
type arena struct {
	region   offheap.Region
	segments []segment
	spare    []uint32 // segments given back, to be used again
	open     int      // segment being filled, -1: none
	victim   int      // segment being emptied, -1: none
	emptied  Ref      // blocks of the victim before this one are gone
	bins     bins
	runs     runs

	resized bool // segments or runs were taken or given back since last looked at

	liveUnits  uint64 // blocks in segments
	tableUnits uint64 // of these, tables of indexes
	holeUnits  uint64
}

// segment is the state of one segment.
type segment struct {
	bump  uint32 // units in use from its start
	holes uint32 // units of it that are holes
}

// hole is what a free stretch of a segment begins with. Its first word is zero
// but for metaAfter, which a hole never has. Its length is last, so that in the
// smallest hole it is also the length at the end.
type hole struct {
	zero       uint32
	prev, next Ref
	units      uint32
}

func newArena() (arena, error) {
	region, err := offheap.Reserve(arenaBytes)
	if err != nil {
		return arena{}, err
	}
	a := arena{region: region, open: -1, victim: -1}
	a.runs.reset()
	return a, nil
}

// reset gives all segments back. It does not write where the region is, which
// is read without the lock: see [Store.contains].
func (a *arena) reset() {
	a.region.Decommit(0, uint64(len(a.segments))*segmentBytes)
	a.segments, a.spare = nil, nil
	a.open, a.victim, a.emptied = -1, -1, 0
	a.bins = bins{}
	a.liveUnits, a.tableUnits, a.holeUnits = 0, 0, 0
}

// resident returns the bytes the arena has touched and not given back.
func (a *arena) resident() uint64 {
	return uint64(len(a.segments)-len(a.spare))*segmentBytes + a.runs.resident()
}

func (a *arena) hole(r Ref) *hole { return offheap.At[hole](&a.region, uint64(r)*unit) }

func isRun(r Ref) bool { return r >= firstRun }

func segmentOf(r Ref) int { return int(r / segmentUnits) }

func unitsOf(size uint64) uint32 { return uint32((size + unit - 1) / unit) }

// fit takes a block of n units from a hole or from the open segment, without
// new memory. Zero: there is no room. got may be one unit more than n.
func (a *arena) fit(n uint32) (r Ref, got uint32) {
	if r = a.bins.take(a, n); r != 0 {
		h := a.hole(r)
		size := h.units
		a.holeTaken(r, size)
		rest := size - n
		if rest >= minHole {
			a.putHole(r+Ref(n), rest)
			size = n
		} else {
			a.clearAfter(r+Ref(size), r)
		}
		a.liveUnits += uint64(size)
		return r, size
	}
	if a.open >= 0 {
		s := &a.segments[a.open]
		if segmentUnits-s.bump >= n {
			r = Ref(a.open*segmentUnits) + Ref(s.bump)
			s.bump += n
			a.liveUnits += uint64(n)
			return r, n
		}
	}
	return 0, 0
}

// grow opens a new segment; what was left of the open one becomes a hole.
func (a *arena) grow() error {
	next := len(a.segments)
	if n := len(a.spare); n > 0 {
		next = int(a.spare[n-1])
		a.spare = a.spare[:n-1]
	} else {
		if uint64(next+1)*segmentBytes > segmentSpace {
			return ErrFull
		}
		if err := a.region.Commit(uint64(next+1) * segmentBytes); err != nil {
			return err
		}
		a.segments = append(a.segments, segment{})
	}
	a.closeOpen()
	a.open = next
	a.segments[next] = segment{}
	if next == 0 {
		// Ref zero is no entry, and the refs below firstRef name the lists of
		// the timing wheel.
		a.segments[0].bump = firstRef
	}
	return nil
}

func (a *arena) closeOpen() {
	if a.open < 0 {
		return
	}
	s := &a.segments[a.open]
	rest := segmentUnits - s.bump
	r := Ref(a.open*segmentUnits) + Ref(s.bump)
	a.open = -1
	if rest >= minHole {
		s.bump = segmentUnits
		a.putHole(r, rest)
	}
}

// free makes the block at r, n units long, a hole.
func (a *arena) free(r Ref, n uint32) {
	a.liveUnits -= uint64(n)
	seg := segmentOf(r)
	s := &a.segments[seg]
	if a.header(r).metaBits()&metaAfter != 0 {
		before := *offheap.At[[2]uint32](&a.region, uint64(r)*unit-unit)
		size := before[1]
		a.dropHole(r-Ref(size), size)
		r -= Ref(size)
		n += size
	}
	end := r + Ref(n)
	limit := Ref(seg*segmentUnits) + Ref(s.bump)
	if end < limit && a.header(end).metaBits()&metaUnits == 0 {
		size := a.hole(end).units
		a.dropHole(end, size)
		n += size
		end += Ref(size)
	}
	if seg == a.open && end == limit {
		s.bump -= n
		return
	}
	if end == limit && seg != a.victim && r == a.firstBlock(seg) {
		a.release(seg)
		return
	}
	a.putHole(r, n)
}

// firstBlock returns where the blocks of a segment begin.
func (a *arena) firstBlock(seg int) Ref {
	if seg == 0 {
		return firstRef
	}
	return Ref(seg * segmentUnits)
}

// putHole makes units from r on a hole and enters it into its bin.
func (a *arena) putHole(r Ref, n uint32) {
	seg := segmentOf(r)
	s := &a.segments[seg]
	s.holes += n
	a.holeUnits += uint64(n)
	h := a.hole(r)
	h.zero, h.units = 0, n
	(*offheap.At[[2]uint32](&a.region, (uint64(r)+uint64(n)-1)*unit))[1] = n
	if end := r + Ref(n); end < Ref(seg*segmentUnits)+Ref(s.bump) {
		next := a.header(end)
		next.setMeta(next.metaBits() | metaAfter)
	}
	if seg != a.victim {
		a.bins.put(a, r, n)
	} else if r <= a.emptied {
		a.emptied = max(a.emptied, r+Ref(n))
	}
}

// dropHole takes a hole out, whatever is to become of it.
func (a *arena) dropHole(r Ref, n uint32) {
	if segmentOf(r) != a.victim {
		a.bins.remove(a, r, n)
	}
	a.holeTaken(r, n)
}

func (a *arena) holeTaken(r Ref, n uint32) {
	a.segments[segmentOf(r)].holes -= n
	a.holeUnits -= uint64(n)
}

// clearAfter tells the block at end that what is before it is no hole any more.
func (a *arena) clearAfter(end, of Ref) {
	seg := segmentOf(of)
	if end < Ref(seg*segmentUnits)+Ref(a.segments[seg].bump) {
		next := a.header(end)
		next.setMeta(next.metaBits() &^ metaAfter)
	}
}

// release gives an empty segment back to the system.
func (a *arena) release(seg int) {
	s := &a.segments[seg]
	a.holeUnits -= uint64(s.holes)
	*s = segment{}
	a.region.Decommit(uint64(seg)*segmentBytes, segmentBytes)
	a.spare = append(a.spare, uint32(seg))
	a.resized = true
}

// sparsest returns the segment with the most bytes in holes, -1 when there is
// none besides the open one.
func (a *arena) sparsest() (seg int, holes uint32) {
	seg = -1
	for i := range a.segments {
		if i != a.open && a.segments[i].holes > holes {
			seg, holes = i, a.segments[i].holes
		}
	}
	return seg, holes
}

// bins are the lists of holes by size: one for every size up to exactBins
// units, then eight for every doubling.
type bins struct {
	heads [binCount]Ref
	used  [(binCount + 63) / 64]uint64
}

const (
	exactBins = 512
	binCount  = exactBins + 8*7
)

func binOf(n uint32) int {
	if n < exactBins {
		return int(n)
	}
	log := bits.Len32(n) - 1 // at least 9
	return exactBins + (log-9)*8 + int(n>>(log-3))&7
}

func (b *bins) put(a *arena, r Ref, n uint32) {
	i := binOf(n)
	h := a.hole(r)
	h.prev, h.next = 0, b.heads[i]
	if h.next != 0 {
		a.hole(h.next).prev = r
	}
	b.heads[i] = r
	b.used[i/64] |= 1 << (i % 64)
}

func (b *bins) remove(a *arena, r Ref, n uint32) {
	h := a.hole(r)
	if h.next != 0 {
		a.hole(h.next).prev = h.prev
	}
	if h.prev != 0 {
		a.hole(h.prev).next = h.next
		return
	}
	i := binOf(n)
	b.heads[i] = h.next
	if h.next == 0 {
		b.used[i/64] &^= 1 << (i % 64)
	}
}

// take removes and returns a hole of at least n units, the smallest bin first.
func (b *bins) take(a *arena, n uint32) Ref {
	i := binOf(n)
	if i >= exactBins {
		// The first bin also has smaller holes: look at a few.
		r := b.heads[i]
		for tries := 0; r != 0 && tries < 8; tries++ {
			if size := a.hole(r).units; size >= n {
				b.remove(a, r, size)
				return r
			}
			r = a.hole(r).next
		}
		i++
	}
	for w := i / 64; w < len(b.used); w++ {
		set := b.used[w]
		if w == i/64 {
			set &= ^uint64(0) << (i % 64)
		}
		if set != 0 {
			r := b.heads[w*64+bits.TrailingZeros64(set)]
			b.remove(a, r, a.hole(r).units)
			return r
		}
	}
	return 0
}
