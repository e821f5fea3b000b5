package monitoring

import (
	"math/bits"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/larder-cache/larder/internal/command"
)

// commandCollector exports what the executor counts.
func (m *Monitor) commandCollector() prometheus.Collector {
	calls := counter("larder_commands_total", "Requests that ran.", "command")
	seconds := counter("larder_commands_seconds_total", "Time requests took within the node, waiting for a source excluded.", "command")
	rejected := counter("larder_commands_rejected_total", "Requests answered with an error without running.", "command")
	failed := counter("larder_commands_failed_total", "Requests that ran and answered an error.", "command")
	latency := histogram("larder_command_duration_seconds",
		"Time requests took within the node, waiting for a source excluded; fast commands are extrapolated from a sample.", "command")
	errors := counter("larder_errors_total", "Requests answered by an error, by its code.", "code")
	dropped := counter("larder_cluster_near_dropped_total", "Copies of hot keys of other nodes dropped before their time, by reason.", "reason")
	uptime := gauge("larder_uptime_seconds", "Time since the node started.")
	families := []family{calls, seconds, rejected, failed, latency, errors, dropped, uptime}
	numbers := command.Counters()
	plain := make([]family, len(numbers))
	for i, n := range numbers {
		declare := counter
		if n.Gauge {
			declare = gauge
		}
		plain[i] = declare("larder_"+n.Name, n.Help)
	}
	return &collector{append(families, plain...), func(s sink) {
		x := m.cfg.Executor.Snapshot()
		for i := range x.Commands {
			c := &x.Commands[i]
			s.count(calls, c.Calls, c.Name)
			s.put(seconds, c.Time.Seconds(), c.Name)
			s.count(rejected, c.Rejected, c.Name)
			s.count(failed, c.Failed, c.Name)
			if c.Latency.Total > 0 {
				s.distribution(latency, buckets(c.Latency), c.Latency.Total, c.Time.Seconds(), c.Name)
			}
		}
		for code, n := range x.Errors {
			s.count(errors, n, code)
		}
		for why, n := range x.Cluster.Near.Dropped {
			s.count(dropped, n, command.NearDrop(why).String())
		}
		for i, n := range numbers {
			s.put(plain[i], n.Value(&x))
		}
		s.put(uptime, float64(x.UptimeMilliseconds)/1000)
	}}
}

// The buckets of command latency that are exported: powers of two, since those
// are bounds of the executor's finer ones. From 1 us to 4 s.
const (
	firstBucket = 10 // 2^10 ns
	lastBucket  = 32
)

// buckets returns the cumulative counts at the exported bounds in seconds.
func buckets(h command.Histogram) map[float64]uint64 {
	var counts [lastBucket + 1]uint64
	for i, n := range h.Counts {
		// The first power of two that no duration of the bucket exceeds.
		power := max(bits.Len64(uint64(h.Bound(i))), firstBucket)
		if power <= lastBucket {
			counts[power] += n
		}
	}
	out := make(map[float64]uint64, lastBucket-firstBucket+1)
	seen := uint64(0)
	for power := firstBucket; power <= lastBucket; power++ {
		seen += counts[power]
		out[(time.Duration(1) << power).Seconds()] = seen
	}
	return out
}
