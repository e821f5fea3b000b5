package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
		r.lines = append(r.lines, l)
	}
	return r
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
	p("| at | fault | node | healed after | whole after | longest without success | writes refused | writes unknown | reads failed |\n")
	p("|---:|---|---|---:|---:|---:|---:|---:|---:|\n")
	for _, l := range r.lines {
		who := l.Node
		if l.Controller {
			who += ", controller"
		}
		p("| %.1f s | %s | %s | %.1f s | %.1f s | %d ms | %d | %d | %d |\n", l.Begin.Seconds(), l.Kind, who,
			(l.Healed - l.Begin).Seconds(), (l.Settled - l.Begin).Seconds(), l.Longest.Milliseconds(), l.Refused, l.Unknown, l.Reads)
	}
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

// stripPorts cuts the addresses out of an error of the network, which differ.
func stripPorts(text string) string {
	words := strings.Fields(text)
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return strings.Contains(w, "127.0.0.1:") }), " ")
}
