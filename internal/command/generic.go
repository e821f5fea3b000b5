package command

import (
	"bytes"
	"math"
	"slices"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// genericCommands are the commands about keys whatever their values are, and
// about whole databases.
var genericCommands = slices.Concat(keyTable, expireTable, transferTable)

// runDel locks one key after the other: DEL promises no moment at which all
// are gone.
func runDel(c *Context) {
	n := 0
	for _, key := range c.Args[1:] {
		h := c.Lock(key)
		if c.remove(&h) {
			n++
		}
		h.Release()
	}
	c.Out.Int(int64(n))
}

// runUnlink is DEL: freeing an entry takes no longer for a large value.
func runUnlink(c *Context) { runDel(c) }

func runExists(c *Context) {
	n := 0
	for _, key := range c.Args[1:] {
		h := c.Lock(key)
		if _, found := c.Exists(&h); found {
			n++
		}
		h.Release()
	}
	c.Out.Int(int64(n))
}

func runTouch(c *Context) {
	n := 0
	for _, key := range c.Args[1:] {
		h := c.Lock(key)
		if e, found := c.Exists(&h); found {
			h.Touch(e)
			n++
		}
		h.Release()
	}
	c.Out.Int(int64(n))
}

func runType(c *Context) {
	h := c.Lock(c.Args[1])
	_, found := c.Exists(&h)
	h.Release()
	if !found {
		c.Out.Simple("none")
		return
	}
	c.Out.Simple(typeString)
}

// typeString is the only type of value there is so far.
const typeString = "string"

func runRename(c *Context) {
	if c.rename(false) {
		c.Out.OK()
	}
}

func runRenamenx(c *Context) {
	if c.rename(true) {
		c.Out.Int(1)
	}
}

// rename gives the first key the second's name. It reports false when it has
// answered itself: without the key, or with spare set and the name taken.
func (c *Context) rename(spare bool) bool {
	keys := c.lockEvery(1, 1)
	defer keys.Release()
	from, to := keys.At(0), keys.At(1)
	e, found := from.Find()
	if !found {
		c.Error(errNoKey)
		return false
	}
	same := bytes.Equal(c.Args[1], c.Args[2])
	if spare {
		if _, taken := to.Find(); taken || same {
			c.Out.Int(0)
			return false
		}
	}
	if same {
		return true
	}
	c.place(to, e)
	from.Delete()
	c.Notify(NotifyGeneric, "rename_from", c.DB, c.Args[1])
	c.Notify(NotifyGeneric, "rename_to", c.DB, c.Args[2])
	return true
}

// place stores a copy of an entry under another key, which counts as new even
// if it was there.
func (c *Context) place(to *memory.Handle, e memory.Entry) {
	if e.IsRaw() {
		to.SetRaw(e.Value(), e.ExpireAt())
	} else {
		to.Set(e.Value(), e.ExpireAt())
	}
	c.notifyNew(to)
}

// database parses argument i as the number of a database; when it is none that
// is the reply.
func (c *Context) database(i int) (db int, ok bool) {
	n, ok := parseInt(c.Args[i])
	switch {
	case !ok:
		c.Error(errNotInteger)
	case int64(int32(n)) != n:
		c.Error("ERR value is out of range, value must between -2147483648 and 2147483647")
	case n < 0 || n >= int64(c.Cache.Store().Databases()):
		c.Error(errDBIndex)
	default:
		return int(n), true
	}
	return 0, false
}

func runCopy(c *Context) {
	db, replace := c.DB, false
	for i := 3; i < len(c.Args); i++ {
		switch word := c.Args[i]; {
		case equalFold(word, "replace"):
			replace = true
		case equalFold(word, "db") && i+1 < len(c.Args):
			i++
			var ok bool
			if db, ok = c.database(i); !ok {
				return
			}
		default:
			c.Error(errSyntax)
			return
		}
	}
	if db != c.DB && c.oneDatabase() {
		c.Error("ERR Copying to another database is not allowed in cluster mode")
		return
	}
	if db == c.DB && bytes.Equal(c.Args[1], c.Args[2]) {
		c.Error(errSameObject)
		return
	}
	keys := c.Cache.LockAll([]memory.KeyRef{{DB: c.DB, Key: c.Args[1]}, {DB: db, Key: c.Args[2]}}, c.Now)
	defer keys.Release()
	from, to := keys.At(0), keys.At(1)
	e, found := c.Exists(from)
	if !found {
		c.Out.Int(0)
		return
	}
	from.Touch(e)
	if _, taken := to.Peek(); taken && !replace {
		c.Out.Int(0)
		return
	}
	c.place(to, e)
	c.Notify(NotifyGeneric, "copy_to", db, c.Args[2])
	c.Out.Int(1)
}

// oneDatabase reports whether the client may use database 0 only: it speaks the
// protocol of Redis Cluster, which knows no other.
func (c *Context) oneDatabase() bool { return c.Redirects && c.Session.routes != nil }

func runMove(c *Context) {
	if c.oneDatabase() {
		c.Error("ERR MOVE is not allowed in cluster mode")
		return
	}
	db, ok := c.database(2)
	if !ok {
		return
	}
	if db == c.DB {
		c.Error(errSameObject)
		return
	}
	key := c.Args[1]
	keys := c.Cache.LockAll([]memory.KeyRef{{DB: c.DB, Key: key}, {DB: db, Key: key}}, c.Now)
	defer keys.Release()
	from, to := keys.At(0), keys.At(1)
	e, found := from.Find()
	if !found {
		c.Out.Int(0)
		return
	}
	if _, taken := to.Find(); taken {
		c.Out.Int(0)
		return
	}
	c.place(to, e)
	from.Delete()
	c.Notify(NotifyGeneric, "move_from", c.DB, key)
	c.Notify(NotifyGeneric, "move_to", db, key)
	c.Out.Int(1)
}

func runDbsize(c *Context) {
	if cluster, refused := c.inCluster(); refused {
		return
	} else if cluster {
		c.dbsizeOfAll()
		return
	}
	c.Out.Int(int64(c.Cache.Store().Len(c.DB)))
}

// flushMode checks the options of FLUSHDB and FLUSHALL. Both modes are one
// here: memory is given back at once, key space by key space.
func (c *Context) flushMode() bool {
	if len(c.Args) == 1 || len(c.Args) == 2 && (equalFold(c.Args[1], "sync") || equalFold(c.Args[1], "async")) {
		return true
	}
	c.Error(errSyntax)
	return false
}

func runFlushdb(c *Context) {
	if !c.flushMode() {
		return
	}
	if cluster, refused := c.inCluster(); refused {
		return
	} else if cluster {
		c.flushAll(c.DB)
	} else {
		c.Cache.Store().Flush(c.DB)
		c.Out.OK()
	}
}

func runFlushall(c *Context) {
	if !c.flushMode() {
		return
	}
	if cluster, refused := c.inCluster(); refused {
		return
	} else if cluster {
		c.flushAll(everyDB)
	} else {
		c.Cache.Store().FlushAll()
		c.Out.OK()
	}
}

func runSwapdb(c *Context) {
	if c.Session.routes != nil {
		c.Error("ERR SWAPDB is not allowed in cluster mode")
		return
	}
	var number [2]int64
	for i, which := range [2]string{"first", "second"} {
		n, ok := parseInt(c.Args[i+1])
		if !ok || n < math.MinInt32 || n > math.MaxInt32 {
			c.Error("ERR invalid " + which + " DB index")
			return
		}
		number[i] = n
	}
	count := int64(c.Cache.Store().Databases())
	for _, n := range number {
		if n < 0 || n >= count {
			c.Error(errDBIndex)
			return
		}
	}
	c.Cache.Store().SwapDB(int(number[0]), int(number[1]))
	c.Out.OK()
}
