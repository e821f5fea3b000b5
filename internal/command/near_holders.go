package command

import (
	"sync"
	"sync/atomic"
	"time"
)

// nearHolders are the nodes that have near copies of keys of this one, and are
// told when these change. Like the names of keys for clients that track, a key is
// noted before it is read and forgotten once its change was told: the next fill
// notes it again. Safe for concurrent use; its lock is a leaf.
//
// What is lost here, or on its way, costs freshness within max_staleness, and
// never more: copies end by themselves.
type nearHolders struct {
	now     func() time.Duration // monotonic
	any     atomic.Bool          // there are some
	told    atomic.Uint64        // names of changed keys, by node
	unnoted atomic.Uint64        // copies that could not be noted: there were too many

	mu      sync.Mutex
	keys    map[string][]nearHolder // GUARDED_BY(mu), as the next
	copies  int                     // in keys
	sweeper bool                    // a timer to forget copies that have ended is set
}

// nearHolder is a node that has a copy until its time is over.
type nearHolder struct {
	node  *neighbour
	until time.Duration
}

const (
	// maxNearHolders is how many copies are noted: the hot keys of a thousand nodes.
	maxNearHolders = 1 << 16
	// forgetHoldersEvery is how often copies that have ended are forgotten.
	forgetHoldersEvery = time.Second
	// maxNearLifetime bounds what another node asks for.
	maxNearLifetime = time.Minute
)

func (h *nearHolders) init(x *Executor) {
	h.now, h.keys = x.clock.monotonic, map[string][]nearHolder{}
}

// note notes that a node is about to read a key, to keep a copy of it for so
// long.
func (h *nearHolders) note(key []byte, node *neighbour, lifetime time.Duration) {
	until := h.now() + min(lifetime, maxNearLifetime)
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.keys[string(key)]
	for i := range list {
		if list[i].node == node {
			list[i].until = max(list[i].until, until)
			return
		}
	}
	if h.copies >= maxNearHolders {
		h.unnoted.Add(1)
		return
	}
	h.keys[string(key)] = append(list, nearHolder{node, until})
	h.copies++
	h.any.Store(true)
	h.sweepLocked()
}

// sweepLocked has copies that have ended be forgotten after a while.
func (h *nearHolders) sweepLocked() {
	if !h.sweeper {
		h.sweeper = true
		time.AfterFunc(forgetHoldersEvery, h.forget)
	}
}

func (h *nearHolders) forget() {
	now := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sweeper = false
	for key, list := range h.keys {
		live := list[:0]
		for _, holder := range list {
			if holder.until > now {
				live = append(live, holder)
			}
		}
		h.copies -= len(list) - len(live)
		if h.keys[key] = live; len(live) == 0 {
			delete(h.keys, key)
		}
	}
	if h.any.Store(h.copies > 0); h.copies > 0 {
		h.sweepLocked()
	}
}

// changed tells the nodes that have copies of a key that it was changed. A node
// that is told of all changes anyway is not told twice.
func (h *nearHolders) changed(key []byte) {
	if !h.any.Load() {
		return
	}
	h.mu.Lock()
	list := h.keys[string(key)]
	delete(h.keys, string(key))
	h.copies -= len(list)
	h.mu.Unlock()
	for _, holder := range list {
		if !holder.node.wantsChanges() {
			holder.node.note(newsChanged, key)
		}
		h.told.Add(1)
	}
}

// flushed tells all that have copies that many keys are gone.
func (h *nearHolders) flushed() {
	if !h.any.Load() {
		return
	}
	nodes := map[*neighbour]bool{}
	h.mu.Lock()
	for _, list := range h.keys {
		for _, holder := range list {
			nodes[holder.node] = true
		}
	}
	clear(h.keys)
	h.copies = 0
	h.mu.Unlock()
	for node := range nodes {
		node.note(newsFlushed)
		h.told.Add(1)
	}
}

// executeNear executes a read of a hot key for another node, which is going to
// keep what it is told.
func (x *Executor) executeNear(s *Session, r *remoteRequest) Outcome {
	if len(r.words) != 2 {
		s.Out.Error("ERR " + errFrame.Error())
		return Continue
	}
	if node := x.neighbours.find(r.holder); node != nil {
		x.holders.note(r.words[1], node, r.lifetime)
	}
	return x.execute(s, x.nearGet, r.words)
}

// nearGetOf returns the row of GET that runs as runNearGet: for counters and all
// the rest it is GET.
func nearGetOf(t *Table) *Command {
	row := *t.FindFull("get")
	row.Run = runNearGet
	return &row
}

// runNearGet is GET for a near copy: how many whole milliseconds are surely left to
// the entry, -1 when it does not expire, and its value.
func runNearGet(c *Context) {
	h := c.Lock(c.Args[1])
	defer h.Release()
	e, found := c.Lookup(&h)
	left := int64(-1)
	if found && e.ExpireAt() != 0 {
		left = e.ExpireAt() - c.Now - 1 // which has begun
	}
	c.Out.Array(2)
	c.Out.Int(left)
	if found {
		c.bulkEntry(&h, e)
		return
	}
	c.Out.Null()
}
