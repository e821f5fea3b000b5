package eviction

import "slices"

// ages knows when the entries of an LRU list were used last, by one byte of each
// and without a clock in it: the label of its group. A group is the entries, side
// by side in the list, whose last use is taken to be at the same time, that of the
// first of them. There are at most ageGroups; before they run out, two neighbours
// become one, a few entries with every operation, so that the error stays a small
// part of the age (as in the exponential histograms of M. Datar, A. Gionis, P.
// Indyk, R. Motwani, SIAM J. Comput. 2002).
//
// Invariant: along the list, from back to front, the groups follow one another as
// in order, and their times ascend.
// Invariant: a label is in order when its group has entries, else in free.
type ages struct {
	groups [ageGroups]ageGroup // by label
	order  []uint8             // labels of groups, the oldest first
	free   []uint8             // other labels
	merge  int                 // position in order of the group that joins the older one beside it; 0: none
}

// ageGroup is the entries with one label.
type ageGroup struct {
	time  Time
	count uint32
	last  Ref // the entry nearest to the back of the list
}

const (
	ageGroups = 256
	// mergeBelow: so many labels are left when groups begin to be merged.
	mergeBelow = 24
	// keptLabels are for entries that are used now.
	keptLabels = 16
	// mergeStep entries change their group with every operation.
	mergeStep = 8
)

func newAges() ages {
	a := ages{order: make([]uint8, 0, ageGroups), free: make([]uint8, 0, ageGroups)}
	for label := range ageGroups {
		a.free = append(a.free, uint8(label))
	}
	return a
}

// isNewest reports whether the entry of n belongs to the group of what is used now.
func (a *ages) isNewest(n *Node, now Time) bool {
	return n.Bits == a.order[len(a.order)-1] && a.groups[n.Bits].time >= now
}

// enter notes that r, in no group, is at the front of the list and is used now.
func (a *ages) enter(e Entries, r Ref, n *Node, now Time) {
	if k := len(a.order); k == 0 || a.groups[a.order[k-1]].time < now {
		if len(a.free) > 0 {
			a.begin(k, r, now)
		}
		a.chooseMerge(now)
	}
	label := a.order[len(a.order)-1]
	n.Bits = label
	a.groups[label].count++
	if a.merge != 0 {
		a.mergeSome(e)
	}
}

// begin makes a group at a position of order, whose first entry will be r.
func (a *ages) begin(at int, r Ref, t Time) {
	label := a.free[len(a.free)-1]
	a.free = a.free[:len(a.free)-1]
	a.groups[label] = ageGroup{time: t, last: r}
	a.order = slices.Insert(a.order, at, label)
	if a.merge >= at {
		a.merge = 0
	}
}

// leave takes r, which is in the list still, out of its group.
func (a *ages) leave(r Ref, n *Node) {
	g := &a.groups[n.Bits]
	g.count--
	switch {
	case g.count == 0:
		a.drop(slices.Index(a.order, n.Bits))
	case g.last == r:
		g.last = n.Prev
	}
}

// drop ends the group at a position of order, which is empty.
func (a *ages) drop(at int) {
	a.free = append(a.free, a.order[at])
	a.order = slices.Delete(a.order, at, at+1)
	if a.merge >= at {
		a.merge = 0
	}
}

// moved notes the new place of an entry.
func (a *ages) moved(from, to Ref, n *Node) {
	if g := &a.groups[n.Bits]; g.last == from {
		g.last = to
	}
}

// chooseMerge begins to merge two groups when labels run short: those for which
// the error, as a part of the age, and the work are the least.
func (a *ages) chooseMerge(now Time) {
	if a.merge != 0 || len(a.free) >= mergeBelow {
		return
	}
	least := 0.0
	for i := 1; i < len(a.order)-1; i++ {
		older, g, newer := &a.groups[a.order[i-1]], &a.groups[a.order[i]], &a.groups[a.order[i+1]]
		cost := float64(newer.time-older.time) / float64(max(now, newer.time)-newer.time+1) * float64(g.count+ageGroups)
		if a.merge == 0 || cost < least {
			a.merge, least = i, cost
		}
	}
}

// mergeSome has some entries of the merging group join the older one, those
// beside it first.
func (a *ages) mergeSome(e Entries) {
	into := a.order[a.merge-1]
	g := &a.groups[a.order[a.merge]]
	for range mergeStep {
		n := e.Node(g.last)
		n.Bits = into
		a.groups[into].count++
		if g.count--; g.count == 0 {
			a.drop(a.merge)
			return
		}
		g.last = n.Prev
	}
}

// after returns the position in order of the first group that was used after t.
func (a *ages) after(t Time) int {
	at, _ := slices.BinarySearchFunc(a.order, t, func(label uint8, t Time) int {
		if a.groups[label].time > t {
			return 1
		}
		return -1
	})
	return at
}

// before returns the entry behind which one belongs that was used at t, zero for
// the front of the list.
func (a *ages) before(t Time) Ref {
	if at := a.after(t); at < len(a.order) {
		return a.groups[a.order[at]].last
	}
	return 0
}

// insert puts r, which was inserted behind before(t), in a group.
func (a *ages) insert(r Ref, n *Node, t Time) {
	at := a.after(t)
	switch {
	case at > 0 && (a.groups[a.order[at-1]].time == t || len(a.free) <= keptLabels):
		at--
	case len(a.free) > keptLabels:
		a.begin(at, r, t)
	default: // older than all, and there is no label for it
		a.groups[a.order[0]].last = r
	}
	n.Bits = a.order[at]
	a.groups[n.Bits].count++
}
