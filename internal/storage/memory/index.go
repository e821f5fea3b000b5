package memory

import (
	"math/bits"

	"github.com/larder-cache/larder/internal/storage/offheap"
)

// index maps the 32-bit hash of a key to the entry's ref. It is an open
// addressing table kept sorted by hash: a hash h has its home at h*n/2^32, and
// entries are stored at or behind their homes in ascending order. So a search
// ends at the first larger hash, a scan in hash order survives growth, and
// growing is one sequential pass, done a few slots at a time: while it lasts,
// hashes below boundary live in the new table and the others in the old one.
//
// A slot is 8 bytes: the hash in the high half, the ref in the low half; zero is
// an empty slot. Tables are kept between 82 % and 92 % full, so an entry costs
// between 8.7 and 9.8 bytes here.
//
// An index of a partition keeps tables of up to packedMax homes in the arena:
// see packed.go.
//
// Invariant: slots of a table, empty ones left out, ascend by hash.
// Invariant: the entries of one hash are in one table, never in both.
//
// What a search reads stands first, within one cache line: a node of a cluster
// has a thousand indexes.
type index struct {
	boundary uint64 // hashes below are in table; allHashes while there is no other
	table
	old      table
	cursor   uint64 // first slot of old that has not been moved
	released uint64 // slots of old whose memory has been given back
	count    uint64
	crowded  uint64 // count at which a smaller table has turned out too crowded; 0: none has
	hint     *hint  // where others learn the table's place; may be nil
	arena    *arena // where small tables are; nil: every table has its own region
	owner    Ref    // what the arena knows the tables by: keyspace.number
}

// table is one array of slots. The capacity is n plus a tail that takes
// entries pushed beyond the last home.
type table struct {
	slots  []uint64
	n      uint64 // homes; 0: no table
	last   uint64 // first slot behind the last one ever used
	region offheap.Region
	block  Ref // of the arena, for a small table; 0: it has its own region
}

const (
	allHashes   = 1 << 32
	indexTail   = 512
	indexStart  = 64
	moveAtOnce  = 1 << 12 // tables up to this size grow in one step
	moveStep    = 32      // slots moved per change while growing
	releaseStep = 1 << 15 // slots given back to the system at a time
	// displaced is how far behind its home an entry may be put when a table is filled.
	// At the fill that a table begins with no entry is, as long as hashes are spread
	// evenly. What is left when entries go in the order of their hashes is not.
	displaced = indexTail
)

func newTable(n uint64) table {
	size := 8 * (n + indexTail)
	region, err := offheap.ReserveSmall(size)
	if err != nil {
		panic("memory: index: " + err.Error())
	}
	return table{region: region, slots: region.Words(0, n+indexTail), n: n}
}

// drop frees a table.
func (x *index) drop(t *table) {
	if t.block != 0 {
		x.arena.freeTable(t.block)
	} else if t.n != 0 {
		t.region.Free()
	}
	*t = table{}
}

func (t *table) home(hash uint32) uint64 { return uint64(hash) * t.n >> 32 }

// mapped returns the memory the index takes outside of the arena, in bytes.
// The table that is left while a change of size lasts is always there.
func (x *index) mapped() uint64 {
	n := x.old.n - x.released
	if x.block == 0 {
		n += x.n
	}
	return 8 * n
}

// in returns the table that holds a hash and the slot at which to begin.
func (x *index) in(hash uint32) (*table, uint64) {
	if uint64(hash) < x.boundary {
		return &x.table, x.home(hash)
	}
	return &x.old, max(x.old.home(hash), x.cursor)
}

// find returns the entry with that hash and key, zero when there is none.
func (x *index) find(a *arena, hash uint32, key []byte) Ref {
	if x.n == 0 {
		return 0
	}
	t, i := x.in(hash)
	for ; ; i++ {
		s := t.slots[i]
		if s == 0 || uint32(s>>32) > hash {
			return 0
		}
		if uint32(s>>32) == hash && a.keyIs(Ref(s), key) {
			return Ref(s)
		}
	}
}

// replace makes the slot of one entry point to where the entry has moved.
func (x *index) replace(hash uint32, from, to Ref) {
	t, i := x.in(hash)
	want := uint64(hash)<<32 | uint64(from)
	for t.slots[i] != want {
		i++
	}
	t.slots[i] = uint64(hash)<<32 | uint64(to)
}

