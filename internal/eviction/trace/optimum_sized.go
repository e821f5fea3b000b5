package trace

import (
	"cmp"
	"slices"
)

// Goal says which misses an optimum for sized objects minimises.
type Goal uint8

const (
	// FewestObjects counts every miss as one.
	FewestObjects Goal = iota
	// FewestBytes counts every miss with the size of the object.
	FewestBytes
)

// SizedOptimum brackets the offline optimum for a cache of capacity bytes, which
// is NP-hard to find with objects of different sizes.
//
// An object kept from one request to the next occupies its size for that time
// and saves one miss; whoever decides offline chooses among these intervals
// (Berger, Beckmann, Harchol-Balter, SIGMETRICS 2018, call the pair PFOO-L and
// PFOO-U). Taking them by benefit per byte and time,
//   - achieved keeps an interval if the cache has room for it all along: a
//     schedule that a cache could follow, at or above the optimum;
//   - bound lets the intervals overflow at one time what they leave free at
//     another: at or below the optimum.
//
// A request that finds its object in another size counts as a hit.
func SizedOptimum(t *Trace, capacity uint64, goal Goal) (achieved, bound Misses) {
	total := Misses{Objects: len(t.Keys)}
	for _, s := range t.Sizes {
		total.Bytes += uint64(s)
	}
	achieved, bound = total, total
	free := newFreeRoom(len(t.Keys), capacity)
	budget := float64(capacity) * float64(len(t.Keys))
	for _, iv := range intervals(t, goal) {
		size := t.Sizes[iv.from]
		if uint64(size) > capacity {
			continue
		}
		saved := uint64(t.Sizes[iv.to])
		if need := float64(size) * float64(iv.to-iv.from); need <= budget {
			budget -= need
			bound.Objects--
			bound.Bytes -= saved
		} else {
			budget = -1 // those that follow need more for the same benefit
		}
		if free.take(int(iv.from), int(iv.to), uint64(size)) {
			achieved.Objects--
			achieved.Bytes -= saved
		}
	}
	return achieved, bound
}

// interval is the time between two requests for an object.
type interval struct {
	from, to uint32
	cost     float64 // bytes and requests per unit of benefit
}

// intervals returns all of them, the best first.
func intervals(t *Trace, goal Goal) []interval {
	var all []interval
	for i, next := range NextUse(t) {
		if next == Never {
			continue
		}
		iv := interval{from: uint32(i), to: next, cost: float64(next - uint32(i))}
		if goal == FewestObjects {
			iv.cost *= float64(t.Sizes[i])
		}
		all = append(all, iv)
	}
	slices.SortStableFunc(all, func(a, b interval) int { return cmp.Compare(a.cost, b.cost) })
	return all
}

// freeRoom is the free bytes of a cache at every time: a segment tree of minima
// with pending subtractions.
type freeRoom struct {
	n       int
	least   []uint64
	pending []uint64
}

func newFreeRoom(n int, capacity uint64) *freeRoom {
	size := 1
	for size < n {
		size *= 2
	}
	f := &freeRoom{n: size, least: make([]uint64, 2*size), pending: make([]uint64, 2*size)}
	for i := range f.least {
		f.least[i] = capacity
	}
	return f
}

// take occupies size bytes at the times from..to-1 if they are free there.
func (f *freeRoom) take(from, to int, size uint64) bool {
	if f.min(1, 0, f.n, from, to) < size {
		return false
	}
	f.sub(1, 0, f.n, from, to, size)
	return true
}

// min returns the least free room in from..to-1 within node's lo..hi-1.
func (f *freeRoom) min(node, lo, hi, from, to int) uint64 {
	if from <= lo && hi <= to {
		return f.least[node]
	}
	least := ^uint64(0)
	mid := (lo + hi) / 2
	if from < mid {
		least = min(least, f.min(2*node, lo, mid, from, to))
	}
	if to > mid {
		least = min(least, f.min(2*node+1, mid, hi, from, to))
	}
	return least - f.pending[node]
}

// sub lowers the free room in from..to-1 within node's lo..hi-1.
func (f *freeRoom) sub(node, lo, hi, from, to int, size uint64) {
	if from <= lo && hi <= to {
		f.least[node] -= size
		f.pending[node] += size
		return
	}
	mid := (lo + hi) / 2
	if from < mid {
		f.sub(2*node, lo, mid, from, to, size)
	}
	if to > mid {
		f.sub(2*node+1, mid, hi, from, to, size)
	}
	f.least[node] = min(f.least[2*node], f.least[2*node+1]) - f.pending[node]
}
