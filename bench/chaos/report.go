package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/nodes/history"
)

// report is what a run has shown.
type report struct {
	c       *chaos
	ops     []history.Op
	gaps    []history.Span
	verdict *history.Verdict
	lines   []line
}

// line is a fault and what clients noticed of it, until the next one.
type line struct {
	*fault
	// Own is for how long a key of a partition that the node owned was asked for in
	// vain, Other that of another partition, each at most.
	Own              time.Duration `json:"own_unserved_ns"`
	Other            time.Duration `json:"other_unserved_ns"`
	Longest          time.Duration `json:"longest_gap_ns"` // of a client without success
	Refused, Unknown int           // writes
	Reads            int           `json:"reads_failed"`
}

// minGap is what counts as a gap: clients think for less.
const minGap = 200 * time.Millisecond

func newReport(c *chaos, v *history.Verdict) *report {
	r := &report{c: c, ops: c.record.Ops(), verdict: v}
	r.gaps = history.Gaps(r.ops, max(minGap, 10*c.think))
	for _, f := range c.done {
		l := line{fault: f, Longest: history.Longest(r.gaps, history.Span{From: f.Begin, To: f.Settled})}
		l.count(r.ops)
		l.measure(r.ops)
		r.lines = append(r.lines, l)
	}
	return r
}

// measure finds out how long writes were not served. What waits for the copies to
// be in sync again is part of it: until the next fault nothing else happens.
func (l *line) measure(ops []history.Op) {
	if l.before == nil {
		return
	}
	for key, long := range history.Unserved(ops, history.Span{From: l.Begin, To: l.Settled}) {
		if l.before.OwnerOf(key) == l.id {
			l.Own = max(l.Own, long)
		} else {
			l.Other = max(l.Other, long)
		}
	}
}

// count adds up what failed of what ended during the fault.
func (l *line) count(ops []history.Op) {
	for i := range ops {
		o := &ops[i]
		switch {
		case o.End < l.Begin || o.End > l.Settled || o.Outcome == history.OK:
		case o.Kind == history.Get:
			l.Reads++
		case o.Outcome == history.Refused:
			l.Refused++
		default:
			l.Unknown++
		}
	}
}

// fault returns the error that the run ends with.
func (r *report) fault() error {
	v := r.verdict
	if v.Right() {
		return nil
	}
	return fmt.Errorf("%d acknowledged writes lost, %d stale reads, %d keys not linearizable (seed %d)", v.Lost, v.Stale, v.Not, r.c.seed)
}

// save prints the report, and keeps it with the picture.
func (r *report) save() error {
	file, err := os.Create(filepath.Join(r.c.out, "report.txt"))
	if err != nil {
		return err
	}
	r.print(io.MultiWriter(os.Stdout, file))
	errs := []error{file.Close(), r.draw(filepath.Join(r.c.out, "timeline.html")), r.saveFaults()}
	for key, list := range r.verdict.Broken {
		path := filepath.Join(r.c.out, "broken-"+strings.ReplaceAll(key, ":", "-")+".html")
		errs = append(errs, history.Draw(list, path, checkWithin))
	}
	return errors.Join(errs...)
}

func (r *report) saveFaults() error {
	b, err := json.MarshalIndent(r.lines, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.c.out, "faults.json"), append(b, '\n'), 0o644)
}

// print writes the table.
func (r *report) print(w io.Writer) {
	p := func(format string, args ...any) { fmt.Fprintf(w, format, args...) }
	p("\nseed %d: %s\n\n", r.c.seed, r.summary())
	columns := "| " + strings.Join(columns, " | ") + " |"
	p("%s\n|---:|---|---|%s\n", columns, strings.Repeat("---:|", strings.Count(columns, "|")-4))
	for _, cells := range r.table() {
		p("| %s |\n", strings.Join(cells, " | "))
	}
	p("\n%s", r.byKind())
	for _, l := range r.lines {
		if l.Problem != "" {
			p("\nThe cluster did not come back after %s of %s: %s\n", l.Kind, l.Node, l.Problem)
		}
	}
	for _, e := range r.verdict.Examples {
		p("\n%s\n", e)
	}
	if text := r.failures(); text != "" {
		p("\nWhat failed:\n%s", text)
	}
	p("\nHistory, logs and timeline.html are in %s\n", r.c.out)
}

// summary is the outcome in a sentence.
func (r *report) summary() string {
	v := r.verdict
	return fmt.Sprintf("%d operations on %d keys, %d faults; lost %d, stale reads %d, not linearizable %d keys, undecided %d keys",
		v.Ops, v.Keys, len(r.lines), v.Lost, v.Stale, v.Not, v.Undecided)
}

// maxTexts is how many different errors are shown.
const maxTexts = 12

// failures lists the errors that clients got, most frequent first.
func (r *report) failures() string {
	count := map[string]int{}
	for i := range r.ops {
		if o := &r.ops[i]; o.Outcome != history.OK {
			count[fmt.Sprintf("%s %s", o.Outcome, stripPorts(o.Error))]++
		}
	}
	texts := make([]string, 0, len(count))
	for text := range count {
		texts = append(texts, text)
	}
	slices.SortFunc(texts, func(a, b string) int {
		if d := count[b] - count[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	var b strings.Builder
	for _, text := range texts[:min(len(texts), maxTexts)] {
		fmt.Fprintf(&b, "  %6d x %s\n", count[text], text)
	}
	return b.String()
}

// address is one of the network.
var address = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+:\d+`)

// stripPorts cuts the addresses out of an error of the network, which differ.
func stripPorts(text string) string {
	words := strings.Fields(text)
	return strings.Join(slices.DeleteFunc(words, address.MatchString), " ")
}

// columns are those of the table.
var columns = []string{
	"at", "fault", "node", "healed after", "whole after", "writes of its partitions unserved", "of others",
	"longest of a client without success", "writes refused", "writes unknown", "reads failed",
}

// table has a row for each fault.
func (r *report) table() (list [][]string) {
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
	millis := func(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
	for _, l := range r.lines {
		list = append(list, []string{
			seconds(l.Begin), l.Kind, l.who(), seconds(l.Healed - l.Begin), seconds(l.Settled - l.Begin),
			millis(l.Own), millis(l.Other), millis(l.Longest), fmt.Sprint(l.Refused), fmt.Sprint(l.Unknown), fmt.Sprint(l.Reads),
		})
	}
	return list
}

// bound is for how long a fault may keep writes from being served.
const bound = time.Second

// byKind is a table with a row for each kind of fault.
func (r *report) byKind() string {
	of := map[string][]line{}
	for _, l := range r.lines {
		of[l.Kind] = append(of[l.Kind], l)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| fault | times | within %s | p50 | worst | worst of others | did not come back |\n|---|---:|---:|---:|---:|---:|---:|\n", bound)
	for _, kind := range slices.Sorted(maps.Keys(of)) {
		var own []time.Duration
		var other time.Duration
		within, failed := 0, 0
		for _, l := range of[kind] {
			own, other = append(own, l.Own), max(other, l.Other)
			if l.Own <= bound {
				within++
			}
			if l.Problem != "" {
				failed++
			}
		}
		slices.Sort(own)
		n := len(own)
		fmt.Fprintf(&b, "| %s | %d | %d | %d ms | %d ms | %d ms | %d |\n", kind, n, within, own[n/2].Milliseconds(), own[n-1].Milliseconds(), other.Milliseconds(), failed)
	}
	return b.String()
}
