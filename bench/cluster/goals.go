package main

import (
	"fmt"
	"strings"
)

// goal is what the values of a metric are to reach. All of them are bounds from
// above.
type goal struct {
	suite  string
	metric string
	what   string  // it means, for people
	most   float64 // the highest value that is good
	worst  bool    // every value counts, not the median: one failed request is one too many
}

// goals are what a cluster on one machine is to reach; report.judge finds the
// case that comes nearest to missing each.
var goals = []goal{
	{suite: "forwarding", metric: "CPU, wrong node / owner", most: 2.2, what: "a GET through the wrong node costs at most 2.2 x the processor time of a direct one"},
	{suite: "forwarding", metric: "p99 through the wrong node", most: 1000, what: "its p99 is below 1 ms at 5 000/s"},
	{suite: "direct", metric: "CPU, member / alone", most: 1.05, what: "a node in a cluster takes at most 5 % more processor time on its own keys"},
	{suite: "direct", metric: "time per request, member / alone", most: 1.05, what: "a node in a cluster is at most 5 % slower on its own keys"},
	{suite: "copies", metric: "p99 of SET", most: 1000, what: "with copies p99 of SET is below 1 ms at 5 000/s"},
	{suite: "copies", metric: "SET/s, redis with WAIT 1 / larder", most: 0.5, what: "acknowledged by a copy at least 2 x the SETs of Redis with WAIT 1 behind each pipeline of 16"},
	{suite: "copies", metric: "SET/s, redis / larder with ack: none", most: 0.77, what: "and without waiting at least 1.3 x those of Redis with one replica"},
	{suite: "copies", metric: "highest lag of a copy", most: 10, worst: true, what: "copies are behind by less than 10 ms at 50 000 writes/s"},
	{suite: "recreate", metric: "p99 of GET", most: 1000, worst: true, what: "while the copies of 1 GB are made anew p99 of GET is below 1 ms at 5 000/s"},
	{suite: "recreate", metric: "failed GETs", most: 0, worst: true, what: "and no GET fails"},
	{suite: "recreate", metric: "values lost or wrong", most: 0, worst: true, what: "and every value is right, those that were written meanwhile and those that were not"},
	{suite: "differences", metric: "found and mended", most: 30, worst: true, what: "a copy that differs is found and mended within 30 s at 1 M keys"},
	{suite: "differences", metric: "CPU of comparing", most: 1, what: "and looking for it takes below 1 % of a core, all nodes together"},
	{suite: "differences", metric: "values lost or wrong", most: 0, worst: true, what: "afterwards every value is right, of the owners and of the copies that follow"},
	{suite: "moves", metric: "failed requests", most: 0, worst: true, what: "drain, join, leave, rebalance under full write load: no failed request"},
	{suite: "moves", metric: "longest request", most: 50, worst: true, what: "no request takes longer than 50 ms"},
	{suite: "moves", metric: "longest gap", most: 50, worst: true, what: "no client waits longer than 50 ms for the next reply"},
	{suite: "moves", metric: "moves not finished", most: 0, worst: true, what: "every move finishes"},
	{suite: "moves", metric: "values lost or wrong", most: 0, worst: true, what: "every value is right afterwards, checked one by one"},
	{suite: "settings", metric: "in force on all nodes", most: 100, worst: true, what: "a configuration change is in force on all nodes within 100 ms"},
	{suite: "linearizable", metric: "histories that are not", most: 0, worst: true, what: "configuration is linearizable under loss of any coordinator (porcupine)"},
	{suite: "simulated", metric: "runs that fail", most: 0, worst: true, what: "100 nodes with loss, delay, crashes and partitions, simulated from seeds: converge"},
	{suite: "simulated", metric: "view change per node", most: 100, worst: true, what: "a view change costs below 100 KB on the wire per node"},
	{suite: "many", metric: "not formed, rebalanced or served", most: 0, worst: true, what: "25 real processes form, rebalance and serve"},
	{suite: "zones", metric: "values lost or wrong", most: 0, worst: true, what: "25 processes in three zones, any two of different zones die one after the other: no acknowledged write is lost"},
	{suite: "zones", metric: "writes to its partitions refused", most: 1000, worst: true, what: "and writes are served again within 1 s"},
	{suite: "idle", metric: "CPU of all nodes", most: 2, what: "a three-node cluster at rest uses below 2 % of one core"},
	{suite: "idle", metric: "anonymous memory per node", most: 120, worst: true, what: "and 120 MB of anonymous memory per node"},
}

// verdict is a goal with the case that is nearest to missing it.
type verdict struct {
	Goal     string  `json:"goal"`
	Case     string  `json:"case,omitempty"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit,omitempty"`
	Most     float64 `json:"at_most"`
	Measured bool    `json:"measured"`
	Met      bool    `json:"met"`
}

// judge compares every goal with what was measured.
func (r *report) judge() {
	r.Goals = nil
	for _, g := range goals {
		v := verdict{Goal: g.what, Most: g.most}
		for _, c := range r.Cells {
			if c.Suite != g.suite || c.Metric.Name != g.metric {
				continue
			}
			value := c.Median
			if g.worst {
				value = highest(c.Values)
			}
			if !v.Measured || value > v.Value {
				v.Measured, v.Case, v.Value, v.Unit = true, c.Case, value, c.Metric.Unit
			}
		}
		v.Met = v.Measured && v.Value <= v.Most
		r.Goals = append(r.Goals, v)
	}
}

func (r *report) markdownGoals(b *strings.Builder) {
	b.WriteString("\n## What it must reach\n\n| goal | worst case | measured | at most | |\n|---|---|---|---|---|\n")
	for _, v := range r.Goals {
		value, met := short(v.Value)+" "+v.Unit, "met"
		switch {
		case !v.Measured:
			value, met = "", "not measured"
		case !v.Met:
			met = "**missed**"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", v.Goal, v.Case, strings.TrimSpace(value), short(v.Most), met)
	}
}
