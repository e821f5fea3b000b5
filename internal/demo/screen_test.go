package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func exampleFrame() Frame {
	f := Frame{
		Elapsed: 12 * time.Second, Span: time.Second, Tally: NewTally(),
		Reading: Reading{Reads: 20_000, Hits: 19_000, Queries: 742, Stale: 5},
		Total:   Reading{Reads: 240_000, Queries: 9_000, Collapsed: 1_023},
	}
	f.Tally.Requests = 20_013
	for range 100 {
		f.Tally.record(80 * time.Microsecond)
	}
	f.Tally.record(30 * time.Millisecond)
	return f
}

func TestFrameLine(t *testing.T) {
	f := exampleFrame()
	want := " 12 s  20,013 req/s  hit  95.0 %  p50 0.08 p99 0.08 ms  collapsed 1,023  saved 231,000 queries  database 742/s  stale 5/s"
	if got := f.Line(1000); got != want {
		t.Errorf("line\n%s, want\n%s", got, want)
	}
	for width := range 130 {
		if got := f.Line(width); len(got) > width {
			t.Errorf("%d columns in a line for %d: %s", len(got), width, got)
		}
	}
}

func TestScreenWithoutTerminal(t *testing.T) {
	var out bytes.Buffer
	s := NewScreen(&out)
	progress, done := s.Bar("filling", 10)
	progress(10, 10)
	done()
	s.Live(exampleFrame())
	s.Say("* %s", "news")
	s.Live(exampleFrame())
	s.EndLive()
	if lines := strings.Split(out.String(), "\n"); len(lines) != 4 || lines[1] != "* news" || strings.ContainsAny(out.String(), "\r\x1b") {
		t.Errorf("output %q", out.String())
	}
}

func TestReadingNeverNegative(t *testing.T) {
	earlier, later := Reading{Reads: 5, Queries: 7}, Reading{Reads: 9, Queries: 6}
	if d := later.Since(earlier); d.Queries != 0 || d.Reads != 4 || d.Saved() != 4 {
		t.Errorf("difference %+v", d)
	}
	if sum := earlier.plus(later); sum.Reads != 14 || sum.Queries != 13 {
		t.Errorf("sum %+v", sum)
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Grouped(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}

func TestPace(t *testing.T) {
	for d, want := range map[time.Duration]float64{0: 1, time.Hour: 1, 15 * time.Second: 0.5, time.Millisecond: 0.05} {
		if got := (Plan{Duration: d}).Pace(); got != want {
			t.Errorf("pace of %v is %g, want %g", d, got, want)
		}
	}
}

func TestFrameLineWithMoves(t *testing.T) {
	f := exampleFrame()
	f.Moves, f.Failed = &Moves{What: "to n4", Done: 128, All: 256}, 0
	want := " 12 s  20,013 req/s  failed 0  to n4 [=======-------] 128/256  hit  95.0 %"
	if got := f.Line(79); got != want {
		t.Errorf("line\n%s, want\n%s", got, want)
	}
}

func TestWrap(t *testing.T) {
	for text, want := range map[string]string{
		"short":                     "short",
		"* one two three":           "* one two\n  three",
		"  one two three four":      "  one two\n  three\n  four",
		"a\n   bb cc dd ee":         "a\n   bb cc\n   dd ee",
		"averyverylongword and one": "averyverylongword\nand one",
		"  /a/path/without/blanks":  "  /a/path/without/blanks",
	} {
		if got := wrap(text, 10); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
