package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"time"

	"github.com/larder-cache/larder/internal/nodes/history"
)

//go:embed timeline.html
var page string

var form = template.Must(template.New("timeline").Parse(page))

// The picture has a row for each 30 seconds, and a bar for each 50 ms.
const (
	bucket   = 50 * time.Millisecond
	rowLong  = 30 * time.Second
	rowLeft  = 40.0
	rowWide  = 1200.0
	barsHigh = 100.0
	baseline = 120.0
	rowHigh  = 152
)

// shape is a rectangle or a text.
type shape struct {
	X, Y, W, H  float64
	Fill, Title string
}

// row is 30 seconds of the picture.
type row struct {
	Label                           string
	Bands, Names, Bars, Gaps, Ticks []shape
}

// counts are the operations that ended in a bucket, by outcome.
type counts struct{ ok, refused, unknown int }

func (c counts) sum() int { return c.ok + c.refused + c.unknown }

// draw writes the timeline as one file that needs no other.
func (r *report) draw(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close() // Sync has told of errors
	if err := form.Execute(file, r.picture()); err != nil {
		return fmt.Errorf("draw %s: %w", path, err)
	}
	return file.Sync()
}

// picture is what the form shows.
func (r *report) picture() map[string]any {
	buckets := tally(r.ops)
	most := 1
	for _, c := range buckets {
		most = max(most, c.sum())
	}
	var rows []row
	perRow := int(rowLong / bucket)
	for first := 0; first < len(buckets); first += perRow {
		from := time.Duration(first) * bucket
		w := window{from}
		one := row{Label: fmt.Sprintf("operations from %s on", from), Ticks: w.ticks()}
		for i, c := range buckets[first:min(first+perRow, len(buckets))] {
			one.Bars = append(one.Bars, w.bars(from+time.Duration(i)*bucket, c, most)...)
		}
		for _, l := range r.lines {
			w.fault(&one, l)
		}
		for _, g := range history.Union(r.gaps) {
			one.Gaps = w.add(one.Gaps, g, "", fmt.Sprintf("%d ms, from %.2f s on", g.Long().Milliseconds(), g.From.Seconds()))
		}
		rows = append(rows, one)
	}
	return map[string]any{
		"Seed": r.c.seed, "Nodes": r.c.nodes, "Right": r.verdict.Right(), "Summary": r.summary(), "Height": rowHigh,
		"MinGap": max(minGap, 10*r.c.think).Milliseconds(), "Bucket": bucket.Milliseconds(), "Most": most,
		"Rows": rows, "Columns": columns, "Table": r.table(), "Examples": r.verdict.Examples,
	}
}

// tally counts operations by when they ended, without the reads of the end.
func tally(ops []history.Op) (list []counts) {
	for i := range ops {
		o := &ops[i]
		if o.Client == history.Reader {
			continue
		}
		at := int(o.End / bucket)
		for len(list) <= at {
			list = append(list, counts{})
		}
		switch o.Outcome {
		case history.OK:
			list[at].ok++
		case history.Refused:
			list[at].refused++
		default:
			list[at].unknown++
		}
	}
	return list
}

// window is the time that a row shows.
type window struct{ from time.Duration }

func (w window) x(t time.Duration) float64 {
	return rowLeft + rowWide*float64(t-w.from)/float64(rowLong)
}

// add adds a rectangle for the part of a span that the row shows, if there is one.
func (w window) add(list []shape, s history.Span, fill, title string) []shape {
	from, to := max(s.From, w.from), min(s.To, w.from+rowLong)
	if from >= to {
		return list
	}
	return append(list, shape{X: w.x(from), W: max(w.x(to)-w.x(from), 1), Fill: fill, Title: title})
}

func (w window) ticks() (list []shape) {
	for t := w.from; t <= w.from+rowLong; t += 5 * time.Second {
		list = append(list, shape{X: w.x(t), Title: fmt.Sprintf("%d s", int(t.Seconds()))})
	}
	return list
}

// bars stacks the outcomes of a bucket, what failed at the bottom where it is seen.
func (w window) bars(at time.Duration, c counts, most int) (list []shape) {
	y := baseline
	title := fmt.Sprintf("%.2f s: %d succeeded, %d refused, %d unknown", at.Seconds(), c.ok, c.refused, c.unknown)
	for _, part := range []struct {
		n    int
		fill string
	}{{c.unknown, "#c62a2f"}, {c.refused, "#e0a100"}, {c.ok, "#3e8e6e"}} {
		if part.n == 0 {
			continue
		}
		h := barsHigh * float64(part.n) / float64(most)
		y -= h
		list = append(list, shape{X: w.x(at), Y: y, W: rowWide*float64(bucket)/float64(rowLong) - 0.3, H: h, Fill: part.fill, Title: title})
	}
	return list
}

// fault marks a fault, and the time until the cluster was whole again.
func (w window) fault(one *row, l line) {
	text := l.fault.String()
	one.Bands = w.add(one.Bands, history.Span{From: l.Begin, To: l.Healed}, "#d8cdf0", text)
	one.Bands = w.add(one.Bands, history.Span{From: l.Healed, To: l.Settled}, "#efeaf8", text)
	if l.Begin >= w.from && l.Begin < w.from+rowLong {
		one.Names = append(one.Names, shape{X: w.x(l.Begin), Title: l.Kind + " " + l.who()})
	}
}
