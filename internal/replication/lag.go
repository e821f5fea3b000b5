package replication

import "time"

// Lag returns for how long the oldest effect of a partition has not been
// acknowledged by one of those who are required, zero when all are. It may say
// somewhat more: an effect counts as old as what is first in the stream it is in.
// Safe for concurrent use.
func (l *Logs) Lag(partition int) time.Duration {
	g := l.list[partition].Load()
	if g == nil {
		return 0
	}
	return g.Lag()
}

// Lag is that of the log; see [Logs.Lag].
func (g *Log) Lag() (lag time.Duration) {
	now := g.logs.now()
	for _, c := range *g.required.Load() {
		lag = max(lag, c.lag(now))
	}
	return lag
}

// lag returns for how long something has not been acknowledged.
func (c *Copy) lag(now time.Duration) time.Duration {
	if c.ackedTo() >= c.last.Load() {
		c.behind.Store(0)
		return 0
	}
	if c.sender != nil {
		if since := c.sender.oldest.Load(); since != 0 {
			c.behind.Store(0)
			return now + 1 - time.Duration(since)
		}
	}
	// Nothing is under way, and never will be unless a batch is just being made:
	// what counts is when that was first seen.
	if c.behind.CompareAndSwap(0, int64(now)+1) {
		return 0
	}
	return now + 1 - time.Duration(c.behind.Load())
}
