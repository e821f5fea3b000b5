package resp_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/larder-cache/larder/internal/resp"
)

func TestReplies(t *testing.T) {
	tests := []struct {
		name         string
		write        func(w *resp.Writer)
		resp2, resp3 string
	}{
		{"status", func(w *resp.Writer) { w.Simple("PONG") }, "+PONG\r\n", ""},
		{"ok", (*resp.Writer).OK, "+OK\r\n", ""},
		{"error", func(w *resp.Writer) { w.Error("ERR a\r\nb") }, "-ERR a  b\r\n", ""},
		{"zero", func(w *resp.Writer) { w.Int(0) }, ":0\r\n", ""},
		{"nine", func(w *resp.Writer) { w.Int(9) }, ":9\r\n", ""},
		{"negative", func(w *resp.Writer) { w.Int(-1) }, ":-1\r\n", ""},
		{"smallest", func(w *resp.Writer) { w.Int(math.MinInt64) }, ":-9223372036854775808\r\n", ""},
		{"bulk", func(w *resp.Writer) { w.Bulk([]byte("a\r\n")) }, "$3\r\na\r\n\r\n", ""},
		{"bulk of twelve", func(w *resp.Writer) { w.BulkString("0123456789ab") }, "$12\r\n0123456789ab\r\n", ""},
		{"bulk of hundred", func(w *resp.Writer) { w.Bulk(bytes.Repeat([]byte("a"), 100)) }, "$100\r\n" + string(bytes.Repeat([]byte("a"), 100)) + "\r\n", ""},
		{"bulk integer", func(w *resp.Writer) { w.BulkInt(-12) }, "$3\r\n-12\r\n", ""},
		{"null", (*resp.Writer).Null, "$-1\r\n", "_\r\n"},
		{"null array", (*resp.Writer).NullArray, "*-1\r\n", "_\r\n"},
		{"array", func(w *resp.Writer) { w.Array(12) }, "*12\r\n", ""},
		{"map", func(w *resp.Writer) { w.Map(2) }, "*4\r\n", "%2\r\n"},
		{"set", func(w *resp.Writer) { w.Set(2) }, "*2\r\n", "~2\r\n"},
		{"push", func(w *resp.Writer) { w.Push(3) }, "*3\r\n", ">3\r\n"},
		{"true", func(w *resp.Writer) { w.Bool(true) }, ":1\r\n", "#t\r\n"},
		{"false", func(w *resp.Writer) { w.Bool(false) }, ":0\r\n", "#f\r\n"},
		{"double", func(w *resp.Writer) { w.Double(1.5) }, "$3\r\n1.5\r\n", ",1.5\r\n"},
		{"big number", func(w *resp.Writer) { w.BigNumber("12345678901234567890") }, "$20\r\n12345678901234567890\r\n", "(12345678901234567890\r\n"},
		{"verbatim", func(w *resp.Writer) { w.Verbatim("txt", "ab") }, "$2\r\nab\r\n", "=6\r\ntxt:ab\r\n"},
		{"attribute", func(w *resp.Writer) { w.Attribute(1) }, "", "|1\r\n"},
		{"raw", func(w *resp.Writer) { w.Raw([]byte("+a\r\n")) }, "+a\r\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := resp.Writer{Version: resp.RESP2}
			tt.write(&w)
			if string(w.Buf) != tt.resp2 {
				t.Errorf("RESP2 %q, want %q", w.Buf, tt.resp2)
			}
			want := tt.resp3
			if want == "" {
				want = tt.resp2
			}
			w = resp.Writer{Version: resp.RESP3}
			tt.write(&w)
			if string(w.Buf) != want {
				t.Errorf("RESP3 %q, want %q", w.Buf, want)
			}
		})
	}
}

