package command

import "github.com/larder-cache/larder/internal/storage/memory"

// Ahead is what is known of the key of a request: where it belongs. The zero value
// is nothing.
//
// Invariant: that of a session is about the request at work. The key is known by
// where it stands, and what stands there is another one later on.
type Ahead struct {
	key *byte // the first of its bytes
	at  memory.Place
}

// is reports whether it is about a key.
func (a *Ahead) is(key []byte) bool { return len(key) > 0 && a.key == &key[0] }

// Soon has the index looked up in memory for a key that a request of the
// session is about to name; see [memory.Store.PrefetchSlot].
func (x *Executor) Soon(s *Session, key []byte) Ahead {
	if len(key) == 0 {
		return Ahead{}
	}
	return Ahead{&key[0], x.store.PrefetchSlot(s.DB, key)}
}

// Sooner has the entry loaded from memory whose key Soon was told of, if it is on
// this node.
func (x *Executor) Sooner(s *Session, a Ahead) {
	if a.key != nil && (s.routes == nil || s.routes.IsHere(a.at.Partition())) {
		x.store.PrefetchEntry(s.DB, a.at)
	}
}

// Next says that the request that is executed next is the one whose key Soon was
// told of. The key must not have changed since, nor where it stands.
func (x *Executor) Next(s *Session, a Ahead) { s.ahead = a }

// placeOf returns the place of a key of the request at work.
func (x *Executor) placeOf(s *Session, key []byte) memory.Place {
	if !s.ahead.is(key) {
		at := x.store.Place(key)
		if len(key) == 0 {
			return at
		}
		s.ahead = Ahead{&key[0], at}
	}
	return s.ahead.at
}

// Lock locks a key of the client's database; the caller releases the handle.
// No two handles may be held at once: see lockEvery.
func (c *Context) Lock(key []byte) memory.Handle {
	if a := &c.ahead; a.is(key) {
		return c.Exec.store.LockAt(a.at, c.DB, key, c.Now)
	}
	return c.Cache.Lock(c.DB, key, c.Now)
}
