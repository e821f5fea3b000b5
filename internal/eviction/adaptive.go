package eviction

import "math/bits"

// adaptive is larder's default policy: it evicts, from a random sample of the
// entries, the one whose expected uses per byte and time are the lowest, as
// learned from a sample of the keys. See the package comment.
//
// Node: Bits is the entry's usage, Prev the time of its last use on the
// policy's clock, Next its position in the population.
type adaptive struct {
	entries Entries
	clock   uint32 // accesses so far, wrapping
	random  uint64

	population population
	ghosts     ghosts
	// learner is nil while the capacity is unlimited.
	learner *learner
	// candidates are the most worthless entries of the last samples, the
	// worst first.
	candidates  []candidate
	lastLearned uint32 // when the model was last recomputed
}

// candidate is an entry that may be evicted soon.
type candidate struct {
	ref   Ref
	last  Ref     // the time of its last use when it was looked at, as in Node.Prev
	worth float32 // expected uses per access and byte, then
}

const (
	// freshSamples entries are looked at for each victim; keptCandidates of
	// the worst stay for the next.
	freshSamples   = 16
	keptCandidates = 16
	// learnShare: the model is recomputed every 1/learnShare of the number of
	// entries, but at least leastLearn, accesses.
	learnShare = 4
	leastLearn = 512
	// leastScale is the smallest number of entries, as a power of two, whose
	// ages are told apart.
	leastScale = 5
)

func newAdaptive(e Entries) *adaptive {
	return &adaptive{
		entries:    e,
		random:     0x2545f4914f6cdd1d,
		population: population{entries: e},
	}
}

func (p *adaptive) Add(r Ref, hash uint64, size uint32) {
	p.clock++
	n := p.entries.Node(r)
	if u, interval, ok := p.ghosts.take(hash, p.clock); ok {
		n.Bits = uint8(u.used(interval, p.roll()))
	}
	n.Prev = Ref(p.clock)
	p.population.add(r, n, size)
	if p.learner == nil {
		return
	}
	if bits.Len32(p.population.count)-1 > p.learner.model.scale {
		p.rescale()
	}
	p.learner.access(hash, size, p.clock, p.roll(), false)
}

func (p *adaptive) Touch(r Ref, hash uint64) {
	p.clock++
	n := p.entries.Node(r)
	n.Bits = uint8(usage(n.Bits).used(p.clock-uint32(n.Prev), p.clock*0x9e3779b1))
	n.Prev = Ref(p.clock)
	if p.learner != nil && p.learner.near.follows(fingerprint(hash)) {
		p.learner.access(hash, p.entries.Size(r), p.clock, p.roll(), true)
	}
}

func (p *adaptive) Resize(r Ref, before, after uint32) {
	p.population.resized(r, p.entries.Node(r), before, after)
	if p.learner != nil {
		p.learner.resized(p.entries.Hash(r), before, after)
	}
}

func (p *adaptive) Remove(r Ref) { p.remove(r, p.entries.Hash(r)) }

// remove takes an entry with the given hash out of all structures.
func (p *adaptive) remove(r Ref, hash uint64) {
	size := p.entries.Size(r)
	if p.learner != nil {
		p.learner.left(hash, size)
	}
	p.population.remove(p.entries.Node(r), size)
	for i, c := range p.candidates {
		if c.ref == r {
			p.candidates = append(p.candidates[:i], p.candidates[i+1:]...)
			return
		}
	}
}

func (p *adaptive) Move(from, to Ref) {
	p.population.moved(p.entries.Node(to), p.entries.Size(to), to)
	for i := range p.candidates {
		if p.candidates[i].ref == from {
			p.candidates[i].ref = to
			return
		}
	}
}

func (p *adaptive) Victim() Ref {
	if p.population.count == 0 {
		return 0
	}
	if p.learner != nil {
		p.learner.judging = true
		p.maybeLearn()
	}
	p.gather()
	for {
		if len(p.candidates) == 0 {
			p.gather()
		}
		i := 0
		if p.learner == nil || float32(p.roll()>>8) >= p.learner.trust*(1<<24) {
			i = p.stalest()
		}
		c := p.candidates[i]
		if p.entries.Node(c.ref).Prev == c.last {
			return c.ref
		}
		// It was used since it was looked at.
		p.candidates = append(p.candidates[:i], p.candidates[i+1:]...)
	}
}

