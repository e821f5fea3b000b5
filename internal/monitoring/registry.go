package monitoring

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// newRegistry returns a registry with everything that is known about the node
// and the process.
func (m *Monitor) newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	r.MustRegister(m.collectors()...)
	return r
}

// collectors are those of the node itself.
func (m *Monitor) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.buildInfo(), m.commandCollector(), m.serverCollector(), m.memoryCollector(),
		m.namespaceCollector(), m.sourceCollector(), m.keyCollector(),
		m.clusterCollector(), m.peerCollector(), m.replicationCollector(),
	}
}

// family declares metrics of one name.
type family struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	labels int
}

// itself is f; a declaration that embeds a family has it, too. See [familiesOf].
func (f family) itself() family { return f }

// familiesOf returns the families of declarations.
func familiesOf[D interface{ itself() family }](list []D) []family {
	families := make([]family, len(list))
	for i, d := range list {
		families[i] = d.itself()
	}
	return families
}

// counter declares a number that only grows. The name ends in _total.
func counter(name, help string, labels ...string) family {
	return family{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue, len(labels)}
}

// gauge declares a number that may fall.
func gauge(name, help string, labels ...string) family {
	return family{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue, len(labels)}
}

// histogram declares a distribution.
func histogram(name, help string, labels ...string) family {
	return family{prometheus.NewDesc(name, help, labels, nil), prometheus.UntypedValue, len(labels)}
}

// sink receives the numbers of one scrape.
type sink chan<- prometheus.Metric

func (s sink) put(f family, v float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(f.desc, f.kind, v, labels...)
}

func (s sink) count(f family, v uint64, labels ...string) { s.put(f, float64(v), labels...) }

// distribution puts a histogram: the cumulative counts by upper bound in
// seconds, the number of all and their sum in seconds.
func (s sink) distribution(f family, buckets map[float64]uint64, count uint64, sum float64, labels ...string) {
	s <- prometheus.MustNewConstHistogram(f.desc, count, sum, buckets, labels...)
}

// collector reads one part of the node at each scrape.
type collector struct {
	families []family
	collect  func(sink)
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range c.families {
		ch <- f.desc
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(ch chan<- prometheus.Metric) { c.collect(ch) }

func (m *Monitor) buildInfo() prometheus.Collector {
	build := gauge("larder_build_info", "Always 1; the labels say what runs.", "version", "commit", "go_version")
	up := gauge("larder_ready", "Whether the node serves clients.")
	return &collector{[]family{build, up}, func(s sink) {
		s.put(build, 1, m.cfg.Build.Version, m.cfg.Build.Commit, runtime.Version())
		ready := 0.0
		if m.Ready() {
			ready = 1
		}
		s.put(up, ready)
	}}
}
