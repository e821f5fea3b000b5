package command

import (
	"slices"

	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// parseSlot reads an argument that names a slot; false after an error answer.
func (c *Context) parseSlot(arg []byte) (slot int, ok bool) {
	n, ok := parseInt(arg)
	if !ok || n < 0 || n >= hashing.Slots {
		c.Error("ERR Invalid or out of range slot")
		return 0, false
	}
	return int(n), true
}

func runClusterKeySlot(c *Context) {
	if c.view() != nil {
		c.Out.Int(int64(hashing.Slot(c.Args[2])))
	}
}

// eachKeyInSlot calls f with the keys of a slot that this node serves, until it
// returns false. f must not keep the key.
func (c *Context) eachKeyInSlot(slot int, f func(key []byte) bool) {
	p := hashing.Partition(uint16(slot))
	if !c.Session.routes.IsHere(p) {
		return // what there is of it is a copy that arrives or is about to be dropped
	}
	for cursor, done := uint32(0), false; !done; {
		enough := false
		cursor, done = c.Exec.store.ScanPartition(c.DB, p, cursor, 256, c.Now, func(e memory.Entry) {
			if e.Kind() != memory.Negative && !enough && int(hashing.Slot(e.Key())) == slot {
				enough = !f(e.Key())
			}
		})
		done = done || enough
	}
}

func runClusterCountKeysInSlot(c *Context) {
	if c.view() == nil {
		return
	}
	if slot, ok := c.parseSlot(c.Args[2]); ok {
		n := 0
		c.eachKeyInSlot(slot, func([]byte) bool { n++; return true })
		c.Out.Int(int64(n))
	}
}

func runClusterGetKeysInSlot(c *Context) {
	if c.view() == nil {
		return
	}
	slot, ok := c.parseSlot(c.Args[2])
	if !ok {
		return
	}
	limit, ok := parseInt(c.Args[3])
	if !ok || limit < 0 {
		c.Error("ERR Invalid number of keys")
		return
	}
	var keys [][]byte
	if limit > 0 {
		c.eachKeyInSlot(slot, func(key []byte) bool {
			keys = append(keys, slices.Clone(key))
			return int64(len(keys)) < limit
		})
	}
	c.Out.Array(len(keys))
	for _, key := range keys {
		c.Out.Bulk(key)
	}
}
