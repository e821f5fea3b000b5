package main

import (
	"context"
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

// metric is something that is measured, with what is better.
type metric struct {
	Name   string `json:"name"`
	Unit   string `json:"unit"`
	Higher bool   `json:"higher_is_better"`
}

// cell is one metric of one case of one peer: a value per round.
type cell struct {
	Suite  string    `json:"suite"`
	Metric metric    `json:"metric"`
	Case   string    `json:"case"`
	Peer   string    `json:"peer"`
	Values []float64 `json:"values"`
	Median float64   `json:"median"`
	Spread float64   `json:"spread"` // (highest - lowest) / median
	// ToReference and ToBest divide the median by Redis's and by that of the
	// best peer other than larder; 0 where there is none.
	ToReference float64 `json:"ratio_to_redis,omitempty"`
	ToBest      float64 `json:"ratio_to_best_peer,omitempty"`
}

// origin is where the numbers come from.
type origin struct {
	machine.Machine
	MemoryBytes int64 `json:"memory_bytes"`
}

// thisOrigin describes the machine this runs on.
func thisOrigin(ctx context.Context) origin {
	o := origin{Machine: machine.This(ctx)}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		o.MemoryBytes = kilobytes(string(text), "MemTotal")
	}
	return o
}

// report collects values in the order in which they come.
type report struct {
	Started  time.Time         `json:"started"`
	Finished time.Time         `json:"finished"`
	Machine  origin            `json:"machine"`
	Quick    bool              `json:"quick"`
	Forced   bool              `json:"forced"` // the machine was busy
	Rounds   int               `json:"rounds"`
	Versions map[string]string `json:"versions"`
	Peers    []string          `json:"peers"`
	Notes    []string          `json:"notes,omitempty"`
	Cells    []*cell           `json:"cells"`
	Goals    []verdict         `json:"goals,omitempty"`
}

// add records one value. Values that are not finite are left out.
func (r *report) add(suite string, m metric, name, peer string, value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	for _, c := range r.Cells {
		if c.Suite == suite && c.Metric == m && c.Case == name && c.Peer == peer {
			c.Values = append(c.Values, value)
			return
		}
	}
	r.Cells = append(r.Cells, &cell{Suite: suite, Metric: m, Case: name, Peer: peer, Values: []float64{value}})
}

// note records a sentence about something that did not go as planned.
func (r *report) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(r.Notes, text) {
		r.Notes = append(r.Notes, text)
	}
}

// compute fills in medians, spreads and ratios.
func (r *report) compute() {
	for _, c := range r.Cells {
		c.Median, c.Spread = stats.Median(c.Values), stats.Spread(c.Values)
	}
	for _, c := range r.Cells {
		c.ToReference, c.ToBest = 0, 0
		best := math.NaN()
		for _, o := range r.Cells {
			if o.Suite != c.Suite || o.Metric != c.Metric || o.Case != c.Case {
				continue
			}
			if o.Peer == reference && o.Median != 0 {
				c.ToReference = c.Median / o.Median
			}
			if !ours(o.Peer) && (math.IsNaN(best) || (o.Median > best) == c.Metric.Higher) {
				best = o.Median
			}
		}
		if best > 0 { // false for NaN
			c.ToBest = c.Median / best
		}
	}
}

// table is all cases of one metric of one suite.
type table struct {
	suite  string
	metric metric
	cases  []string
	cells  map[[2]string]*cell // by case and peer
}

// has reports whether peer was measured in any case of t.
func (t *table) has(peer string) bool {
	for key := range t.cells {
		if key[1] == peer {
			return true
		}
	}
	return false
}

func (r *report) tables() []*table {
	var list []*table
	for _, c := range r.Cells {
		i := slices.IndexFunc(list, func(t *table) bool { return t.suite == c.Suite && t.metric == c.Metric })
		if i < 0 {
			i = len(list)
			list = append(list, &table{suite: c.Suite, metric: c.Metric, cells: map[[2]string]*cell{}})
		}
		t := list[i]
		if !slices.Contains(t.cases, c.Case) {
			t.cases = append(t.cases, c.Case)
		}
		t.cells[[2]string{c.Case, c.Peer}] = c
	}
	return list
}

// markdown writes the whole report.
func (r *report) markdown(w io.Writer) error {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "# Comparison of %s\n\n", r.Started.UTC().Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(&b, "%s, %d cores, Linux %s, %.1f GiB, %s, commit %s", m.CPU, m.Cores, m.Kernel, float64(m.MemoryBytes)/(1<<30), m.Go, m.Commit)
	if m.Dirty {
		b.WriteString(" with uncommitted changes")
	}
	fmt.Fprintf(&b, ". Load average %s before, %s after.", m.LoadBefore, m.LoadAfter)
	if r.Forced {
		b.WriteString(" **The machine was busy with other work; these numbers are no evidence.**")
	}
	if r.Quick {
		b.WriteString(" A quick run: few and short rounds, smaller data.")
	}
	fmt.Fprintf(&b, "\n\nMedians of up to %d rounds; the spread behind ± is half the distance from the lowest to the highest.\n\n", r.Rounds)
	for _, name := range r.Peers {
		fmt.Fprintf(&b, "- %s: %s\n", name, r.Versions[name])
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "\nNote: %s\n", n)
	}
	r.markdownGoals(&b)
	suite := ""
	for _, t := range r.tables() {
		if t.suite != suite {
			suite = t.suite
			fmt.Fprintf(&b, "\n## %s\n", suite)
		}
		r.markdownTable(&b, t)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *report) markdownTable(b *strings.Builder, t *table) {
	peers := slices.DeleteFunc(slices.Clone(r.Peers), func(p string) bool { return !t.has(p) })
	better := "lower is better"
	if t.metric.Higher {
		better = "higher is better"
	}
	fmt.Fprintf(b, "\n%s, %s (%s)\n\n| |", t.metric.Name, t.metric.Unit, better)
	for _, p := range peers {
		fmt.Fprintf(b, " %s |", p)
	}
	b.WriteString(" larder / redis | larder / best peer |\n|---|" + strings.Repeat("---|", len(peers)+2) + "\n")
	for _, name := range t.cases {
		fmt.Fprintf(b, "| %s |", name)
		for _, p := range peers {
			fmt.Fprintf(b, " %s |", cellText(t.cells[[2]string{name, p}]))
		}
		own := t.cells[[2]string{name, larder}]
		if own == nil {
			b.WriteString(" | |\n")
			continue
		}
		fmt.Fprintf(b, " %s | %s |\n", ratioText(own.ToReference), ratioText(own.ToBest))
	}
}

func cellText(c *cell) string {
	if c == nil {
		return ""
	}
	text := short(c.Median)
	if len(c.Values) > 1 {
		text += fmt.Sprintf(" ±%.0f%%", c.Spread*50)
	}
	return text
}

func ratioText(f float64) string {
	if f == 0 {
		return ""
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

// short writes a number with three digits or more.
func short(f float64) string {
	switch a := math.Abs(f); {
	case a == 0:
		return "0"
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
	base := filepath.Join(dir, fmt.Sprintf("compare-%s-%s", r.Started.UTC().Format("20060102-1504"), r.Machine.Commit))
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
