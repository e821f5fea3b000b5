package command

import (
	"fmt"
	"strings"
	"time"
)

func runLatencyGraph(c *Context) {
	event := string(c.Args[2])
	series, ok := c.Exec.latency.series(event)
	if !ok {
		c.Error("ERR No samples available for event '" + event + "'")
		return
	}
	c.Out.Verbatim("txt", drawLatency(event, series, time.Now()))
}

// Size of the drawing, in characters.
const (
	graphColumns = 80
	graphRows    = 4
)

// drawLatency draws spikes as columns, the newest at the right, with their age
// written downwards below each.
func drawLatency(event string, series latencySeries, now time.Time) string {
	samples := series.samples
	if len(samples) > graphColumns {
		samples = samples[len(samples)-graphColumns:]
	}
	low, high := samples[0].ms, samples[0].ms
	for _, s := range samples {
		low, high = min(low, s.ms), max(high, s.ms)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n", event, high, low, series.max)
	b.WriteString(strings.Repeat("-", graphColumns))
	b.WriteByte('\n')
	for row := graphRows; row > 0; row-- {
		for _, s := range samples {
			height := graphRows
			if high > low {
				height = 1 + int((s.ms-low)*(graphRows-1)/(high-low))
			}
			switch {
			case height == row:
				b.WriteByte('#')
			case height > row:
				b.WriteByte('|')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	labels := make([]string, len(samples))
	longest := 0
	for i, s := range samples {
		labels[i] = age(now.Unix() - s.at)
		longest = max(longest, len(labels[i]))
	}
	b.WriteByte('\n')
	for row := range longest {
		for _, label := range labels {
			if row < len(label) {
				b.WriteByte(label[row])
				continue
			}
			b.WriteByte(' ')
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// age shortens a number of seconds to its largest unit.
func age(seconds int64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm", seconds/60)
	case seconds < 24*3600:
		return fmt.Sprintf("%dh", seconds/3600)
	}
	return fmt.Sprintf("%dd", seconds/(24*3600))
}

func runLatencyDoctor(c *Context) {
	c.Out.Verbatim("txt", c.Exec.latencyReport(time.Now()))
}

// latencyReport says in words what has been slow, and what to do about it.
func (x *Executor) latencyReport(now time.Time) string {
	o := x.Options()
	names := x.latency.names()
	if len(names) == 0 {
		if o.LatencyThreshold == 0 {
			return "Latency monitoring is off, so there is nothing to report.\n" +
				"Turn it on with CONFIG SET latency-monitor-threshold <milliseconds> and come back later.\n"
		}
		return fmt.Sprintf("Nothing has taken %d ms or longer since monitoring began. All is well.\n", o.LatencyThreshold.Milliseconds())
	}
	var b strings.Builder
	b.WriteString("These events were slower than the threshold:\n\n")
	commands, fast := false, false
	for i, name := range names {
		series, _ := x.latency.series(name)
		s := summarize(series, now)
		fmt.Fprintf(&b, "%d. %s: %d spikes, one every %.2f s; %d ms on average, %d ms mean deviation, %d ms the longest ever.\n",
			i+1, name, s.n, float64(s.period)/float64(max(1, s.n)), s.mean, s.deviation, series.max)
		commands = commands || name == "command"
		fast = fast || name == "fast-command"
	}
	b.WriteString("\nWhat may help:\n\n")
	if commands {
		switch {
		case o.SlowLogSlower < 0:
			fmt.Fprintf(&b, "- The slow log is off. CONFIG SET slowlog-log-slower-than %d would show which commands these are.\n", o.LatencyThreshold.Microseconds())
		case o.SlowLogSlower > o.LatencyThreshold && o.LatencyThreshold > 0:
			fmt.Fprintf(&b, "- The slow log misses some of them. CONFIG SET slowlog-log-slower-than %d would show all.\n", o.LatencyThreshold.Microseconds())
		default:
			b.WriteString("- SLOWLOG GET shows which commands these are.\n")
		}
		b.WriteString("- Replace commands that walk over all keys (KEYS) by SCAN, and split very large values.\n")
	}
	if fast {
		b.WriteString("- Commands that take a microsecond of work took milliseconds: the process did not get a processor. Look for other busy processes, a noisy neighbour on the same host, CPU quotas, swapping and transparent huge pages.\n")
	}
	if !commands && !fast {
		b.WriteString("- See the metrics of expiry and eviction: a mass expiry or a sudden lack of memory shows there.\n")
	}
	return b.String()
}

type latencySummary struct {
	n, mean, deviation, period int64 // ms; the period in seconds
}

func summarize(series latencySeries, now time.Time) (s latencySummary) {
	s.n = int64(len(series.samples))
	if s.n == 0 {
		return s
	}
	for _, sample := range series.samples {
		s.mean += sample.ms
	}
	s.mean /= s.n
	for _, sample := range series.samples {
		s.deviation += max(sample.ms-s.mean, s.mean-sample.ms)
	}
	s.deviation /= s.n
	s.period = max(1, now.Unix()-series.samples[0].at)
	return s
}
