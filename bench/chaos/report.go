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
	Writes           unserved      `json:"writes_unserved"`
	Reads            unserved      `json:"reads_unserved"`
	Longest          time.Duration `json:"longest_gap_ns"` // of a client without success
	Refused, Unknown int           // writes
	ReadsFailed      int           `json:"reads_failed"`
}

// unserved is for how long a key was asked for in vain, at most, by what the node
// had of its partition.
type unserved struct {
	Own   time.Duration `json:"own_ns"`   // it was the owner
	Copy  time.Duration `json:"copy_ns"`  // it had a copy
	Other time.Duration `json:"other_ns"` // neither
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

// measure finds out how long keys were not served. What waits for the copies to
// be in sync again is part of it: until the next fault nothing else happens.
func (l *line) measure(ops []history.Op) {
	if l.before == nil {
		return
	}
	during := history.Span{From: l.Begin, To: l.Settled}
	l.Writes = l.sort(history.Unserved(ops, during, history.Writes...))
	l.Reads = l.sort(history.Unserved(ops, during, history.Get))
}

// sort returns the longest times of keys.
func (l *line) sort(keys map[string]time.Duration) (u unserved) {
	for key, long := range keys {
		at := &u.Other
		switch {
		case l.before.OwnerOf(key) == l.id:
			at = &u.Own
		case l.before.CopiedAt(l.id, key):
			at = &u.Copy
		}
		*at = max(*at, long)
	}
	return u
}

// calm returns the longest time that a key was asked for in vain between faults:
// what of the others is the machine's doing.
func (r *report) calm() (long time.Duration) {
	from := time.Duration(0)
	for _, l := range r.lines {
		between := history.Span{From: from, To: l.Begin}
		for _, kinds := range [][]history.Kind{{history.Get}, history.Writes} {
			for _, one := range history.Unserved(r.ops, between, kinds...) {
				long = max(long, one)
			}
		}
		from = l.Settled
	}
	return long
}

// count adds up what failed of what ended during the fault.
func (l *line) count(ops []history.Op) {
	for i := range ops {
		o := &ops[i]
		switch {
		case o.End < l.Begin || o.End > l.Settled || o.Outcome == history.OK:
		case o.Kind == history.Get:
			l.ReadsFailed++
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
	p("\n%s\n%s", r.byKind(), r.goals())
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
	"at", "fault", "node", "healed after", "whole after", "writes unserved: it was the owner", "it had a copy", "neither",
	"reads unserved: it was the owner", "it had a copy", "neither", "longest of a client without success", "writes refused", "writes unknown", "reads failed",
}

// table has a row for each fault.
func (r *report) table() (list [][]string) {
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
	for _, l := range r.lines {
		list = append(list, []string{
			seconds(l.Begin), l.Kind, l.who(), seconds(l.Healed - l.Begin), seconds(l.Settled - l.Begin),
			millis(l.Writes.Own), millis(l.Writes.Copy), millis(l.Writes.Other), millis(l.Reads.Own), millis(l.Reads.Copy), millis(l.Reads.Other),
			millis(l.Longest), fmt.Sprint(l.Refused), fmt.Sprint(l.Unknown), fmt.Sprint(l.ReadsFailed),
		})
	}
	return list
}

func millis(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// Bounds of how long a fault may keep the keys of the node's partitions from being
// served: in most cases, and in the worst.
const (
	boundMedian = 500 * time.Millisecond
	boundWorst  = time.Second
)

// again is what was measured of one kind of fault, of writes or of reads.
type again struct {
	kind, what string
	own        []time.Duration // ascending; of each fault
	copy       time.Duration   // the longest of all faults, as the next
	other      time.Duration
	broken     int // faults that the cluster did not come back after
}

func (a *again) p50() time.Duration   { return a.own[len(a.own)/2] }
func (a *again) worst() time.Duration { return a.own[len(a.own)-1] }

func (a *again) within(bound time.Duration) (count int) {
	for _, d := range a.own {
		if d <= bound {
			count++
		}
	}
	return count
}

// served sums up how soon keys were served again, by kind of fault.
func (r *report) served() (list []again) {
	of := map[string][]line{}
	for _, l := range r.lines {
		of[l.Kind] = append(of[l.Kind], l)
	}
	for _, kind := range slices.Sorted(maps.Keys(of)) {
		writes, reads := again{kind: kind, what: "writes"}, again{kind: kind, what: "reads"}
		for _, l := range of[kind] {
			writes.add(l.Writes, l.Problem)
			reads.add(l.Reads, l.Problem)
		}
		slices.Sort(writes.own)
		slices.Sort(reads.own)
		list = append(list, writes, reads)
	}
	return list
}

func (a *again) add(u unserved, problem string) {
	a.own, a.copy, a.other = append(a.own, u.Own), max(a.copy, u.Copy), max(a.other, u.Other)
	if problem != "" {
		a.broken++
	}
}

// byKind is a table of how soon keys of the node's partitions were served again,
// and of the longest that others were not.
func (r *report) byKind() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| fault | served again | times | within %s | p50 | worst | worst where it had a copy | worst elsewhere | did not come back |\n|---|---|---:|---:|---:|---:|---:|---:|---:|\n", boundWorst)
	for _, a := range r.served() {
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %s | %s | %s | %s | %d |\n",
			a.kind, a.what, len(a.own), a.within(boundWorst), millis(a.p50()), millis(a.worst()), millis(a.copy), millis(a.other), a.broken)
	}
	fmt.Fprintf(&b, "\nBetween faults the longest was %s.\n", millis(r.calm()))
	return b.String()
}

// goals is a table of what has to be reached when a process is killed.
func (r *report) goals() string {
	var b strings.Builder
	goal := func(what string, is, most time.Duration) {
		met := "met"
		if is >= most {
			met = "**missed**"
		}
		fmt.Fprintf(&b, "| %s | %s | below %s | %s |\n", what, millis(is), millis(most), met)
	}
	for _, a := range r.served() {
		if !strings.HasPrefix(a.kind, "kill") {
			continue
		}
		if b.Len() == 0 {
			b.WriteString("| goal | measured | | |\n|---|---:|---:|---|\n")
		}
		goal(fmt.Sprintf("%s, %d times: %s served again, p50", a.kind, len(a.own), a.what), a.p50(), boundMedian)
		goal(fmt.Sprintf("%s: %s served again, worst", a.kind, a.what), a.worst(), boundWorst)
	}
	return b.String()
}