func TestFormatDouble(t *testing.T) {
	for want, v := range map[string]float64{
		"inf": math.Inf(1), "-inf": math.Inf(-1), "nan": math.NaN(), "0": 0, "-0": math.Copysign(0, -1),
		"3": 3, "-17": -17, "100000000000000000": 1e17, "1e+20": 1e20, "1e+100": 1e100, "1e-7": 1e-7,
		"0.1": 0.1, "-0.25": -0.25, "1234567.5": 1234567.5, "0.001": 0.001, "0.000001": 1e-6,
		"1.7976931348623157e+308": math.MaxFloat64, "5e-324": math.SmallestNonzeroFloat64,
		"12345.678901": 12345.678901, "0.3333333333333333": 1.0 / 3,
		"3.333333333333333e-4": 1.0 / 3000, "4000000000000000000": 4e18, "1.23456789e+19": 12345678900000000000,
	} {
		if got := resp.FormatDouble(v); got != want {
			t.Errorf("%g: got %q, want %q", v, got, want)
		}
	}
}

// reply writes a reply with two attachments and counts their releases.
func reply(w *resp.Writer, released *[2]int) string {
	w.Simple("a")
	w.BulkRef([]byte("0123456789"), func() { released[0]++ })
	w.BulkRef([]byte("abc"), func() { released[1]++ })
	w.Int(7)
	return "+a\r\n$10\r\n0123456789\r\n$3\r\nabc\r\n:7\r\n"
}

func TestDrain(t *testing.T) {
	for step := 1; step < 48; step++ {
		for limit := 1; limit < 8; limit++ {
			var w resp.Writer
			var released [2]int
			want := reply(&w, &released)
			if w.Size() != len(want) || w.Attached() != 13 {
				t.Fatalf("size %d, attached %d", w.Size(), w.Attached())
			}
			var got []byte
			for rounds := 0; w.Size() > 0; rounds++ {
				var next []byte
				chunks := w.Chunks(nil, limit)
				if len(chunks) == 0 || len(chunks) > limit {
					t.Fatalf("%d chunks", len(chunks))
				}
				for _, c := range chunks {
					next = append(next, c...)
				}
				next = next[:min(step, len(next))]
				got = append(got, next...)
				w.Sent(len(next))
				if w.Size() != len(want)-len(got) {
					t.Fatalf("step %d: size %d after %d of %d", step, w.Size(), len(got), len(want))
				}
				if rounds%5 == 4 {
					w.Compact(nil)
				}
			}
			if string(got) != want || released != [2]int{1, 1} {
				t.Fatalf("step %d, limit %d: %q, released %v", step, limit, got, released)
			}
			if len(w.Buf) != 0 || len(w.Attachments) != 0 || w.Attached() != 0 {
				t.Fatalf("output left: %q", w.Buf)
			}
		}
	}
}

func TestTruncateReleases(t *testing.T) {
	var w resp.Writer
	var kept, dropped [2]int
	want := reply(&w, &kept)
	mark := w.Mark()
	reply(&w, &dropped)
	w.Truncate(mark)
	if dropped != [2]int{1, 1} || kept != [2]int{} || w.Size() != len(want) {
		t.Fatalf("dropped %v, kept %v, size %d", dropped, kept, w.Size())
	}
	w.Sent(12) // into the first attachment
	w.Reset()
	if kept != [2]int{1, 1} || w.Size() != 0 || w.Attached() != 0 {
		t.Fatalf("released %v, size %d", kept, w.Size())
	}
}

func TestParseInt(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "-1": -1, "9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64, "12": 12} {
		if got, ok := resp.ParseInt([]byte(text)); !ok || got != want {
			t.Errorf("%q: %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "-", "-0", "01", "+1", " 1", "1 ", "1.0", "0x1", "9223372036854775808", "-9223372036854775809", "99999999999999999999", "18446744073709551616"} {
		if got, ok := resp.ParseInt([]byte(text)); ok {
			t.Errorf("%q is no integer but gives %d", text, got)
		}
	}
}

func FuzzSplitLine(f *testing.F) {
	f.Add([]byte(`SET "a\x41\n" 'b\'c' d`))
	f.Add([]byte(`"`))
	f.Fuzz(func(t *testing.T, line []byte) {
		words, ok := resp.SplitLine(line)
		if !ok && words != nil {
			t.Fatalf("words %q of a line that is wrong", words)
		}
		total := 0
		for _, w := range words {
			total += len(w)
		}
		if total > len(line) {
			t.Fatalf("%d bytes of words from %d", total, len(line))
		}
	})
}
