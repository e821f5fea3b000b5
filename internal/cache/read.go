package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/larder-cache/larder/internal/source"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// ErrOvertaken says that a key was written again and again while it was being
// loaded, so that nothing fresh could be read.
var ErrOvertaken = errors.New("the key is written faster than its source can be read, try again")

// Reads are the reads of one request. The zero value is ready; Reset makes it
// so again. It belongs to one goroutine.
type Reads struct {
	missed []missed
	loaded bool // Load has been called: what is in missed is counted
	counts []readCount
	aging  []missed // hits to be loaded anew in the background
}

type missed struct {
	key       []byte
	namespace *Namespace
}

type readCount struct {
	namespace *Namespace
	hit       bool
}

// Missed tells whether some read could be answered by a source.
func (r *Reads) Missed() bool { return len(r.missed) != 0 && !r.loaded }

// Any tells whether there is anything to commit.
func (r *Reads) Any() bool { return len(r.missed)+len(r.counts)+len(r.aging) != 0 }

// Reset forgets everything; what was read is not counted.
func (r *Reads) Reset() {
	clear(r.missed)
	clear(r.aging)
	r.missed, r.counts, r.aging, r.loaded = r.missed[:0], r.counts[:0], r.aging[:0], false
}

// Commit counts the reads, begins to refresh what is aging, and resets r. It
// must be called without any handle held. A request that is to be run again
// calls Reset instead, so that each read counts once.
func (c *Cache) Commit(r *Reads) {
	for _, n := range r.counts {
		if n.hit {
			n.namespace.count.hits.Add(1)
		} else {
			n.namespace.count.misses.Add(1)
		}
	}
	for _, m := range r.aging {
		c.refresh(m)
	}
	r.Reset()
}

// Lookup is a client's read of a key. A hit is told to the eviction policy; a
// miss that a source could answer is noted in r.
func (c *Cache) Lookup(h *memory.Handle, r *Reads) (memory.Entry, bool) {
	e, ok := h.Peek()
	if c.plain {
		t := &c.tallies[h.Shard()]
		if ok {
			h.Touch(e)
			t.hits++
			return e, true
		}
		t.misses++
		return e, false
	}
	n := match(c.namespaces, h.Key())
	if n.Loader == nil || h.DB() != 0 {
		t := c.tally(h, n)
		if ok {
			h.Touch(e)
			t.hits++
			return e, true
		}
		t.misses++
		return e, false
	}
	return c.lookupSourced(h, r, n, e, ok)
}

// lookupSourced is Lookup for a namespace with a source.
func (c *Cache) lookupSourced(h *memory.Handle, r *Reads, n *Namespace, e memory.Entry, ok bool) (memory.Entry, bool) {
	again := r.loaded && slices.ContainsFunc(r.missed, func(m missed) bool { return bytes.Equal(m.key, h.Key()) })
	if again {
		// Load has counted this key, and whatever is there now is the answer.
		return e, ok
	}
	if !ok {
		absent, negative := h.PeekAny()
		switch {
		case negative:
			h.Touch(absent)
			n.count.negative.Add(1)
			r.counts = append(r.counts, readCount{n, true})
		case n.Loader.Pattern().Match(h.Key()) && !c.stopping.Load():
			r.missed = append(r.missed, missed{bytes.Clone(h.Key()), n})
		default:
			r.counts = append(r.counts, readCount{n, false})
		}
		return memory.Entry{}, false
	}
	h.Touch(e)
	if e.IsFilled() && !c.fresh(h, r, n, e) {
		r.missed = append(r.missed, missed{bytes.Clone(h.Key()), n})
		return memory.Entry{}, false
	}
	r.counts = append(r.counts, readCount{n, true})
	return e, true
}

// fresh decides what to do with an entry that came from a source: whether it
// may be served, and whether it is to be loaded anew in the background.
func (c *Cache) fresh(h *memory.Handle, r *Reads, n *Namespace, e memory.Entry) bool {
	remaining := time.Duration(e.ExpireAt()-h.Now())*time.Millisecond - n.stale
	switch {
	case remaining > 0:
		if source.EarlyRefresh(remaining, n.Loader.LoadTime(), n.Read.EarlyRefresh, rand.Float64()) {
			r.aging = append(r.aging, missed{bytes.Clone(h.Key()), n})
		}
		return true
	case -remaining < n.Read.StaleWhileRevalidate:
		n.count.stale.Add(1)
		r.aging = append(r.aging, missed{bytes.Clone(h.Key()), n})
		return true
	}
	// Only stale_if_error is left: the source is asked first.
	return false
}

// refresh loads a key that is still served, unless that is under way.
func (c *Cache) refresh(m missed) {
	if c.stopping.Load() {
		return
	}
	m.namespace.Loader.Refresh(context.Background(), m.key, func() (source.Fill, bool) {
		return c.fillWith(m.namespace, m.key, c.token(m.key)), true
	})
}

// maxAttempts is how often a load that a write has overtaken is tried again.
const maxAttempts = 5

