package command

import (
	"encoding/binary"
	"math/bits"
)

// bitOffset parses argument i as the number of a bit within the longest value;
// when it is none that is the reply.
func (c *Context) bitOffset(i int) (offset int64, ok bool) {
	offset, ok = parseInt(c.Args[i])
	if !ok || offset < 0 || offset>>3 >= int64(c.Exec.Limits().MaxValue) {
		c.Error(errBitOffset)
		return 0, false
	}
	return offset, true
}

func runSetbit(c *Context) {
	offset, ok := c.bitOffset(2)
	if !ok {
		return
	}
	on, ok := parseInt(c.Args[3])
	if !ok || on&^1 != 0 {
		c.Error("ERR bit is not an integer or out of range")
		return
	}
	at, mask := int(offset>>3), byte(0x80)>>(offset&7)
	h := c.Lock(c.Args[1])
	defer h.Release()
	var old []byte
	e, found := h.Peek()
	if found {
		old = e.Value()
	}
	grows := at >= len(old)
	was := !grows && old[at]&mask != 0
	if grows || was != (on == 1) {
		value := h.Resize(max(len(old), at+1))
		value[at] &^= mask
		if on == 1 {
			value[at] |= mask
		}
		if !found {
			c.notifyNew(&h)
		}
		c.Notify(NotifyString, "setbit", h.DB(), h.Key())
	} else {
		h.Touch(e)
	}
	c.answerBit(was)
}

func (c *Context) answerBit(on bool) {
	if on {
		c.Out.Int(1)
		return
	}
	c.Out.Int(0)
}

func runGetbit(c *Context) {
	offset, ok := c.bitOffset(2)
	if !ok {
		return
	}
	h := c.Lock(c.Args[1])
	on := false
	if e, found := c.Lookup(&h); found {
		value := e.Value()
		at := int(offset >> 3)
		on = at < len(value) && value[at]&(0x80>>(offset&7)) != 0
	}
	h.Release()
	c.answerBit(on)
}

// runBitcount looks at its range only when there is a key, as Redis does.
func runBitcount(c *Context) {
	h := c.Lock(c.Args[1])
	e, found := c.Lookup(&h)
	if !found {
		h.Release()
		c.Out.Int(0)
		return
	}
	value, done := settle(&h, e)
	defer done()
	from, to := 0, 8*len(value)
	switch len(c.Args) {
	case 2:
	case 4, 5:
		start, ok := c.Int(2)
		if !ok {
			return
		}
		end, ok := c.Int(3)
		if !ok {
			return
		}
		if start < 0 && end < 0 && start > end {
			c.Out.Int(0)
			return
		}
		unit, ok := c.bitUnit(4)
		if !ok {
			return
		}
		from, to = clampRange(start, end, to/unit)
		from, to = from*unit, to*unit
	default:
		c.Error(errSyntax)
		return
	}
	c.Out.Int(int64(countBits(value, from, to)))
}

// bitUnit returns in how many bits the range of a request counts: 8, or 1 if
// argument i, which may be missing, is BIT. When it is something else that is
// the reply.
func (c *Context) bitUnit(i int) (unit int, ok bool) {
	switch {
	case i >= len(c.Args), equalFold(c.Args[i], "byte"):
		return 8, true
	case equalFold(c.Args[i], "bit"):
		return 1, true
	}
	c.Error(errSyntax)
	return 0, false
}

// countBits counts the bits that are set among bits from:to, the highest bit
// of a byte being its first.
func countBits(value []byte, from, to int) int {
	if from >= to {
		return 0
	}
	first, last := from>>3, (to-1)>>3
	n := countBytes(value[first : last+1])
	n -= bits.OnesCount8(value[first] &^ (0xff >> (from & 7)))
	n -= bits.OnesCount8(value[last] & (0x7f >> ((to - 1) & 7)))
	return n
}

func countBytes(b []byte) (n int) {
	for ; len(b) >= 32; b = b[32:] {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(b)) +
			bits.OnesCount64(binary.LittleEndian.Uint64(b[8:])) +
			bits.OnesCount64(binary.LittleEndian.Uint64(b[16:])) +
			bits.OnesCount64(binary.LittleEndian.Uint64(b[24:]))
	}
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return n
}

func runBitpos(c *Context) {
	bit, ok := c.Int(2)
	if !ok {
		return
	}
	if bit != 0 && bit != 1 {
		c.Error("ERR The bit argument must be 1 or 0.")
		return
	}
	h := c.Lock(c.Args[1])
	e, found := c.Lookup(&h)
	if !found {
		h.Release()
		c.Out.Int(-bit) // an endless row of zeros
		return
	}
	value, done := settle(&h, e)
	defer done()
	from, to, bounded, ok := c.bitposRange(len(value))
	if !ok {
		return
	}
	at := findBit(value, from, to, bit == 1)
	if at < 0 && bit == 0 && !bounded && from < to {
		at = to // behind the value there are zeros, unless an end was given
	}
	c.Out.Int(int64(at))
}

// bitposRange returns the bits BITPOS looks at in a value of n bytes, and
// whether the request gives an end. When it is wrong that is the reply.
func (c *Context) bitposRange(n int) (from, to int, bounded, ok bool) {
	if len(c.Args) == 3 {
		return 0, 8 * n, false, true
	}
	if len(c.Args) > 6 {
		c.Error(errSyntax)
		return 0, 0, false, false
	}
	start, ok := c.Int(3)
	if !ok {
		return 0, 0, false, false
	}
	unit, ok := c.bitUnit(5)
	if !ok {
		return 0, 0, false, false
	}
	total := 8 * n / unit
	end := int64(total) - 1
	if len(c.Args) > 4 {
		if end, ok = c.Int(4); !ok {
			return 0, 0, false, false
		}
		bounded = true
	}
	start, end = fromEnd(start, total), min(fromEnd(end, total), int64(total)-1)
	if start > end {
		return 0, 0, bounded, true
	}
	return int(start) * unit, (int(end) + 1) * unit, bounded, true
}

// findBit returns the position of the first bit among bits from:to that is as
// wanted, -1 when there is none.
func findBit(value []byte, from, to int, set bool) int {
	flip := byte(0)
	if !set {
		flip = 0xff
	}
	for at := from; at < to; {
		i := at >> 3
		if at&7 == 0 {
			i += skipBytes(value[i:(to+7)>>3], flip)
			if at = 8 * i; at >= to {
				return -1
			}
		}
		if x := (value[i] ^ flip) & (0xff >> (at & 7)); x != 0 {
			at = 8*i + bits.LeadingZeros8(x)
			if at >= to {
				return -1
			}
			return at
		}
		at = 8 * (i + 1)
	}
	return -1
}

// skipBytes returns how many bytes at the beginning of b are equal to skip,
// which is all zeros or all ones.
func skipBytes(b []byte, skip byte) (n int) {
	word := uint64(0)
	if skip != 0 {
		word = ^word
	}
	for n+8 <= len(b) && binary.LittleEndian.Uint64(b[n:]) == word {
		n += 8
	}
	for n < len(b) && b[n] == skip {
		n++
	}
	return n
}