// stalest returns the position of the candidate with the largest product of age
// and size: what LRU would evict if it knew sizes.
func (p *adaptive) stalest() int {
	var most uint64
	stalest := 0
	for i, c := range p.candidates {
		age := p.clock - uint32(c.last)
		if cost := uint64(age) * uint64(p.entries.Size(c.ref)); cost > most {
			most, stalest = cost, i
		}
	}
	return stalest
}

func (p *adaptive) Evicted(r Ref) {
	n := p.entries.Node(r)
	hash := p.entries.Hash(r)
	p.ghosts.put(hash, usage(n.Bits), uint32(n.Prev), p.clock)
	p.remove(r, hash)
}

func (p *adaptive) SetCapacity(capacity uint64) {
	switch {
	case capacity == 0:
		p.learner, p.ghosts, p.candidates = nil, ghosts{}, nil
		return
	case p.learner == nil:
		p.learner = newLearner()
		p.lastLearned = p.clock
	}
	p.rescale()
}

// rescale adapts model, sample and ghosts to the number of resident entries.
func (p *adaptive) rescale() {
	n := max(p.population.count, 1<<leastScale)
	p.learner.rescale(n)
	p.ghosts.grow(2 << (bits.Len32(n) - 1))
}

// maybeLearn recomputes the model when it is due.
func (p *adaptive) maybeLearn() {
	elapsed := p.clock - p.lastLearned
	if elapsed < max(leastLearn, p.population.count/learnShare) {
		return
	}
	if bits.Len32(p.population.count+p.population.count/4)-1 < p.learner.model.scale && p.learner.model.scale > leastScale {
		p.rescale()
	}
	p.lastLearned = p.clock
	p.learner.learn(p.clock, elapsed)
	p.reconsider()
}

// gather draws a fresh sample and puts the worst of it among the candidates.
func (p *adaptive) gather() {
	if p.candidates == nil {
		p.candidates = make([]candidate, 0, keptCandidates+1)
	}
	for range freshSamples {
		p.consider(p.population.sample(p.next()))
	}
}

// reconsider values the candidates anew after the model was recomputed.
func (p *adaptive) reconsider() {
	var old [keptCandidates + 1]candidate
	n := copy(old[:], p.candidates)
	p.candidates = p.candidates[:0]
	for _, c := range old[:n] {
		p.consider(c.ref)
	}
}

// consider puts an entry among the candidates if it is one of the worst.
func (p *adaptive) consider(r Ref) {
	n := p.entries.Node(r)
	c := candidate{ref: r, last: n.Prev}
	if p.learner != nil {
		age := p.clock - uint32(n.Prev)
		m := p.learner.model
		c.worth = m.worth[m.cell(usage(n.Bits), age)] / float32(p.entries.Size(r))
	}
	all := p.candidates
	i := len(all)
	for i > 0 && p.worse(c, all[i-1]) {
		i--
	}
	if i > keptCandidates {
		return
	}
	for k := range all {
		if all[k].ref == r {
			return
		}
	}
	if len(all) <= keptCandidates {
		all = append(all, candidate{})
	}
	copy(all[i+1:], all[i:])
	all[i] = c
	p.candidates = all
}

// worse orders candidates: the less worth the worse, then the older.
func (p *adaptive) worse(c, d candidate) bool {
	return c.worth < d.worth || c.worth == d.worth && p.clock-uint32(c.last) > p.clock-uint32(d.last)
}

// next returns a pseudo-random number (xorshift64*).
func (p *adaptive) next() uint64 {
	p.random ^= p.random >> 12
	p.random ^= p.random << 25
	p.random ^= p.random >> 27
	return p.random * 0x2545f4914f6cdd1d
}

// roll returns 32 random bits.
func (p *adaptive) roll() uint32 { return uint32(p.next() >> 32) }
