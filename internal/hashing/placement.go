package hashing

import (
	"cmp"
	"math"
	"slices"
)

// Place says where partitions should be when nobody has them yet:
// NewRing(nodes, partitions).Place(nil, replicas).
func Place(nodes []RingNode, partitions, replicas int) [][]int {
	return NewRing(nodes, partitions).Place(nil, replicas)
}

// Place says where partitions should be, given where they are, with as few
// changes as balance permits. For each partition, present lists its owner and
// then its replicas, as indexes into the nodes the ring was made of; -1, a
// missing list, or a node without weight stand for one that is gone. The result
// has the same form, with 1+replicas nodes for each partition, or as many as
// there are; nil lists when there are no nodes. The caller owns it.
//
// Every node owns its share by weight, rounded down or up, and holds its share
// of copies likewise; copies of a partition are on different nodes, and in as
// many zones as there are or as it has copies.
//
// Which partitions change hands is the ring's choice; how many follows from the
// bounds alone. A ring that merely sends what is too much to the next node with
// room (consistent hashing with bounded loads: Mirrokni, Thorup,
// Zadimoghaddam, 2016) lets one joining node shift partitions between all the
// others, and needs a load of a quarter above the mean to keep that small. Here
// a partition moves only to a node that must gain, from one that must lose, so
// there are no cascades.
//
// Invariant: Place of what Place returned changes nothing.
func (r *Ring) Place(present [][]int, replicas int) [][]int {
	out := make([][]int, r.partitions)
	if len(r.nodes) == 0 {
		return out
	}
	now := r.translate(present)
	copies := min(1+max(0, replicas), len(r.nodes))
	a := r.begin(now, copies)
	a.owners()
	if copies > 1 {
		a.replicas()
	}
	for p := range out {
		out[p] = append(make([]int, 0, copies), r.input[a.owner[p]])
		if copies > 1 {
			slices.Sort(a.copies[p])
			for _, n := range a.copies[p] {
				out[p] = append(out[p], r.input[n])
			}
		}
	}
	return out
}

// translate turns what the caller has into places on the ring. Every list has
// the owner first, -1 for none.
func (r *Ring) translate(present [][]int) [][]int {
	now := make([][]int, r.partitions)
	for p := range now {
		now[p] = []int{-1}
		if p >= len(present) {
			continue
		}
		for i, at := range present[p] {
			n := -1
			if at >= 0 {
				n = r.place[at]
			}
			switch {
			case i == 0:
				now[p][0] = n
			case n >= 0 && !slices.Contains(now[p], n):
				now[p] = append(now[p], n)
			}
		}
	}
	return now
}

// assignment is one placement in the making.
type assignment struct {
	*Ring
	wanted int      // copies of a partition, its owner included
	now    [][]int  // owner, replicas before
	owner  []int    // after
	copies [][]int  // replicas after
	load   []int    // copies on each node, owners included
	bounds []bounds // of load
	order  [][]int  // all nodes as a partition prefers them; made when needed
}

func (r *Ring) begin(now [][]int, copies int) *assignment {
	a := &assignment{
		Ring: r, wanted: copies, now: now, owner: make([]int, r.partitions),
		load: make([]int, len(r.nodes)), bounds: r.copyBounds(copies), order: make([][]int, r.partitions),
	}
	for p := range now {
		a.owner[p] = now[p][0]
		for _, n := range now[p] {
			if n >= 0 {
				a.load[n]++
			}
		}
	}
	return a
}

// burden is a node's load in parts of its share.
func (a *assignment) burden(n int) float64 {
	return float64(a.load[n]) / max(a.bounds[n].share, tolerance)
}

