package trace

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawTrace draws a small trace, numbered by first appearance.
func drawTrace(t *rapid.T, sized bool) *Trace {
	tr := &Trace{}
	number := map[uint32]uint32{}
	for range rapid.IntRange(0, 60).Draw(t, "requests") {
		k := rapid.Uint32Range(0, 12).Draw(t, "key")
		n, ok := number[k]
		if !ok {
			n = uint32(len(number))
			number[k] = n
		}
		tr.Keys = append(tr.Keys, n)
		if sized {
			tr.Sizes = append(tr.Sizes, rapid.Uint32Range(1, 50).Draw(t, "size"))
		}
	}
	tr.Distinct = len(number)
	if sized && tr.Sizes == nil {
		tr.Sizes = []uint32{}
	}
	if tr.Keys == nil {
		tr.Keys = []uint32{}
	}
	return tr
}

func TestReadReturnsWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawTrace(t, rapid.Bool().Draw(t, "sized"))
		var b bytes.Buffer
		if err := Write(&b, want); err != nil {
			t.Fatal(err)
		}
		got, err := Read(&b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("read %v, %v; want %v", got, err, want)
		}
	})
}

func TestReadRefuses(t *testing.T) {
	for _, row := range []struct{ name, in, want string }{
		{"nothing", "", "header"},
		{"other format", "DCT2\x00\x00\x00", "starts with"},
		{"unknown flag", "DCT1\x02\x00\x00", "flags"},
		{"no counts", "DCT1\x00", "requests"},
		{"too many requests", "DCT1\x00\xff\xff\xff\xff\xff\x01\x00", "too many"},
		{"fewer keys than said", "DCT1\x00\x02\x02\x00\x00", "1 keys where"},
		{"a key out of order", "DCT1\x00\x01\x01\x02", "order of first appearance"},
		{"a negative key", "DCT1\x00\x01\x01\x01", "order of first appearance"},
		{"cut short", "DCT1\x00\x7f\x01\x00\x00", "key of request 2"},
		{"no sizes", "DCT1\x01\x01\x01\x00", "size of request 0"},
		{"a rest", "DCT1\x00\x01\x01\x00\x00", "after the last"},
	} {
		_, err := Read(strings.NewReader(row.in))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("DCT1\x00\x03\x02\x00\x02\x01"))
	f.Add([]byte("DCT1\x01\x02\x01\x00\x00\x05\x06"))
	f.Add([]byte("DCT1\x00\xff\xff\xff\xff\x07\xff\xff\xff\xff\x07\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		tr, err := Read(bytes.NewReader(in))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		var b bytes.Buffer
		if err := Write(&b, tr); err != nil {
			t.Fatal(err)
		}
		again, err := Read(&b)
		if err != nil || !reflect.DeepEqual(again, tr) {
			t.Fatalf("%v is read back as %v, %v", tr, again, err)
		}
	})
}
