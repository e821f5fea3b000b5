package main

import (
	"fmt"
	"strings"
)

// goal is a bound on one metric of larder, in all cases whose name ends in
// suffix. It is absolute when of is empty; else it is factor times the median
// of the peer of that name, or of the best peer.
type goal struct {
	suite  string
	metric metric
	suffix string
	of     string // "", the name of a peer, or best
	factor float64
}

// best stands for the peer, other than larder, with the best median.
const best = "best peer"

// goals are the numbers that larder promises to reach.
var goals = []goal{
	{"throughput", opsPerSecond, "pipeline 1", best, 1},
	{"throughput", opsPerSecond, "pipeline 16", reference, 1.3},
	{"throughput", opsPerSecond, "pipeline 16", "pogocache", 1},
	{"throughput", opsPerSecond, "pipeline 64", reference, 1.8},
	{"throughput", opsPerSecond, "pipeline 64", "pogocache", 1},
	{"throughput", serverCPU, "pipeline 1", best, 1.05},
	{"throughput", serverCPU, "pipeline 16", reference, 0.8},
	{"throughput", serverCPU, "pipeline 64", reference, 0.65},
	{"throughput", serverCPU, "", oneLoop, 1.1},
	{"latency", percentiles[1].metric, "", "", 1000},
	{"latency", percentiles[1].metric, "", reference, 1},
	{"latency", tailRatio, "", "", 2},
	{"big", metric{"throughput", "MB/s", true}, "", reference, 1.2},
	{"memory", perKeyAdded, ", 64 B", "", 125},
	{"memory", perKeyAdded, ", 64 B, with ttl", "", 125},
	{"memory", perKeyAdded, ", 1024 B", "", 1090},
	{"memory", perKeyAdded, ", 1024 B, with ttl", "", 1090},
	{"churn", overMaximum, "", "", 1.1},
	{"churn", refused, "", "", 0},
	{"growth", metric{"probe maximum", "us", false}, "", "", 1000},
	{"growth", longestPause, "", "", 1000},
	{"expiry", keysGone, "", "", 1},
	{"expiry", memoryBack, "", "", 1},
	{"expiry", metric{"probe p99", "us", false}, "", "", 1000},
	{"start", firstAnswer, "", "", 100},
	{"start", idleMemory, "", "", 20},
}

// verdict is a goal with the case of larder that is nearest to missing it, or
// misses it by most.
type verdict struct {
	Goal  string  `json:"goal"`
	Case  string  `json:"worst_case"`
	Value float64 `json:"value"`
	Bound float64 `json:"bound"`
	Met   bool    `json:"met"`
}

// judge fills in r.Goals, for those goals that were measured.
func (r *report) judge() {
	r.Goals = nil
	for _, g := range goals {
		var worst *verdict
		for _, c := range r.Cells {
			if c.Peer != larder || c.Suite != g.suite || c.Metric != g.metric || !strings.HasSuffix(c.Case, g.suffix) {
				continue
			}
			bound, ok := r.bound(g, c)
			if !ok {
				continue
			}
			v := verdict{Goal: g.text(), Case: c.Case, Value: c.Median, Bound: bound}
			v.Met = v.Value <= bound
			if g.metric.Higher {
				v.Met = v.Value >= bound
			}
			if worst == nil || g.margin(v) < g.margin(*worst) {
				worst = &v
			}
		}
		if worst != nil {
			r.Goals = append(r.Goals, *worst)
		}
	}
}

// bound returns what g asks of larder's cell c.
func (r *report) bound(g goal, c *cell) (float64, bool) {
	switch g.of {
	case "":
		return g.factor, true
	case best:
		if c.ToBest == 0 {
			return 0, false
		}
		return g.factor * c.Median / c.ToBest, true
	}
	for _, o := range r.Cells {
		if o.Peer == g.of && o.Suite == c.Suite && o.Metric == c.Metric && o.Case == c.Case {
			return g.factor * o.Median, true
		}
	}
	return 0, false
}

// margin is how far v is on the right side of its bound, relative to it.
func (g goal) margin(v verdict) float64 {
	d := v.Bound - v.Value
	if g.metric.Higher {
		d = -d
	}
	if v.Bound != 0 {
		d /= v.Bound
	}
	return d
}

func (g goal) text() string {
	relation := "at most"
	if g.metric.Higher {
		relation = "at least"
	}
	to := fmt.Sprintf("%g", g.factor)
	if g.of != "" {
		to += " x " + g.of
	}
	what := g.suite + ": " + g.metric.Name
	if g.suffix != "" {
		what += ", " + strings.TrimPrefix(g.suffix, ", ")
	}
	return what + " " + relation + " " + to
}

func (r *report) markdownGoals(b *strings.Builder) {
	if len(r.Goals) == 0 {
		return
	}
	b.WriteString("\n## Goals\n\n| goal | worst case | larder | bound | |\n|---|---|---|---|---|\n")
	for _, v := range r.Goals {
		met := "met"
		if !v.Met {
			met = "**missed**"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", v.Goal, v.Case, short(v.Value), short(v.Bound), met)
	}
}
