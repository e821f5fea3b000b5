package hashing

import (
	"cmp"
	"slices"
)

// replicas decides who holds the other copies, after the owners.
func (a *assignment) replicas() {
	a.copies = make([][]int, a.partitions)
	clear(a.load)
	for p := range a.now {
		a.load[a.owner[p]]++
		for _, n := range a.now[p] {
			if n >= 0 && n != a.owner[p] {
				a.copies[p] = append(a.copies[p], n)
				a.load[n]++
			}
		}
	}
	for p := range a.copies {
		a.dropConflicts(p)
	}
	final := finalCounts(a.bounds, a.load, a.partitions*a.wanted, make([]uint64, len(a.nodes)))
	a.shiftReplicas(final)
	a.level()
}

// dropConflicts takes copies away from a partition that has too many, or two in
// one zone while another zone has none.
func (a *assignment) dropConflicts(p int) {
	for {
		list := a.copies[p]
		worst := -1
		for i, n := range list {
			if !a.redundant(p, n) {
				continue
			}
			if worst < 0 || a.burden(n) > a.burden(list[worst]) ||
				a.burden(n) == a.burden(list[worst]) && a.far(p, n) > a.far(p, list[worst]) {
				worst = i
			}
		}
		if worst < 0 {
			return
		}
		a.load[list[worst]]--
		a.copies[p] = slices.Delete(list, worst, worst+1)
	}
}

// redundant reports whether partition p should not keep replica n, or one like
// it: it has more copies than it needs, or it could not reach as many zones as
// it should without giving one up.
func (a *assignment) redundant(p, n int) bool {
	held, zones := 1+len(a.copies[p]), a.zonesOf(p, -1, -1)
	alone := a.zonesOf(p, n, -1) < zones
	enough := min(a.zones, a.wanted)
	if held > a.wanted {
		return !alone || zones > enough
	}
	return !alone && zones+a.wanted-held < enough
}

// zonesOf counts the zones in which partition p would have copies without the
// replica on node from and with one on node to (-1: none).
func (a *assignment) zonesOf(p, from, to int) int {
	list := a.copies[p]
	at := func(i int) int { // the i-th copy's zone; the owner's and to's come first
		switch {
		case i == 0:
			return a.zone[a.owner[p]]
		case i == 1 && to >= 0:
			return a.zone[to]
		case i >= 2 && list[i-2] != from:
			return a.zone[list[i-2]]
		}
		return -1
	}
	count := 0
	for i := range 2 + len(list) {
		z, known := at(i), false
		for j := 0; j < i && !known; j++ {
			known = at(j) == z
		}
		if z >= 0 && !known {
			count++
		}
	}
	return count
}

// fits reports whether node n may have a replica of p in place of the one on
// node from (-1: an additional one).
//
// Invariant: copies of a partition are on different nodes, and in min(zones,
// copies) zones once all are placed.
func (a *assignment) fits(p, from, n int) bool {
	if n == a.owner[p] || slices.Contains(a.copies[p], n) {
		return false
	}
	left := a.wanted - 2 - len(a.copies[p]) // places that are still free afterwards
	if from >= 0 {
		left++
	}
	return a.zonesOf(p, from, n)+left >= min(a.zones, a.wanted)
}

// shiftReplicas fills missing copies and takes from those who have too many,
// each directly to one who has too few.
func (a *assignment) shiftReplicas(final []int) {
	var shifts []shift
	for p := range a.copies {
		for n := range a.nodes {
			if a.load[n] >= final[n] || n == a.owner[p] || slices.Contains(a.copies[p], n) {
				continue
			}
			if 1+len(a.copies[p]) < a.wanted {
				shifts = append(shifts, shift{p, -1, n, false, a.far(p, n)})
			}
			for _, from := range a.copies[p] {
				if a.load[from] > final[from] {
					shifts = append(shifts, shift{p, from, n, true, a.far(p, n)})
				}
			}
		}
	}
	slices.SortFunc(shifts, nearest)
	for _, s := range shifts {
		if a.load[s.to] >= final[s.to] || !a.mayShift(s) || s.from >= 0 && a.load[s.from] <= final[s.from] {
			continue
		}
		a.shift(s)
	}
}

