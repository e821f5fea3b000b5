package source_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/source"
)

func TestMetricsAreDeclaredOnce(t *testing.T) {
	seen := map[string]bool{source.LatencyMetric: true}
	check := func(name, label, help string, kind source.MetricType) {
		if seen[name+"/"+label] || seen[name] {
			t.Errorf("%s %s is declared twice", name, label)
		}
		seen[name+"/"+label] = true
		if help == "" || !strings.HasPrefix(name, "larder_source_") || (kind == source.Counter) != strings.HasSuffix(name, "_total") {
			t.Errorf("%s: help %q, type %s", name, help, kind)
		}
	}
	stats := source.LoaderStats{Loads: 5}
	stats.Errors[source.FaultShape] = 2
	found := 0.0
	for _, m := range source.LoaderMetrics() {
		check(m.Name, m.Label, m.Help, m.Type)
		found += m.Value(&stats)
	}
	if found != 7 {
		t.Errorf("the metrics show %v in all, want 5 loads and 2 errors", found)
	}
	for _, m := range source.GateMetrics() {
		check(m.Name, m.Label, m.Help, m.Type)
		if m.Name == "larder_source_slots" && m.Value(&source.GateStats{Slots: 3}) != 3 {
			t.Errorf("%s does not show its value", m.Name)
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	err := &source.Error{Fault: source.FaultUnavailable, Source: "main", Problem: "cannot connect", Err: errors.New("dial:\nrefused"), Hint: "start it"}
	if got, want := err.Error(), `source "main": cannot connect: dial: refused (start it)`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for f := range source.NumFaults {
		if got := source.FaultOf(fmt.Errorf("load: %w", &source.Error{Fault: f})); got != f {
			t.Errorf("FaultOf(%v) = %v", f, got)
		}
	}
	if got := source.FaultOf(context.DeadlineExceeded); got != source.FaultTimeout {
		t.Errorf("a deadline is %v", got)
	}
}
