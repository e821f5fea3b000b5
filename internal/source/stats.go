package source

import (
	"sync/atomic"
	"time"
)

// loaderCounters count since the loader was made. Safe for concurrent use.
type loaderCounters struct {
	loads, collapsed, notFound, noMatch, abandoned atomic.Uint64
	refreshes, refreshesJoined, refreshesSkipped   atomic.Uint64
	errors                                         [NumFaults]atomic.Uint64
	latency                                        latency
}

// LoaderStats are the counters of one namespace's loader at one moment.
type LoaderStats struct {
	Loads            uint64            // flights begun, refreshes included
	Collapsed        uint64            // callers that shared a running flight
	NotFound         uint64            // flights that ended without a row
	NoMatch          uint64            // keys that do not have the pattern's form
	Abandoned        uint64            // callers that left before their flight ended
	Refreshes        uint64            // flights begun by Refresh
	RefreshesJoined  uint64            // refreshes not begun: the key was in flight
	RefreshesSkipped uint64            // refreshes not begun: no slot, or breaker open
	Errors           [NumFaults]uint64 // failed flights by [Fault]
	InFlight         int               // flights now, waiting ones included
	LoadTime         time.Duration     // moving average of what the source takes
	Latency          Latency           // what the source took, waiting for a slot excluded
}

// GateStats are the state and the counters of one source at one moment.
type GateStats struct {
	Breaker  BreakerState
	Opened   uint64 // times the breaker opened
	Refused  uint64 // loads not tried because the breaker was open
	Rejected uint64 // loads not tried because no slot was free in time
	Running  int    // slots taken
	Waiting  int    // loads waiting for a slot
	Slots    int    // loads that may run at once
}

// MetricType is counter or gauge, in Prometheus's words.
type MetricType string

// The types of metrics.
const (
	Counter MetricType = "counter"
	Gauge   MetricType = "gauge"
)

// Metric declares one exported number of a snapshot S: its name with the unit,
// its help text and where it is found. Histograms are exported from
// [LoaderStats.Latency] as [LatencyMetric].
type Metric[S any] struct {
	Name  string
	Type  MetricType
	Help  string
	Label string // value of the label [FaultLabel]; empty: no label
	Value func(*S) float64
}

// FaultLabel is the name of the label whose value is [Metric.Label].
const FaultLabel = "fault"

// LatencyMetric and LatencyHelp declare the histogram of [LoaderStats.Latency],
// in seconds.
const (
	LatencyMetric = "larder_source_load_duration_seconds"
	LatencyHelp   = "Time the source took to answer a load, without waiting for a slot."
)

// LoaderMetrics declares what is exported per namespace.
func LoaderMetrics() []Metric[LoaderStats] {
	type s = LoaderStats
	count := func(name, help string, v func(*s) uint64) Metric[s] {
		return Metric[s]{Name: name, Type: Counter, Help: help, Value: func(x *s) float64 { return float64(v(x)) }}
	}
	metrics := []Metric[s]{
		count("larder_source_loads_total", "Loads begun, refreshes included.", func(x *s) uint64 { return x.Loads }),
		count("larder_source_loads_collapsed_total", "Callers that shared a load already running for their key.", func(x *s) uint64 { return x.Collapsed }),
		count("larder_source_loads_not_found_total", "Loads that ended without a row.", func(x *s) uint64 { return x.NotFound }),
		count("larder_source_keys_unmatched_total", "Missed keys that do not have the namespace's pattern, so that the source was not asked.", func(x *s) uint64 { return x.NoMatch }),
		count("larder_source_waiters_gone_total", "Callers that left before their load ended.", func(x *s) uint64 { return x.Abandoned }),
		count("larder_source_refreshes_total", "Loads begun in the background for an entry still present.", func(x *s) uint64 { return x.Refreshes }),
		count("larder_source_refreshes_joined_total", "Refreshes not begun because the key was being loaded.", func(x *s) uint64 { return x.RefreshesJoined }),
		count("larder_source_refreshes_skipped_total", "Refreshes not begun because no slot was free or the breaker was open.", func(x *s) uint64 { return x.RefreshesSkipped }),
		{Name: "larder_source_loads_in_flight", Type: Gauge, Help: "Loads running or waiting for a slot.", Value: func(x *s) float64 { return float64(x.InFlight) }},
	}
	for f := range NumFaults {
		m := count("larder_source_errors_total", "Loads that failed, by fault.", func(x *s) uint64 { return x.Errors[f] })
		m.Label = f.String()
		metrics = append(metrics, m)
	}
	return metrics
}

// GateMetrics declares what is exported per source.
func GateMetrics() []Metric[GateStats] {
	type s = GateStats
	metric := func(name string, t MetricType, help string, v func(*s) float64) Metric[s] {
		return Metric[s]{Name: name, Type: t, Help: help, Value: v}
	}
	return []Metric[s]{
		metric("larder_source_breaker_state", Gauge, "Circuit breaker: 0 closed, 1 open, 2 half-open.", func(x *s) float64 { return float64(x.Breaker) }),
		metric("larder_source_breaker_opened_total", Counter, "Times the circuit breaker opened.", func(x *s) float64 { return float64(x.Opened) }),
		metric("larder_source_breaker_refused_total", Counter, "Loads not tried because the breaker was open.", func(x *s) float64 { return float64(x.Refused) }),
		metric("larder_source_loads_rejected_total", Counter, "Loads not tried because no slot was free in time.", func(x *s) float64 { return float64(x.Rejected) }),
		metric("larder_source_loads_running", Gauge, "Loads that the source works on.", func(x *s) float64 { return float64(x.Running) }),
		metric("larder_source_loads_waiting", Gauge, "Loads that wait for a slot.", func(x *s) float64 { return float64(x.Waiting) }),
		metric("larder_source_slots", Gauge, "Loads that may run at once.", func(x *s) float64 { return float64(x.Slots) }),
	}
}
