package eviction

// sieve is a FIFO queue with a hand that moves from the oldest entry to the
// newest, spares what was touched since it last came by, and evicts the first
// that was not. A touch sets one bit and moves nothing.
//
// Node: Bits is 1 when the entry was touched.
type sieve struct {
	entries Entries
	list    list
	hand    Ref // where the search goes on; zero for the oldest
}

func newSieve(e Entries) *sieve { return &sieve{entries: e} }

func (p *sieve) Add(r Ref, _ uint64, size uint32, _ Time) {
	p.list.pushFront(p.entries, r, p.entries.Node(r), size)
}

func (p *sieve) Touch(r Ref, _ uint64, _ Time) {
	if n := p.entries.Node(r); n.Bits == 0 {
		n.Bits = 1
	}
}

func (p *sieve) Resize(_ Ref, before, after uint32) { p.list.resized(before, after) }

func (p *sieve) Remove(r Ref) {
	n := p.entries.Node(r)
	if p.hand == r {
		p.hand = n.Prev
	}
	p.list.unlink(p.entries, r, n, p.entries.Size(r))
}

func (p *sieve) Move(from, to Ref) {
	p.list.moved(p.entries, from, to)
	if p.hand == from {
		p.hand = to
	}
}

func (p *sieve) Victim() Ref {
	if p.list.count == 0 {
		return 0
	}
	r := p.hand
	for {
		if r == 0 {
			r = p.list.tail
		}
		n := p.entries.Node(r)
		if n.Bits == 0 {
			p.hand = r
			return r
		}
		n.Bits = 0
		r = n.Prev
	}
}

func (p *sieve) Evicted(r Ref) { p.Remove(r) }

func (p *sieve) SetCapacity(uint64) {}
