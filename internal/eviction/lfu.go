package eviction

import "math/bits"

// lfu evicts the entry with the lowest access counter, among equals the one
// touched longest ago. The counter is Redis's: logarithmic in 8 bits, starting
// at lfuInitial and incremented with a probability that falls as it rises.
//
// There is one list per counter value. Decay lowers every counter at once by
// renaming the lists: the list with label l holds value l - base. Only the
// entries that reach zero need a new label, since zero has its own; they get it
// a few at a time, with the operations that follow.
//
// Invariant: an entry's Bits are the label of the list it is linked in.
// Invariant: labels 0..254 stand for the values 1..255 as
// (label - base) mod 255 + 1, label zeroLabel for 0. During a drain the label
// draining, which would be that of 255, stands for 0 too, and no entry has 255.
type lfu struct {
	entries  Entries
	lists    [lfuValues]list
	occupied [lfuValues / 64]uint64 // the labels with entries
	base     uint8                  // label of value 1
	draining int                    // label whose entries move to zero; -1 for none
	random   uint64
}

const (
	lfuValues = 256
	zeroLabel = lfuValues - 1
	labels    = lfuValues - 1 // that rotate
	// lfuInitial and lfuLogFactor are Redis's LFU_INIT_VAL and the default of
	// its lfu-log-factor.
	lfuInitial   = 5
	lfuLogFactor = 10
	// drainStep entries are renamed with every operation.
	drainStep = 4
)

func newLFU(e Entries) *lfu {
	return &lfu{entries: e, draining: -1, random: 0x9e3779b97f4a7c15}
}

// labelOf returns the label of a value.
func (p *lfu) labelOf(value uint8) uint8 {
	if value == 0 {
		return zeroLabel
	}
	return uint8((int(p.base) + int(value) - 1) % labels)
}

// valueOf returns the counter value of a label.
func (p *lfu) valueOf(label uint8) uint8 {
	if label == zeroLabel || int(label) == p.draining {
		return 0
	}
	return uint8((int(label)-int(p.base)+labels)%labels) + 1
}

// link puts an entry that is in no list at the front of a value's list.
func (p *lfu) link(r Ref, n *Node, label uint8, size uint32) {
	n.Bits = label
	p.lists[label].pushFront(p.entries, r, n, size)
	p.occupied[label>>6] |= 1 << (label & 63)
}

// unlink takes an entry out of its list.
func (p *lfu) unlink(r Ref, n *Node, size uint32) {
	l := &p.lists[n.Bits]
	l.unlink(p.entries, r, n, size)
	if l.count == 0 {
		p.occupied[n.Bits>>6] &^= 1 << (n.Bits & 63)
	}
}

func (p *lfu) Add(r Ref, _ uint64, size uint32, _ Time) {
	p.drain(drainStep)
	p.link(r, p.entries.Node(r), p.labelOf(lfuInitial), size)
}

func (p *lfu) Touch(r Ref, _ uint64, _ Time) {
	p.drain(drainStep)
	n := p.entries.Node(r)
	value := p.valueOf(n.Bits)
	if p.increments(value) {
		value++
	}
	label := p.labelOf(value)
	if label == n.Bits {
		p.lists[label].toFront(p.entries, r, n)
		return
	}
	size := p.entries.Size(r)
	p.unlink(r, n, size)
	p.link(r, n, label, size)
}

// increments decides whether a touch raises a counter.
func (p *lfu) increments(value uint8) bool {
	if value == lfuValues-1 || value == lfuValues-2 && p.draining >= 0 {
		return false // the label of the highest value is the one being drained
	}
	over := uint64(max(int(value)-lfuInitial, 0))
	p.random ^= p.random << 13
	p.random ^= p.random >> 7
	p.random ^= p.random << 17
	return (p.random>>32)*(over*lfuLogFactor+1) < 1<<32
}

func (p *lfu) Resize(r Ref, before, after uint32) {
	p.lists[p.entries.Node(r).Bits].resized(before, after)
}

func (p *lfu) Remove(r Ref) { p.unlink(r, p.entries.Node(r), p.entries.Size(r)) }

func (p *lfu) Move(from, to Ref) {
	p.lists[p.entries.Node(to).Bits].moved(p.entries, from, to)
}

// Victim returns the least recent entry of the lowest value.
func (p *lfu) Victim() Ref {
	p.drain(drainStep)
	if t := p.lists[zeroLabel].tail; t != 0 {
		return t
	}
	if p.draining >= 0 {
		return p.lists[p.draining].tail
	}
	// The labels from base upwards, then those below it.
	word, bit := int(p.base>>6), p.base&63
	if w := p.occupied[word] >> bit << bit; w != 0 {
		return p.lists[word<<6+bits.TrailingZeros64(w)].tail
	}
	for i := 1; i <= len(p.occupied); i++ {
		k := (word + i) % len(p.occupied)
		if w := p.occupied[k]; w != 0 {
			return p.lists[k<<6+bits.TrailingZeros64(w)].tail
		}
	}
	return 0
}

func (p *lfu) Evicted(r Ref) { p.Remove(r) }

func (p *lfu) SetCapacity(uint64) {}

// Frequency implements [FrequencyReporter].
func (p *lfu) Frequency(r Ref) uint8 { return p.valueOf(p.entries.Node(r).Bits) }

// SetFrequency implements [FrequencyReporter]. The entry becomes the one of its
// value that was touched last.
func (p *lfu) SetFrequency(r Ref, f uint8) {
	if f == lfuValues-1 && p.draining >= 0 {
		f-- // the label of the highest value is the one being drained
	}
	n, size := p.entries.Node(r), p.entries.Size(r)
	p.unlink(r, n, size)
	p.link(r, n, p.labelOf(f), size)
}

// Decay implements [Decayer]. Entries that reach zero rank above those that were
// there before. It is O(steps), unless the entries of an earlier step are still
// waiting for their label: then they get it here.
func (p *lfu) Decay(steps uint) {
	for range min(steps, labels) {
		if p.draining >= 0 {
			p.drain(p.lists[p.draining].count)
		}
		if p.lists[p.base].count > 0 {
			p.draining = int(p.base)
		}
		p.base = uint8((int(p.base) + 1) % labels)
	}
}

// drain gives the label of zero to at most n entries that have decayed to it,
// the least recent first, so that their order stays.
func (p *lfu) drain(n uint32) {
	if p.draining < 0 {
		return
	}
	l := &p.lists[p.draining]
	for ; n > 0 && l.count > 0; n-- {
		r := l.tail
		node, size := p.entries.Node(r), p.entries.Size(r)
		p.unlink(r, node, size)
		p.link(r, node, zeroLabel, size)
	}
	if l.count == 0 {
		p.draining = -1
	}
}
