package eviction

// lru evicts the entry that was touched longest ago. It is exact: every hit
// moves the entry to the front.
type lru struct {
	entries Entries
	list    list
}

func newLRU(e Entries) *lru { return &lru{entries: e} }

func (p *lru) Add(r Ref, _ uint64, size uint32) {
	p.list.pushFront(p.entries, r, p.entries.Node(r), size)
}

func (p *lru) Touch(r Ref, _ uint64) {
	if p.list.head != r {
		p.list.toFront(p.entries, r, p.entries.Node(r))
	}
}

func (p *lru) Resize(_ Ref, before, after uint32) { p.list.resized(before, after) }

func (p *lru) Remove(r Ref) {
	p.list.unlink(p.entries, r, p.entries.Node(r), p.entries.Size(r))
}

func (p *lru) Move(from, to Ref) { p.list.moved(p.entries, from, to) }

func (p *lru) Victim() Ref { return p.list.tail }

func (p *lru) Evicted(r Ref) { p.Remove(r) }

func (p *lru) SetCapacity(uint64) {}