// owners decides who owns what. Afterwards load is that of the copies that
// there will be when nobody keeps one in excess.
func (a *assignment) owners() {
	count := make([]int, len(a.nodes))
	for _, n := range a.owner {
		if n >= 0 {
			count[n]++
		}
	}
	final := a.ownerCounts(count)
	var shifts []shift
	for p, from := range a.owner {
		if from >= 0 && count[from] <= final[from] {
			continue
		}
		for n := range final {
			if count[n] < final[n] {
				// Who has a copy already need not be sent one.
				shifts = append(shifts, shift{p, from, n, !slices.Contains(a.now[p][1:], n), a.far(p, n)})
			}
		}
	}
	slices.SortFunc(shifts, nearest)
	for _, careful := range []bool{true, false} {
		for _, s := range shifts {
			if a.owner[s.partition] != s.from || s.from >= 0 && count[s.from] <= final[s.from] || count[s.to] >= final[s.to] {
				continue
			}
			if s.fresh && !a.relieve(s.partition, careful) {
				continue
			}
			if s.fresh {
				a.load[s.to]++
			}
			if s.from >= 0 {
				count[s.from]--
			}
			a.owner[s.partition] = s.to
			count[s.to]++
		}
	}
}

// relieve takes off the load the copy that partition p gives up for a new one:
// that of the node that bears most. When it is careful it refuses to when that
// node would then hold too few, for it would have to be given another.
func (a *assignment) relieve(p int, careful bool) bool {
	held, worst := 0, -1
	for _, n := range a.now[p] {
		if n < 0 {
			continue
		}
		held++
		if worst < 0 || a.burden(n) > a.burden(worst) {
			worst = n
		}
	}
	if held < a.wanted {
		return true
	}
	if careful && a.wanted > 1 && a.load[worst] <= a.bounds[worst].low {
		return false
	}
	a.load[worst]--
	return true
}

// ownerCounts returns how many partitions each node is to own.
func (a *assignment) ownerCounts(count []int) []int {
	b := a.ownerBounds()
	// Of equally burdened nodes those give or get that the ring would choose.
	gain := func(n int) bool { return count[n] < b[n].low }
	closest := make([]uint64, len(b))
	for n := range closest {
		closest[n] = math.MaxUint64
	}
	for p, from := range a.owner {
		for n := range b {
			switch {
			case from < 0:
				closest[n] = min(closest[n], a.far(p, n))
			case gain(n):
				closest[from] = min(closest[from], a.far(p, n))
			}
		}
	}
	return finalCounts(b, count, a.partitions, closest)
}

// shift is a partition that may go from one node to another.
type shift struct {
	partition, from, to int
	fresh               bool // the receiver has no copy yet
	far                 uint64
}

// nearest orders shifts by what the ring prefers.
func nearest(a, b shift) int {
	if a.fresh != b.fresh {
		if b.fresh {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.far, b.far), a.partition-b.partition, a.to-b.to, a.from-b.from)
}

// finalCounts returns how many each node is to have: within its bounds, total
// in sum, and as near to what it has as that permits. Among equally burdened
// nodes the one with the least in first gives or gets first.
func finalCounts(b []bounds, count []int, total int, first []uint64) []int {
	final := make([]int, len(b))
	sum := 0
	for n := range b {
		final[n] = min(max(count[n], b[n].low), b[n].high)
		sum += final[n]
	}
	// burden of n with one more or as it is
	burden := func(n, more int) float64 { return float64(final[n]+more) / max(b[n].share, tolerance) }
	for ; sum < total; sum++ { // give to whom it burdens least
		best := -1
		for n := range b {
			if final[n] < b[n].high && (best < 0 || cmp.Or(cmp.Compare(burden(n, 1), burden(best, 1)), cmp.Compare(first[n], first[best])) < 0) {
				best = n
			}
		}
		if best < 0 {
			break
		}
		final[best]++
	}
	for ; sum > total; sum-- { // take from whom it burdens most
		worst := -1
		for n := range b {
			if final[n] > b[n].low && (worst < 0 || cmp.Or(cmp.Compare(burden(worst, 0), burden(n, 0)), cmp.Compare(first[n], first[worst])) < 0) {
				worst = n
			}
		}
		if worst < 0 {
			break
		}
		final[worst]--
	}
	return final
}
