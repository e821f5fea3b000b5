package demo

import (
	"math/rand/v2"
	"sync/atomic"
)

// Popularity says which of n things is asked for next: few are asked for very
// often (Zipf), and which ones they are changes with time. It is immutable but
// for its age and safe for concurrent use; the random numbers come from the
// caller.
type Popularity struct {
	n, stride uint64
	exponent  float64
	age       atomic.Uint64 // how many favourites have left so far
}

// NewPopularity returns the popularity of n things, n at least 2. exponent is
// above 1: the higher, the fewer have the most.
func NewPopularity(n int, exponent float64) *Popularity {
	p := &Popularity{n: uint64(n), exponent: exponent}
	// A stride near the golden section of n spreads neighbours in rank over
	// everything; without a common divisor it reaches all.
	for p.stride = uint64(float64(n)*0.618) | 1; divisor(p.stride, p.n) != 1; p.stride++ {
	}
	return p
}

func divisor(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Zipf returns the ranks for one client, to be given to [Popularity.At].
func (p *Popularity) Zipf(r *rand.Rand) *rand.Zipf {
	return rand.NewZipf(r, p.exponent, 1, p.n-1)
}

// At returns what has a rank now, 0 the most popular. Things rise rank by rank
// as [Popularity.Drift] is called, and leave from the top.
//
// Invariant: at any one age, At maps the ranks below n to 0..n-1, each once.
func (p *Popularity) At(rank uint64) int {
	return int((p.age.Load() + rank) % p.n * p.stride % p.n)
}

// Drift takes so many of the most popular things from the top to the end; all
// others rise.
func (p *Popularity) Drift(things int) { p.age.Add(uint64(things)) }
