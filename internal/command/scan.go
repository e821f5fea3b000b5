package command

import (
	"strconv"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// scanBatch is the number of entries visited under one lock.
const scanBatch = 512

// runKeys goes through the database in steps, so that no lock is held for
// long. A key that is there all the time is listed; one that comes or goes
// meanwhile may be.
func runKeys(c *Context) {
	if cluster, refused := c.inCluster(); refused {
		return
	} else if cluster {
		c.keysOfAll()
		return
	}
	list := c.listKeys(c.Args[1])
	for cursor := uint64(0); ; {
		if cursor = list.scan(cursor, scanBatch); cursor == 0 {
			break
		}
	}
	list.finish(nil)
}

func runScan(c *Context) {
	cursor, ok := parseCursor(c.Args[1])
	if !ok {
		c.Error("ERR invalid cursor")
		return
	}
	count, pattern, listed := int64(10), []byte("*"), true
	for i := 2; i < len(c.Args); i += 2 {
		if i+1 == len(c.Args) {
			c.Error(errSyntax)
			return
		}
		switch word := c.Args[i]; {
		case equalFold(word, "count"):
			if count, ok = c.Int(i + 1); !ok {
				return
			}
			if count < 1 {
				c.Error(errSyntax)
				return
			}
		case equalFold(word, "match"):
			pattern = c.Args[i+1]
		case equalFold(word, "type"):
			listed = equalFold(c.Args[i+1], typeString)
		default:
			c.Error(errSyntax)
			return
		}
	}
	cluster, refused := c.inCluster()
	if refused {
		return
	}
	list := c.listKeys(pattern)
	list.none = !listed
	if cluster {
		c.scanOfAll(list, cursor, int(count))
		return
	}
	for done := false; !done; done = count <= 0 || cursor == 0 {
		cursor = list.scan(cursor, int(min(count, scanBatch)))
		count -= scanBatch
	}
	list.finish(&cursor)
}

// parseCursor reads a cursor as strtoul does: a sign is allowed, a negative
// number wraps around, and the empty text is zero.
func parseCursor(text []byte) (cursor uint64, ok bool) {
	if len(text) == 0 {
		return 0, true
	}
	digits := text
	if digits[0] == '+' || digits[0] == '-' {
		digits = digits[1:]
	}
	cursor, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return 0, false
	}
	if text[0] == '-' {
		cursor = -cursor
	}
	return cursor, true
}

// keyList writes the names of keys behind the output of a client; the number
// of them, which stands in front, is put there at the end.
type keyList struct {
	c       *Context
	mark    int // length of the output before the list
	n       int
	bytes   int // of them, in a cluster
	pattern []byte
	all     bool // the pattern matches everything
	none    bool // nothing is listed
	visit   func(memory.Entry)
}

func (c *Context) listKeys(pattern []byte) *keyList {
	l := &keyList{c: c, mark: len(c.Out.Buf), pattern: pattern, all: string(pattern) == "*"}
	l.visit = func(e memory.Entry) {
		key := e.Key()
		if !l.none && (l.all || globMatch(l.pattern, key, false)) {
			l.c.Out.Bulk(key)
			l.n++
		}
	}
	return l
}

func (l *keyList) scan(cursor uint64, count int) (next uint64) {
	return l.c.Cache.Store().Scan(l.c.DB, cursor, count, l.c.Now, l.visit)
}

// finish puts the head in front of the list: with a cursor that of SCAN.
func (l *keyList) finish(cursor *uint64) {
	out := &l.c.Out
	end := len(out.Buf)
	if cursor != nil {
		out.Array(2)
		out.BulkString(strconv.FormatUint(*cursor, 10))
	}
	out.Array(l.n)
	var head [64]byte
	n := copy(head[:], out.Buf[end:])
	copy(out.Buf[l.mark+n:], out.Buf[l.mark:end])
	copy(out.Buf[l.mark:], head[:n])
}

func runRandomkey(c *Context) {
	if cluster, refused := c.inCluster(); refused {
		return
	} else if cluster {
		c.randomOfAll()
		return
	}
	key, ok := c.Cache.Store().Random(c.DB, c.Now)
	if !ok {
		c.Out.Null()
		return
	}
	c.Out.Bulk(key)
}
