package command

import (
	"time"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// object finds the key of a subcommand of OBJECT without touching it; when it
// does not exist null is the reply. The caller releases the handle in any case.
func (c *Context) object(h *memory.Handle) (e memory.Entry, found bool) {
	if e, found = c.Cache.Inspect(h); !found {
		c.Out.Null()
	}
	return e, found
}

func runObjectEncoding(c *Context) {
	h := c.Lock(c.Args[2])
	defer h.Release()
	if e, found := c.object(&h); found {
		c.Out.BulkString(encoding(e))
	}
}

// embeddedLen is the length in bytes of the longest value that Redis keeps in
// one piece with its key.
const embeddedLen = 44

// encoding names the form in which Redis would keep a value. Ours is one for
// all, but programs ask for it to tell numbers from texts.
func encoding(e memory.Entry) string {
	value := e.Value()
	if e.IsRaw() {
		return "raw"
	}
	if _, ok := parseInt(value); ok {
		return "int"
	}
	if len(value) <= embeddedLen {
		return "embstr"
	}
	return "raw"
}

func runObjectFreq(c *Context) {
	store := c.Cache.Store()
	policy := store.Policy()
	h := c.Lock(c.Args[2])
	defer h.Release()
	e, found := c.object(&h)
	if !found {
		return
	}
	if f, ok := store.Frequency(e); ok {
		c.Out.Int(int64(f))
	} else if policy.CountsFrequency() {
		c.Error("ERR The eviction policy " + policy.String() + " counts the use of keys with an expiry only.")
	} else {
		c.Error("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")
	}
}

func runObjectIdletime(c *Context) {
	store := c.Cache.Store()
	policy := store.Policy()
	h := c.Lock(c.Args[2])
	defer h.Release()
	e, found := c.object(&h)
	if !found {
		return
	}
	if idle, ok := store.Idle(e, c.Now); ok {
		c.Out.Int(int64(idle / time.Second))
	} else if policy.CountsFrequency() {
		c.Error("ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")
	} else {
		c.Error("ERR The eviction policy " + policy.String() + " does not keep when a key was used, idle time not tracked.")
	}
}

// runObjectRefcount answers 1: no value is shared.
func runObjectRefcount(c *Context) {
	h := c.Lock(c.Args[2])
	defer h.Release()
	if _, found := c.object(&h); found {
		c.Out.Int(1)
	}
}

func runObjectHelp(c *Context) {
	c.help("OBJECT",
		"ENCODING <key>",
		"    Return the form in which the value of <key> is kept.",
		"FREQ <key>",
		"    Return how often <key> is used, on a logarithmic scale, if the eviction",
		"    policy counts it.",
		"IDLETIME <key>",
		"    Return the seconds since <key> was last used, if the eviction policy",
		"    keeps it.",
		"REFCOUNT <key>",
		"    Return the number of references to the value of <key>.",
	)
}
