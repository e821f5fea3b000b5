package command

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/resp"
)

// tracker tells clients that asked for it (CLIENT TRACKING) when keys they may
// hold in memory of their own have changed. It is safe for concurrent use.
//
// A key is remembered before it is read, not after: a change that comes between
// would otherwise never be told. That a client may be told of a change it has
// already seen does no harm.
//
// As in Redis a key is known by its name, whatever the database, and is
// forgotten once its change has been told: the next read remembers it again.
//
// Lock order: a locked key of the engine, then mu, then that of the clients'
// register. Nothing behind mu calls the engine.
type tracker struct {
	x      *Executor
	active atomic.Int64 // clients that track; zero: nobody needs to be told

	mu       sync.Mutex
	keys     map[string]map[int64]struct{}    // GUARDED_BY(mu): ids of clients by key
	items    int                              // GUARDED_BY(mu): pairs of key and client
	prefixes map[string]map[*Session]struct{} // GUARDED_BY(mu): clients in broadcast mode
	all      map[*Session]struct{}            // GUARDED_BY(mu): every client that tracks
	max      int                              // GUARDED_BY(mu): keys to remember; 0: no limit
	waiting  map[*Session][][]byte            // GUARDED_BY(mu): what clients in broadcast mode are to be told
	pending  atomic.Bool                      // whether there is something in waiting
}

// trackingMode is how a client wants to be told.
type trackingMode struct {
	broadcast bool
	optIn     bool
	optOut    bool
	noLoop    bool
	redirect  int64 // id of the client to tell instead; 0: none
	prefixes  []string
}

// trackingState is what a session knows of its own tracking.
type trackingState struct {
	on      bool
	mode    trackingMode // of the owner
	caching cachingChoice
	own     ownWrite
	// redirect is mode.redirect where others can read it; -1 without tracking.
	redirect atomic.Int64
}

// cachingChoice is CLIENT CACHING, for the next request.
type cachingChoice uint8

const (
	cachingUnset cachingChoice = iota
	cachingYes
	cachingNo
)

func (t *tracker) init(x *Executor) {
	t.x = x
	t.keys = map[string]map[int64]struct{}{}
	t.prefixes = map[string]map[*Session]struct{}{}
	t.all = map[*Session]struct{}{}
	t.waiting = map[*Session][][]byte{}
}

// start begins, or changes, the tracking of a client.
func (t *tracker) start(s *Session, mode trackingMode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !s.tracking.on {
		t.active.Add(1)
		if !s.Redirects { // they read keys of this node only
			t.x.neighbours.wants.add(want{kind: wantChanges})
		}
		s.set(flagTracking, true)
	}
	t.all[s] = struct{}{}
	s.tracking.on = true
	s.set(flagTrackingBroken, false)
	s.set(flagTrackingBroadcast, mode.broadcast)
	s.tracking.redirect.Store(mode.redirect)
	if mode.broadcast {
		for _, prefix := range mode.prefixes {
			if t.prefixes[prefix] == nil {
				t.prefixes[prefix] = map[*Session]struct{}{}
			}
			t.prefixes[prefix][s] = struct{}{}
		}
		mode.prefixes = append(append([]string(nil), s.tracking.mode.prefixes...), mode.prefixes...)
	}
	s.tracking.mode = mode
	s.gate(gateTracking, true)
}

// stop ends the tracking of a client. What is remembered of it is dropped when
// the keys change.
func (t *tracker) stop(s *Session) {
	if !s.tracking.on {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.active.Add(-1) == 0 {
		clear(t.keys)
		t.items = 0
	}
	if !s.Redirects {
		t.x.neighbours.drop(want{kind: wantChanges})
	}
	delete(t.all, s)
	delete(t.waiting, s)
	for _, prefix := range s.tracking.mode.prefixes {
		if delete(t.prefixes[prefix], s); len(t.prefixes[prefix]) == 0 {
			delete(t.prefixes, prefix)
		}
	}
	s.tracking.on, s.tracking.mode, s.tracking.caching = false, trackingMode{}, cachingUnset
	s.tracking.redirect.Store(-1)
	s.set(flagTracking|flagTrackingBroken|flagTrackingBroadcast, false)
	s.gate(gateTracking, false)
}

// remember notes that a client is about to read keys.
func (t *tracker) remember(s *Session, cmd *Command, args [][]byte) {
	at := cmd.keyPositions(args)
	if len(at) == 0 {
		return
	}
	t.mu.Lock()
	for _, i := range at {
		clients := t.keys[string(args[i])]
		if clients == nil {
			clients = map[int64]struct{}{}
			t.keys[string(args[i])] = clients
		}
		if _, known := clients[s.ID]; !known {
			clients[s.ID] = struct{}{}
			t.items++
		}
	}
	t.mu.Unlock()
	t.shrink()
}

// shrink forgets keys beyond the limit, any of them, and tells their clients.
func (t *tracker) shrink() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.max == 0 {
		return
	}
	for key := range t.keys {
		if len(t.keys) <= t.max {
			return
		}
		t.invalidateLocked([]byte(key))
	}
}

