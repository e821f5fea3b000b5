package command

import (
	"bytes"
	"encoding/hex"
	"math"

	"github.com/zeebo/xxh3"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// condition is what has to be true of a key for SET or DELEX to act: the
// compare-and-set forms of Redis 8.4, of which Valkey has IFEQ.
type condition struct {
	kind    conditionKind
	operand []byte // the value or digest to compare with
}

type conditionKind uint8

const (
	always          conditionKind = iota
	ifAbsent                      // NX
	ifPresent                     // XX
	ifEqual                       // IFEQ: present with this value
	ifNotEqual                    // IFNE: absent, or present with another value
	ifDigestEqual                 // IFDEQ: present with a value of this digest
	ifDigestDiffers               // IFDNE: absent, or present with another digest
)

// digestLen is the length of a digest: 64 bits in hexadecimal digits.
const digestLen = 16

// parse understands the option at position i of a request as a condition and
// returns the position of the next one; ok is false when it is none, lacks its
// operand or contradicts another. NX and XX may be repeated.
func (o *condition) parse(args [][]byte, i int) (next int, ok bool) {
	kind := conditionWord(args[i])
	switch {
	case kind == always:
		return i, false
	case kind == ifAbsent || kind == ifPresent:
		if o.kind != always && o.kind != kind {
			return i, false
		}
		o.kind = kind
		return i + 1, true
	case o.kind != always || i+1 >= len(args):
		return i, false
	}
	o.kind, o.operand = kind, args[i+1]
	return i + 2, true
}

func conditionWord(word []byte) conditionKind {
	switch {
	case equalFold(word, "nx"):
		return ifAbsent
	case equalFold(word, "xx"):
		return ifPresent
	}
	return comparisonWord(word)
}

func comparisonWord(word []byte) conditionKind {
	switch {
	case equalFold(word, "ifeq"):
		return ifEqual
	case equalFold(word, "ifne"):
		return ifNotEqual
	case equalFold(word, "ifdeq"):
		return ifDigestEqual
	case equalFold(word, "ifdne"):
		return ifDigestDiffers
	}
	return always
}

// valid reports whether a digest has the length of one. Its digits are not
// looked at: what is no digest equals none.
func (o *condition) valid() bool {
	return o.kind != ifDigestEqual && o.kind != ifDigestDiffers || len(o.operand) == digestLen
}

// holds tells whether the condition is true of a key; e is its entry if found.
func (o *condition) holds(e memory.Entry, found bool) bool {
	switch o.kind {
	case ifAbsent:
		return !found
	case ifPresent:
		return found
	case ifEqual:
		return found && bytes.Equal(e.Value(), o.operand)
	case ifNotEqual:
		return !found || !bytes.Equal(e.Value(), o.operand)
	case ifDigestEqual:
		return found && o.sameDigest(e.Value())
	case ifDigestDiffers:
		return !found || !o.sameDigest(e.Value())
	}
	return true
}

func (o *condition) sameDigest(value []byte) bool {
	d := digest(value)
	return bytes.EqualFold(d[:], o.operand)
}

// digest is XXH3 with 64 bits and no seed, in hexadecimal digits.
func digest(value []byte) (text [digestLen]byte) {
	h := xxh3.Hash(value)
	var raw [8]byte
	for i := range raw {
		raw[i] = byte(h >> (56 - 8*i))
	}
	hex.Encode(text[:], raw[:])
	return text
}

func runDigest(c *Context) {
	h := c.Lock(c.Args[1])
	e, found := c.Lookup(&h)
	if !found {
		h.Release()
		c.Out.Null()
		return
	}
	value, done := settle(&h, e)
	d := digest(value)
	done()
	c.Out.Bulk(d[:])
}

func runDelifeq(c *Context) {
	c.removeIf(condition{ifEqual, c.Args[2]})
}

// runDelex deletes a key if a comparison holds. Of a missing key the
// comparison is not even parsed, as in Redis.
func runDelex(c *Context) {
	if len(c.Args) != 2 && len(c.Args) != 4 {
		c.badArity()
		return
	}
	if len(c.Args) == 2 {
		c.removeIf(condition{})
		return
	}
	c.removeIf(condition{comparisonWord(c.Args[2]), c.Args[3]})
}

func (c *Context) removeIf(o condition) {
	h := c.Lock(c.Args[1])
	defer h.Release()
	e, found := h.Find()
	switch {
	case !found:
		c.Out.Int(0)
	case o.kind == always && o.operand != nil:
		c.Error("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")
	case !o.valid():
		c.Error(errDigest)
	case !o.holds(e, found):
		c.Out.Int(0)
	default:
		c.remove(&h)
		c.Out.Int(1)
	}
}

// runMsetex is MSET with a condition on all keys together and one expiry.
func runMsetex(c *Context) {
	n, ok := parseInt(c.Args[1])
	if !ok || n < 1 || n > math.MaxInt32 {
		c.Error("ERR invalid numkeys value or out of range")
		return
	}
	if n > int64(len(c.Args)-2)/2 {
		c.Error("ERR wrong number of key-value pairs")
		return
	}
	pairs := int(n)
	cond, ex, ok := c.parseMsetex(2 + 2*pairs)
	if !ok {
		return
	}
	at := int64(0)
	if ex.takesTime() {
		if at, ok = c.expiryTime(ex); !ok {
			return
		}
	}
	all := c.Args
	c.Args = all[:2+2*pairs]
	keys := c.lockEvery(2, 2)
	c.Args = all
	defer keys.Release()
	for i := range pairs {
		if e, found := keys.At(i).Peek(); !cond.holds(e, found) {
			c.Out.Int(0)
			return
		}
	}
	for i := range pairs {
		h := keys.At(i)
		until := at
		if ex.kind == keepExpiry {
			if e, found := h.Peek(); found {
				until = e.ExpireAt()
			}
		}
		c.put(h, 2*i+3, until)
		if ex.takesTime() {
			c.Notify(NotifyGeneric, "expire", h.DB(), h.Key())
		}
	}
	c.Out.Int(1)
}

// parseMsetex parses the options of MSETEX, which start at position i.
func (c *Context) parseMsetex(i int) (cond condition, ex expiryOption, ok bool) {
	for i < len(c.Args) {
		if word := conditionWord(c.Args[i]); word == ifAbsent || word == ifPresent {
			i, ok = cond.parse(c.Args, i)
		} else {
			i, ok = ex.parse(c.Args, i)
		}
		if !ok || ex.kind == persistExpiry {
			c.Error(errSyntax)
			return cond, ex, false
		}
	}
	return cond, ex, true
}

// casTable are the rows of the commands that newer servers have: Redis 8.4,
// and Valkey 9 for DELIFEQ.
var casTable = []*Command{
	{
		Name: "delex", Arity: -2, Flags: Write | Fast, Category: CatString,
		Group: "string", Since: "8.4.0", Cost: "O(1), for a digest O(N), N being the length of the value",
		Summary: "Deletes a key if its value, or the digest of that, compares as told.",
		Keys:    oneKey(KeyRM | KeyAccess | KeyDelete),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "condition", Type: "oneof", Optional: true, Args: comparisonArgs},
		},
		Run: runDelex,
	},
	{
		Name: "delifeq", Arity: 3, Flags: Write | Fast, Category: CatString,
		Group: "string", Since: "9.0.0", Cost: "O(1)",
		Summary: "Deletes a key if it has the given value.",
		Keys:    oneKey(KeyRM | KeyAccess | KeyDelete),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
			{Name: "value", Type: "string"},
		},
		Run: runDelifeq,
	},
	{
		Name: "digest", Arity: 2, Flags: ReadOnly | Fast, Category: CatString,
		Group: "string", Since: "8.4.0", Cost: "O(N), N being the length of the value",
		Summary: "Returns the digest (XXH3, 64 bits) of a value.",
		Keys:    oneKey(KeyRO | KeyAccess),
		Args: []Arg{
			{Name: "key", Type: "key", KeySpec: 1},
		},
		Run: runDigest,
	},
	{
		Name: "msetex", Arity: -4, Flags: Write | DenyOOM | MovableKeys, Category: CatString,
		Group: "string", Since: "8.4.0", Cost: "O(N), N being the number of keys",
		Summary: "Stores several keys at once with one expiry, if a condition holds for all of them.",
		Keys:    []KeySpec{{First: 2, Step: 2, NumAt: 1, Flags: KeyOW | KeyUpdate}},
		Tips:    []string{"request_policy:multi_shard", "response_policy:all_succeeded"},
		Args: []Arg{
			{Name: "numkeys", Type: "integer"},
			{Name: "data", Type: "block", Multiple: true, Args: []Arg{
				{Name: "key", Type: "key", KeySpec: 1},
				{Name: "value", Type: "string"},
			}},
			{Name: "condition", Type: "oneof", Optional: true, Args: []Arg{
				{Name: "nx", Type: "pure-token", Token: "NX"},
				{Name: "xx", Type: "pure-token", Token: "XX"},
			}},
			{Name: "expiration", Type: "oneof", Optional: true, Args: []Arg{
				{Name: "seconds", Type: "integer", Token: "EX"},
				{Name: "milliseconds", Type: "integer", Token: "PX"},
				{Name: "unix-time-seconds", Type: "unix-time", Token: "EXAT"},
				{Name: "unix-time-milliseconds", Type: "unix-time", Token: "PXAT"},
				{Name: "keepttl", Type: "pure-token", Token: "KEEPTTL"},
			}},
		},
		Run: runMsetex,
	},
}

// comparisonArgs document the comparisons of SET and DELEX.
var comparisonArgs = []Arg{
	{Name: "ifeq-value", Type: "string", Token: "IFEQ", Since: "8.4.0"},
	{Name: "ifne-value", Type: "string", Token: "IFNE", Since: "8.4.0"},
	{Name: "ifdeq-digest", Type: "string", Token: "IFDEQ", Since: "8.4.0"},
	{Name: "ifdne-digest", Type: "string", Token: "IFDNE", Since: "8.4.0"},
}
