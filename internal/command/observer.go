package command

import (
	"sync/atomic"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// Observer passes what happens to keys in the engine on to an executor. The
// engine is opened with it before there is an executor; [New] connects them.
// The zero value is ready; it is safe for concurrent use.
type Observer struct {
	x atomic.Pointer[Executor]
}

// Observing implements [memory.Observer]: it is false while no client tracks, no
// node has near copies, and nobody has asked for events of expiry and eviction.
func (o *Observer) Observing() bool {
	x := o.x.Load()
	return x != nil && (x.tracker.active.Load() != 0 || x.neighbours.watching.Load() || x.holders.any.Load() || x.notifier.wants(NotifyExpired|NotifyEvicted))
}

// Changed implements [memory.Observer]. Of a flush clients are told by the
// command as a whole, not key by key.
func (o *Observer) Changed(db int, key []byte, change memory.Change) {
	x := o.x.Load()
	if x == nil {
		return
	}
	switch change {
	case memory.Flushed:
		return
	case memory.Expired:
		x.notify(NotifyExpired, "expired", db, key)
	case memory.Evicted:
		x.notify(NotifyEvicted, "evicted", db, key)
	}
	x.tracker.changed(key)
	x.neighbours.keyChanged(key)
	x.holders.changed(key)
}
