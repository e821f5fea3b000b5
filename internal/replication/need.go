package replication

// keptMarks is the room for marks that a need keeps when it is used again.
const keptMarks = 256

// recentMarks is how many marks are looked at for one of the same copy: requests
// for one partition often follow each other, and it has few copies.
const recentMarks = 4

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
