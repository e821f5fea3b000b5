package demo

import (
	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// Counts is what a node, or several, have counted since they began.
type Counts struct {
	Namespaces map[string]Reading // those with a source, by name
	Held       Held
}

// Held is what memories hold, and what has left them.
type Held struct {
	Entries, Bytes   uint64 // Bytes with the index
	Evicted, Expired uint64
}

// CountsOf returns the counts of a node in this process.
func CountsOf(namespaces []cache.NamespaceStats, m memory.Stats) Counts {
	c := Counts{
		Namespaces: map[string]Reading{},
		Held:       Held{Entries: m.Entries, Bytes: m.Blocks + m.Index, Evicted: m.Evicted, Expired: m.Expired},
	}
	for _, n := range namespaces {
		if n.Loader != nil {
			var r Reading
			r.add(n)
			c.Namespaces[n.Name] = r
		}
	}
	return c
}

// Total adds up the namespaces.
func (c Counts) Total() (sum Reading) {
	for _, r := range c.Namespaces {
		sum = sum.plus(r)
	}
	return sum
}

// plus adds what another node has counted.
func (c Counts) plus(o Counts) Counts {
	sum := Counts{Namespaces: map[string]Reading{}, Held: Held{
		Entries: c.Held.Entries + o.Held.Entries, Bytes: c.Held.Bytes + o.Held.Bytes,
		Evicted: c.Held.Evicted + o.Held.Evicted, Expired: c.Held.Expired + o.Held.Expired,
	}}
	for _, list := range []map[string]Reading{c.Namespaces, o.Namespaces} {
		for name, r := range list {
			sum.Namespaces[name] = sum.Namespaces[name].plus(r)
		}
	}
	return sum
}

// gone is what remains to be counted of a node that has ended: it holds nothing.
func (c Counts) gone() Counts {
	c.Held.Entries, c.Held.Bytes = 0, 0
	return c
}
