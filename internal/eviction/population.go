package eviction

// Sampler is an optional ability of [Entries]: to name resident entries at
// random. A policy that looks for victims in random samples keeps four bytes per
// entry to do so; with a Sampler it keeps nothing.
type Sampler interface {
	// Sample returns one of the entries that were added to the policy and have
	// not left, chosen by the random number, each about equally likely; zero
	// when there is none.
	Sample(random uint64) Ref
}

// population is the set of resident entries of a policy that samples.
//
// Invariant: without a Sampler, the node of the entry at position i has Next ==
// i; with one, Next is unused.
type population struct {
	entries Entries
	sampler Sampler // nil when the entries have to be listed here
	count   uint32
	chunks  [][]Ref
}

// chunkBits is the size of a chunk of the list as a power of two: it grows and
// shrinks by 16 KiB without copying.
const chunkBits = 12

func newPopulation(e Entries) population {
	s, _ := e.(Sampler)
	return population{entries: e, sampler: s}
}

// at returns the place of a position.
func (p *population) at(i uint32) *Ref {
	return &p.chunks[i>>chunkBits][i&(1<<chunkBits-1)]
}

// add appends an entry.
func (p *population) add(r Ref, n *Node) {
	if p.sampler == nil {
		if int(p.count>>chunkBits) == len(p.chunks) {
			p.grow()
		}
		*p.at(p.count) = r
		n.Next = Ref(p.count)
	}
	p.count++
}

// grow appends a chunk. The first one starts small, since a server has many
// policies and most start empty.
func (p *population) grow() {
	p.chunks = append(p.chunks, make([]Ref, 1<<chunkBits))
}

// remove takes an entry out; the last one takes its position.
func (p *population) remove(n *Node) {
	p.count--
	if p.sampler != nil {
		return
	}
	if last := *p.at(p.count); uint32(n.Next) != p.count {
		*p.at(uint32(n.Next)) = last
		p.entries.Node(last).Next = n.Next
	}
	// One chunk is kept spare, so that a population at a border does not
	// allocate at every step.
	if used := int(p.count>>chunkBits) + 2; used < len(p.chunks) {
		p.chunks[used] = nil
		p.chunks = p.chunks[:used]
	}
}

// moved notes the new place of an entry.
func (p *population) moved(n *Node, to Ref) {
	if p.sampler == nil {
		*p.at(uint32(n.Next)) = to
	}
}

// sample returns a random entry of a population that is not empty.
func (p *population) sample(random uint64) Ref {
	if p.sampler != nil {
		return p.sampler.Sample(random)
	}
	return *p.at(uint32((random >> 32) * uint64(p.count) >> 32))
}
