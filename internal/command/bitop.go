package command

import (
	"encoding/binary"
	"strings"
)

// bitOperation is an operation of BITOP.
type bitOperation uint8

const (
	bitAnd   bitOperation = iota + 1
	bitOr                 // in any
	bitXor                // in an odd number
	bitNot                // not in the only one
	bitDiff               // in the first and in no other
	bitDiff1              // not in the first but in another
	bitAndOr              // in the first and in another
	bitOne                // in exactly one
)

var bitOperations = map[string]bitOperation{
	"and": bitAnd, "or": bitOr, "xor": bitXor, "not": bitNot,
	"diff": bitDiff, "diff1": bitDiff1, "andor": bitAndOr, "one": bitOne,
}

func runBitop(c *Context) {
	name := strings.ToLower(string(clip(c.Args[1], 8)))
	op := bitOperations[name]
	switch {
	case op == 0:
		c.Error(errSyntax)
		return
	case op == bitNot && len(c.Args) != 4:
		c.Error("ERR BITOP NOT must be called with a single source key.")
		return
	case (op == bitDiff || op == bitDiff1 || op == bitAndOr) && len(c.Args) < 5:
		c.Error("ERR BITOP " + strings.ToUpper(name) + " must be called with at least two source keys.")
		return
	}
	keys := c.lockEvery(2, 1) // the destination first
	defer keys.Release()
	sources := make([][]byte, len(c.Args)-3)
	longest := 0
	for i := range sources {
		h := keys.At(i + 1)
		if e, found := c.Exists(h); found {
			h.Touch(e)
			sources[i] = e.Value()
			longest = max(longest, len(sources[i]))
		}
	}
	dest := keys.At(0)
	if longest == 0 {
		c.remove(dest)
		c.Out.Int(0)
		return
	}
	result := make([]byte, longest)
	op.combine(result, sources)
	added := c.adds(dest)
	dest.SetRaw(result, 0)
	if added {
		c.notifyNew(dest)
	}
	c.Notify(NotifyString, "set", dest.DB(), dest.Key())
	c.Out.Int(int64(longest))
}

// combine computes the result, which is as long as the longest source; shorter
// ones are filled up with zeros. It is done in pieces, so that the piece at
// work stays in the processor's cache however many sources there are.
func (op bitOperation) combine(result []byte, sources [][]byte) {
	const piece = 8 << 10
	var seen [piece]byte // bits that some source had, for bitOne and those with a first source
	for at := 0; at < len(result); at += piece {
		out := result[at:min(at+piece, len(result))]
		part := func(i int) []byte {
			s := sources[i]
			return s[min(at, len(s)):min(at+len(out), len(s))]
		}
		copy(out, part(0))
		switch op {
		case bitAnd, bitOr, bitXor:
			for i := 1; i < len(sources); i++ {
				op.merge(out, part(i))
			}
		case bitNot:
			for i := range out {
				out[i] = ^out[i]
			}
		case bitOne:
			some := seen[:len(out)]
			copy(some, out) // bits seen so far; out has those seen once
			for i := 1; i < len(sources); i++ {
				mergeOne(out, some, part(i))
			}
		default:
			some := seen[:len(out)]
			clear(some)
			for i := 1; i < len(sources); i++ {
				bitOr.merge(some, part(i))
			}
			for i := range out {
				switch op {
				case bitDiff:
					out[i] &^= some[i]
				case bitDiff1:
					out[i] = some[i] &^ out[i]
				case bitAndOr:
					out[i] &= some[i]
				}
			}
		}
	}
}

// merge combines one more source, at most as long as out, into out.
func (op bitOperation) merge(out, source []byte) {
	if op == bitAnd {
		clear(out[len(source):])
	}
	out = out[:len(source)]
	for len(out) >= 8 {
		x, y := binary.LittleEndian.Uint64(out), binary.LittleEndian.Uint64(source)
		switch op {
		case bitAnd:
			x &= y
		case bitOr:
			x |= y
		case bitXor:
			x ^= y
		}
		binary.LittleEndian.PutUint64(out, x)
		out, source = out[8:], source[8:]
	}
	for i, y := range source {
		switch op {
		case bitAnd:
			out[i] &= y
		case bitOr:
			out[i] |= y
		case bitXor:
			out[i] ^= y
		}
	}
}

// mergeOne takes one more source into the bits seen once and those seen at all.
func mergeOne(once, some, source []byte) {
	for i, y := range source {
		once[i] = once[i]&^y | y&^some[i]
		some[i] |= y
	}
}
