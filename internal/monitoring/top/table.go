package top

import (
	"fmt"
	"strings"

	"github.com/larder-cache/larder/internal/monitoring/status"
)

// table is a list whose first column takes what the others leave.
type table struct {
	heads  []string
	widths []int // of all columns but the first
	rows   [][]string
	none   string // what is said instead of rows
}

// line returns one row of a table in so many columns; -1 is the heading.
func (t *table) line(p pen, i, width int) string {
	if i == 0 && len(t.rows) == 0 {
		return p.set(label, left(t.none, width))
	}
	if i >= len(t.rows) {
		return strings.Repeat(" ", width)
	}
	cells := t.heads
	if i >= 0 {
		cells = t.rows[i]
	}
	first, widths := width, t.widths
	for n, w := range widths {
		// A narrow screen goes without the last columns.
		if first-w < 14 {
			widths = widths[:n]
			break
		}
		first -= w
	}
	var b strings.Builder
	b.WriteString(left(clean(cells[0]), first))
	for n, w := range widths {
		b.WriteString(right(cells[n+1], w))
	}
	if i < 0 {
		return p.set(label, b.String())
	}
	return b.String()
}

// table writes the heading and as many rows as there is room for.
func (r *renderer) table(t table, width int) {
	rows := len(t.rows)
	if t.none != "" {
		rows = max(rows, 1)
	}
	for i := range rows + 1 {
		r.line(strings.TrimRight(t.line(r.pen, i-1, width), " "))
	}
}

func namespaceTable(list []status.Namespace) table {
	t := table{
		heads:  []string{"NAMESPACE", "READS/S", "HITS", "LOADS/S", "LOAD p99", "COLLAPSED", "STALE", "FAILED", "ABSENT"},
		widths: []int{9, 8, 9, 10, 11, 8, 8, 9},
	}
	for i := range list {
		n := &list[i]
		hits := "–"
		if n.ReadsPerSecond > 0 {
			hits = percent(n.HitRatio)
		} else if n.HitsTotal+n.MissesTotal > 0 {
			hits = percent(n.HitRatioTotal)
		}
		row := []string{n.Name, number(n.ReadsPerSecond), hits, "–", "–", "–", "–", "–", "–"}
		if n.Sourced {
			copy(row[3:], []string{number(n.LoadsPerSecond), duration(n.LoadP99Seconds), count(n.CollapsedTotal),
				count(n.StaleTotal), count(n.FailedTotal), count(n.NegativeTotal)})
		}
		t.rows = append(t.rows, row)
	}
	return t
}

func commandTable(list []status.Command) table {
	t := table{
		heads:  []string{"COMMAND", "CALLS/S", "p50", "p99", "FAILED", "TOTAL"},
		widths: []int{9, 9, 9, 9, 11}, none: "No command was called.",
	}
	for i := range list {
		c := &list[i]
		t.rows = append(t.rows, []string{
			strings.ToUpper(strings.ReplaceAll(c.Name, "|", " ")), number(c.CallsPerSecond),
			duration(c.P50Seconds), duration(c.P99Seconds), count(c.FailedTotal + c.RejectedTotal), count(c.CallsTotal),
		})
	}
	return t
}

func hotTable(list []status.HotKey) table {
	t := table{heads: []string{"HOT KEY", "/S", "SHARE"}, widths: []int{8, 8}, none: "No key stands out."}
	for _, k := range list {
		t.rows = append(t.rows, []string{keyName(k.DB, k.Key), number(k.RequestsPerSecond), percent(k.Share)})
	}
	return t
}

func bigTable(list []status.BigKey) table {
	t := table{heads: []string{"BIG KEY", "SIZE"}, widths: []int{10}, none: "No entry takes more than 1 KiB."}
	for _, k := range list {
		t.rows = append(t.rows, []string{keyName(k.DB, k.Key), size(k.Bytes)})
	}
	return t
}

// keyName tells the database only when it is not the first.
func keyName(db int, key string) string {
	if db == 0 {
		return key
	}
	return fmt.Sprintf("db%d %s", db, key)
}
