package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
	"github.com/larder-cache/larder/internal/nodes/history"
)

func TestOptions(t *testing.T) {
	for _, row := range []struct {
		args string
		want string // in the error; empty: none
	}{
		{args: "-for 2m -seed 7 -nodes 3 -faults kill,stop,restart"},
		{args: ""},
		{args: "-faults pair,full-disk"},
		{args: "-faults kill -count 30"},
		{args: "-count -1", want: "count"},
		{args: "-faults flood", want: "no fault"},
		{args: "-nodes 1", want: "more nodes"},
		{args: "-replicas 0", want: "a copy"},
		{args: "-think 0s", want: "above 0"},
		{args: "more", want: "not understood"},
	} {
		o, err := parseOptions(strings.Fields(row.args))
		switch {
		case row.want == "" && (err != nil || o.seed == 0 || len(o.faults) == 0):
			t.Errorf("%q: %+v, %v", row.args, o, err)
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%q: %v, want %q", row.args, err, row.want)
		}
	}
}

// TestReport makes the table and the picture of a short history with a lost write.
func TestReport(t *testing.T) {
	const ms = time.Millisecond
	r := history.NewRecorder(nil)
	c := &chaos{options: options{seed: 42, nodes: 3, think: ms, out: t.TempDir()}, record: r}
	c.done = []*fault{{Kind: "kill", Node: "n2", Controller: true, Begin: 15 * ms, Healed: 900 * ms, Settled: 31 * time.Second, Problem: "it hangs", id: "id of n2", before: &nodes.Status{}}}
	for p := range c.done[0].before.Owner {
		c.done[0].before.Owner[p] = "id of n2"
	}
	ops := []history.Op{
		{Kind: history.Incr, Key: "k", Found: 1, Outcome: history.OK, Start: 10 * ms, End: 12 * ms},
		{Kind: history.Incr, Key: "k", Outcome: history.Unknown, Start: 13 * ms, End: 20 * ms, Error: "read tcp 127.0.0.1:5 <b>"},
		{Kind: history.Get, Key: "k", Found: 0, Outcome: history.OK, Start: 500 * ms, End: 620 * ms},
		{Kind: history.Set, Key: "s", Written: 9, Outcome: history.Refused, Start: 650 * ms, End: 700 * ms},
		{Kind: history.Get, Key: "k", Found: 2, Outcome: history.OK, Start: 30 * time.Second, End: 30*time.Second + 10*ms},
	}
	v := history.Judge(ops, time.Minute)
	one := newReport(c, v)
	one.ops = ops
	one.gaps = history.Gaps(ops, minGap)
	l := line{fault: c.done[0], Longest: history.Longest(one.gaps, history.Span{From: c.done[0].Begin, To: c.done[0].Settled})}
	l.count(ops)
	l.measure(ops)
	one.lines = []line{l}
	if l.Refused != 1 || l.Unknown != 1 || l.ReadsFailed != 0 || l.Longest != 30*time.Second+10*ms-620*ms || l.Writes != (unserved{Own: 50 * ms}) || l.Reads != (unserved{Own: 120 * ms}) {
		t.Errorf("%+v", l)
	}
	if err := one.save(); err != nil {
		t.Fatal(err)
	}
	if err := one.fault(); err == nil || !strings.Contains(err.Error(), "1 acknowledged writes lost") {
		t.Errorf("the run ends with %v", err)
	}
	for name, wants := range map[string][]string{
		"report.txt":    {"seed 42", "| kill | n2, controller |", "29390 ms", "did not come back", "lost: get of k", "| kill | writes | 1 | 1 | 50 ms |", "| kill | reads | 1 | 1 | 120 ms |", "kill: writes served again, worst | 50 ms | below 1000 ms | met"},
		"timeline.html": {"seed 42", "kill n2, controller", "<svg", "29390 ms", "1 refused"},
		"faults.json":   {`"longest_gap_ns": 29390000000`},
		"broken-k.html": {"<html"},
	} {
		b, err := os.ReadFile(filepath.Join(c.out, name))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, want := range wants {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s does not say %q:\n%.2000s", name, want, b)
			}
		}
	}
}

func TestFaultsThatCannotBeHad(t *testing.T) {
	named := []string{"kill", "loss", "full-disk", "pair"}
	c := &chaos{options: options{faults: named}}
	if out := c.drop(network); out != "loss, pair" || !slices.Equal(c.faults, []string{"kill", "full-disk"}) {
		t.Errorf("left out %q, %q are left", out, c.faults)
	}
	if named[1] != "loss" {
		t.Error("the options were changed")
	}
}
