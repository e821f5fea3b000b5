package demo

import (
	"math/rand/v2"
	"testing"
)

// TestPopularityIsPermutation guards the invariant of [Popularity.At].
func TestPopularityIsPermutation(t *testing.T) {
	for _, n := range []int{2, 3, 10, 4096, 149_251} {
		p := NewPopularity(n, 1.15)
		p.Drift(n + 3)
		seen := make([]bool, n)
		for rank := range n {
			i := p.At(uint64(rank))
			if seen[i] {
				t.Fatalf("of %d things, %d has two ranks", n, i)
			}
			seen[i] = true
		}
	}
}

func TestPopularityDrifts(t *testing.T) {
	p := NewPopularity(1000, 1.15)
	second, third := p.At(1), p.At(2)
	p.Drift(1)
	if p.At(0) != second || p.At(1) != third {
		t.Errorf("the first are %d and %d, want %d and %d", p.At(0), p.At(1), second, third)
	}
}

func TestPopularityPrefersFew(t *testing.T) {
	p := NewPopularity(100_000, 1.15)
	ranks := p.Zipf(rand.New(rand.NewPCG(1, 2)))
	top := 0
	const draws = 10_000
	for range draws {
		if ranks.Uint64() < 100 {
			top++
		}
	}
	if top < draws/2 {
		t.Errorf("%d of %d requests are for the 100 most popular of 100,000", top, draws)
	}
}
