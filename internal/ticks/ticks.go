// Package ticks has what a process does again and again happen at the same
// moments. A processor that is at rest is woken once for all that is due then; each
// timer of its own would wake it, and the threads of the Go runtime, once more.
//
// The moments are the multiples of an interval since the process began, so those of
// 50 ms are also the ones of 100 ms. Processes on one machine have each their own.
package ticks

import (
	"iter"
	"time"
)

// began is the moment that all others are multiples from.
var began = time.Now()

// Every yields the time at each multiple of interval, until stop is closed. A
// moment that comes while the caller is busy is left out. Its timer ends with the
// loop.
func Every(stop <-chan struct{}, interval time.Duration) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		timer := time.NewTimer(Until(time.Now(), interval))
		defer timer.Stop()
		for {
			select {
			case <-stop:
				return
			case <-timer.C:
			}
			if !yield(time.Now()) {
				return
			}
			timer.Reset(Until(time.Now(), interval))
		}
	}
}

// Until returns how long after now the next multiple of interval is: more than 0,
// at most interval.
func Until(now time.Time, interval time.Duration) time.Duration {
	past := now.Sub(began) % interval
	if past < 0 {
		past += interval
	}
	return interval - past
}
