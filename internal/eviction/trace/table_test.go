package trace

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/eviction"
)

func TestSummaries(t *testing.T) {
	objects := func(n int) Misses { return Misses{Objects: n} }
	table := &Table{
		Policies: []eviction.Name{eviction.Adaptive},
		Cells: []Cell{
			{Trace: "a", Percent: 1, LRU: objects(100), Optimum: objects(50), Policies: []Misses{objects(75)}},
			{Trace: "a", Percent: 2, LRU: objects(100), Optimum: objects(50), Policies: []Misses{objects(100)}},
			{Trace: "b", Percent: 1, LRU: objects(1000), Optimum: objects(900), Policies: []Misses{objects(1010)}},
			{Trace: "m", Percent: 1, Micro: true, LRU: objects(9), Optimum: objects(1), Policies: []Misses{objects(1)}},
			{Trace: "c", Percent: 1, LRU: objects(10), Optimum: objects(10), Policies: []Misses{objects(10)}},
		},
	}
	s := table.Summaries()[0]
	for _, row := range []struct {
		name      string
		got, want float64
	}{
		{"cells", s.Cells, (50 + 0 - 10 + 0) / 4.},
		{"traces", s.Traces, (25 - 10 + 0) / 3.},
		{"pooled", s.Pooled, 100 * 15 / 200.},
		{"worst", s.Worst, 1},
	} {
		if math.Abs(row.got-row.want) > 1e-9 {
			t.Errorf("%s: %g, want %g", row.name, row.got, row.want)
		}
	}
	if s.WorstAt != "b" {
		t.Errorf("worst at %q", s.WorstAt)
	}
	var text, md bytes.Buffer
	if err := table.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := table.WriteMarkdown(&md); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "+1.00 %") || !strings.Contains(md.String(), "| a | 1 | 100 | 50 | 50.0 |") {
		t.Errorf("%s\n%s", text.String(), md.String())
	}
}
