package command

func runDump(c *Context) {
	h := c.Lock(c.Args[1])
	e, found := c.Lookup(&h)
	if !found {
		h.Release()
		c.Out.Null()
		return
	}
	value, done := settle(&h, e)
	payload := appendDump(nil, value)
	done()
	c.Out.Bulk(payload)
}

// restoreOptions are the options of RESTORE. IDLETIME and FREQ are checked but
// have no effect: a restored key counts as just used.
type restoreOptions struct {
	replace  bool
	absolute bool // ABSTTL: the time to live is a time
}

func (c *Context) parseRestore() (o restoreOptions, ok bool) {
	var idle, freq bool
	for i := 4; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		switch word := c.Args[i]; {
		case equalFold(word, "replace"):
			o.replace = true
		case equalFold(word, "absttl"):
			o.absolute = true
		case equalFold(word, "idletime") && more && !freq:
			i++
			n, ok := c.Int(i)
			if !ok {
				return o, false
			}
			if n < 0 {
				c.Error("ERR Invalid IDLETIME value, must be >= 0")
				return o, false
			}
			idle = true
		case equalFold(word, "freq") && more && !idle:
			i++
			n, ok := c.Int(i)
			if !ok {
				return o, false
			}
			if n < 0 || n > 255 {
				c.Error("ERR Invalid FREQ value, must be >= 0 and <= 255")
				return o, false
			}
			freq = true
		default:
			c.Error(errSyntax)
			return o, false
		}
	}
	return o, true
}

// runRestore looks for the key twice: first since Redis complains of a taken
// name before it looks at the payload, then, with the payload unpacked, for
// good.
func runRestore(c *Context) {
	o, ok := c.parseRestore()
	if !ok {
		return
	}
	key := c.Args[1]
	if !o.replace {
		h := c.Lock(key)
		_, taken := h.Peek()
		h.Release()
		if taken {
			c.Error(errBusyKey)
			return
		}
	}
	ttl, ok := c.Int(2)
	if !ok {
		return
	}
	if ttl < 0 {
		c.Error("ERR Invalid TTL value, must be >= 0")
		return
	}
	value, refusal := parseDump(c.Args[3], c.Exec.Limits().MaxValue)
	if refusal != "" {
		c.Error(refusal)
		return
	}
	if ttl != 0 && !o.absolute {
		ttl += c.Now
	}
	c.restore(key, value, ttl, o.replace)
}

func (c *Context) restore(key, value []byte, expireAt int64, replace bool) {
	h := c.Lock(key)
	defer h.Release()
	if _, taken := h.Find(); taken && !replace {
		c.Error(errBusyKey)
		return
	}
	if expireAt != 0 && expireAt <= c.Now {
		c.remove(&h) // expired on the way
		c.Out.OK()
		return
	}
	h.Set(value, expireAt)
	c.notifyNew(&h)
	c.Notify(NotifyGeneric, "restore", h.DB(), h.Key())
	c.Out.OK()
}
