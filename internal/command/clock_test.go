package command

import (
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	var c clock
	c.init(time.Now())
	near := func(got int64) {
		t.Helper()
		if d := time.Now().UnixMilli() - got; d < 0 || d > 1000 {
			t.Errorf("%d ms off", d)
		}
	}
	near(c.millis(c.monotonic()))
	// The wall clock was set, or the machine asleep: noticed at the next measure.
	c.offset.Add(int64(time.Hour))
	if d := c.millis(c.monotonic()) - time.Now().UnixMilli(); d < 3_599_000 {
		t.Errorf("measured too early: %d ms", d)
	}
	c.synced.Add(-int64(2 * clockSync))
	near(c.millis(c.monotonic()))
}
