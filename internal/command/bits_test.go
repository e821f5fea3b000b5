package command

import (
	"bytes"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// bitsOf is a value as a text of 0 and 1, the obvious form to compute with.
func bitsOf(value []byte) string {
	var b strings.Builder
	for _, x := range value {
		fmt.Fprintf(&b, "%08b", x)
	}
	return b.String()
}

func TestCountAndFindBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 0, 0, 0xff, 0xff, 0x10, 0x7f, 0xfe, 0xa5}), 0, 40).Draw(t, "value")
		from := rapid.IntRange(0, 8*len(value)).Draw(t, "from")
		to := rapid.IntRange(from, 8*len(value)).Draw(t, "to")
		part := bitsOf(value)[from:to]
		if got, want := countBits(value, from, to), strings.Count(part, "1"); got != want {
			t.Errorf("countBits(%x, %d, %d) = %d, want %d", value, from, to, got, want)
		}
		for _, set := range []bool{false, true} {
			want := strings.Index(part, map[bool]string{false: "0", true: "1"}[set])
			if want >= 0 {
				want += from
			}
			if got := findBit(value, from, to, set); got != want {
				t.Errorf("findBit(%x, %d, %d, %v) = %d, want %d", value, from, to, set, got, want)
			}
		}
	})
}

func TestBitFieldModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.SliceOfN(rapid.Byte(), 1, 24).Draw(t, "value")
		f := bitField{signed: rapid.Bool().Draw(t, "signed")}
		f.bits = rapid.UintRange(1, 63).Draw(t, "bits")
		f.offset = rapid.Int64Range(0, int64(8*len(value))-1).Draw(t, "offset")
		padded := bitsOf(value) + strings.Repeat("0", 64)
		text := padded[f.offset : f.offset+int64(f.bits)]
		want, _ := new(big.Int).SetString(text, 2)
		if f.signed && text[0] == '1' {
			want.Sub(want, new(big.Int).Lsh(big.NewInt(1), f.bits))
		}
		if got := f.read(value); got != want.Int64() {
			t.Fatalf("read %+v of %x = %d, want %d", f, value, got, want)
		}
		if f.offset+int64(f.bits) > int64(8*len(value)) {
			return
		}
		v := f.wrap(rapid.Uint64().Draw(t, "v"))
		before := bytes.Clone(value)
		f.write(value, v)
		if got := f.read(value); got != v {
			t.Fatalf("wrote %d, read %d", v, got)
		}
		old, now := bitsOf(before), bitsOf(value)
		if old[:f.offset] != now[:f.offset] || old[f.offset+int64(f.bits):] != now[f.offset+int64(f.bits):] {
			t.Fatalf("write %+v changed others: %s to %s", f, old, now)
		}
	})
}

// next against arithmetic without limits.
func TestBitfieldOverflowModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := bitfieldOp{verb: fieldIncrement}
		op.field.signed = rapid.Bool().Draw(t, "signed")
		op.field.bits = rapid.UintRange(1, 63).Draw(t, "bits")
		if op.field.signed && rapid.Bool().Draw(t, "wide") {
			op.field.bits = 64
		}
		op.overflow = rapid.SampledFrom([]overflow{wrapAround, saturate, failOverflow}).Draw(t, "overflow")
		old := op.field.wrap(rapid.Uint64().Draw(t, "old"))
		op.number = rapid.Int64().Draw(t, "by")
		lowest, highest := op.field.limits()
		sum := new(big.Int).Add(big.NewInt(old), big.NewInt(op.number))
		over, under := sum.Cmp(big.NewInt(highest)) > 0, sum.Cmp(big.NewInt(lowest)) < 0
		want, fits := sum, true
		switch {
		case !over && !under:
		case op.overflow == failOverflow:
			want, fits = new(big.Int), false
		case op.overflow == saturate && over:
			want = big.NewInt(highest)
		case op.overflow == saturate:
			want = big.NewInt(lowest)
		default:
			want = big.NewInt(op.field.wrap(uint64(old) + uint64(op.number)))
		}
		if got, ok := op.next(old); ok != fits || got != want.Int64() {
			t.Fatalf("%+v of %d = %d, %v, want %d, %v", op, old, got, ok, want, fits)
		}
	})
}

func TestBitopModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sources := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 40), 1, 5).Draw(t, "sources")
		if rapid.Bool().Draw(t, "long") {
			sources[0] = bytes.Repeat(append(sources[0], 0x5a), 500)
		}
		name := rapid.SampledFrom([]string{"and", "or", "xor", "not", "diff", "diff1", "andor", "one"}).Draw(t, "op")
		op := bitOperations[name]
		if op == bitNot {
			sources = sources[:1]
		}
		longest := 0
		for _, s := range sources {
			longest = max(longest, len(s))
		}
		result := make([]byte, longest)
		op.combine(result, sources)
		for i := range 8 * longest {
			var set []bool
			n := 0
			for _, s := range sources {
				on := i/8 < len(s) && s[i/8]&(0x80>>(i%8)) != 0
				set = append(set, on)
				if on {
					n++
				}
			}
			first, others := set[0], n
			if first {
				others--
			}
			want := map[bitOperation]bool{
				bitAnd: n == len(set), bitOr: n > 0, bitXor: n%2 == 1, bitNot: n == 0,
				bitDiff: first && others == 0, bitDiff1: !first && others > 0,
				bitAndOr: first && others > 0, bitOne: n == 1,
			}[op]
			if got := result[i/8]&(0x80>>(i%8)) != 0; got != want {
				t.Fatalf("%s: bit %d of %x is %v", name, i, sources, got)
			}
		}
	})
}

func TestLCSModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.SliceOfN(rapid.SampledFrom([]byte("abc")), 0, 20)
		a, b := letters.Draw(t, "a"), letters.Draw(t, "b")
		l := newLCS(a, b, true)
		common := l.common()
		if len(common) != l.length || !subsequence(common, a) || !subsequence(common, b) {
			t.Fatalf("%q is not common to %q and %q", common, a, b)
		}
		if want := slowLCS(a, b); l.length != want {
			t.Fatalf("length of %q and %q is %d, not %d", a, b, want, l.length)
		}
		n := 0
		for _, m := range l.matches() {
			n += m.length
			if !bytes.Equal(a[m.a:m.a+m.length], b[m.b:m.b+m.length]) {
				t.Fatalf("%+v is no match", m)
			}
		}
		if n != l.length || newLCS(a, b, false).length != n {
			t.Fatalf("matches have %d bytes of %d", n, l.length)
		}
	})
}

func subsequence(s, of []byte) bool {
	for _, x := range of {
		if len(s) > 0 && s[0] == x {
			s = s[1:]
		}
	}
	return len(s) == 0
}

func slowLCS(a, b []byte) int {
	table := make([][]int, len(a)+1)
	table[0] = make([]int, len(b)+1)
	for i := range a {
		table[i+1] = make([]int, len(b)+1)
		for j := range b {
			table[i+1][j+1] = max(table[i][j+1], table[i+1][j])
			if a[i] == b[j] {
				table[i+1][j+1] = table[i][j] + 1
			}
		}
	}
	return table[len(a)][len(b)]
}

func TestClampRangeModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(t, "n")
		index := rapid.OneOf(rapid.Int64Range(-15, 15), rapid.Int64())
		start, end := index.Draw(t, "start"), index.Draw(t, "end")
		from, to := clampRange(start, end, n)
		if from < 0 || from > to || to > n {
			t.Fatalf("%d:%d of %d", from, to, n)
		}
		s, e := start, end
		if s < 0 {
			s = max(s+int64(n), 0)
		}
		if e < 0 {
			e = max(e+int64(n), 0)
		}
		for i := range n {
			want := s <= int64(i) && int64(i) <= e && (start >= 0 || end >= 0 || start <= end)
			if got := from <= i && i < to; got != want {
				t.Fatalf("clampRange(%d, %d, %d) = %d, %d", start, end, n, from, to)
			}
		}
	})
}
