package command

import (
	"cmp"
	"slices"

	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// slotKeys is the number of keys of a slot.
type slotKeys struct {
	slot int
	keys int64
}

// runClusterSlotStats answers with the number of keys of the slots that this
// node owns. CPU time and network bytes per slot are not counted: it would cost
// every request.
func runClusterSlotStats(c *Context) {
	if c.view() == nil {
		return
	}
	var list []slotKeys
	switch {
	case len(c.Args) == 5 && equalFold(c.Args[2], "slotsrange"):
		first, ok := c.parseSlot(c.Args[3])
		if !ok {
			return
		}
		last, ok := c.parseSlot(c.Args[4])
		if !ok {
			return
		}
		if first > last {
			c.Error("ERR Start slot number " + string(c.Args[3]) + " is greater than end slot number " + string(c.Args[4]))
			return
		}
		list = c.keysOfSlots(first, last)
	case len(c.Args) >= 4 && equalFold(c.Args[2], "orderby"):
		var ok bool
		if list, ok = c.orderedSlots(); !ok {
			return
		}
	default:
		c.subcommandSyntax()
		return
	}
	c.Out.Array(len(list))
	for _, s := range list {
		c.Out.Array(2)
		c.Out.Int(int64(s.slot))
		c.Out.Map(1)
		c.Out.BulkString("key-count")
		c.Out.Int(s.keys)
	}
}

// orderedSlots handles ORDERBY; false after an error answer.
func (c *Context) orderedSlots() (list []slotKeys, ok bool) {
	if !equalFold(c.Args[3], "key-count") {
		c.Error("ERR Unrecognized sort metric for ORDERBY.")
		return nil, false
	}
	limit, descending := int64(hashing.Slots), true
	for i := 4; i < len(c.Args); i++ {
		switch {
		case equalFold(c.Args[i], "asc"):
			descending = false
		case equalFold(c.Args[i], "desc"):
			descending = true
		case equalFold(c.Args[i], "limit") && i+1 < len(c.Args):
			i++
			if limit, ok = parseInt(c.Args[i]); !ok || limit < 1 || limit > hashing.Slots {
				c.Error("ERR Limit has to lie in between 1 and 16384 (maximum number of slots).")
				return nil, false
			}
		default:
			c.Error(errSyntax)
			return nil, false
		}
	}
	list = c.keysOfSlots(0, hashing.Slots-1)
	slices.SortStableFunc(list, func(a, b slotKeys) int {
		if descending {
			return cmp.Compare(b.keys, a.keys)
		}
		return cmp.Compare(a.keys, b.keys)
	})
	return list[:min(int64(len(list)), limit)], true
}

// keysOfSlots counts the keys of the slots from first to last that this node
// owns.
func (c *Context) keysOfSlots(first, last int) (list []slotKeys) {
	routes := c.Exec.Routes()
	for p := hashing.Partition(uint16(first)); p <= hashing.Partition(uint16(last)); p++ {
		if !routes.IsHere(p) {
			continue
		}
		var keys [hashing.SlotsPerPartition]int64
		begin := p * hashing.SlotsPerPartition
		for cursor, done := uint32(0), false; !done; {
			cursor, done = c.Exec.store.ScanPartition(c.DB, p, cursor, 256, c.Now, func(e memory.Entry) {
				if e.Kind() != memory.Negative {
					keys[int(hashing.Slot(e.Key()))-begin]++
				}
			})
		}
		for i, n := range keys {
			if slot := begin + i; slot >= first && slot <= last {
				list = append(list, slotKeys{slot, n})
			}
		}
	}
	return list
}
