package monitoring

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/source"
)

// namespaceNumber is a counter that every namespace has.
type namespaceNumber struct {
	family
	value func(*cache.NamespaceStats) uint64
}

func ofNamespace(name, help string, value func(*cache.NamespaceStats) uint64) namespaceNumber {
	return namespaceNumber{counter("larder_namespace_"+name, help, "namespace"), value}
}

var namespaceNumbers = []namespaceNumber{
	ofNamespace("hits_total", "Reads answered from memory, stale and negative ones included.", func(n *cache.NamespaceStats) uint64 { return n.Hits }),
	ofNamespace("misses_total", "Reads that found nothing in memory.", func(n *cache.NamespaceStats) uint64 { return n.Misses }),
	ofNamespace("negative_hits_total", "Hits of a remembered absence.", func(n *cache.NamespaceStats) uint64 { return n.Negative }),
	ofNamespace("stale_hits_total", "Hits of a value past its time to live.", func(n *cache.NamespaceStats) uint64 { return n.Stale }),
	ofNamespace("fills_total", "Values stored from the source.", func(n *cache.NamespaceStats) uint64 { return n.Fills }),
	ofNamespace("voided_fills_total", "Values from the source not stored since their key was written meanwhile.", func(n *cache.NamespaceStats) uint64 { return n.Voided }),
	ofNamespace("failed_reads_total", "Reads answered with an error of the source.", func(n *cache.NamespaceStats) uint64 { return n.Failed }),
}

// namespaceCollector exports reads by namespace, and what the loader of one
// with a source counts.
func (m *Monitor) namespaceCollector() prometheus.Collector {
	hitRatio := gauge("larder_namespace_hit_ratio", "Hits of reads since the start.", "namespace")
	latency := histogram(source.LatencyMetric, source.LatencyHelp, "namespace")
	loader := declared(source.LoaderMetrics(), "namespace")
	families := slices.Concat([]family{hitRatio, latency}, familiesOf(namespaceNumbers), familiesOf(loader))
	return &collector{families, func(s sink) {
		for _, n := range m.cfg.Cache.Namespaces() {
			for _, number := range namespaceNumbers {
				s.count(number.family, number.value(&n), n.Name)
			}
			s.put(hitRatio, n.HitRatio(), n.Name)
			if n.Loader == nil {
				continue
			}
			for _, d := range loader {
				d.put(s, n.Loader, n.Name)
			}
			l := n.Loader.Latency
			s.distribution(latency, cumulative(l), l.Count(), l.Sum.Seconds(), n.Name)
		}
	}}
}

// sourceCollector exports the state of the gates of the sources.
func (m *Monitor) sourceCollector() prometheus.Collector {
	gates := declared(source.GateMetrics(), "source")
	return &collector{familiesOf(gates), func(s sink) {
		for _, src := range m.cfg.Sources {
			stats := src.Gate.Stats()
			for _, d := range gates {
				d.put(s, &stats, src.Name)
			}
		}
	}}
}

// declaration is a metric that package source declares.
type declaration[S any] struct {
	family
	metric source.Metric[S]
}

// declared makes families of what package source declares. Metrics that differ
// in the value of their label only share one.
func declared[S any](metrics []source.Metric[S], label string) []declaration[S] {
	families := map[string]family{}
	out := make([]declaration[S], len(metrics))
	for i, metric := range metrics {
		f, known := families[metric.Name]
		if !known {
			declare, labels := gauge, []string{label}
			if metric.Type == source.Counter {
				declare = counter
			}
			if metric.Label != "" {
				labels = append(labels, source.FaultLabel)
			}
			f = declare(metric.Name, metric.Help, labels...)
			families[metric.Name] = f
		}
		out[i] = declaration[S]{f, metric}
	}
	return out
}

func (d *declaration[S]) put(s sink, stats *S, label string) {
	labels := []string{label}
	if d.metric.Label != "" {
		labels = append(labels, d.metric.Label)
	}
	s.put(d.family, d.metric.Value(stats), labels...)
}

// cumulative returns the counts of a source's latency by upper bound in seconds.
func cumulative(l source.Latency) map[float64]uint64 {
	out := make(map[float64]uint64, len(l.Bounds))
	seen := uint64(0)
	for i, bound := range l.Bounds {
		seen += l.Counts[i]
		out[bound.Seconds()] = seen
	}
	return out
}
