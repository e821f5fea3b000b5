package command

import (
	"math"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// fits reports whether a value of offset + n bytes may be stored; when it may
// not, that is the reply.
func (c *Context) fits(offset int64, n int) bool {
	if offset > int64(c.Exec.Limits().MaxValue)-int64(n) {
		c.Error(errStringLimit)
		return false
	}
	return true
}

func runAppend(c *Context) {
	h := c.Lock(c.Args[1])
	defer h.Release()
	e, found := h.Peek()
	if !found {
		h.Set(c.Args[2], 0)
		c.notifyNew(&h)
		c.Notify(NotifyString, "append", h.DB(), h.Key())
		c.Out.Int(int64(len(c.Args[2])))
		return
	}
	old := len(e.Value())
	if !c.fits(int64(old), len(c.Args[2])) {
		return
	}
	value := h.Resize(old + len(c.Args[2]))
	copy(value[old:], c.Args[2])
	c.Notify(NotifyString, "append", h.DB(), h.Key())
	c.Out.Int(int64(len(value)))
}

func runSetrange(c *Context) {
	offset, ok := c.Int(2)
	if !ok {
		return
	}
	if offset < 0 {
		c.Error("ERR offset is out of range")
		return
	}
	part := c.Args[3]
	h := c.Lock(c.Args[1])
	defer h.Release()
	old := 0
	e, found := h.Peek()
	if found {
		old = len(e.Value())
	}
	if len(part) == 0 {
		c.Out.Int(int64(old))
		return
	}
	if !c.fits(offset, len(part)) {
		return
	}
	value := h.Resize(max(old, int(offset)+len(part)))
	copy(value[offset:], part)
	if !found {
		c.notifyNew(&h)
	}
	c.Notify(NotifyString, "setrange", h.DB(), h.Key())
	c.Out.Int(int64(len(value)))
}

func runSubstr(c *Context) { runGetrange(c) }

func runGetrange(c *Context) {
	start, ok := c.Int(2)
	if !ok {
		return
	}
	end, ok := c.Int(3)
	if !ok {
		return
	}
	h := c.Lock(c.Args[1])
	defer h.Release()
	e, found := c.Lookup(&h)
	if !found {
		c.Out.BulkString("")
		return
	}
	from, to := clampRange(start, end, len(e.Value()))
	c.bulkPart(&h, e, from, to)
}

// bulkPart answers with bytes from:to of an entry's value, without copying
// them when they are many.
func (c *Context) bulkPart(h *memory.Handle, e memory.Entry, from, to int) {
	if to-from >= memory.PinThreshold {
		if value, release, ok := h.Pin(e); ok {
			c.Out.BulkRef(value[from:to], release)
			return
		}
	}
	c.Out.Bulk(e.Value()[from:to])
}

// clampRange turns the range of a request, both ends included and negative
// ones counted from the end, into a half-open one within n elements. It is
// empty (0, 0) when nothing is in it.
func clampRange(start, end int64, n int) (from, to int) {
	if start < 0 && end < 0 && start > end {
		return 0, 0
	}
	start, end = fromEnd(start, n), min(fromEnd(end, n), int64(n)-1)
	if start > end {
		return 0, 0
	}
	return int(start), int(end) + 1
}

// fromEnd resolves an index that counts from the end when it is negative; what
// is before the beginning becomes the beginning.
func fromEnd(i int64, n int) int64 {
	if i < 0 {
		i += int64(n)
	}
	return min(max(i, 0), math.MaxInt64-1)
}
