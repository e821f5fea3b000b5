package eviction

// lru evicts the entry that was touched longest ago. It is exact: every hit
// moves the entry to the front.
//
// Node: Bits is the entry's group in ages.
type lru struct {
	entries Entries
	list    list
	ages    ages
}

func newLRU(e Entries) *lru { return &lru{entries: e, ages: newAges()} }

func (p *lru) Add(r Ref, _ uint64, size uint32, now Time) {
	n := p.entries.Node(r)
	p.list.pushFront(p.entries, r, n, size)
	p.ages.enter(p.entries, r, n, now)
}

func (p *lru) Touch(r Ref, _ uint64, now Time) {
	n := p.entries.Node(r)
	if p.list.head == r && p.ages.isNewest(n, now) {
		return
	}
	p.ages.leave(r, n)
	p.list.toFront(p.entries, r, n)
	p.ages.enter(p.entries, r, n, now)
}

func (p *lru) Resize(_ Ref, before, after uint32) { p.list.resized(before, after) }

func (p *lru) Remove(r Ref) {
	n := p.entries.Node(r)
	p.ages.leave(r, n)
	p.list.unlink(p.entries, r, n, p.entries.Size(r))
}

func (p *lru) Move(from, to Ref) {
	p.list.moved(p.entries, from, to)
	p.ages.moved(from, to, p.entries.Node(to))
}

func (p *lru) Victim() Ref { return p.list.tail }

func (p *lru) Evicted(r Ref) { p.Remove(r) }

func (p *lru) SetCapacity(uint64) {}

// LastUse implements [Timekeeper].
func (p *lru) LastUse(r Ref) Time { return p.ages.groups[p.entries.Node(r).Bits].time }

// SetLastUse implements [Timekeeper]. Of the entries that were used at t the
// entry becomes the last one.
func (p *lru) SetLastUse(r Ref, t Time) {
	n, size := p.entries.Node(r), p.entries.Size(r)
	p.ages.leave(r, n)
	p.list.unlink(p.entries, r, n, size)
	p.list.insertBehind(p.entries, p.ages.before(t), r, n, size)
	p.ages.insert(r, n, t)
}
