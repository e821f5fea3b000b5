package history

import (
	"maps"
	"testing"
	"time"
)

func TestUnserved(t *testing.T) {
	const ms = time.Millisecond
	write := func(key string, start, end int, what Outcome) Op {
		return Op{Kind: Incr, Key: key, Start: time.Duration(start) * ms, End: time.Duration(end) * ms, Outcome: what}
	}
	ops := []Op{
		write("before", 10, 20, Refused),
		write("waits", 90, 340, OK), // from the begin of the span on
		write("fails", 110, 120, Refused),
		write("fails", 150, 160, Unknown),
		{Kind: Get, Key: "read", Start: 100 * ms, End: 900 * ms, Outcome: Unknown},
		write("fails", 200, 260, OK),
		write("hangs", 300, 310, OK), // while another one hangs
		write("hangs", 110, 800, Unknown),
		write("hangs", 810, 820, OK),
		write("never", 600, 700, Refused),
	}
	got := Unserved(ops, Span{100 * ms, 1000 * ms}, Set, Incr)
	want := map[string]time.Duration{"waits": 240 * ms, "fails": 150 * ms, "hangs": 510 * ms, "never": 100 * ms}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got = Unserved(ops, Span{100 * ms, 1000 * ms}, Get); !maps.Equal(got, map[string]time.Duration{"read": 800 * ms}) {
		t.Errorf("reads: %v", got)
	}
}
