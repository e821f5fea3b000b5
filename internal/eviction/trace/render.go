package trace

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// WriteJSON writes the table and its summaries as one JSON document.
func (t *Table) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		*Table
		Summaries []Summary `json:"summaries"`
	}{t, t.Summaries()})
}

// WriteText writes the table for a terminal.
func (t *Table) WriteText(w io.Writer) error { return t.write(w, textRow) }

// WriteMarkdown writes the table in Markdown.
func (t *Table) WriteMarkdown(w io.Writer) error { return t.write(w, markdownRow) }

// rowWriter formats a row of cells; the first is left-aligned. Index 0 is the
// head of a table.
type rowWriter func(b *strings.Builder, index int, row []string)

func textRow(b *strings.Builder, index int, row []string) {
	for i, s := range row {
		if i == 0 {
			fmt.Fprintf(b, "%-15s", s)
		} else {
			fmt.Fprintf(b, " %11s", s)
		}
	}
	b.WriteByte('\n')
}

func markdownRow(b *strings.Builder, index int, row []string) {
	b.WriteString("| " + strings.Join(row, " | ") + " |\n")
	if index == 0 {
		b.WriteString("| --- |" + strings.Repeat(" ---: |", len(row)-1) + "\n")
	}
}

// write renders cells and averages.
func (t *Table) write(w io.Writer, row rowWriter) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", t.caption())
	row(&b, 0, t.header())
	for i := range t.Cells {
		row(&b, i+1, t.cellRow(&t.Cells[i]))
	}
	b.WriteString("\nAverages of the gap share in %, and the cell with most misses above LRU:\n\n")
	head := []string{"policy", "cells", "traces", "pooled"}
	if t.Sized {
		head = append(head, "bound", "bytes")
	}
	row(&b, 0, append(head, "worst", "at"))
	for i, s := range t.Summaries() {
		cells := []string{s.Policy.String(), decimal(s.Cells), decimal(s.Traces), decimal(s.Pooled)}
		if t.Sized {
			cells = append(cells, decimal(s.Bound), decimal(s.Bytes))
		}
		row(&b, i+1, append(cells, fmt.Sprintf("%+.2f %%", s.Worst), fmt.Sprintf("%s %g%%", s.WorstAt, s.WorstPercent)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// caption says what the numbers are.
func (t *Table) caption() string {
	unit := "of the distinct keys"
	if t.Sized {
		unit = "of the bytes of all objects"
	}
	s := "Misses of LRU and of the optimum, and the share in % of the gap between them that each policy closes; sizes in % " + unit
	if t.Shards > 1 {
		s += fmt.Sprintf("; %d shards", t.Shards)
	}
	return s + "."
}

func (t *Table) header() []string {
	head := []string{"trace", "size", "LRU", "optimum"}
	for _, p := range t.Policies {
		head = append(head, p.String())
	}
	return head
}

func (t *Table) cellRow(c *Cell) []string {
	row := []string{c.Trace, fmt.Sprintf("%g", c.Percent), fmt.Sprint(c.LRU.Objects), fmt.Sprint(c.Optimum.Objects)}
	for i := range t.Policies {
		row = append(row, decimal(c.Gap(i)))
	}
	return row
}

func decimal(v float64) string { return fmt.Sprintf("%.1f", v) }
