package command

import (
	"github.com/larder-cache/larder/internal/storage/memory"
)

// stringCommands are the commands about values as strings.
var stringCommands = append(stringTable, casTable...)

func runGet(c *Context) {
	h := c.Lock(c.Args[1])
	if e, found := c.Lookup(&h); found {
		c.bulkEntry(&h, e)
	} else {
		c.Out.Null()
	}
	h.Release()
}

func runMget(c *Context) {
	keys := c.lockEvery(1, 1)
	c.Out.Array(len(c.Args) - 1)
	for i := range len(c.Args) - 1 {
		h := keys.At(i)
		if e, found := c.Lookup(h); found {
			c.bulkEntry(h, e)
		} else {
			c.Out.Null()
		}
	}
	keys.Release()
}

func runGetdel(c *Context) {
	h := c.Lock(c.Args[1])
	defer h.Release()
	e, found := c.Lookup(&h)
	if !found {
		c.Out.Null()
		return
	}
	c.bulkEntry(&h, e)
	c.remove(&h)
}

// runGetex answers as GET does and then changes the expiry. The time is looked
// at only when there is a key, as in Redis.
func runGetex(c *Context) {
	ex, ok := c.parseGetex()
	if !ok {
		return
	}
	h := c.Lock(c.Args[1])
	defer h.Release()
	e, found := c.Lookup(&h)
	if !found {
		c.Out.Null()
		return
	}
	at := int64(0)
	if ex.takesTime() {
		if at, ok = c.expiryTime(ex); !ok {
			return
		}
	}
	had := e.ExpireAt() != 0
	c.bulkEntry(&h, e)
	switch {
	case ex.takesTime() && at <= c.Now:
		c.remove(&h)
	case ex.takesTime():
		h.SetExpiry(at)
		c.Notify(NotifyGeneric, "expire", h.DB(), h.Key())
	case ex.kind == persistExpiry && had:
		h.SetExpiry(0)
		c.Notify(NotifyGeneric, "persist", h.DB(), h.Key())
	}
}

func runStrlen(c *Context) {
	h := c.Lock(c.Args[1])
	n := 0
	if e, found := c.Lookup(&h); found {
		n = len(e.Value())
	}
	h.Release()
	c.Out.Int(int64(n))
}

// remove deletes a key that a command takes away and tells of it.
func (c *Context) remove(h *memory.Handle) bool {
	if !h.Delete() {
		return false
	}
	c.Notify(NotifyGeneric, "del", h.DB(), h.Key())
	return true
}

// settle makes the value of an entry readable for longer: a large one is
// pinned and its key released at once, so that nobody waits while it is worked
// on. done gives the value back and must be called once.
func settle(h *memory.Handle, e memory.Entry) (value []byte, done func()) {
	if value, release, ok := h.Pin(e); ok {
		h.Release()
		return value, release
	}
	return e.Value(), h.Release
}
