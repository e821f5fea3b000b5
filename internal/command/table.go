package command

import "fmt"

// Table finds commands by name. It is immutable and safe for concurrent use.
type Table struct {
	all    []*Command // every command and subcommand, by id
	top    []*Command // without subcommands, in the order given
	slots  []slot     // open addressing over the packed name
	mask   uint64
	byName map[string]*Command // full names: "get", "config|get"
}

type slot struct {
	name nameKey
	cmd  *Command
}

// nameKey is a name of up to 16 bytes in lower case, padded with zeros. All
// names of the table fit; a longer word is no command.
type nameKey struct{ lo, hi uint64 }

// NewTable builds a table. It panics when two commands have one name or a name
// does not fit: mistakes of the programmer.
func NewTable(groups ...[]*Command) *Table {
	t := &Table{byName: map[string]*Command{}}
	for _, group := range groups {
		for _, c := range group {
			t.add(c, nil)
		}
	}
	size := 64
	for size < 4*len(t.top) {
		size *= 2
	}
	t.slots, t.mask = make([]slot, size), uint64(size-1)
	for _, c := range t.top {
		name, ok := packName([]byte(c.Name))
		if !ok {
			panic("command: name too long: " + c.Name)
		}
		i := name.hash() & t.mask
		for t.slots[i].cmd != nil {
			i = (i + 1) & t.mask
		}
		t.slots[i] = slot{name, c}
	}
	return t
}

// add takes a copy of a row: tables of several executors have nothing in common.
func (t *Table) add(row, parent *Command) *Command {
	copied := *row
	c := &copied
	c.prepare(len(t.all), parent)
	if parent == nil {
		t.top = append(t.top, c)
	}
	if t.byName[c.full] != nil {
		panic(fmt.Sprintf("command: %q is in the table twice", c.full))
	}
	t.byName[c.full] = c
	t.all = append(t.all, c)
	c.Sub = nil
	for _, sub := range row.Sub {
		c.Sub = append(c.Sub, t.add(sub, c))
	}
	return c
}

// Find returns the command of that name in any case, nil when there is none.
func (t *Table) Find(name []byte) *Command {
	key, ok := packName(name)
	if !ok {
		return nil
	}
	for i := key.hash() & t.mask; t.slots[i].cmd != nil; i = (i + 1) & t.mask {
		if t.slots[i].name == key {
			return t.slots[i].cmd
		}
	}
	return nil
}

// FindFull returns a command or subcommand by its full name in lower case.
func (t *Table) FindFull(full string) *Command { return t.byName[full] }

// Commands returns the commands without subcommands. The caller must not
// modify the slice.
func (t *Table) Commands() []*Command { return t.top }

// All returns commands and subcommands, indexed by id. The caller must not
// modify the slice.
func (t *Table) All() []*Command { return t.all }

// sub returns the subcommand of c with that name in any case.
func (c *Command) sub(name []byte) *Command {
	for _, s := range c.Sub {
		if len(s.Name) == len(name) && equalFold(name, s.Name) {
			return s
		}
	}
	return nil
}

func packName(name []byte) (k nameKey, ok bool) {
	if len(name) == 0 || len(name) > 16 {
		return k, false
	}
	for i, b := range name {
		if b >= 'A' && b <= 'Z' {
			b |= 0x20
		}
		if i < 8 {
			k.lo |= uint64(b) << (8 * i)
		} else {
			k.hi |= uint64(b) << (8 * (i - 8))
		}
	}
	return k, true
}

func (k nameKey) hash() uint64 {
	return ((k.lo ^ k.hi>>3) * 0x9e3779b97f4a7c15) >> 40
}

// equalFold reports whether word is name, which is in lower case, in any case.
func equalFold(word []byte, name string) bool {
	if len(word) != len(name) {
		return false
	}
	for i, b := range word {
		if b >= 'A' && b <= 'Z' {
			b |= 0x20
		}
		if b != name[i] {
			return false
		}
	}
	return true
}
