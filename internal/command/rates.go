package command

import (
	"context"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/ticks"
)

// rates turn growing counters into numbers per second, over the last
// [rateSamples] ticks. It is safe for concurrent use.
type rates struct {
	mu       sync.Mutex
	commands rate // GUARDED_BY(mu), as the next ones
	input    rate
	output   rate
}

// Ticks of 100 ms, as in Redis; together 1.6 s.
const (
	rateTick    = 100 * time.Millisecond
	rateSamples = 16
)

// rate has the growth of one counter per tick. The zero value is ready.
type rate struct {
	perSecond [rateSamples]float64
	next      int
	last      uint64
	at        time.Time
}

// tick notes the counter's value at a time.
func (r *rate) tick(value uint64, now time.Time) {
	if elapsed := now.Sub(r.at).Seconds(); !r.at.IsZero() && elapsed > 0 && value >= r.last {
		r.perSecond[r.next%rateSamples] = float64(value-r.last) / elapsed
		r.next++
	}
	r.last, r.at = value, now
}

// mean returns the growth per second over the ticks remembered.
func (r *rate) mean() float64 {
	sum := 0.0
	for _, v := range r.perSecond {
		sum += v
	}
	return sum / rateSamples
}

// Run keeps the numbers per second that INFO shows until ctx is done. To be
// called once, in a goroutine of its own.
func (x *Executor) Run(ctx context.Context) {
	for now := range ticks.Every(ctx.Done(), rateTick) {
		x.tick(now)
	}
}

func (x *Executor) tick(now time.Time) {
	calls := x.stats.totalCalls()
	network := x.network()
	x.rates.mu.Lock()
	defer x.rates.mu.Unlock()
	x.rates.commands.tick(calls, now)
	x.rates.input.tick(uint64(network.InputBytes), now)
	x.rates.output.tick(uint64(network.OutputBytes), now)
}

// totalCalls returns how many commands have run.
func (st *stats) totalCalls() (n uint64) {
	for i := range st.counters {
		for j := range st.counters[i] {
			n += st.counters[i][j].calls.Load()
		}
	}
	return n
}
