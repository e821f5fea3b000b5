package eviction

// candidate is an entry that may be evicted soon.
type candidate struct {
	ref   Ref
	last  Ref // the time of its last use when it was looked at, as in Node.Prev
	size  uint32
	worth float32 // expected uses per access and byte, then
}

// candidates are entries of the last samples, those to evict first in front.
//
// Invariant: no entry is named twice, and all are resident.
type candidates []candidate

// insert puts c at position i unless that is beyond the limit or c is there
// already; what it pushes beyond the limit is forgotten.
func (cs *candidates) insert(i, limit int, c candidate) {
	all := *cs
	if i >= limit {
		return
	}
	for k := range all {
		if all[k].ref == c.ref {
			return
		}
	}
	if len(all) < limit {
		all = append(all, candidate{})
	}
	copy(all[i+1:], all[i:])
	all[i] = c
	*cs = all
}

// drop forgets the candidate at position i.
func (cs *candidates) drop(i int) { *cs = append((*cs)[:i], (*cs)[i+1:]...) }

// toFront exchanges the candidate at position i with the first.
func (cs candidates) toFront(i int) {
	if len(cs) > 0 {
		cs[0], cs[i] = cs[i], cs[0]
	}
}

// remove forgets an entry.
func (cs *candidates) remove(r Ref) {
	for i := range *cs {
		if (*cs)[i].ref == r {
			cs.drop(i)
			return
		}
	}
}

// moved notes the new place of an entry.
func (cs candidates) moved(from, to Ref) {
	for i := range cs {
		if cs[i].ref == from {
			cs[i].ref = to
			return
		}
	}
}
