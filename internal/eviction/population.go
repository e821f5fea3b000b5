package eviction

import "math/bits"

// population lists the resident entries of a policy that looks for victims at
// random, and knows when each was used last. There is one list for each octave of
// sizes, so that entries can be drawn in proportion to the bytes they take: a few
// large ones among many small are found at once.
//
// Invariant: the node of the entry at position i of its list has Next == seated|i,
// that of an entry in no list has the time of its last use there.
// Invariant: bytes of a list is the sum of its entries' sizes, which are above
// zero and change only with resized.
//
// Where the entries can be drawn from without a list ([Sampler]), only those of
// largeSize and more are listed: for them eight bytes do not matter.
type population struct {
	entries Entries
	sampler Sampler  // nil: all entries are listed
	lists   []roster // by bits.Len32 of the size
	count   uint32
	bytes   uint64
	small   uint64 // bytes of the entries that are not listed
}

// seated marks a Next that is a position: the highest bit, which no [Time] has.
const seated = 1 << 31

// largeSize is the size in bytes from which on entries are always listed.
const largeSize = 4 << 10

func newPopulation(e Entries) population {
	s, _ := e.(Sampler)
	return population{entries: e, sampler: s}
}

// listed reports whether entries of a size are listed.
func (p *population) listed(size uint32) bool { return p.sampler == nil || size >= largeSize }

// roster is the list of the entries of one octave of sizes.
type roster struct {
	count  uint32
	bytes  uint64
	chunks [][]seat
}

// seat is one entry in a list.
type seat struct {
	ref  Ref
	used Time // last
}

// chunkBits is the size of a chunk of a list as a power of two: lists grow and
// shrink by 4 KiB without copying.
const chunkBits = 9

// at returns the place of a position.
func (l *roster) at(i uint32) *seat {
	return &l.chunks[i>>chunkBits][i&(1<<chunkBits-1)]
}

// seat returns the place of an entry in a list.
func (p *population) seat(n *Node, size uint32) *seat {
	return p.lists[bits.Len32(size)].at(uint32(n.Next &^ seated))
}

// used returns when an entry was used last.
func (p *population) used(n *Node, size uint32) Time {
	if n.Next < seated {
		return Time(n.Next)
	}
	return p.seat(n, size).used
}

// setUsed notes when an entry was used last.
func (p *population) setUsed(n *Node, size uint32, t Time) {
	if n.Next < seated {
		n.Next = Ref(t)
	} else {
		p.seat(n, size).used = t
	}
}

// add takes an entry in, which is used now.
func (p *population) add(r Ref, n *Node, size uint32, now Time) {
	p.count++
	p.bytes += uint64(size)
	if !p.listed(size) {
		p.small += uint64(size)
		n.Next = Ref(now)
		return
	}
	octave := bits.Len32(size)
	for octave >= len(p.lists) {
		p.lists = append(p.lists, roster{})
	}
	l := &p.lists[octave]
	if int(l.count>>chunkBits) == len(l.chunks) {
		l.chunks = append(l.chunks, make([]seat, 1<<chunkBits))
	}
	*l.at(l.count) = seat{r, now}
	n.Next = seated | Ref(l.count)
	l.count++
	l.bytes += uint64(size)
}

// remove takes an entry out; the last one of its list takes its position.
func (p *population) remove(n *Node, size uint32) {
	p.count--
	p.bytes -= uint64(size)
	if !p.listed(size) {
		p.small -= uint64(size)
		return
	}
	l := &p.lists[bits.Len32(size)]
	l.count--
	l.bytes -= uint64(size)
	if i := uint32(n.Next &^ seated); i != l.count {
		last := *l.at(l.count)
		*l.at(i) = last
		p.entries.Node(last.ref).Next = n.Next
	}
	// One chunk is kept spare, so that a list at a border does not allocate
	// at every step.
	if used := int(l.count>>chunkBits) + 2; used < len(l.chunks) {
		l.chunks[used] = nil
		l.chunks = l.chunks[:used]
	}
}

// moved notes the new place of an entry.
func (p *population) moved(n *Node, size uint32, to Ref) {
	if !p.listed(size) {
		return
	}
	p.seat(n, size).ref = to
}

// resized notes the new size of an entry.
func (p *population) resized(r Ref, n *Node, before, after uint32) {
	if bits.Len32(before) != bits.Len32(after) || !p.listed(before) {
		used := p.used(n, before)
		p.remove(n, before)
		p.add(r, n, after, used)
		return
	}
	p.lists[bits.Len32(after)].bytes += uint64(after) - uint64(before)
	p.bytes += uint64(after) - uint64(before)
}

// sample draws an entry from a population that is not empty, about in proportion
// to the bytes.
func (p *population) sample(random uint64) Ref {
	at, rest := bits.Mul64(random, p.bytes)
	if at < p.small {
		return p.sampleSmall(rest)
	}
	at -= p.small
	for i := range p.lists {
		l := &p.lists[i]
		if at < l.bytes {
			// Where in the list's bytes it fell says which entry.
			hi, lo := bits.Mul64(at, uint64(l.count))
			i, _ := bits.Div64(hi, lo, l.bytes)
			return l.at(uint32(i)).ref
		}
		at -= l.bytes
	}
	return 0
}

// sampleSmall draws an entry that is not listed, or any when they are too few
// to be met soon.
func (p *population) sampleSmall(random uint64) (r Ref) {
	for range 8 {
		if r = p.sampler.Random(random); !p.listed(p.entries.Size(r)) {
			break
		}
		random = random*0x9e3779b97f4a7c15 + 1
	}
	return r
}
