package demo

import (
	"strings"
	"testing"
	"time"
)

const someMetrics = `# HELP larder_entries Entries, remembered absences included.
# TYPE larder_entries gauge
larder_entries 120
larder_memory_entries_bytes 3.4e+07
larder_memory_index_bytes 1000
larder_entries_evicted_total 5
go_goroutines 30
larder_namespace_hits_total{namespace="characters"} 90
larder_namespace_hits_total{namespace="default"} 7
larder_namespace_misses_total{namespace="characters"} 10
larder_source_errors_total{fault="breaker_open",namespace="characters"} 2
larder_source_errors_total{fault="busy",namespace="characters"} 1
larder_source_errors_total{fault="timeout",namespace="characters"} 4
larder_source_loads_total{namespace="characters"} 9
larder_source_load_duration_seconds_bucket{namespace="characters",le="+Inf"} 6
larder_source_load_duration_seconds_sum{namespace="characters"} 1.5
larder_source_load_duration_seconds_count{namespace="characters"} 6
`

func TestParseMetrics(t *testing.T) {
	c, err := parseMetrics(strings.NewReader(someMetrics))
	if err != nil {
		t.Fatal(err)
	}
	want := Reading{Reads: 100, Hits: 90, Queries: 6, Spared: 3, QueryTime: 1500 * time.Millisecond, Measured: 6}
	if got := c.Namespaces["characters"]; got != want || len(c.Namespaces) != 1 {
		t.Errorf("namespaces %+v, want characters with %+v", c.Namespaces, want)
	}
	if want := (Held{Entries: 120, Bytes: 34_001_000, Evicted: 5}); c.Held != want {
		t.Errorf("held %+v, want %+v", c.Held, want)
	}
	sum := c.plus(c.gone()).Total()
	if sum.Reads != 200 || c.plus(c.gone()).Held.Entries != 120 {
		t.Errorf("with those of a node that has ended: %+v", c.plus(c.gone()))
	}
	for _, bad := range []string{"larder_entries many\n", `larder_x}{ 1`, "larder_entries\n"} {
		if _, err := parseMetrics(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
