package command

import (
	"bytes"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// watchedKey is a key of WATCH as it was then. A write gives an entry a version
// that no entry of the key has had before, in any database, so the version
// tells everything: a key that was deleted and made again has another one, and
// one that was absent and is absent again has not changed for those who look.
type watchedKey struct {
	db      int
	key     []byte
	version uint64 // 0: absent
}

func runWatch(c *Context) {
	s, x := c.Session, c.Exec
	if s.gates&gateMulti != 0 {
		c.Error("ERR WATCH inside MULTI is not allowed")
		return
	}
	if s.routes != nil && !s.tx.fitsWatch(c.Cmd.slotOf(c.Args)) {
		c.Error(errCrossSlot)
		return
	}
	var added []watchedKey
	for _, key := range c.Args[1:] {
		if !watches(s.tx.watched, s.DB, key) && !watches(added, s.DB, key) {
			added = append(added, watchedKey{s.DB, bytes.Clone(key), c.versionOf(s.DB, key, true)})
		}
	}
	if c.reads.Missed() {
		return // once more with what the source has
	}
	if s.routes != nil {
		slot := c.Cmd.slotOf(c.Args)
		s.tx.watchesNow(slot, s.epochOf(slot))
	}
	x.adoptWatched(s, added)
	c.Out.OK()
}

// adoptWatched adds to what a client watches.
func (x *Executor) adoptWatched(s *Session, added []watchedKey) {
	if len(s.tx.watched) == 0 && len(added) > 0 {
		x.watchers.Add(1)
	}
	x.watchedKeys.Add(int64(len(added)))
	s.tx.watched = append(s.tx.watched, added...)
}

func watches(list []watchedKey, db int, key []byte) bool {
	for i := range list {
		if list[i].db == db && bytes.Equal(list[i].key, key) {
			return true
		}
	}
	return false
}

// versionOf returns the version of a key's entry, 0 when it is absent. With
// load an absent key that a source could supply is asked for, as by a read:
// that it comes from there later is no change.
func (c *Context) versionOf(db int, key []byte, load bool) uint64 {
	h := c.Cache.Lock(db, key, c.Now)
	defer h.Release()
	e, found := h.Peek()
	if !found && load && db == 0 && c.Exec.hasSource(key) {
		e, found = c.Cache.Lookup(&h, &c.reads)
	}
	return version(e, found)
}

func version(e memory.Entry, found bool) uint64 {
	if !found {
		return 0
	}
	return e.Version()
}

// unchanged reports whether all watched keys are as they were, and where they
// were.
func (c *Context) unchanged() bool {
	if tx := &c.Session.tx; c.Session.routes != nil && len(tx.watched) > 0 &&
		(tx.moved || tx.epoch != c.Session.epochOf(tx.keySlot())) {
		return false
	}
	for _, w := range c.Session.tx.watched {
		if c.versionOf(w.db, w.key, false) != w.version {
			return false
		}
	}
	return true
}

func runUnwatch(c *Context) {
	c.Exec.unwatch(c.Session)
	if tx := &c.Session.tx; c.gates&gateMulti == 0 {
		tx.slot, tx.moved = 0, false
	}
	c.Out.OK()
}

func (x *Executor) unwatch(s *Session) {
	if n := len(s.tx.watched); n > 0 {
		x.watchers.Add(-1)
		x.watchedKeys.Add(-int64(n))
		s.tx.watched = nil
	}
}