func (t *tracker) resize(n int) {
	t.mu.Lock()
	t.max = n
	t.mu.Unlock()
	t.shrink()
}

// runTracked is run for a client that tracks: keys it reads are remembered,
// and of its own writes it is not told if it does not want to be.
func (x *Executor) runTracked(s *Session, cmd *Command, args [][]byte, timed bool) Outcome {
	mode, caching := &s.tracking.mode, s.tracking.caching
	if cmd.Flags&ReadOnly != 0 && !mode.broadcast &&
		(!mode.optIn || caching == cachingYes) && (!mode.optOut || caching != cachingNo) {
		x.tracker.remember(s, cmd, args)
	}
	var out Outcome
	if cmd.Flags&Write != 0 && mode.noLoop {
		out = x.runOwn(s, cmd, args, timed)
	} else {
		out = x.run(s, cmd, args, timed)
	}
	if out != Park && s.gates&gateMulti == 0 && (cmd.parent == nil || cmd.parent.Name != "client") {
		s.tracking.caching = cachingUnset
	}
	return out
}

// changed tells the clients concerned that a key was written, deleted, has
// expired or was evicted.
func (t *tracker) changed(key []byte) {
	if t.active.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.invalidateLocked(key)
	for prefix, clients := range t.prefixes {
		if !bytes.HasPrefix(key, []byte(prefix)) {
			continue
		}
		for s := range clients {
			t.tellUnlessOwn(s, key)
		}
	}
}

// announce notes a key for a client in broadcast mode. Like Redis, that tells
// at the end of a turn of its event loop, it gathers the keys of a batch of
// requests; what changes outside of any is told within a millisecond.
//
// REQUIRES: t.mu held.
func (t *tracker) announce(s *Session, key []byte) {
	if len(t.waiting) == 0 {
		t.pending.Store(true)
		time.AfterFunc(time.Millisecond, t.announceAll)
	}
	keys := t.waiting[s]
	if !slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) }) || len(keys) > maxAnnounced {
		t.waiting[s] = append(keys, key)
	}
}

// maxAnnounced is up to how many keys of one message it is seen to that none
// is there twice.
const maxAnnounced = 64

// announceAll tells what has been gathered.
func (t *tracker) announceAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending.Store(false)
	for s, keys := range t.waiting {
		if _, tracks := t.all[s]; tracks {
			t.tell(s, keys...)
		}
	}
	clear(t.waiting)
}

// flushed tells every client that tracks that all keys are gone.
func (t *tracker) flushed() {
	if t.active.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.all {
		t.tell(s)
	}
	clear(t.keys)
	t.items = 0
}

// invalidateIf tells those who have read keys that these may have changed.
func (t *tracker) invalidateIf(gone func(key []byte) bool) {
	if t.active.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for key := range t.keys {
		if k := []byte(key); gone(k) {
			t.invalidateLocked(k)
		}
	}
}

// REQUIRES: t.mu held.
func (t *tracker) invalidateLocked(key []byte) {
	clients := t.keys[string(key)]
	if clients == nil {
		return
	}
	delete(t.keys, string(key))
	t.items -= len(clients)
	for id := range clients {
		s := t.x.sessions.find(id)
		if s == nil || !s.has(flagTracking) || s.has(flagTrackingBroadcast) {
			continue
		}
		if _, tracks := t.all[s]; tracks {
			t.tellUnlessOwn(s, key)
		}
	}
}

// invalidationChannel is where clients of RESP2 listen, on another connection.
const invalidationChannel = "__redis__:invalidate"

// tell sends the invalidation of some keys, none for all keys, to a client or
// to the one it has named.
//
// REQUIRES: t.mu held.
func (t *tracker) tell(s *Session, keys ...[]byte) {
	target := s
	if id := s.tracking.mode.redirect; id != 0 {
		if target = t.x.sessions.find(id); target == nil {
			s.set(flagTrackingBroken, true)
			if resp.Version(s.shared.version.Load()) == resp.RESP3 {
				w := resp.Writer{Version: resp.RESP3}
				w.Push(2)
				w.BulkString("tracking-redir-broken")
				w.Int(id)
				s.Link.Push(w.Buf)
			}
			return
		}
	}
	w := resp.Writer{Version: resp.Version(target.shared.version.Load())}
	switch {
	case w.Version == resp.RESP3:
		w.Push(2)
		w.BulkString("invalidate")
	case target != s && target.subscriptionCount() > 0:
		w.Array(3)
		w.BulkString("message")
		w.BulkString(invalidationChannel)
	default:
		return
	}
	if len(keys) == 0 {
		w.Null()
	} else {
		w.Array(len(keys))
		for _, key := range keys {
			w.Bulk(key)
		}
	}
	target.Link.Push(w.Buf)
}

// trackingTotals are the sizes INFO shows.
type trackingTotals struct{ clients, keys, items, prefixes int }

func (t *tracker) totals() trackingTotals {
	t.mu.Lock()
	defer t.mu.Unlock()
	return trackingTotals{len(t.all), len(t.keys), t.items, len(t.prefixes)}
}
