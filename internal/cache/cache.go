package cache

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// Cache is the cache service over one store. It is safe for concurrent use.
type Cache struct {
	store      *memory.Store
	namespaces []*Namespace // by falling length of prefix, the empty one last
	plain      bool         // there is only the empty namespace
	tallies    []tally      // shard-major: len(namespaces) per shard
	stopping   atomic.Bool
}

// tally counts the reads of one namespace in one shard.
//
// GUARDED_BY the shard's lock: whoever holds a handle of the shard.
type tally struct{ hits, misses uint64 }

// New returns the service for a store with these namespaces; one with the empty
// prefix is added when there is none. The store's config must have Voided set
// to the result's Voided method: see [memory.Config]. New takes over the
// namespaces; Close ends their loaders.
func New(store *memory.Store, namespaces []*Namespace) *Cache {
	namespaces = slices.Clone(namespaces)
	if !slices.ContainsFunc(namespaces, func(n *Namespace) bool { return n.Read.Prefix == "" }) {
		namespaces = append(namespaces, &Namespace{Name: "default"})
	}
	slices.SortFunc(namespaces, byPrefix)
	for i, n := range namespaces {
		n.prepare(i)
	}
	return &Cache{
		store: store, namespaces: namespaces, plain: len(namespaces) == 1 && namespaces[0].Loader == nil,
		tallies: make([]tally, store.Shards()*len(namespaces)),
	}
}

// Close ends the loaders and waits for them. Reads go on without sources.
func (c *Cache) Close() {
	c.stopping.Store(true)
	for _, n := range c.namespaces {
		if n.Loader != nil {
			n.Loader.Close()
		}
	}
}

// Store returns the engine.
func (c *Cache) Store() *memory.Store { return c.store }

// Lock locks a key. now is in Unix milliseconds.
func (c *Cache) Lock(db int, key []byte, now int64) memory.Handle {
	return c.store.Lock(db, key, now)
}

// LockAll locks several keys together.
func (c *Cache) LockAll(refs []memory.KeyRef, now int64) memory.Handles {
	return c.store.LockAll(refs, now)
}

// Reserve makes room for a write of n bytes; see [memory.Store.Reserve].
func (c *Cache) Reserve(n int) error { return c.store.Reserve(n) }

// Stage returns engine memory for a value of n bytes that is still to arrive.
func (c *Cache) Stage(db int, key []byte, n int) *memory.Staged { return c.store.Stage(db, key, n) }

// namespace returns the namespace of a handle's key.
func (c *Cache) namespace(h *memory.Handle) *Namespace {
	if c.plain {
		return c.namespaces[0]
	}
	return match(c.namespaces, h.Key())
}

func (c *Cache) tally(h *memory.Handle, n *Namespace) *tally {
	return &c.tallies[h.Shard()*len(c.namespaces)+n.number]
}

// Inspect is a read of what is known about a key: it counts a hit or a miss,
// without telling the eviction policy and without asking a source.
func (c *Cache) Inspect(h *memory.Handle) (memory.Entry, bool) {
	e, ok := h.Peek()
	t := c.tally(h, c.namespace(h))
	if ok {
		t.hits++
	} else {
		t.misses++
	}
	return e, ok
}

// Count counts n reads of a key that were answered without the engine: from a
// copy that this node has of another one's entry.
func (c *Cache) Count(key []byte, hit bool, n int) {
	count := &match(c.namespaces, key).count
	if hit {
		count.hits.Add(uint64(n))
		return
	}
	count.misses.Add(uint64(n))
}

// MaxStaleness returns how old a copy of an entry may be that a node which does
// not own it answers with. Zero: it must not.
func (c *Cache) MaxStaleness(key []byte) time.Duration {
	return match(c.namespaces, key).Read.MaxStaleness
}

// HasStaleness reports whether MaxStaleness is above zero for some keys.
func (c *Cache) HasStaleness() bool {
	return slices.ContainsFunc(c.namespaces, func(n *Namespace) bool { return n.Read.MaxStaleness > 0 })
}

// Namespaces returns the counters of all namespaces, the most special first.
func (c *Cache) Namespaces() []NamespaceStats {
	out := make([]NamespaceStats, len(c.namespaces))
	for i, n := range c.namespaces {
		out[i] = NamespaceStats{
			Name: n.Name, Prefix: n.Read.Prefix,
			Hits: n.count.hits.Load(), Misses: n.count.misses.Load(),
			Negative: n.count.negative.Load(), Stale: n.count.stale.Load(),
			Fills: n.count.fills.Load(), Voided: n.count.voided.Load(), Failed: n.count.failed.Load(),
		}
		if n.Loader != nil {
			s := n.Loader.Stats()
			out[i].Loader = &s
		}
	}
	c.store.EachShard(func(shard int) {
		for i := range out {
			t := c.tallies[shard*len(out)+i]
			out[i].Hits += t.hits
			out[i].Misses += t.misses
		}
	})
	return out
}

// ResetCounters sets the counters of hits and misses of all namespaces to zero.
func (c *Cache) ResetCounters() {
	c.store.EachShard(func(shard int) {
		n := len(c.namespaces)
		clear(c.tallies[shard*n : (shard+1)*n])
	})
	for _, n := range c.namespaces {
		for _, v := range []*atomic.Uint64{
			&n.count.hits, &n.count.misses, &n.count.negative, &n.count.stale,
			&n.count.voided, &n.count.fills, &n.count.failed,
		} {
			v.Store(0)
		}
	}
}

// HitsAndMisses returns the reads of all namespaces together.
func (c *Cache) HitsAndMisses() (hits, misses uint64) {
	for _, n := range c.Namespaces() {
		hits += n.Hits
		misses += n.Misses
	}
	return hits, misses
}
