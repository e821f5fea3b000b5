package memory

import (
	"github.com/larder-cache/larder/internal/storage/offheap"
)

// A store with partitions has thousands of indexes, most of them small. Whole
// pages for each would waste a good part of them, so a small table is a block
// of the arena, of just the size it needs, and compaction moves it as it moves
// entries. The block's header is one unit: meta with the kind [packedTable],
// and the owner in place of the policy's first link.
//
// Invariant: at most one table of an index is packed, and while one is there
// is no other.

// packedTable is the kind of a block that holds a table of an index.
const packedTable Kind = 7

const (
	packedStart = 16   // homes of the smallest table
	packedMax   = 4000 // and of the largest: it must fit a block
	packedTail  = 32   // slots behind the last home; what does not fit makes the table grow
)

// newPacked returns an empty table of n homes in the arena.
func (x *index) newPacked(n uint64) table {
	slots := n + min(n, packedTail)
	r := x.arena.takeTable(uint32(slots)+1, x.owner)
	t := table{block: r, n: n}
	t.slots = x.arena.region.Words(uint64(r)*unit+unit, slots)
	clear(t.slots)
	return t
}

// repack makes a packed table of n homes the index's only one; more homes than
// n, when that is too crowded.
func (x *index) repack(n uint64) {
	x.finishMove()
	shrinks := n < x.n
	t := x.newPacked(n)
	for !t.fill(x.slots[:x.last]) {
		x.drop(&t)
		switch n += max(n/4, 1); {
		case shrinks && n >= x.n:
			x.crowded = x.count
			return
		case n > packedMax:
			x.begin(n)
			x.finishMove()
			return
		}
		t = x.newPacked(n)
	}
	x.drop(&x.table)
	x.table, x.boundary = t, allHashes
	x.publish()
}

// relocated tells the index that the arena has moved its table.
func (x *index) relocated(to Ref) {
	x.block = to
	x.slots = x.arena.region.Words(uint64(to)*unit+unit, uint64(len(x.slots)))
	x.publish()
}

// address returns where the slots are.
func (x *index) address() offheap.Address {
	if x.block != 0 {
		return x.arena.region.AddressOf(uint64(x.block)*unit + unit)
	}
	return x.region.AddressOf(0)
}

// takeTable returns a block of n units for a table. It evicts nothing, so that
// it may be called in the middle of any change: at the limit it overshoots by
// a segment at most, which the next write pays back.
func (a *arena) takeTable(n uint32, owner Ref) Ref {
	r, units := a.fit(n)
	if r == 0 {
		if err := a.grow(); err != nil {
			panic("memory: segment: " + err.Error())
		}
		a.resized = true
		r, units = a.fit(n)
	}
	a.tableUnits += uint64(units)
	h := a.header(r)
	h.setMeta(units | uint32(packedTable)<<kindShift)
	h.prev = owner
	return r
}

func (a *arena) freeTable(r Ref) {
	units := a.header(r).metaBits() & metaUnits
	a.tableUnits -= uint64(units)
	a.free(r, units)
}

// relocateTable copies a table out of the segment being emptied.
func (s *shard) relocateTable(r Ref, units uint32) {
	to, got := s.fit(units)
	if to == 0 {
		if err := s.grow(); err != nil {
			panic("memory: segment: " + err.Error())
		}
		s.count()
		to, got = s.fit(units)
	}
	copy(s.region.Bytes(uint64(to)*unit, uint64(units)*unit), s.region.Bytes(uint64(r)*unit, uint64(units)*unit))
	s.header(to).setMeta(got | uint32(packedTable)<<kindShift)
	s.tableUnits += uint64(got) - uint64(units)
	s.live[s.header(to).prev].index.relocated(to)
	s.stats.moved++
	s.arena.free(r, units)
}
