package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/bench/machine"
	"github.com/larder-cache/larder/internal/nodes/witness"
)

func filled() *report {
	r := newReport(origin{Machine: machine.Machine{CPU: "a processor", Cores: 2, Commit: "abc"}}, options{nodes: 3, seed: 7, rounds: 3})
	r.Started = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, v := range []float64{2.1, 2.0, 2.6} {
		r.add("forwarding", "pipeline 1", metric{"CPU, wrong node / owner", ""}, v)
	}
	r.add("forwarding", "pipeline 16", metric{"CPU, wrong node / owner", ""}, 2.5)
	for _, v := range []float64{0, 1, 0} {
		r.add("moves", "join", metric{"failed requests", ""}, v)
	}
	r.add("moves", "drain", metric{"failed requests", ""}, 0)
	r.add("idle", "at rest", metric{"CPU of all nodes", "% of a core"}, 1.5)
	r.finish()
	return r
}

func verdictOf(t *testing.T, r *report, words string) verdict {
	t.Helper()
	for _, v := range r.Goals {
		if strings.Contains(v.Goal, words) {
			return v
		}
	}
	t.Fatalf("no goal about %q", words)
	return verdict{}
}

func TestGoals(t *testing.T) {
	r := filled()
	if len(r.Goals) != len(goals) {
		t.Errorf("%d of %d goals are judged", len(r.Goals), len(goals))
	}
	v := verdictOf(t, r, "processor time of a direct one")
	if v.Met || !v.Measured || v.Case != "pipeline 16" || v.Value != 2.5 {
		t.Errorf("the worst case decides, by its median: %+v", v)
	}
	v = verdictOf(t, r, "no failed request")
	if v.Met || v.Case != "join" || v.Value != 1 {
		t.Errorf("one failed request of any round counts: %+v", v)
	}
	if v = verdictOf(t, r, "one core"); !v.Met || v.Value != 1.5 {
		t.Errorf("%+v", v)
	}
	if v = verdictOf(t, r, "every move finishes"); v.Met || v.Measured {
		t.Errorf("what was not measured is not met: %+v", v)
	}
}

// TestGoalsAreMeasured finds the metric of every goal in the source of a suite:
// a misspelt one would never be measured.
func TestGoalsAreMeasured(t *testing.T) {
	var source strings.Builder
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if name == "goals.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	names := strings.Join(suiteNames(), ",")
	for _, g := range goals {
		if !strings.Contains(source.String(), `metric{"`+g.metric+`"`) || !strings.Contains(names, g.suite) {
			t.Errorf("%s: nothing measures %q", g.suite, g.metric)
		}
	}
}

func TestMarkdown(t *testing.T) {
	r := filled()
	r.note("A thing went wrong.")
	r.note("A thing went wrong.")
	r.Machine.Busy = 1
	var b strings.Builder
	if err := r.markdown(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		"# Clusters, 2026-01-02 03:04 UTC", "a processor, 2 cores", "commit abc", "seed 7", "no evidence",
		"| pipeline 1 | 2.10 ±14% |", "## moves", "| drain | 0 |", "**missed**", "not measured", "CPU of all nodes, % of a core",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Count(text, "A thing went wrong.") != 1 {
		t.Error("a note is repeated")
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestSave(t *testing.T) {
	r := filled()
	base, err := r.save(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(base + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(data, &back); err != nil || len(back.Cells) != len(r.Cells) || back.Cells[0].Median != 2.1 {
		t.Errorf("%v: %d cells", err, len(back.Cells))
	}
	if _, err := os.Stat(base + ".md"); err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	for _, bad := range []string{"-only nothing", "-nodes 1", "-rounds 0", "more", "-writes 0"} {
		if _, err := parseOptions(strings.Fields(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	o, err := parseOptions(strings.Fields("-quick -only moves,idle -seed 9"))
	if err != nil || o.rounds != 1 || o.out != "" || o.seed != 9 || len(o.only) != 2 {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestTell takes the worse of the time during the moves and right behind them.
func TestTell(t *testing.T) {
	b := &bench{rep: newReport(origin{}, options{}), log: &strings.Builder{}}
	th := &theatre{bench: b}
	sum, tail := witness.NewTally(), witness.NewTally()
	sum.Elapsed, sum.Failed, sum.Longest = 2*time.Second, 1, witness.Moment{Took: 30 * time.Millisecond}
	sum.Writes[5], sum.Writes[6] = 100, 40
	tail.Failed, tail.Longest, tail.Wrong = 2, witness.Moment{Took: 60 * time.Millisecond}, 1
	th.tell("join", []int{5}, &sum, &tail)
	b.rep.finish()
	want := map[string]float64{"failed requests": 3, "longest request": 60, "writes/s to them": 50, "writes/s": 70, "partitions moved": 1}
	for _, c := range b.rep.Cells {
		if w, ok := want[c.Metric.Name]; ok && c.Median != w {
			t.Errorf("%s is %v, not %v", c.Metric.Name, c.Median, w)
		}
	}
	if v := verdictOf(t, b.rep, "checked one by one"); v.Met || v.Value != 1 {
		t.Errorf("a wrong reply is a wrong value: %+v", v)
	}
	if len(b.rep.Notes) != 2 {
		t.Errorf("notes %q", b.rep.Notes)
	}
}
