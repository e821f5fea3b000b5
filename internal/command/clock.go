package command

import (
	"sync/atomic"
	"time"
)

// clock tells the time of the wall from the monotonic one, which takes half as
// long to read. The difference of the two is measured anew every [clockSync],
// so that a wall clock that is set, or a machine that was asleep, is noticed.
// It is safe for concurrent use.
type clock struct {
	base   time.Time    // of monotonic times
	offset atomic.Int64 // wall clock at base, Unix nanoseconds
	synced atomic.Int64 // monotonic time at which offset was measured
}

const clockSync = 50 * time.Millisecond

func (c *clock) init(now time.Time) {
	c.base = now
	c.offset.Store(now.UnixNano())
}

// monotonic returns the time since base, for differences.
func (c *clock) monotonic() time.Duration { return time.Since(c.base) }

// millis returns the wall clock at a monotonic time that is now, in Unix
// milliseconds.
func (c *clock) millis(now time.Duration) int64 {
	if now-time.Duration(c.synced.Load()) > clockSync {
		wall := time.Now()
		c.offset.Store(wall.UnixNano() - int64(wall.Sub(c.base)))
		c.synced.Store(int64(now))
	}
	return (c.offset.Load() + int64(now)) / int64(time.Millisecond)
}
