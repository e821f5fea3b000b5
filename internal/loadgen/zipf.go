package loadgen

import (
	"math"
	"math/rand/v2"
)

// zipfian draws ranks 1..n with probability proportional to 1/rank^s, for any
// s >= 0, in constant time and memory: rejection-inversion after W. Hörmann and
// G. Derflinger, "Rejection-inversion to generate variates from monotone
// discrete distributions", ACM TOMACS 6(3), 1996.
//
// The idea: H, the integral of h(x) = x^-s, is inverted at a uniform number,
// which gives a continuous x with density h; rounded to k, it is accepted when
// the number lies in the part of k's interval whose area is exactly h(k). The
// interval starts half a rank early at 1 so that the hat covers the histogram.
//
// A zipfian is immutable after newZipfian and may be shared.
type zipfian struct {
	n       float64
	s       float64
	oneMinS float64
	lower   float64 // H(1.5) - h(1)
	upper   float64 // H(n + 0.5)
	squeeze float64 // k - x below this is accepted without computing H
	// accept[k] is the least u with which k is accepted, for the first ranks:
	// they are most of the draws, and computing it costs more than the rest.
	accept []float64
}

// acceptTable is the length of zipfian.accept: 16 KiB of it stay in the cache.
const acceptTable = 2048

func newZipfian(n uint64, s float64) zipfian {
	z := zipfian{n: float64(n), s: s, oneMinS: 1 - s}
	z.lower = z.integral(1.5) - 1
	z.upper = z.integral(z.n + 0.5)
	z.squeeze = 2 - z.inverse(z.integral(2.5)-z.density(2))
	for k := range min(n+1, acceptTable) {
		z.accept = append(z.accept, z.threshold(max(float64(k), 1)))
	}
	return z
}

// threshold is the least u with which rank k is accepted.
func (z *zipfian) threshold(k float64) float64 { return z.integral(k+0.5) - z.density(k) }

// rank draws a rank from 1 to n. It takes one uniform number, rarely more.
func (z *zipfian) rank(r *rand.Rand) uint64 {
	for {
		u := z.upper + r.Float64()*(z.lower-z.upper)
		x := z.inverse(u)
		k := math.Floor(x + 0.5)
		if k < 1 {
			k = 1
		} else if k > z.n {
			k = z.n
		}
		if k-x <= z.squeeze {
			return uint64(k)
		}
		if i := int(k); i < len(z.accept) {
			if u >= z.accept[i] {
				return uint64(i)
			}
		} else if u >= z.threshold(k) {
			return uint64(k)
		}
	}
}

func (z *zipfian) density(x float64) float64 { return math.Exp(-z.s * math.Log(x)) }

// integral is H(x) = (x^(1-s) - 1) / (1-s), and log x for s = 1. Written with
// expm1 it keeps its digits for s near 1.
func (z *zipfian) integral(x float64) float64 {
	l := math.Log(x)
	t := z.oneMinS * l
	if math.Abs(t) < 1e-8 {
		return l * (1 + t/2)
	}
	return l * math.Expm1(t) / t
}

// inverse is the x of which integral is y.
func (z *zipfian) inverse(y float64) float64 {
	t := y * z.oneMinS
	if math.Abs(z.oneMinS) > 1e-3 { // far enough from 1 for the plain form, which is faster
		return math.Exp(math.Log(math.Max(1+t, 0)) / z.oneMinS)
	}
	if math.Abs(t) < 1e-8 {
		return math.Exp(y * (1 - t/2))
	}
	if t < -1 { // rounding only: H stays above -1/(1-s)
		t = -1
	}
	return math.Exp(y * math.Log1p(t) / t)
}
