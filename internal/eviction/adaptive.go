package eviction

import "math/bits"

// adaptive is larder's default policy: it evicts, from a random sample of the
// entries, the one whose expected uses per byte and time are the lowest, as
// learned from a sample of the keys. See the package comment.
//
// Node: Bits is the entry's usage, Prev the time of its last use on the
// policy's clock, Next is the population's.
type adaptive struct {
	entries Entries
	clock   uint32 // accesses so far, wrapping
	random  uint64

	population population
	ghosts     ghosts
	// learner is nil while the capacity is unlimited or nearly all of it is
	// free: until there is something to choose it would only take memory.
	learner  *learner
	capacity uint64
	// worthless are candidates by worth, stale by age and size: what LRU
	// would evict if it knew sizes.
	worthless, stale candidates
	lastLearned      uint32 // when the model was last recomputed
}

const (
	// freshSamples entries are looked at for each victim; so many of the worst
	// stay for the next.
	freshSamples  = 16
	keptWorthless = 17
	keptStale     = 9
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
		population: newPopulation(e),
	}
}

func (p *adaptive) Add(r Ref, hash uint64, size uint32, now Time) {
	p.clock++
	n := p.entries.Node(r)
	if u, interval, ok := p.ghosts.take(hash, p.clock); ok {
		n.Bits = uint8(u.used(interval, p.roll()))
	}
	n.Prev = Ref(p.clock)
	p.population.add(r, n, size, now)
	if p.learner == nil && !p.begin() {
		return
	}
	if bits.Len32(p.population.count)-1 > p.learner.model.scale {
		p.rescale()
	}
	p.learner.access(hash, size, p.clock, p.roll(), false)
}

func (p *adaptive) Touch(r Ref, hash uint64, now Time) {
	p.clock++
	n := p.entries.Node(r)
	n.Bits = uint8(usage(n.Bits).used(p.clock-uint32(n.Prev), p.clock*0x9e3779b1))
	n.Prev = Ref(p.clock)
	if n.Next < seated {
		n.Next = Ref(now)
	} else {
		p.population.seat(n, p.entries.Size(r)).used = now
	}
	if p.learner != nil && p.learner.near.follows(fingerprint(hash)) {
		p.learner.access(hash, p.entries.Size(r), p.clock, p.roll(), true)
	}
}

// LastUse implements [Timekeeper].
func (p *adaptive) LastUse(r Ref) Time {
	return p.population.used(p.entries.Node(r), p.entries.Size(r))
}

// SetLastUse implements [Timekeeper]. Ages here are numbers of accesses, so it
// changes nothing else.
func (p *adaptive) SetLastUse(r Ref, t Time) {
	p.population.setUsed(p.entries.Node(r), p.entries.Size(r), t)
}

func (p *adaptive) Resize(r Ref, before, after uint32) {
	p.population.resized(r, p.entries.Node(r), before, after)
	if p.learner != nil {
		p.learner.resized(p.entries.Hash(r), after)
	}
}

func (p *adaptive) Remove(r Ref) { p.remove(r, p.entries.Hash(r)) }

// remove takes an entry with the given hash out of all structures.
func (p *adaptive) remove(r Ref, hash uint64) {
	size := p.entries.Size(r)
	if p.learner != nil {
		p.learner.left(hash)
	}
	p.population.remove(p.entries.Node(r), size)
	p.worthless.remove(r)
	p.stale.remove(r)
}

func (p *adaptive) Move(from, to Ref) {
	p.population.moved(p.entries.Node(to), p.entries.Size(to), to)
	p.worthless.moved(from, to)
	p.stale.moved(from, to)
}