// insert adds an entry that is not in the index.
func (x *index) insert(hash uint32, ref Ref) {
	x.grow()
	for t, i := x.in(hash); !t.insert(i, uint64(hash)<<32|uint64(ref)); t, i = x.in(hash) {
		x.finishMove()
		x.resize(x.n + max(x.n/4, 1))
		x.finishMove()
	}
	x.count++
}

// insert puts a slot at its place, from which on is where to begin to search.
// It reports false when the tail is full.
func (t *table) insert(from uint64, s uint64) bool {
	i := from
	for t.slots[i] != 0 && t.slots[i]>>32 <= s>>32 {
		i++
		if i == uint64(len(t.slots))-1 {
			return false
		}
	}
	end := i
	for t.slots[end] != 0 {
		end++
		if end == uint64(len(t.slots))-1 {
			return false
		}
	}
	copy(t.slots[i+1:end+1], t.slots[i:end])
	t.slots[i] = s
	t.last = max(t.last, end+1)
	return true
}

// remove deletes the entry ref under that hash.
func (x *index) remove(hash uint32, ref Ref) {
	t, i := x.in(hash)
	want := uint64(hash)<<32 | uint64(ref)
	for t.slots[i] != want {
		if debugChecks && (t.slots[i] == 0 || uint32(t.slots[i]>>32) > hash) {
			panic("memory: index: entry to remove is not there")
		}
		i++
	}
	// The entries behind move up by one as long as that does not put them
	// before their home.
	j := i + 1
	for t.slots[j] != 0 && t.home(uint32(t.slots[j]>>32)) < j {
		j++
	}
	copy(t.slots[i:j-1], t.slots[i+1:j])
	t.slots[j-1] = 0
	x.count--
	x.shrink()
}

// grow makes sure that one more entry fits, and moves a running change of size
// on.
func (x *index) grow() {
	switch {
	case x.n == 0:
		x.resize(x.least())
	case x.old.n != 0:
		x.move(moveStep)
	case x.count >= x.n-x.n/16-x.n/64: // 92 %
		x.crowded = 0
		x.resize(x.larger())
	}
}

// shrink makes the table smaller when it is less than 40 % full.
func (x *index) shrink() {
	switch {
	case x.old.n != 0:
		x.move(moveStep)
	case x.isSparse():
		x.resize(max(x.least(), x.n*5/8))
	}
}

// isSparse reports whether the table is to be made smaller. After an attempt in vain
// half of the entries have to go before the next.
func (x *index) isSparse() bool {
	return x.n > x.least() && x.count < x.n*2/5 && (x.crowded == 0 || x.count <= x.crowded/2)
}

// larger returns the homes of the next larger table. Where there are many
// small tables, what the last step leaves unused counts.
func (x *index) larger() uint64 {
	switch {
	case x.n < indexStart, x.n < moveAtOnce && x.arena == nil:
		return 2 * x.n
	case x.n < packedMax && x.arena != nil:
		return x.n + x.n/12
	}
	return x.n + x.n/8
}

// least returns the homes of the smallest table.
func (x *index) least() uint64 {
	if x.arena != nil {
		return packedStart
	}
	return indexStart
}

// resize begins a change to a table of n homes, and completes it when that is
// little work. No other must be under way.
func (x *index) resize(n uint64) {
	if x.arena != nil && n <= packedMax {
		x.repack(n)
		return
	}
	x.begin(n)
}

// begin starts a change to a table of n homes.
func (x *index) begin(n uint64) {
	x.old, x.table = x.table, newTable(n)
	x.cursor, x.released, x.boundary = 0, 0, 0
	if x.old.n == 0 {
		x.boundary = allHashes
	}
	x.publish()
	if x.old.n <= moveAtOnce {
		x.finishMove()
	}
}

// settle moves a change of size on without a change of entries and reports
// whether there was one.
func (x *index) settle() bool {
	if x.old.n == 0 {
		if x.count == 0 && x.block != 0 {
			x.free()
			return true
		}
		if !x.isSparse() {
			return false
		}
		x.shrink()
		return true
	}
	x.move(1 << 12)
	return true
}

func (x *index) finishMove() {
	for x.old.n != 0 {
		x.move(1 << 20)
	}
}

