package trace

import "github.com/larder-cache/larder/internal/eviction"

// Table is the outcome of [Measure].
type Table struct {
	// Policies are the columns, Percents the sizes measured.
	Policies []eviction.Name `json:"policies"`
	Percents []float64       `json:"percents"`
	// Sized says that capacities are in bytes.
	Sized bool `json:"sized"`
	// Shards is the number of caches each policy was split over.
	Shards int    `json:"shards"`
	Cells  []Cell `json:"cells"`
}

// Cell is one trace at one cache size.
type Cell struct {
	Trace    string  `json:"trace"`
	Micro    bool    `json:"micro,omitempty"` // left out of averages
	Percent  float64 `json:"percent"`
	Capacity uint64  `json:"capacity"` // objects, or bytes in a sized table
	Requests int     `json:"requests"`
	LRU      Misses  `json:"lru"`
	// Optimum is the offline optimum; in a sized table a schedule near it, for
	// objects and for bytes separately, and Bound what no schedule can beat.
	Optimum Misses `json:"optimum"`
	Bound   Misses `json:"bound"`
	// Policies holds the misses of each of the table's policies.
	Policies []Misses `json:"misses"`
}

// Gap returns the share, in percent, of the misses that LRU has above the
// optimum that policy i avoids. It is zero where LRU is optimal.
func (c *Cell) Gap(i int) float64 {
	return gap(c.LRU.Objects, c.Policies[i].Objects, c.Optimum.Objects)
}

// ByteGap is [Cell.Gap] of the bytes missed in a sized table.
func (c *Cell) ByteGap(i int) float64 {
	return gap(c.LRU.Bytes, c.Policies[i].Bytes, c.Optimum.Bytes)
}

// Excess returns by how many percent policy i has more misses than LRU.
func (c *Cell) Excess(i int) float64 {
	if c.LRU.Objects == 0 {
		return 0
	}
	return 100 * (float64(c.Policies[i].Objects)/float64(c.LRU.Objects) - 1)
}

func gap[T int | uint64](lru, policy, optimum T) float64 {
	if lru <= optimum {
		return 0
	}
	return 100 * (float64(lru) - float64(policy)) / (float64(lru) - float64(optimum))
}

// Summary is the average of one policy over the cells that are not micro. All
// but the strings are in percent.
type Summary struct {
	Policy eviction.Name `json:"policy"`
	// Cells is the mean gap share over cells, Traces over the means of the
	// traces, Pooled that of the sums of misses.
	Cells  float64 `json:"cells"`
	Traces float64 `json:"traces"`
	Pooled float64 `json:"pooled"`
	// Bound is the mean over cells against the bound that no cache can beat,
	// Bytes that of the bytes missed; both for sized tables.
	Bound float64 `json:"bound,omitempty"`
	Bytes float64 `json:"bytes,omitempty"`
	// Worst is the largest excess of misses over LRU, WorstAt the cell's
	// trace and WorstPercent its size.
	Worst        float64 `json:"worst"`
	WorstAt      string  `json:"worst_at"`
	WorstPercent float64 `json:"worst_percent"`
}

// Summaries averages every policy.
func (t *Table) Summaries() []Summary {
	out := make([]Summary, len(t.Policies))
	for i, name := range t.Policies {
		out[i] = t.summary(i)
		out[i].Policy = name
	}
	return out
}

// summary averages policy i.
func (t *Table) summary(i int) Summary {
	var s Summary
	var lru, policy, optimum, n int
	perTrace := map[string][]float64{}
	for k := range t.Cells {
		c := &t.Cells[k]
		if c.Micro {
			continue
		}
		if e := c.Excess(i); n == 0 || e > s.Worst {
			s.Worst, s.WorstAt, s.WorstPercent = e, c.Trace, c.Percent
		}
		n++
		s.Cells += c.Gap(i)
		perTrace[c.Trace] = append(perTrace[c.Trace], c.Gap(i))
		if t.Sized {
			s.Bound += gap(c.LRU.Objects, c.Policies[i].Objects, c.Bound.Objects)
			s.Bytes += c.ByteGap(i)
		}
		lru += c.LRU.Objects
		policy += c.Policies[i].Objects
		optimum += c.Optimum.Objects
	}
	if n == 0 {
		return s
	}
	s.Cells /= float64(n)
	s.Bound /= float64(n)
	s.Bytes /= float64(n)
	s.Pooled = gap(lru, policy, optimum)
	for _, gaps := range perTrace {
		s.Traces += mean(gaps) / float64(len(perTrace))
	}
	return s
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