func (p *adaptive) Victim() Ref {
	if p.population.count == 0 {
		return 0
	}
	if p.learner != nil {
		if !p.learner.judging {
			p.learner.judging = true
			p.rescale() // from now on there are ghosts
		}
		p.maybeLearn()
	}
	p.gather()
	from := &p.worthless
	switch p.doubt() {
	case fully:
		from = &p.stale
	case partly:
		p.worthless.toFront(p.stalest(p.worthless))
	}
	for {
		if len(*from) == 0 {
			p.gather()
		}
		c := (*from)[0]
		if p.entries.Node(c.ref).Prev == c.last {
			return c.ref
		}
		from.drop(0) // it was used since it was looked at
	}
}

// doubts says how much of a choice is the model's.
type doubts uint8

const (
	none   doubts = iota // the least worth leaves
	partly               // the stalest of the worthless candidates
	fully                // the stalest of all that were looked at
)

// doubt draws how much to doubt the model, by what it has earned so far.
func (p *adaptive) doubt() doubts {
	if p.learner == nil {
		return fully
	}
	switch r := float32(p.roll()>>8) / (1 << 24); {
	case r < p.learner.distrust:
		return fully
	case r >= p.learner.trust:
		return partly
	}
	return none
}

// stalest returns the position of the stalest candidate.
func (p *adaptive) stalest(cs candidates) int {
	stalest := 0
	for i := range cs {
		if p.staler(cs[i], cs[stalest]) {
			stalest = i
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
	p.capacity = capacity
	if capacity == 0 {
		p.learner, p.ghosts, p.worthless, p.stale = nil, ghosts{}, nil, nil
		return
	}
	if p.learner != nil {
		p.rescale()
	}
}

// learnFrom is the share of the capacity that is taken when learning begins.
const learnFrom = 128

// begin starts to learn when it is time, and reports whether it did.
func (p *adaptive) begin() bool {
	if p.capacity == 0 || p.population.bytes < p.capacity/learnFrom {
		return false
	}
	p.learner = newLearner()
	p.lastLearned = p.clock
	p.rescale()
	return true
}

// rescale adapts model, sample and ghosts to the number of resident entries.
func (p *adaptive) rescale() {
	n := max(p.population.count, 1<<leastScale)
	p.learner.rescale(n)
	if p.learner.judging {
		p.ghosts.grow(2 << (bits.Len32(n) - 1))
	}
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
	if p.worthless == nil {
		p.worthless = make(candidates, 0, keptWorthless)
		p.stale = make(candidates, 0, keptStale)
	}
	for range freshSamples {
		c := p.look(p.population.sample(p.next()))
		p.considerWorth(c)
		i := len(p.stale)
		for i > 0 && p.staler(c, p.stale[i-1]) {
			i--
		}
		p.stale.insert(i, keptStale, c)
	}
}

// reconsider values the candidates anew after the model was recomputed.
func (p *adaptive) reconsider() {
	var old [keptWorthless]candidate
	n := copy(old[:], p.worthless)
	p.worthless = p.worthless[:0]
	for _, c := range old[:n] {
		p.considerWorth(p.look(c.ref))
	}
}

// look values an entry.
func (p *adaptive) look(r Ref) candidate {
	n := p.entries.Node(r)
	c := candidate{ref: r, last: n.Prev, size: p.entries.Size(r)}
	if p.learner != nil {
		m := p.learner.model
		c.worth = m.worth[m.cell(usage(n.Bits), p.clock-uint32(n.Prev))] / float32(c.size)
	}
	return c
}

// considerWorth puts c among the worthless if it is one of the worst.
func (p *adaptive) considerWorth(c candidate) {
	i := len(p.worthless)
	for i > 0 && p.worse(c, p.worthless[i-1]) {
		i--
	}
	p.worthless.insert(i, keptWorthless, c)
}

// worse orders candidates: the less worth the worse, then the staler.
func (p *adaptive) worse(c, d candidate) bool {
	return c.worth < d.worth || c.worth == d.worth && p.staler(c, d)
}

// staler orders candidates by the product of age and size.
func (p *adaptive) staler(c, d candidate) bool {
	return uint64(p.clock-uint32(c.last))*uint64(c.size) > uint64(p.clock-uint32(d.last))*uint64(d.size)
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