// move carries at least n slots of the old table over, and the whole of each
// hash it has begun with.
func (x *index) move(n uint64) {
	end := x.old.last
	var hash uint32
	for ; x.cursor < end; x.cursor++ {
		s := x.old.slots[x.cursor]
		if n > 0 {
			n--
		} else if s == 0 || uint32(s>>32) != hash {
			break
		}
		if s == 0 {
			continue
		}
		hash = uint32(s >> 32)
		if !x.table.append(s) {
			x.merge()
			return
		}
		x.boundary = uint64(hash) + 1
	}
	if x.cursor >= end {
		x.drop(&x.old)
		x.cursor, x.released, x.boundary = 0, 0, allHashes
		return
	}
	if x.cursor-x.released >= releaseStep {
		x.old.region.Decommit(8*x.released, 8*(x.cursor-x.released))
		x.released = x.cursor
	}
}

// append puts a slot behind all others, none of which has a higher hash. It reports
// false when that is too far from its home, or beyond the tail.
func (t *table) append(s uint64) bool {
	home := t.home(uint32(s >> 32))
	i := max(home, t.last)
	for i > home && t.slots[i-1] == 0 {
		i-- // no gap may be between a slot and its home
	}
	if i-home > displaced || i >= uint64(len(t.slots))-1 {
		return false
	}
	t.slots[i] = s
	t.last = max(t.last, i+1)
	return true
}

// merge ends a change of size for which the new table has turned out too crowded,
// with one that is large enough.
func (x *index) merge() {
	n := x.n
	for fits := false; !fits; {
		n += max(n/4, 1)
		t := newTable(n)
		fits = t.fill(x.table.slots[:x.last]) && t.fill(x.old.slots[x.cursor:x.old.last])
		if !fits {
			x.drop(&t)
			continue
		}
		if n >= x.old.n {
			x.crowded = x.count
		}
		x.drop(&x.table)
		x.drop(&x.old)
		x.table, x.cursor, x.released, x.boundary = t, 0, 0, allHashes
	}
	x.publish()
}

// fill appends all slots of a list that ascends. It reports false when they do not
// fit.
func (t *table) fill(slots []uint64) bool {
	for _, s := range slots {
		if s != 0 && !t.append(s) {
			return false
		}
	}
	return true
}

// ascend calls fn for the entries with a hash of at least from, in ascending
// order, until fn returns false. fn must not change the index.
func (x *index) ascend(from uint32, fn func(hash uint32, ref Ref) bool) {
	if x.n == 0 {
		return
	}
	if uint64(from) < x.boundary {
		if !x.table.ascend(x.home(from), from, fn) {
			return
		}
	}
	if x.old.n != 0 {
		x.old.ascend(max(x.old.home(from), x.cursor), from, fn)
	}
}

func (t *table) ascend(i uint64, from uint32, fn func(hash uint32, ref Ref) bool) bool {
	for ; i < t.last; i++ {
		s := t.slots[i]
		if s != 0 && uint32(s>>32) >= from && !fn(uint32(s>>32), Ref(s)) {
			return false
		}
	}
	return true
}

// randomTries is for how long random looks for a slot that is not empty. Tables
// are at least 40 % full, but for the smallest.
const randomTries = 64

// random returns the entry that a random number stands for, each one with the same
// probability. The index must not be empty.
func (x *index) random(number uint64) Ref {
	left := x.old.last - min(x.cursor, x.old.last)
	for range randomTries {
		at, _ := bits.Mul64(number, x.last+left)
		s := uint64(0)
		if at < x.last {
			s = x.slots[at]
		} else {
			s = x.old.slots[x.cursor+at-x.last]
		}
		if s != 0 {
			return Ref(s)
		}
		number = mix(number)
	}
	return x.near(uint32(number >> 32))
}

// near returns the entry behind the home of a hash, wherever that is. The index
// must not be empty.
func (x *index) near(hash uint32) Ref {
	t, i := x.in(hash)
	for ; i < t.last; i++ {
		if s := t.slots[i]; s != 0 {
			return Ref(s)
		}
	}
	var r Ref
	first := func(_ uint32, ref Ref) bool {
		r = ref
		return false
	}
	if x.ascend(hash, first); r == 0 {
		x.ascend(0, first)
	}
	return r
}

// free gives all memory back.
func (x *index) free() {
	x.drop(&x.table)
	x.drop(&x.old)
	x.cursor, x.released, x.boundary, x.count = 0, 0, allHashes, 0
	x.publish()
}
