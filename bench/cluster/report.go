package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/bench/machine"
	"github.com/larder-cache/larder/bench/stats"
)

// metric is something that is measured.
type metric struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
}

// cell is one metric of one case: a value per round.
type cell struct {
	Suite  string    `json:"suite"`
	Case   string    `json:"case"`
	Metric metric    `json:"metric"`
	Values []float64 `json:"values"`
	Median float64   `json:"median"`
	Spread float64   `json:"spread"` // (highest - lowest) / median
}

// origin is where the numbers come from.
type origin struct {
	machine.Machine
	Busy float64 `json:"cores_busy_before"` // with other work
}

// report collects values in the order in which they come.
type report struct {
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Machine  origin    `json:"machine"`
	Suites   []string  `json:"suites"`
	Nodes    int       `json:"nodes"`
	Seed     uint64    `json:"seed"`
	Rounds   int       `json:"rounds"`
	Quick    bool      `json:"quick"`
	Notes    []string  `json:"notes,omitempty"`
	Goals    []verdict `json:"goals"`
	Cells    []*cell   `json:"cells"`
}

func newReport(m origin, o options) *report {
	return &report{Started: time.Now(), Machine: m, Suites: o.only, Nodes: o.nodes, Seed: o.seed, Rounds: o.rounds, Quick: o.quick}
}

// add records one value. Values that are not finite are left out.
func (r *report) add(suite, name string, m metric, value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	for _, c := range r.Cells {
		if c.Suite == suite && c.Metric == m && c.Case == name {
			c.Values = append(c.Values, value)
			return
		}
	}
	r.Cells = append(r.Cells, &cell{Suite: suite, Case: name, Metric: m, Values: []float64{value}})
}

// note records a sentence about something that did not go as planned.
func (r *report) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(r.Notes, text) {
		r.Notes = append(r.Notes, text)
	}
}

// finish fills in what follows from the values.
func (r *report) finish() {
	r.Finished, r.Machine.LoadAfter = time.Now(), machine.LoadAverage()
	for _, c := range r.Cells {
		c.Median, c.Spread = stats.Median(c.Values), stats.Spread(c.Values)
	}
	r.judge()
}

// markdown writes the whole report.
func (r *report) markdown(w io.Writer) error {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "# Clusters, %s\n\n", r.Started.UTC().Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(&b, "%s, %d cores, Linux %s, %s, commit %s", m.CPU, m.Cores, m.Kernel, m.Go, m.Commit)
	if m.Dirty {
		b.WriteString(" with uncommitted changes")
	}
	fmt.Fprintf(&b, ". %d nodes, seed %d. Load average %s before, %s after.", r.Nodes, r.Seed, m.LoadBefore, m.LoadAfter)
	if m.Busy > machine.QuietCores {
		fmt.Fprintf(&b, " **Other work kept %.1f cores busy; the times are no evidence.**", m.Busy)
	}
	if r.Quick {
		b.WriteString(" A quick run: few and short rounds, less data.")
	}
	fmt.Fprintf(&b, "\n\nMedians of up to %d rounds; the spread behind ± is half the distance from the lowest to the highest.\n", r.Rounds)
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "\nNote: %s\n", n)
	}
	r.markdownGoals(&b)
	for _, t := range r.tables() {
		t.markdown(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// table is what one suite measured: a row per case, a column per metric.
type table struct {
	suite   string
	cases   []string
	metrics []metric
	cells   map[string]map[metric]*cell // by case
}

func (r *report) tables() []*table {
	var list []*table
	for _, c := range r.Cells {
		i := slices.IndexFunc(list, func(t *table) bool { return t.suite == c.Suite })
		if i < 0 {
			i = len(list)
			list = append(list, &table{suite: c.Suite, cells: map[string]map[metric]*cell{}})
		}
		t := list[i]
		if t.cells[c.Case] == nil {
			t.cases, t.cells[c.Case] = append(t.cases, c.Case), map[metric]*cell{}
		}
		if !slices.Contains(t.metrics, c.Metric) {
			t.metrics = append(t.metrics, c.Metric)
		}
		t.cells[c.Case][c.Metric] = c
	}
	return list
}

func (t *table) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n| |", t.suite)
	for _, m := range t.metrics {
		name := m.Name
		if m.Unit != "" {
			name += ", " + m.Unit
		}
		fmt.Fprintf(b, " %s |", name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(t.metrics)) + "\n")
	for _, name := range t.cases {
		fmt.Fprintf(b, "| %s |", name)
		for _, m := range t.metrics {
			fmt.Fprintf(b, " %s |", t.cells[name][m].text())
		}
		b.WriteString("\n")
	}
}

func (c *cell) text() string {
	if c == nil {
		return ""
	}
	text := short(c.Median)
	if len(c.Values) > 1 {
		text += fmt.Sprintf(" ±%.0f%%", c.Spread*50)
	}
	return text
}

// short writes a number with three digits or more.
func short(f float64) string {
	switch a := math.Abs(f); {
	case f == math.Trunc(f) && a < 10_000:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case a < 10:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case a < 100:
		return strconv.FormatFloat(f, 'f', 1, 64)
	case a < 10_000:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case a < 10_000_000:
		return strconv.FormatFloat(f/1e3, 'f', 1, 64) + " k"
	}
	return strconv.FormatFloat(f/1e6, 'f', 1, 64) + " M"
}

// save writes NAME.md and NAME.json into dir and returns their common path.
func (r *report) save(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	base := filepath.Join(dir, fmt.Sprintf("cluster-%s-%s", r.Started.UTC().Format("20060102-1504"), r.Machine.Commit))
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", fmt.Errorf("encode report: %w", err)
	}
	if err := os.WriteFile(base+".json", append(data, '\n'), 0o644); err != nil {
		return "", err
	}
	var b strings.Builder
	if err := r.markdown(&b); err != nil {
		return "", err
	}
	return base, os.WriteFile(base+".md", []byte(b.String()), 0o644)
}

// highest returns the highest of values, NaN of none.
func highest(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return slices.Max(values)
}
