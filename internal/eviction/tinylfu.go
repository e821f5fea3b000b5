package eviction

// tinyLFU is W-TinyLFU: new entries pass through a small LRU window; what
// leaves it competes with the oldest entry of the main part by estimated
// frequency, and the loser is evicted. The main part is a segmented LRU: four
// fifths of it are for entries that were touched in it.
//
// Node: Bits is the segment.
type tinyLFU struct {
	entries  Entries
	segments [3]list
	sketch   sketch
	capacity uint64
	// windowMax and protectedMax are the bytes these segments may have.
	windowMax, protectedMax uint64
}

// The segments.
const (
	window    = iota // new entries
	probation        // came out of the window
	protected        // touched on probation
)

const (
	windowShare    = 100 // one in so many of the capacity
	protectedFifth = 4   // fifths of the main part
)

func newTinyLFU(e Entries) *tinyLFU { return &tinyLFU{entries: e} }

// shift moves an entry to the front of a segment.
func (p *tinyLFU) shift(r Ref, n *Node, segment uint8) {
	size := p.entries.Size(r)
	p.segments[n.Bits].unlink(p.entries, r, n, size)
	n.Bits = segment
	p.segments[segment].pushFront(p.entries, r, n, size)
}

// bytes returns the bytes of all entries.
func (p *tinyLFU) bytes() uint64 {
	return p.segments[window].bytes + p.segments[probation].bytes + p.segments[protected].bytes
}

func (p *tinyLFU) Add(r Ref, hash uint64, size uint32, _ Time) {
	p.sketch.add(hash)
	p.segments[window].pushFront(p.entries, r, p.entries.Node(r), size)
	// While there is room, what overflows the window enters the main part
	// without a contest.
	for w := &p.segments[window]; w.bytes > p.windowMax && w.count > 1 && p.bytes()+uint64(size) <= p.capacity; {
		p.shift(w.tail, p.entries.Node(w.tail), probation)
	}
	p.sketch.adapt(int(p.segments[window].count + p.segments[probation].count + p.segments[protected].count))
}

func (p *tinyLFU) Touch(r Ref, hash uint64, _ Time) {
	p.sketch.add(hash)
	n := p.entries.Node(r)
	if n.Bits != probation {
		p.segments[n.Bits].toFront(p.entries, r, n)
		return
	}
	p.shift(r, n, protected)
	for l := &p.segments[protected]; l.bytes > p.protectedMax && l.count > 1; {
		p.shift(l.tail, p.entries.Node(l.tail), probation)
	}
}

func (p *tinyLFU) Resize(r Ref, before, after uint32) {
	p.segments[p.entries.Node(r).Bits].resized(before, after)
}

func (p *tinyLFU) Remove(r Ref) {
	n := p.entries.Node(r)
	p.segments[n.Bits].unlink(p.entries, r, n, p.entries.Size(r))
}

func (p *tinyLFU) Move(from, to Ref) {
	p.segments[p.entries.Node(to).Bits].moved(p.entries, from, to)
}

func (p *tinyLFU) Victim() Ref {
	l := &p.segments[window]
	main := p.segments[probation].tail
	if main == 0 {
		main = p.segments[protected].tail
	}
	switch {
	case l.count == 0:
		return main
	case l.bytes <= p.windowMax && main != 0:
		return main
	case main == 0:
		return l.tail
	}
	candidate := l.tail
	if p.sketch.estimate(p.entries.Hash(candidate)) <= p.sketch.estimate(p.entries.Hash(main)) {
		return candidate
	}
	p.shift(candidate, p.entries.Node(candidate), probation)
	return main
}

func (p *tinyLFU) Evicted(r Ref) { p.Remove(r) }

func (p *tinyLFU) SetCapacity(capacity uint64) {
	p.capacity = capacity
	p.windowMax = capacity / windowShare
	p.protectedMax = (capacity - p.windowMax) / 5 * protectedFifth
	p.sketch.enabled = capacity > 0
	if capacity == 0 {
		p.sketch = sketch{}
	}
}

// sketch is a count-min sketch of four rows of 4-bit counters that are halved
// once as many accesses as ten times its entries have been counted. It takes
// four to eight bytes per entry.
type sketch struct {
	enabled bool
	words   []uint64 // 16 counters each, a power of two
	added   int
}

// counters calls f with the word and the shift of each of the key's counters.
func (s *sketch) counters(hash uint64, f func(word *uint64, shift uint64)) {
	h := spread(hash)
	for row := range uint64(4) {
		h = h*0x9e3779b97f4a7c15 + row
		f(&s.words[h>>32&uint64(len(s.words)-1)], h>>60<<2)
	}
}

// add counts an access.
func (s *sketch) add(hash uint64) {
	if len(s.words) == 0 {
		return
	}
	raised := false
	s.counters(hash, func(word *uint64, shift uint64) {
		if *word>>shift&15 < 15 {
			*word += 1 << shift
			raised = true
		}
	})
	if raised {
		s.added++
	}
	if s.added >= 20*len(s.words) { // two entries a word
		s.added /= 2
		for i := range s.words {
			s.words[i] = s.words[i] >> 1 & 0x7777777777777777
		}
	}
}

// estimate returns the number of recent accesses of a key, 0 to 15.
func (s *sketch) estimate(hash uint64) uint64 {
	if len(s.words) == 0 {
		return 0
	}
	least := uint64(15)
	s.counters(hash, func(word *uint64, shift uint64) {
		least = min(least, *word>>shift&15)
	})
	return least
}

// adapt makes the sketch large enough for n entries. Doubling repeats what was
// counted, so that every key finds its old count.
func (s *sketch) adapt(n int) {
	if !s.enabled {
		return
	}
	if len(s.words) == 0 {
		s.words = make([]uint64, 8)
	}
	for 2*len(s.words) < n {
		s.words = append(s.words[:len(s.words):len(s.words)], s.words...)
		s.added *= 2
	}
}