// mayShift reports whether a shift is still possible.
func (a *assignment) mayShift(s shift) bool {
	if s.from >= 0 && !slices.Contains(a.copies[s.partition], s.from) || s.from < 0 && 1+len(a.copies[s.partition]) >= a.wanted {
		return false
	}
	return a.fits(s.partition, s.from, s.to)
}

func (a *assignment) shift(s shift) {
	list := a.copies[s.partition]
	if s.from < 0 {
		a.copies[s.partition] = append(list, s.to)
	} else {
		list[slices.Index(list, s.from)] = s.to
		a.load[s.from]--
	}
	a.load[s.to]++
}

// level mends what direct shifts could not, because zones or the other copies
// were in the way: it looks for the shortest chain of shifts that ends at a
// node with room. Such chains are rare and mostly two long.
func (a *assignment) level() {
	for p := range a.copies {
		for 1+len(a.copies[p]) < a.wanted {
			if !a.chain(p, -1, func(n int) bool { return a.load[n] < a.bounds[n].high }) {
				a.force(p)
			}
		}
	}
	for n := range a.nodes {
		for a.load[n] > a.bounds[n].high && a.chain(-1, n, func(n int) bool { return a.load[n] < a.bounds[n].high }) {
			continue
		}
	}
	for n := range a.nodes {
		for a.load[n] < a.bounds[n].low && a.chainTo(n) {
			continue
		}
	}
}

// chainTo leads one copy to node n from a node above its lower bound.
func (a *assignment) chainTo(n int) bool {
	order := make([]int, 0, len(a.nodes))
	for from := range a.nodes {
		if a.load[from] > a.bounds[from].low && from != n {
			order = append(order, from)
		}
	}
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(a.burden(y), a.burden(x)) })
	for _, from := range order {
		if a.chain(-1, from, func(to int) bool { return to == n }) {
			return true
		}
	}
	return false
}

// chain finds and does the shortest chain of shifts that gives partition p one
// more replica, or, with p < 0, takes one from node from. It is a breadth-first
// search over nodes; roomy says where a chain may end.
func (a *assignment) chain(p, from int, roomy func(n int) bool) bool {
	type step struct {
		s        shift
		previous int // index into steps, -1 at the beginning
	}
	var steps []step
	reached := make([]bool, len(a.nodes))
	reach := func(s shift, previous int) (end bool) {
		if reached[s.to] || !a.mayShift(s) {
			return false
		}
		for i := previous; i >= 0; i = steps[i].previous {
			if steps[i].s.partition == s.partition {
				return false // two shifts of one partition may spoil each other
			}
		}
		reached[s.to] = true
		steps = append(steps, step{s, previous})
		return roomy(s.to)
	}
	do := func() bool {
		// From the end backwards, each shift makes the room that the one before
		// it needs.
		for i := len(steps) - 1; i >= 0; i = steps[i].previous {
			a.shift(steps[i].s)
		}
		return true
	}
	if p >= 0 {
		for _, n := range a.near(p) {
			if reach(shift{partition: p, from: -1, to: n}, -1) {
				return do()
			}
		}
	} else {
		reached[from] = true
		if a.leave(from, -1, reach) {
			return do()
		}
	}
	for at := 0; at < len(steps); at++ {
		if a.leave(steps[at].s.to, at, reach) {
			return do()
		}
	}
	return false
}

// leave tries every shift of a replica away from a node.
func (a *assignment) leave(from, previous int, reach func(s shift, previous int) bool) bool {
	for q := range a.copies {
		if !slices.Contains(a.copies[q], from) {
			continue
		}
		for _, n := range a.near(q) {
			if reach(shift{partition: q, from: from, to: n}, previous) {
				return true
			}
		}
	}
	return false
}

// near returns all nodes in the order of the ring from partition p.
func (a *assignment) near(p int) []int {
	if a.order[p] == nil {
		order := make([]int, len(a.nodes))
		for n := range order {
			order[n] = n
		}
		slices.SortFunc(order, func(x, y int) int { return cmp.Or(cmp.Compare(a.far(p, x), a.far(p, y)), x-y) })
		a.order[p] = order
	}
	return a.order[p]
}

// force gives a partition its missing copy where it burdens least, above the
// bounds: a copy matters more than balance.
func (a *assignment) force(p int) {
	best := -1
	for n := range a.nodes {
		if a.fits(p, -1, n) && (best < 0 || a.burden(n) < a.burden(best)) {
			best = n
		}
	}
	a.shift(shift{partition: p, from: -1, to: best})
}
