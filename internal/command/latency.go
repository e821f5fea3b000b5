package command

import (
	"slices"
	"sync"
	"time"
)

// latencySamples is how many spikes of one event are remembered.
const latencySamples = 160

// latency remembers what has taken longer than latency-monitor-threshold, by
// kind of event. It is safe for concurrent use.
type latency struct {
	mu     sync.Mutex
	events map[string]*latencySeries // GUARDED_BY(mu)
}

// latencySeries are the spikes of one event, at most one a second, oldest first.
type latencySeries struct {
	samples []latencySample
	max     int64 // milliseconds, of all time
}

type latencySample struct {
	at int64 // Unix seconds
	ms int64
}

func (l *latency) init() { l.events = map[string]*latencySeries{} }

// add remembers an event. Of one second the longest is kept.
func (l *latency) add(event string, d time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	series := l.events[event]
	if series == nil {
		series = new(latencySeries)
		l.events[event] = series
	}
	sample := latencySample{now.Unix(), d.Milliseconds()}
	series.max = max(series.max, sample.ms)
	if n := len(series.samples); n > 0 && series.samples[n-1].at == sample.at {
		series.samples[n-1].ms = max(series.samples[n-1].ms, sample.ms)
		return
	}
	if len(series.samples) == latencySamples {
		series.samples = slices.Delete(series.samples, 0, 1)
	}
	series.samples = append(series.samples, sample)
}

// series returns a copy of what is known of an event.
func (l *latency) series(event string) (latencySeries, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	series := l.events[event]
	if series == nil {
		return latencySeries{}, false
	}
	return latencySeries{slices.Clone(series.samples), series.max}, true
}

// names returns the events that have happened, in order.
func (l *latency) names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, 0, len(l.events))
	for name := range l.events {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// reset forgets an event, or all for "", and returns how many there were.
func (l *latency) reset(event string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.events {
		if event == "" || equalFold([]byte(event), name) {
			delete(l.events, name)
			n++
		}
	}
	return n
}

// Spike tells the latency monitor of an event that is no command: expire-cycle,
// eviction-cycle and the like. It is remembered when it is long enough.
func (x *Executor) Spike(event string, d time.Duration) {
	if o := x.Options(); o.LatencyThreshold > 0 && d >= o.LatencyThreshold {
		x.latency.add(event, d, time.Now())
	}
}

func runLatencyLatest(c *Context) {
	names := c.Exec.latency.names()
	c.Out.Array(len(names))
	for _, name := range names {
		series, _ := c.Exec.latency.series(name)
		last := latencySample{}
		if n := len(series.samples); n > 0 {
			last = series.samples[n-1]
		}
		c.Out.Array(4)
		c.Out.BulkString(name)
		c.Out.Int(last.at)
		c.Out.Int(last.ms)
		c.Out.Int(series.max)
	}
}

func runLatencyHistory(c *Context) {
	series, _ := c.Exec.latency.series(string(c.Args[2]))
	c.Out.Array(len(series.samples))
	for _, s := range series.samples {
		c.Out.Array(2)
		c.Out.Int(s.at)
		c.Out.Int(s.ms)
	}
}

func runLatencyReset(c *Context) {
	if len(c.Args) == 2 {
		c.Out.Int(int64(c.Exec.latency.reset("")))
		return
	}
	n := 0
	for _, event := range c.Args[2:] {
		if len(event) > 0 {
			n += c.Exec.latency.reset(string(lowered(event)))
		}
	}
	c.Out.Int(int64(n))
}

func runLatencyHistogram(c *Context) {
	var cmds []*Command
	if len(c.Args) == 2 {
		cmds = c.Exec.table.All()
	}
	for _, name := range c.Args[min(2, len(c.Args)):] {
		cmd := c.Exec.table.FindFull(string(lowered(name)))
		if cmd == nil {
			continue
		}
		cmds = append(append(cmds, cmd), cmd.Sub...)
	}
	cmds = slices.DeleteFunc(slices.Clone(cmds), func(cmd *Command) bool {
		return c.Exec.stats.histograms[cmd.id].Load() == nil
	})
	c.Out.Map(len(cmds))
	for _, cmd := range cmds {
		c.Out.BulkString(cmd.full)
		writeHistogram(c, c.Exec.stats.histogram(cmd).copy())
	}
}

// writeHistogram answers with the cumulative counts at the bounds 1.024 us
// times powers of two, those left out at which nothing new is counted. The
// bounds are shown as Redis shows them, less than a hundredth above.
func writeHistogram(c *Context, h Histogram) {
	type point struct{ micros, count int64 }
	var points []point
	var seen, shown uint64
	bucket := 0
	for bound := time.Duration(1024); bucket < len(h.Counts); bound *= 2 {
		last := bound > 1<<36
		for bucket < len(h.Counts) && (last || histogramBound(bucket) <= bound) {
			seen += h.Counts[bucket]
			bucket++
		}
		if seen > shown {
			points = append(points, point{int64((bound + bound/128 - 1) / 1000), int64(seen)})
			shown = seen
		}
	}
	c.Out.Map(2)
	c.Out.BulkString("calls")
	c.Out.Int(int64(h.Total))
	c.Out.BulkString("histogram_usec")
	c.Out.Map(len(points))
	for _, p := range points {
		c.Out.Int(p.micros)
		c.Out.Int(p.count)
	}
}

func runLatencyHelp(c *Context) {
	c.help("LATENCY",
		"DOCTOR",
		"    Explain in words what was slow and what may help.",
		"GRAPH <event>",
		"    Draw the spikes of an <event> over time.",
		"HISTORY <event>",
		"    List the spikes of an <event> as Unix time and milliseconds.",
		"LATEST",
		"    List the last spike and the longest one of every event.",
		"RESET [<event> ...]",
		"    Forget the spikes of these events, or of all.",
		"HISTOGRAM [<command> ...]",
		"    List how many calls of these commands, or of all, took how long.")
}

// lowered returns a copy of a word in lower case (ASCII).
func lowered(word []byte) []byte {
	out := make([]byte, len(word))
	for i, b := range word {
		if b >= 'A' && b <= 'Z' {
			b |= 0x20
		}
		out[i] = b
	}
	return out
}
