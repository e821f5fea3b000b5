package command

import "math"

// expireRule are the options of EXPIRE and its relatives.
type expireRule struct {
	ifNone, ifAny      bool // NX, XX
	ifLater, ifEarlier bool // GT, LT
}

func (c *Context) parseExpireRule() (r expireRule, ok bool) {
	for _, word := range c.Args[3:] {
		switch {
		case equalFold(word, "nx"):
			r.ifNone = true
		case equalFold(word, "xx"):
			r.ifAny = true
		case equalFold(word, "gt"):
			r.ifLater = true
		case equalFold(word, "lt"):
			r.ifEarlier = true
		default:
			c.Error("ERR Unsupported option " + string(clip(word, len(word))))
			return r, false
		}
	}
	switch {
	case r.ifNone && (r.ifAny || r.ifLater || r.ifEarlier):
		c.Error("ERR NX and XX, GT or LT options at the same time are not compatible")
		return r, false
	case r.ifLater && r.ifEarlier:
		c.Error("ERR GT and LT options at the same time are not compatible")
		return r, false
	}
	return r, true
}

// allows tells whether a key that expires at old (0: never, which counts as
// later than any time) may be made to expire at when.
func (r expireRule) allows(old, when int64) bool {
	switch {
	case r.ifNone && old != 0,
		r.ifAny && old == 0,
		r.ifLater && (old == 0 || when <= old),
		r.ifEarlier && old != 0 && when >= old:
		return false
	}
	return true
}

func runExpire(c *Context)    { c.expire(c.Now, 1000) }
func runPexpire(c *Context)   { c.expire(c.Now, 1) }
func runExpireat(c *Context)  { c.expire(0, 1000) }
func runPexpireat(c *Context) { c.expire(0, 1) }

// expire makes a key expire at the time given, in units of that many
// milliseconds after base. In the past that is to delete it.
func (c *Context) expire(base, unit int64) {
	var rule expireRule
	ok := true
	if len(c.Args) > 3 {
		if rule, ok = c.parseExpireRule(); !ok {
			return
		}
	}
	when, ok := c.Int(2)
	if !ok {
		return
	}
	if when > math.MaxInt64/unit || when < math.MinInt64/unit || when*unit > math.MaxInt64-base {
		c.badExpiry()
		return
	}
	when = when*unit + base
	h := c.Lock(c.Args[1])
	defer h.Release()
	e, found := h.Find()
	switch {
	case !found || !rule.allows(e.ExpireAt(), when):
		c.Out.Int(0)
		return
	case when <= c.Now:
		c.remove(&h)
	default:
		h.SetExpiry(when)
		c.Notify(NotifyGeneric, "expire", h.DB(), h.Key())
	}
	c.Out.Int(1)
}

func runTtl(c *Context)         { c.ttl(c.Now, 1000) }
func runPttl(c *Context)        { c.ttl(c.Now, 1) }
func runExpiretime(c *Context)  { c.ttl(0, 1000) }
func runPexpiretime(c *Context) { c.ttl(0, 1) }

// ttl answers with the expiry of a key, in units of that many milliseconds
// since base, rounded; -1 when it has none and -2 when there is no key.
func (c *Context) ttl(base, unit int64) {
	h := c.Lock(c.Args[1])
	e, found := c.Exists(&h)
	at := int64(0)
	if found {
		at = c.Cache.FreshUntil(&h, e)
	}
	h.Release()
	switch {
	case !found:
		c.Out.Int(-2)
	case at == 0:
		c.Out.Int(-1)
	default:
		left := max(at-base, 0)
		whole := left / unit
		if unit > 1 && left%unit >= unit/2 {
			whole++
		}
		c.Out.Int(whole)
	}
}

func runPersist(c *Context) {
	h := c.Lock(c.Args[1])
	defer h.Release()
	e, found := h.Find()
	if !found || e.ExpireAt() == 0 {
		c.Out.Int(0)
		return
	}
	h.SetExpiry(0)
	c.Notify(NotifyGeneric, "persist", h.DB(), h.Key())
	c.Out.Int(1)
}
