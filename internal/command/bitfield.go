package command

import (
	"math"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// bitfieldOp is one operation of BITFIELD.
type bitfieldOp struct {
	verb     bitfieldVerb
	field    bitField
	number   int64 // value to set or increment
	overflow overflow
}

type bitfieldVerb uint8

const (
	fieldGet bitfieldVerb = iota
	fieldSet
	fieldIncrement
)

// overflow tells what happens to a number that its field cannot hold.
type overflow uint8

const (
	wrapAround overflow = iota
	saturate
	failOverflow
)

// bitField is an integer of any width inside a value.
type bitField struct {
	offset int64 // number of its first bit
	bits   uint  // 1 to 64, unsigned at most 63
	signed bool
}

const errFieldType = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."

// parseBitfield parses the operations; when they are wrong that is the reply.
func (c *Context) parseBitfield() (ops []bitfieldOp, ok bool) {
	mode := wrapAround
	for i := 2; i < len(c.Args); {
		left := len(c.Args) - i - 1
		op := bitfieldOp{overflow: mode}
		switch word := c.Args[i]; {
		case equalFold(word, "get") && left >= 2:
		case equalFold(word, "set") && left >= 3:
			op.verb = fieldSet
		case equalFold(word, "incrby") && left >= 3:
			op.verb = fieldIncrement
		case equalFold(word, "overflow") && left >= 1:
			if mode, ok = c.overflowMode(i + 1); !ok {
				return nil, false
			}
			i += 2
			continue
		default:
			c.Error(errSyntax)
			return nil, false
		}
		if op.field, ok = c.bitField(i + 1); !ok {
			return nil, false
		}
		i += 3
		if op.verb != fieldGet {
			if op.number, ok = c.Int(i); !ok {
				return nil, false
			}
			i++
		}
		ops = append(ops, op)
	}
	return ops, true
}

func (c *Context) overflowMode(i int) (mode overflow, ok bool) {
	switch word := c.Args[i]; {
	case equalFold(word, "wrap"):
		return wrapAround, true
	case equalFold(word, "sat"):
		return saturate, true
	case equalFold(word, "fail"):
		return failOverflow, true
	}
	c.Error("ERR Invalid OVERFLOW type specified")
	return 0, false
}

// bitField parses arguments i and i+1, a type such as u8 and an offset, which
// with # in front counts in fields.
func (c *Context) bitField(i int) (f bitField, ok bool) {
	kind := clip(c.Args[i], len(c.Args[i]))
	if len(kind) < 2 || kind[0] != 'i' && kind[0] != 'u' {
		c.Error(errFieldType)
		return f, false
	}
	f.signed = kind[0] == 'i'
	width, ok := parseInt(kind[1:])
	if !ok || width < 1 || width > 64 || width == 64 && !f.signed {
		c.Error(errFieldType)
		return f, false
	}
	f.bits = uint(width)
	text, scale := c.Args[i+1], int64(1)
	if len(text) > 0 && text[0] == '#' {
		text, scale = text[1:], width
	}
	offset, ok := parseInt(text)
	limit := int64(c.Exec.Limits().MaxValue)
	if !ok || offset < 0 || offset > math.MaxInt64/scale || offset*scale>>3 >= limit {
		c.Error(errBitOffset)
		return f, false
	}
	f.offset = offset * scale
	return f, true
}

func runBitfield(c *Context) {
	ops, ok := c.parseBitfield()
	if !ok {
		return
	}
	c.bitfield(ops)
}

func runBitfieldRo(c *Context) {
	ops, ok := c.parseBitfield()
	if !ok {
		return
	}
	if bytesWritten(ops) > 0 {
		c.Error("ERR BITFIELD_RO only supports the GET subcommand")
		return
	}
	c.bitfield(ops)
}

// bytesWritten returns the length a value must have for what the operations
// write, 0 when they only read.
func bytesWritten(ops []bitfieldOp) (n int) {
	for i := range ops {
		if f := ops[i].field; ops[i].verb != fieldGet {
			n = max(n, int((f.offset+int64(f.bits)-1)>>3)+1)
		}
	}
	return n
}

// bitfield runs the operations one after the other on one key. The value grows
// to what is written furthest, even if that then fails for an overflow.
func (c *Context) bitfield(ops []bitfieldOp) {
	h := c.Lock(c.Args[1])
	defer h.Release()
	edit := fieldEdit{c: c, h: &h, need: bytesWritten(ops)}
	edit.open()
	c.Out.Array(len(ops))
	for i := range ops {
		edit.run(&ops[i])
	}
	if edit.changed {
		c.Notify(NotifyString, "setbit", h.DB(), h.Key())
	}
}

// fieldEdit is a BITFIELD under way.
type fieldEdit struct {
	c        *Context
	h        *memory.Handle
	need     int // bytes the value must have for what is to be written, 0 when nothing is
	value    []byte
	grown    bool
	writable bool // value may be written
	changed  bool
}

// open finds the value. Only a request that writes nothing is a read for which
// a source may be asked.
func (f *fieldEdit) open() {
	find := f.h.Find
	if f.need == 0 {
		find = func() (memory.Entry, bool) { return f.c.Lookup(f.h) }
	}
	e, found := find()
	if found {
		f.value = e.Value()
	}
	if f.need > len(f.value) {
		f.grown = true
		f.write()
		if !found {
			f.c.notifyNew(f.h)
		}
	}
}

// write makes the value writable.
func (f *fieldEdit) write() {
	if !f.writable {
		f.value = f.h.Resize(max(f.need, len(f.value)))
		f.writable = true
	}
}

// run does one operation and answers it.
func (f *fieldEdit) run(op *bitfieldOp) {
	old := op.field.read(f.value)
	if op.verb == fieldGet {
		f.c.Out.Int(old)
		return
	}
	next, ok := op.next(old)
	if !ok {
		f.c.Out.Null()
		return
	}
	if next != old {
		f.write()
		op.field.write(f.value, next)
	}
	f.changed = f.changed || f.grown || next != old
	if op.verb == fieldSet {
		next = old
	}
	f.c.Out.Int(next)
}

// next returns what the operation makes of the number in its field; ok is
// false when it does not fit and is not to be written.
func (op *bitfieldOp) next(old int64) (v int64, ok bool) {
	lowest, highest := op.field.limits()
	base, by := old, op.number
	if op.verb == fieldSet {
		base, by = op.number, 0
	}
	var over, under bool
	if op.field.signed {
		over = base > highest || by > 0 && base > highest-by
		under = !over && (base < lowest || by < 0 && base < lowest-by)
	} else {
		// A negative number to set is a large unsigned one.
		over = uint64(base) > uint64(highest) || by > 0 && base > highest-by
		under = !over && by < 0 && base < -by
		if by == math.MinInt64 {
			under = true
		}
	}
	switch {
	case !over && !under:
		return base + by, true
	case op.overflow == failOverflow:
		return 0, false
	case op.overflow == wrapAround:
		return op.field.wrap(uint64(base) + uint64(by)), true
	case over:
		return highest, true
	}
	return lowest, true
}

// limits returns the smallest and the largest number the field can hold.
func (f bitField) limits() (lowest, highest int64) {
	if f.signed {
		highest = int64(uint64(1)<<(f.bits-1) - 1)
		return -highest - 1, highest
	}
	return 0, int64(uint64(1)<<f.bits - 1)
}

// wrap cuts a number to the width of the field.
func (f bitField) wrap(v uint64) int64 {
	v <<= 64 - f.bits
	if f.signed {
		return int64(v) >> (64 - f.bits)
	}
	return int64(v >> (64 - f.bits))
}

// read returns the number in the field; what lies behind the value is zero.
func (f bitField) read(value []byte) int64 {
	var v uint64
	first, shift := int(f.offset>>3), uint(f.offset&7)
	for i := range 8 {
		v <<= 8
		if at := first + i; at < len(value) {
			v |= uint64(value[at])
		}
	}
	v <<= shift
	if at := first + 8; shift > 0 && at < len(value) {
		v |= uint64(value[at]) >> (8 - shift)
	}
	return f.wrap(v >> (64 - f.bits))
}

// write stores a number in the field, all of which lies within the value.
func (f bitField) write(value []byte, v int64) {
	left := f.bits // bits still to be written, the lowest ones of v
	at := f.offset
	for left > 0 {
		room := uint(8 - at&7) // bits of this byte from the position on
		n := min(room, left)
		mask := byte(1<<n-1) << (room - n)
		part := byte(uint64(v)>>(left-n)) << (room - n)
		value[at>>3] = value[at>>3]&^mask | part&mask
		at += int64(n)
		left -= n
	}
}
