package replication

// keptMarks is the room for marks that a need keeps when it is used again.
const keptMarks = 256

// recentMarks is how many marks are looked at for one of the same copy: requests
// for one partition often follow each other, and it has few copies.
const recentMarks = 4

// Add adds what is not acknowledged of a partition, and that this node is its
// owner still. To be called after the partition was read or written, before
// anything is told of it.
func (l *Logs) Add(n *Need, partition int) {
	g := l.list[partition].Load()
	if g == nil {
		return
	}
	for _, c := range *g.required.Load() {
		if at := c.last.Load(); c.ackedTo() < at {
			n.mark(g, c, at)
		} else if l.lease > 0 && !c.confirmed(l.now()) {
			n.mark(g, c, c.confirm())
		}
	}
	n.owned(g)
}

// Confirm is Add for a read that may tell what is not acknowledged: it adds only
// that this node is the owner still. A copy confirms that by any answer, so a
// node that is given effects rarely has to be asked.
func (l *Logs) Confirm(n *Need, partition int) {
	g := l.list[partition].Load()
	if g == nil {
		return
	}
	for _, c := range *g.required.Load() {
		if l.lease > 0 && !c.confirmed(l.now()) {
			n.mark(g, c, c.confirm())
		}
	}
	n.owned(g)
}

// Own is Add for a write that need not be acknowledged: it adds only that no other
// node is known to be the owner, or about to be.
func (l *Logs) Own(n *Need, partition int) {
	g := l.list[partition].Load()
	if g == nil {
		return
	}
	for _, c := range *g.required.Load() {
		if c.Pledged() {
			n.mark(g, c, never)
		}
	}
	n.owned(g)
}

// mark adds a place in the stream to a node.
func (n *Need) mark(g *Log, c *Copy, at uint64) {
	if m := n.recent(c); m != nil {
		m.at = max(m.at, at)
		return
	}
	n.marks = append(n.marks, mark{g, c, at})
}

// owned adds that the log is not fenced.
func (n *Need) owned(g *Log) {
	if g.fenced.Load() {
		n.marks = append(n.marks, mark{log: g})
	}
}

// recent returns the mark of a copy if it is one of the last.
func (n *Need) recent(c *Copy) *mark {
	for i := len(n.marks) - 1; i >= max(0, len(n.marks)-recentMarks); i-- {
		if n.marks[i].copy == c {
			return &n.marks[i]
		}
	}
	return nil
}

// Recycle is Reset that gives back the memory of an unusually large need.
func (n *Need) Recycle() {
	if cap(n.marks) > keptMarks {
		n.marks = nil
		return
	}
	n.Reset()
}
