package cluster

// Arriving reports whether a partition is in the last step of its move: it has
// its new owner, who serves it only once the former one has handed over the
// last writes, or is known to be dead. Such a row has its owner as its target;
// when the target is taken away, the owner serves with what it has.
func (v *View) Arriving(partition int) bool {
	r := &v.Rows[partition]
	return r.Owner != NoNode && r.Target == r.Owner
}

// Streaming reports whether a partition is being sent to its target.
func (v *View) Streaming(partition int) bool {
	r := &v.Rows[partition]
	return r.Target != NoNode && r.Target != r.Owner
}

// Referred tells of each node, by index, whether a row refers to it.
func (v *View) Referred() []bool {
	referred := make([]bool, len(v.Nodes))
	mark := func(at int16) {
		if at != NoNode {
			referred[at] = true
		}
	}
	for p := range v.Rows {
		r := &v.Rows[p]
		mark(r.Owner)
		mark(r.Target)
		for _, at := range r.Replicas {
			mark(at)
		}
	}
	return referred
}
