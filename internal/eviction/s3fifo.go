package eviction

// s3fifo keeps new entries in a small FIFO queue, a tenth of the bytes, and
// those touched there, or known from a recent eviction, in a main one that
// gives an entry one more round for each touch. A touch raises a counter in the
// entry and moves nothing.
//
// Node: Bits is the number of touches, 0 to 3, and the queue.
type s3fifo struct {
	entries     Entries
	small, main list
	ghosts      ghosts
	clock       uint32
	smallShare  uint64 // bytes the small queue may have before main gives way
	capacity    uint64
}

const (
	s3Touches = 3      // the mask of the counter
	s3Main    = 1 << 2 // set in the main queue
	// s3Promote touches in the small queue lead to the main one.
	s3Promote = 2
	// s3SmallShare is the small queue's part of the capacity, one in so many.
	s3SmallShare = 10
)

func newS3FIFO(e Entries) *s3fifo { return &s3fifo{entries: e} }

// queue returns the list that a node is in.
func (p *s3fifo) queue(n *Node) *list {
	if n.Bits&s3Main != 0 {
		return &p.main
	}
	return &p.small
}

func (p *s3fifo) Add(r Ref, hash uint64, size uint32, _ Time) {
	p.clock++
	n := p.entries.Node(r)
	if p.capacity > 0 {
		if _, _, ok := p.ghosts.take(hash, p.clock); ok {
			n.Bits = s3Main
		}
		if count := p.small.count + p.main.count; int(count) >= len(p.ghosts.slots) {
			p.ghosts.grow(2 * len(p.ghosts.slots))
		}
	}
	p.queue(n).pushFront(p.entries, r, n, size)
}

func (p *s3fifo) Touch(r Ref, _ uint64, _ Time) {
	if n := p.entries.Node(r); n.Bits&s3Touches < s3Touches {
		n.Bits++
	}
}

func (p *s3fifo) Resize(r Ref, before, after uint32) {
	p.queue(p.entries.Node(r)).resized(before, after)
}

func (p *s3fifo) Remove(r Ref) {
	n := p.entries.Node(r)
	p.queue(n).unlink(p.entries, r, n, p.entries.Size(r))
}

func (p *s3fifo) Move(from, to Ref) {
	p.queue(p.entries.Node(to)).moved(p.entries, from, to)
}

func (p *s3fifo) Victim() Ref {
	for p.small.count > 0 && (p.small.bytes > p.smallShare || p.main.count == 0) {
		r := p.small.tail
		n := p.entries.Node(r)
		if n.Bits&s3Touches < s3Promote {
			return r
		}
		size := p.entries.Size(r)
		p.small.unlink(p.entries, r, n, size)
		n.Bits = s3Main
		p.main.pushFront(p.entries, r, n, size)
	}
	for p.main.count > 0 {
		r := p.main.tail
		n := p.entries.Node(r)
		if n.Bits&s3Touches == 0 {
			return r
		}
		n.Bits--
		p.main.toFront(p.entries, r, n)
	}
	return 0
}

func (p *s3fifo) Evicted(r Ref) {
	if n := p.entries.Node(r); n.Bits&s3Main == 0 {
		p.ghosts.put(p.entries.Hash(r), 0, p.clock, p.clock)
	}
	p.Remove(r)
}

func (p *s3fifo) SetCapacity(capacity uint64) {
	p.capacity = capacity
	p.smallShare = capacity / s3SmallShare
	switch {
	case capacity == 0:
		p.ghosts = ghosts{}
	case len(p.ghosts.slots) == 0:
		p.ghosts.grow(ghostWays)
	}
}
