package loadgen

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what a run measured. Times are in microseconds where the name says
// so, else in seconds.
type Result struct {
	Config      Summary   `json:"config"`
	Started     time.Time `json:"started"`
	Interrupted bool      `json:"interrupted,omitempty"` // ended early on request
	Preload     *Part     `json:"preload,omitempty"`
	Part
	Commands []CommandResult `json:"commands"` // per command of the mix
}

// Part is what one phase measured.
type Part struct {
	Seconds  float64 `json:"seconds"`  // to the last reply; an open loop's whole duration
	Requests uint64  `json:"requests"` // answered, errors included
	PerSec   float64 `json:"requests_per_second"`
	Failed   uint64  `json:"failed"` // answered with an error
	// Unsent is the requests of an open loop that should have started before
	// the end but found no free connection. Lost is those that were sent and
	// never answered. Both count in Latency, with the time until the end.
	Unsent uint64 `json:"unsent"`
	Lost   uint64 `json:"lost"`
	// Dropped is the number of connections that broke.
	Dropped  uint64            `json:"dropped_connections"`
	Errors   map[string]uint64 `json:"errors,omitempty"` // by text
	Hits     uint64            `json:"hits"`
	Misses   uint64            `json:"misses"`
	HitRatio float64           `json:"hit_ratio"` // 0 without reads
	// Bytes per second over the network, as the client sees it.
	ReadPerSec  float64 `json:"read_bytes_per_second"`
	WritePerSec float64 `json:"write_bytes_per_second"`
	// Processor time of the client itself.
	ClientCPU        float64 `json:"client_cpu_seconds"`
	ClientCPUPerCall float64 `json:"client_cpu_us_per_request"`
	Latency          Latency `json:"latency_us"`
}

// CommandResult is the part of one command of the mix.
type CommandResult struct {
	Name     string  `json:"name"`
	Requests uint64  `json:"requests"` // unsent and lost ones included
	Latency  Latency `json:"latency_us"`
}

// Latency is a distribution in microseconds. In an open loop it counts from the
// intended start, in a closed one from the moment the batch was handed over.
type Latency struct {
	Min   float64 `json:"min"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p99_9"`
	P9999 float64 `json:"p99_99"`
	Max   float64 `json:"max"`
}

// Summary repeats the configuration of a run, without secrets.
type Summary struct {
	Address      string       `json:"address"`
	Protocol     Protocol     `json:"protocol"`
	Connections  int          `json:"connections"`
	Threads      int          `json:"threads"`
	Pipeline     int          `json:"pipeline"`
	Rate         float64      `json:"rate"` // 0 is a closed loop
	Arrivals     Arrivals     `json:"arrivals,omitempty"`
	Keys         uint64       `json:"keys"`
	KeyLength    int          `json:"key_bytes"`
	Distribution Distribution `json:"distribution"`
	Exponent     float64      `json:"exponent,omitempty"`
	Drift        float64      `json:"drift,omitempty"`
	Values       string       `json:"value_bytes"`
	TTL          string       `json:"ttl,omitempty"`
	Gets         int          `json:"gets,omitempty"`
	Sets         int          `json:"sets,omitempty"`
	Commands     []Command    `json:"commands,omitempty"`
	Seed         uint64       `json:"seed"`
}

func summarize(c *Config) Summary {
	s := Summary{
		Address: c.Address, Protocol: c.Protocol, Connections: c.Connections,
		Threads: min(c.Threads, c.Connections), Pipeline: c.Pipeline, Rate: c.Rate,
		Keys: c.Keys, KeyLength: c.KeyLength, Distribution: c.Distribution, Drift: c.Drift,
		Values: c.Values.String(), Commands: c.Commands, Seed: c.Seed,
	}
	if c.Rate > 0 {
		s.Arrivals = c.Arrivals
	}
	if c.Distribution == Zipf {
		s.Exponent = c.Exponent
	}
	if c.TTL.Max > 0 {
		s.TTL = c.TTL.String()
	}
	if len(c.Commands) == 0 {
		s.Gets, s.Sets = c.Gets, c.Sets
	}
	return s
}

// String returns the range, "10s" or "5s-10s".
func (t TTL) String() string {
	if t.Min == t.Max {
		return t.Min.String()
	}
	return t.Min.String() + "-" + t.Max.String()
}

// measurement is a phase as it was counted.
type measurement struct {
	tally   *tally
	elapsed time.Duration
	cpu     time.Duration
}

// part computes what is shown.
func (m *measurement) part() *Part {
	t := m.tally
	p := &Part{
		Seconds: m.elapsed.Seconds(), Requests: t.requests, Failed: t.failed,
		Unsent: t.unsent, Lost: t.lost, Dropped: t.dropped, Errors: t.errors,
		Hits: t.hits, Misses: t.misses, ClientCPU: m.cpu.Seconds(),
	}
	if p.Seconds > 0 {
		p.PerSec = float64(t.requests) / p.Seconds
		p.ReadPerSec = float64(t.bytesIn) / p.Seconds
		p.WritePerSec = float64(t.bytesOut) / p.Seconds
	}
	if t.requests > 0 {
		p.ClientCPUPerCall = m.cpu.Seconds() * 1e6 / float64(t.requests)
	}
	if t.hits+t.misses > 0 {
		p.HitRatio = float64(t.hits) / float64(t.hits+t.misses)
	}
	all := newHistogram()
	for _, h := range t.latency {
		all.Merge(h)
	}
	p.Latency = latencyOf(all)
	return p
}

func (r *Result) fill(m *measurement) {
	r.Part = *m.part()
	for i := range m.tally.ops {
		h := m.tally.latency[i]
		r.Commands = append(r.Commands, CommandResult{
			Name: m.tally.ops[i].name, Requests: uint64(h.TotalCount()), Latency: latencyOf(h),
		})
	}
}

func latencyOf(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{}
	}
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e3 }
	return Latency{
		Min: float64(h.Min()) / 1e3, Mean: h.Mean() / 1e3, Max: float64(h.Max()) / 1e3,
		P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), P9999: at(99.99),
	}
}

// commonError returns the most frequent error text.
func (p *Part) commonError() string {
	var text string
	var most uint64
	for t, n := range p.Errors {
		if n > most || n == most && t < text {
			text, most = t, n
		}
	}
	return text
}
