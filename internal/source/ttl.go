package source

import (
	"math"
	"time"
)

// JitterTTL returns ttl shortened by a random part of up to jitter, so that
// entries loaded together do not expire together. It only shortens: ttl stays
// the longest that a value may be served. jitter is a fraction in [0, 1], u is
// random in [0, 1). The result is at least a millisecond; a ttl of zero (no
// expiry) stays zero.
func JitterTTL(ttl time.Duration, jitter, u float64) time.Duration {
	if ttl <= 0 {
		return 0
	}
	return max(ttl-time.Duration(float64(ttl)*jitter*u), time.Millisecond)
}

// EarlyRefresh decides whether a hit should refresh its entry already now: the
// probability rises as expiry comes near, the sooner the longer a load takes,
// so that of many readers about one refreshes in time. remaining is the time to
// expiry, loadTime what a load takes (see [Loader.LoadTime]), beta the
// eagerness (1 is the optimum for exponential arrivals, 0 is off), u random
// in [0, 1).
//
// The rule is XFetch of A. Vattani, F. Chierichetti, K. Lowenstein, «Optimal
// Probabilistic Cache Stampede Prevention», PVLDB 8(8), 2015.
func EarlyRefresh(remaining, loadTime time.Duration, beta, u float64) bool {
	if beta <= 0 || loadTime <= 0 {
		return false
	}
	// 1-u is in (0, 1], which the logarithm needs.
	return -float64(loadTime)*beta*math.Log(1-u) >= float64(remaining)
}
