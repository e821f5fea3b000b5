package replication

// keptMarks is the room for marks that a need keeps when it is used again.
const keptMarks = 64

// Recycle is Reset that gives back the memory of an unusually large need.
func (n *Need) Recycle() {
	if cap(n.marks) > keptMarks {
		n.marks = nil
		return
	}
	n.Reset()
}
