package etcd

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Change is what happened below a watched prefix.
type Change struct {
	// Revision up to which the watcher has seen everything after this change.
	Revision Revision
	// Resync: Events are not what changed but all that exists, as writes; whatever
	// is not among them is gone.
	Resync bool
	// Events in order; a commit's are never spread over two changes.
	Events []Event
}

// Event is a write or a removal of one key.
type Event struct {
	Entry
	// Removed: the key is gone (deleted, or its lease ran out), Data is nil and
	// Revision that of the removal.
	Removed bool
}

const (
	// watchBuffer is how many changes wait for a slow reader in the channel. When
	// it is full the rest waits in etcd's client, in memory.
	watchBuffer = 16
	// watchRetry is the pause before a broken watch is opened again.
	watchRetry = 100 * time.Millisecond
)

// Watch delivers what happens below prefix after the revision after, each commit
// once and in order, until ctx or the store ends; then the channel closes. It goes
// on over lost connections and leaders. From 0, and when history up to after was
// compacted away, it begins with a resync.
//
// While there is no quorum nothing is delivered, nor is it said: [Store.Health]
// tells.
func (s *Store) Watch(ctx context.Context, prefix string, after Revision) <-chan Change {
	w := &watch{store: s, prefix: prefix, seen: after, out: make(chan Change, watchBuffer)}
	go w.run(ctx)
	return w.out
}

// watch is owned by its one goroutine.
type watch struct {
	store  *Store
	prefix string
	// Invariant: everything up to and including seen was delivered; 0 is nothing.
	seen Revision
	out  chan Change
}

func (w *watch) run(ctx context.Context) {
	defer close(w.out)
	ctx, cancel := w.store.conn.open(ctx)
	defer cancel()
	for {
		if w.seen > 0 || w.resync(ctx) == nil {
			if err := w.follow(ctx); isCompacted(err) {
				w.seen = 0
				continue
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchRetry):
		}
	}
}

// resync delivers all that exists.
func (w *watch) resync(ctx context.Context) error {
	entries, revision, err := w.store.List(ctx, w.prefix)
	if err != nil {
		return err
	}
	events := make([]Event, len(entries))
	for i, e := range entries {
		events[i] = Event{Entry: e}
	}
	return w.deliver(ctx, Change{Revision: revision, Resync: true, Events: events})
}

// follow delivers from etcd's watch until that ends.
func (w *watch) follow(ctx context.Context) error {
	// An endpoint that has lost its leader ends the watch, so that the next attempt
	// finds another one.
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for got := range w.store.conn.client().Watch(ctx, w.store.key(w.prefix),
		clientv3.WithPrefix(), clientv3.WithRev(int64(w.seen)+1)) {
		if err := got.Err(); err != nil {
			return err
		}
		if len(got.Events) == 0 {
			continue
		}
		if err := w.deliver(ctx, w.changeOf(got.Events)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (w *watch) changeOf(raw []*clientv3.Event) Change {
	events := make([]Event, len(raw))
	for i, e := range raw {
		events[i] = Event{Entry: w.store.entryOf(e.Kv), Removed: e.Type == clientv3.EventTypeDelete}
	}
	return Change{Revision: events[len(events)-1].Revision, Events: events}
}

func (w *watch) deliver(ctx context.Context, c Change) error {
	select {
	case w.out <- c:
		w.seen = c.Revision
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func isCompacted(err error) bool { return errors.Is(err, rpctypes.ErrCompacted) }
