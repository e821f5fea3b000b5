package command

import (
	"math"
	"strconv"
)

func runIncr(c *Context) { c.increment(1) }
func runDecr(c *Context) { c.increment(-1) }

func runIncrby(c *Context) {
	if by, ok := c.Int(2); ok {
		c.increment(by)
	}
}

func runDecrby(c *Context) {
	by, ok := c.Int(2)
	if !ok {
		return
	}
	if by == math.MinInt64 { // has no positive counterpart
		c.Error("ERR decrement would overflow")
		return
	}
	c.increment(-by)
}

// increment adds to the integer that the first argument names. The expiry of
// the key stays.
func (c *Context) increment(by int64) {
	h := c.Lock(c.Args[1])
	defer h.Release()
	e, found := h.Peek()
	value, expireAt := int64(0), int64(0)
	if found {
		var ok bool
		if value, ok = parseInt(e.Value()); !ok {
			c.Error(errNotInteger)
			return
		}
		expireAt = e.ExpireAt()
	}
	sum := value + by
	if (sum > value) != (by > 0) && by != 0 {
		c.Error(errOverflow)
		return
	}
	var digits [20]byte
	h.Set(strconv.AppendInt(digits[:0], sum, 10), expireAt)
	if !found {
		c.notifyNew(&h)
	}
	c.Notify(NotifyString, "incrby", h.DB(), h.Key())
	c.Out.Int(sum)
}

func runIncrbyfloat(c *Context) {
	h := c.Lock(c.Args[1])
	defer h.Release()
	e, found := h.Peek()
	value, expireAt := zeroExtended(), int64(0)
	if found {
		var ok bool
		if value, ok = parseExtended(e.Value()); !ok {
			c.Error(errNotFloat)
			return
		}
		expireAt = e.ExpireAt()
	}
	by, ok := parseExtended(c.Args[2])
	if !ok {
		c.Error(errNotFloat)
		return
	}
	text, ok := addExtended(value, by)
	if !ok {
		c.Error("ERR increment would produce NaN or Infinity")
		return
	}
	h.Set(text, expireAt)
	if !found {
		c.notifyNew(&h)
	}
	c.Notify(NotifyString, "incrbyfloat", h.DB(), h.Key())
	c.Out.Bulk(text)
}
