package eviction

import "math/bits"

// learner teaches the adaptive policy from two samples of the keys and judges it
// against LRU.
type learner struct {
	model *reuseModel
	// near is a dense sample that reaches some way beyond the cache, far a
	// thin one that reaches loops far larger than it.
	near, far observer

	// misses counts LRU's since the first eviction, gain how many fewer the
	// policy had, both in the near sample and fading.
	misses, gain float32
	judging      bool
	// trust is the share of evictions the model decides alone, distrust the
	// share it has no say in.
	trust, distrust float32
}

const (
	nearReach, nearRecords = 8, 8192
	farReach, farRecords   = 64, 4096
	// The model decides half of the evictions alone to start with, and all
	// when it saves a hundredth of LRU's misses.
	initialTrust = 0.5
	trustPerGain = 50
	// It has no say in mostDistrust of the evictions when it has cost half a
	// hundredth.
	distrustPerLoss = 200
	mostDistrust    = 0.95
)

func newLearner() *learner {
	m := newReuseModel()
	return &learner{
		model: m,
		near:  observer{model: m, reach: nearReach, least: nearRecords},
		far:   observer{model: m, reach: farReach, least: farRecords},
		trust: initialTrust,
	}
}

// rescale adapts model and samples to n resident entries.
func (l *learner) rescale(n uint32) {
	scale := bits.Len32(n) - 1
	l.model.rescale(scale)
	l.near.adapt(1 << scale)
	l.far.adapt(1 << scale)
}

// access notes a use of an entry; hit says whether it was resident.
func (l *learner) access(hash uint64, size, now, random uint32, hit bool) {
	print := fingerprint(hash)
	if !l.near.follows(print) {
		return
	}
	lruHit := l.near.access(print, size, now, random)
	if l.judging {
		l.judge(hit, lruHit)
	}
	// Where the near sample reaches as far, a second look adds nothing. The far
	// one judges nobody and is not told what leaves.
	if l.far.shift > l.near.shift && l.far.follows(print) {
		l.far.access(print, size, now, random)
	}
}

// judge compares the policy with LRU on one access.
func (l *learner) judge(hit, lruHit bool) {
	if !lruHit {
		l.misses++
	}
	switch {
	case hit && !lruHit:
		l.gain++
	case lruHit && !hit:
		l.gain--
	}
}

// resized notes that a resident entry changed its size.
func (l *learner) resized(hash uint64, size uint32) {
	if print := fingerprint(hash); l.near.follows(print) {
		l.near.resized(print, size)
	}
}

// left notes that an entry is not resident any more.
func (l *learner) left(hash uint64) {
	if print := fingerprint(hash); l.near.follows(print) {
		l.near.left(print)
	}
}

// learn recomputes the model, and the trust it has earned.
func (l *learner) learn(now, elapsed uint32) {
	var alive [cells]float32
	l.near.countAges(now, &alive)
	l.far.countAges(now, &alive)
	keep := l.model.learn(&alive, elapsed)
	l.gain *= keep
	l.misses *= keep
	relative := l.gain / (l.misses + float32(l.near.count)/64 + 1)
	l.trust = min(initialTrust+trustPerGain*max(relative, 0), 1)
	l.distrust = min(max(-distrustPerLoss*relative, 0), mostDistrust)
}