// Load asks the sources for the keys that were missed. It blocks until all
// have answered or ctx is done, and must be called without any handle held.
// Afterwards the request is run again with the same r. The error, if any, is
// for the client; a row that does not exist is none.
func (c *Cache) Load(ctx context.Context, r *Reads) error {
	if len(r.missed) == 1 {
		err := c.load(ctx, r.missed[0])
		r.loaded, r.counts = true, r.counts[:0]
		return err
	}
	results := make(chan error, len(r.missed))
	for _, m := range r.missed {
		go func() { results <- c.load(ctx, m) }()
	}
	var first error
	for range r.missed {
		if err := <-results; err != nil && first == nil {
			first = err
		}
	}
	r.loaded, r.counts = true, r.counts[:0]
	return first
}

func (c *Cache) load(ctx context.Context, m missed) error {
	n := m.namespace
	n.count.misses.Add(1)
	for range maxAttempts {
		// The leader of a flight takes its token as the flight begins; a value
		// that has been filled since the miss ends the matter there.
		_, err := n.Loader.Load(ctx, m.key, func() (source.Fill, bool) {
			token, have := c.claim(m.key)
			return c.fillWith(n, m.key, token), !have
		})
		switch {
		case errors.Is(err, source.ErrNotFound), errors.Is(err, source.ErrNoMatch):
			return nil
		case err == nil && c.holds(m.key):
			return nil
		case err == nil:
			continue // a write has overtaken the load
		case c.serveStale(n, m.key):
			return nil
		}
		n.count.failed.Add(1)
		return fmt.Errorf("source of namespace %s: %w", n.Name, err)
	}
	return ErrOvertaken
}

// claim takes a fill token for a key, unless a fresh answer is there.
func (c *Cache) claim(key []byte) (token uint64, have bool) {
	now := c.store.Now()
	h := c.store.Lock(0, key, now)
	defer h.Release()
	if e, ok := h.PeekAny(); ok && c.isFresh(e, key, now) {
		return 0, true
	}
	return h.Watch(), false
}

// token takes a fill token for a key.
func (c *Cache) token(key []byte) uint64 {
	h := c.store.Lock(0, key, c.store.Now())
	defer h.Release()
	return h.Watch()
}

// isFresh reports whether an entry answers a read without its source.
func (c *Cache) isFresh(e memory.Entry, key []byte, now int64) bool {
	if !e.IsFilled() || e.Kind() == memory.Negative {
		return true
	}
	n := match(c.namespaces, key)
	return time.Duration(e.ExpireAt()-now)*time.Millisecond > n.stale-n.Read.StaleWhileRevalidate
}

func (c *Cache) fillWith(n *Namespace, key []byte, token uint64) source.Fill {
	return func(v source.Value, err error) { c.fill(n, key, token, v, err) }
}

// holds reports whether the engine has an answer for a key.
func (c *Cache) holds(key []byte) bool {
	h := c.store.Lock(0, key, c.store.Now())
	defer h.Release()
	_, ok := h.PeekAny()
	return ok
}

// fill stores what a source returned, unless the key was written since the
// token was taken.
func (c *Cache) fill(n *Namespace, key []byte, token uint64, v source.Value, err error) {
	now := c.store.Now()
	notFound := errors.Is(err, source.ErrNotFound)
	if err == nil {
		// A full store that evicts nothing still takes what a client waits
		// for; the next write is refused.
		_ = c.store.Reserve(len(v.Data))
	}
	h := c.store.Lock(0, key, now)
	defer h.Release()
	valid := h.Unwatch(token)
	switch {
	case !valid:
		n.count.voided.Add(1)
	case notFound && n.Read.NegativeTTL > 0:
		n.count.fills.Add(1)
		h.FillNegative(now + n.Read.NegativeTTL.Milliseconds())
	case notFound:
		h.Delete()
	case err == nil:
		n.count.fills.Add(1)
		ttl := source.JitterTTL(n.Read.TTL, n.Read.TTLJitter, rand.Float64())
		h.Fill(v.Data, now+max((ttl+n.stale).Milliseconds(), 1))
	}
}

// FreshUntil returns when an entry ceases to be what its writer asked for, in
// Unix milliseconds, 0 for never: its expiry, for a value that came from a
// source without the time it may be served stale after that.
func (c *Cache) FreshUntil(h *memory.Handle, e memory.Entry) int64 {
	at := e.ExpireAt()
	if c.plain || at == 0 || !e.IsFilled() {
		return at
	}
	if n := match(c.namespaces, h.Key()); n.stale > 0 {
		return max(at-n.stale.Milliseconds(), 1)
	}
	return at
}

// serveStale reports whether an old value may be served since the source has
// failed.
func (c *Cache) serveStale(n *Namespace, key []byte) bool {
	if n.Read.StaleIfError == 0 || !c.holds(key) {
		return false
	}
	n.count.stale.Add(1)
	return true
}

// Voided is to be called when a write has overtaken a load: those who ask from
// now on must not share what the load will bring. See [memory.Config].
func (c *Cache) Voided(db int, key []byte) {
	if n := match(c.namespaces, key); db == 0 && n != nil && n.Loader != nil {
		n.Loader.Forget(key)
	}
}

// Invalidate removes a key because its row in the source has changed.
func (c *Cache) Invalidate(key []byte) {
	h := c.store.Lock(0, key, c.store.Now())
	defer h.Release()
	h.Delete()
}
