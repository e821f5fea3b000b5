package command

import (
	"github.com/larder-cache/larder/internal/storage/memory"
)

// put stores argument i as the value of a locked key. A large argument that
// was received into engine memory is taken over as it is.
//
// Invariant: one command is one use of an entry. Set, Adopt and Resize tell the
// eviction policy themselves, so a handler that is going to write peeks.
func (c *Context) put(h *memory.Handle, i int, expireAt int64) {
	added := c.adds(h)
	if st := c.staged(i); st != nil {
		h.Adopt(st, expireAt)
	} else {
		h.Set(c.Args[i], expireAt)
	}
	if added {
		c.notifyNew(h)
	}
	c.Notify(NotifyString, "set", h.DB(), h.Key())
}

// adds reports whether a write of the key is going to create it, if somebody
// wants to know.
func (c *Context) adds(h *memory.Handle) bool {
	if !c.Exec.notifier.wants(NotifyNew) {
		return false
	}
	_, found := h.Peek()
	return !found
}

func (c *Context) notifyNew(h *memory.Handle) {
	c.Notify(NotifyNew, "new", h.DB(), h.Key())
}

func runSet(c *Context) {
	if len(c.Args) > 3 {
		c.setWithOptions()
		return
	}
	h := c.Lock(c.Args[1])
	c.put(&h, 2, 0)
	h.Release()
	c.Out.OK()
}

// setOptions are the options of SET.
type setOptions struct {
	condition condition
	get       bool // answer with the old value
	expiry    expiryOption
}

// parseSet parses the options of SET; when they are wrong that is the reply.
func (c *Context) parseSet() (o setOptions, ok bool) {
	for i := 3; i < len(c.Args); {
		if equalFold(c.Args[i], "get") {
			o.get = true
			i++
			continue
		}
		if i, ok = o.condition.parse(c.Args, i); ok {
			continue
		}
		if i, ok = o.expiry.parse(c.Args, i); !ok || o.expiry.kind == persistExpiry {
			c.Error(errSyntax)
			return o, false
		}
	}
	if !o.condition.valid() {
		c.Error(errDigest)
		return o, false
	}
	return o, true
}

// setWithOptions is SET with anything behind the value.
func (c *Context) setWithOptions() {
	o, ok := c.parseSet()
	if !ok {
		return
	}
	at := int64(0)
	if o.expiry.takesTime() {
		if at, ok = c.expiryTime(o.expiry); !ok {
			return
		}
	}
	h := c.Lock(c.Args[1])
	defer h.Release()
	var old memory.Entry
	var found bool
	if o.get {
		if old, found = c.Exists(&h); found {
			c.bulkEntry(&h, old)
		} else {
			c.Out.Null()
		}
	}
	old, found = h.Peek()
	if !o.condition.holds(old, found) {
		if found {
			h.Touch(old)
		}
		if !o.get {
			c.Out.Null()
		}
		return
	}
	if o.expiry.kind == keepExpiry && found {
		at = old.ExpireAt()
	}
	c.put(&h, 2, at)
	if o.expiry.takesTime() {
		c.Notify(NotifyGeneric, "expire", h.DB(), h.Key())
	}
	if !o.get {
		c.Out.OK()
	}
}

func runSetnx(c *Context) {
	h := c.Lock(c.Args[1])
	defer h.Release()
	if _, found := h.Find(); found {
		c.Out.Int(0)
		return
	}
	c.put(&h, 2, 0)
	c.Out.Int(1)
}

func runSetex(c *Context)  { c.setUntil(expiryOption{inSeconds, c.Args[2]}) }
func runPsetex(c *Context) { c.setUntil(expiryOption{inMillis, c.Args[2]}) }

// setUntil is SETEX and PSETEX: the value is the last argument.
func (c *Context) setUntil(o expiryOption) {
	at, ok := c.expiryTime(o)
	if !ok {
		return
	}
	h := c.Lock(c.Args[1])
	c.put(&h, 3, at)
	c.Notify(NotifyGeneric, "expire", h.DB(), h.Key())
	h.Release()
	c.Out.OK()
}

// runGetset replaces what a key has, so a source is not asked for it.
func runGetset(c *Context) {
	h := c.Lock(c.Args[1])
	defer h.Release()
	if e, found := c.Exists(&h); found {
		c.bulkEntry(&h, e)
	} else {
		c.Out.Null()
	}
	c.put(&h, 2, 0)
}

func runMset(c *Context) {
	if len(c.Args)%2 == 0 {
		c.badArity()
		return
	}
	keys := c.lockEvery(1, 2)
	c.putPairs(keys)
	keys.Release()
	c.Out.OK()
}

func runMsetnx(c *Context) {
	if len(c.Args)%2 == 0 {
		c.badArity()
		return
	}
	keys := c.lockEvery(1, 2)
	defer keys.Release()
	for i := range len(c.Args) / 2 {
		if _, found := keys.At(i).Find(); found {
			c.Out.Int(0)
			return
		}
	}
	c.putPairs(keys)
	c.Out.Int(1)
}

// putPairs stores the values that follow each key, the first key being
// argument 1.
func (c *Context) putPairs(keys *memory.Handles) {
	for i := range len(c.Args) / 2 {
		c.put(keys.At(i), 2*i+2, 0)
	}
}

func (c *Context) badArity() {
	c.Error("ERR wrong number of arguments for '" + c.Cmd.FullName() + "' command")
}
