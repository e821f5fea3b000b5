package eviction

import (
	"math"
	"math/bits"
)

// Ages are counted in accesses and put into half octaves, from youngestOctave
// below the number of entries to oldestOctave above it.
const (
	youngestOctave = 5
	oldestOctave   = 6
	ageBuckets     = 2*(youngestOctave+oldestOctave) + 1
	cells          = classes * ageBuckets
)

// parentWeight is the number of observations at which a class's own reuse counts
// as much as that of all classes of its kind together.
const parentWeight = 30

// An observation has kept 1/e of its weight after memoryInCaches times as many
// accesses as there are entries, counted as at least leastEntries.
const (
	memoryInCaches = 25
	leastEntries   = 1024
)

// reuseModel estimates, for every class of entries and every age since the last
// use, how soon the next use comes, and derives the worth of keeping an entry.
//
// For each class it counts at which ages observed keys were used again (reused)
// and at which ages their observation ended without (ended). With those still
// under observation this gives the hazard of reuse by age as Kaplan and Meier
// estimate it: no key is counted as dead merely because it has not been seen for
// long. A class with few observations leans on all classes of its kind.
//
// The worth of an entry is its Gittins index: the largest ratio, over all times
// to give up, of the probability of a use until then to the expected time of
// waiting for it. Entries in a loop are worth the more the closer their turn
// comes; entries whose reuse thins out with age are worth the less the older
// they are, which is LRU.
type reuseModel struct {
	scale  int // the number of entries is about 1<<scale
	reused [cells]float32
	ended  [cells]float32
	worth  [cells]float32
}

func newReuseModel() *reuseModel {
	m := &reuseModel{}
	m.forget()
	return m
}

// forget resets the worths to those of LRU.
func (m *reuseModel) forget() {
	for i := range m.worth {
		m.worth[i] = 1 / float32(1+m.edge(i%ageBuckets))
	}
}

// bucket returns the age bucket of an age.
func (m *reuseModel) bucket(age uint32) int {
	half := 0
	if age > 1 {
		l := bits.Len32(age)
		half = 2*(l-1) + int(age>>(l-2))&1
	}
	return min(max(half-2*(m.scale-youngestOctave), 0), ageBuckets-1)
}

// edge returns the age at which a bucket starts; the one after the last bucket
// is where it is taken to end.
func (m *reuseModel) edge(bucket int) float64 {
	if bucket == 0 {
		return 0
	}
	half := bucket + 2*(m.scale-youngestOctave)
	edge := math.Ldexp(1, half>>1)
	if half&1 != 0 {
		edge *= 1.5
	}
	return edge
}

// cell returns the index of the statistics of a usage at an age.
func (m *reuseModel) cell(u usage, age uint32) int {
	return u.class(m.scale)*ageBuckets + m.bucket(age)
}

// rescale adapts the model to about 1<<scale entries: what was observed keeps
// its absolute age.
func (m *reuseModel) rescale(scale int) {
	by := 2 * (scale - m.scale)
	m.scale = scale
	for c := range classes {
		shiftBuckets(m.reused[c*ageBuckets:][:ageBuckets], by)
		shiftBuckets(m.ended[c*ageBuckets:][:ageBuckets], by)
	}
	m.forget()
}

// shiftBuckets moves the counts of row by buckets to the young end; what leaves
// at an end is added to the last bucket there.
func shiftBuckets(row []float32, by int) {
	var old [ageBuckets]float32
	copy(old[:], row)
	clear(row)
	for b, v := range old {
		row[min(max(b-by, 0), ageBuckets-1)] += v
	}
}

// learn recomputes the worths. alive holds the ages of the keys under
// observation by cell; elapsed is the number of accesses since the last call,
// by which the counts age. It returns the factor they kept.
func (m *reuseModel) learn(alive *[cells]float32, elapsed uint32) float32 {
	var atRisk [cells]float32
	var all curve // of the classes with more than one use
	for c := range classes {
		var remaining float32
		for b := ageBuckets - 1; b >= 0; b-- {
			i := c*ageBuckets + b
			leaving := (alive[i] + m.ended[i]) / 2 // half of them before the middle
			remaining += m.reused[i] + leaving
			atRisk[i] = remaining
			remaining += leaving
			if c > 0 {
				all.reused[b] += m.reused[i]
				all.atRisk[b] += atRisk[i]
			}
		}
	}
	for c := range classes {
		first := c * ageBuckets
		own := curve{}
		copy(own.reused[:], m.reused[first:])
		copy(own.atRisk[:], atRisk[first:])
		parent := &all
		if c == 0 {
			parent = &own
		}
		m.price(m.worth[first:][:ageBuckets], &own, parent)
	}
	memory := memoryInCaches * max(leastEntries, math.Ldexp(1, m.scale))
	keep := float32(math.Exp(-float64(elapsed) / memory))
	for i := range m.reused {
		m.reused[i] *= keep
		m.ended[i] *= keep
	}
	return keep
}

// curve holds per age bucket the reuses in it and the keys that could have been
// reused in it.
type curve struct{ reused, atRisk [ageBuckets]float32 }

// hazard returns the probability that a key that has reached the bucket is used
// in it.
func (c *curve) hazard(bucket int, parent *curve) float64 {
	prior := float32(0)
	if parent.atRisk[bucket] > 0 {
		prior = parent.reused[bucket] / parent.atRisk[bucket]
	}
	h := (c.reused[bucket] + parentWeight*prior) / (c.atRisk[bucket] + parentWeight)
	return min(float64(h), 1)
}

// price writes the Gittins index of every age to worth. The index at a bucket
// is the steepest slope from its point on the curve (expected time, expected
// uses) to a later point, found along the upper hull from the old end.
func (m *reuseModel) price(worth []float32, own, parent *curve) {
	var time, uses [ageBuckets + 1]float64
	surviving := 1.0
	for b := range ageBuckets {
		h := own.hazard(b, parent)
		time[b+1] = time[b] + (m.edge(b+1)-m.edge(b))*surviving*(1-h/2)
		uses[b+1] = uses[b] + surviving*h
		surviving *= 1 - h
	}
	slope := func(a, b int) float64 {
		if time[b] <= time[a] {
			return 0
		}
		return (uses[b] - uses[a]) / (time[b] - time[a])
	}
	var hull [ageBuckets + 1]int
	hull[0] = ageBuckets
	top := 0
	for b := ageBuckets - 1; b >= 0; b-- {
		for top > 0 && slope(b, hull[top]) <= slope(b, hull[top-1]) {
			top--
		}
		worth[b] = float32(slope(b, hull[top]))
		top++
		hull[top] = b
	}
}
