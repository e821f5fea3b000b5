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

// restoreOptions are the options of RESTORE.
type restoreOptions struct {
	replace  bool
	absolute bool  // ABSTTL: the time to live is a time
	idle     int64 // seconds since the key was used; -1: not given
	freq     int64 // how often it is used, as OBJECT FREQ says it; -1: not given
}

func (c *Context) parseRestore() (o restoreOptions, ok bool) {
	o.idle, o.freq = -1, -1
	for i := 4; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		switch word := c.Args[i]; {
		case equalFold(word, "replace"):
			o.replace = true
		case equalFold(word, "absttl"):
			o.absolute = true
		case equalFold(word, "idletime") && more && o.freq < 0:
			i++
			n, ok := c.Int(i)
			if !ok {
				return o, false
			}
			if n < 0 {
				c.Error("ERR Invalid IDLETIME value, must be >= 0")
				return o, false
			}
			o.idle = n
		case equalFold(word, "freq") && more && o.idle < 0:
			i++
			n, ok := c.Int(i)
			if !ok {
				return o, false
			}
			if n < 0 || n > 255 {
				c.Error("ERR Invalid FREQ value, must be >= 0 and <= 255")
				return o, false
			}
			o.freq = n
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
	c.restore(key, value, ttl, o)
}

func (c *Context) restore(key, value []byte, expireAt int64, o restoreOptions) {
	h := c.Lock(key)
	defer h.Release()
	if _, taken := h.Find(); taken && !o.replace {
		c.Error(errBusyKey)
		return
	}
	if expireAt != 0 && expireAt <= c.Now {
		c.remove(&h) // expired on the way
		c.Out.OK()
		return
	}
	h.Set(value, expireAt)
	if e, found := h.Peek(); found {
		if o.idle >= 0 {
			h.SetIdle(e, o.idle)
		}
		if o.freq >= 0 {
			h.SetFrequency(e, uint8(o.freq))
		}
	}
	c.notifyNew(&h)
	c.Notify(NotifyGeneric, "restore", h.DB(), h.Key())
	c.Out.OK()
}
