package eviction

// list is a doubly linked list threaded through the nodes of entries. The front
// is where entries arrive, the back is where they leave.
//
// Invariant: head == 0 exactly when tail == 0 and count == 0.
// Invariant: bytes is the sum of the sizes the members had when they were
// linked, corrected by resize.
type list struct {
	head, tail Ref
	count      uint32
	bytes      uint64
}

// pushFront links r, which is in no list, at the front.
func (l *list) pushFront(e Entries, r Ref, n *Node, size uint32) {
	l.link(e, 0, l.head, r, n, size)
}

// insertBehind links r, which is in no list, behind a member, or at the front when
// that is zero.
func (l *list) insertBehind(e Entries, member, r Ref, n *Node, size uint32) {
	next := l.head
	if member != 0 {
		next = e.Node(member).Next
	}
	l.link(e, member, next, r, n, size)
}

// link puts r between two neighbours; zero is none on that side.
func (l *list) link(e Entries, prev, next, r Ref, n *Node, size uint32) {
	n.Prev, n.Next = prev, next
	if prev != 0 {
		e.Node(prev).Next = r
	} else {
		l.head = r
	}
	if next != 0 {
		e.Node(next).Prev = r
	} else {
		l.tail = r
	}
	l.count++
	l.bytes += uint64(size)
}

// unlink takes r out of the list. Its own links keep their old values.
func (l *list) unlink(e Entries, r Ref, n *Node, size uint32) {
	if n.Prev != 0 {
		e.Node(n.Prev).Next = n.Next
	} else {
		l.head = n.Next
	}
	if n.Next != 0 {
		e.Node(n.Next).Prev = n.Prev
	} else {
		l.tail = n.Prev
	}
	l.count--
	l.bytes -= uint64(size)
}

// toFront moves r, a member, to the front.
func (l *list) toFront(e Entries, r Ref, n *Node) {
	if l.head == r {
		return
	}
	e.Node(n.Prev).Next = n.Next
	if n.Next != 0 {
		e.Node(n.Next).Prev = n.Prev
	} else {
		l.tail = n.Prev
	}
	n.Prev, n.Next = 0, l.head
	e.Node(l.head).Prev = r
	l.head = r
}

// moved repairs the list after the member at from was copied to to.
func (l *list) moved(e Entries, from, to Ref) {
	n := e.Node(to)
	if l.head == from {
		l.head = to
	} else {
		e.Node(n.Prev).Next = to
	}
	if l.tail == from {
		l.tail = to
	} else {
		e.Node(n.Next).Prev = to
	}
}

// resized corrects the byte count after a member changed its size.
func (l *list) resized(before, after uint32) {
	l.bytes += uint64(after) - uint64(before)
}
