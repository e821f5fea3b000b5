package membership

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// service is a configuration service in memory. It is linearizable: one lock.
type service struct {
	mu       sync.Mutex
	revision int64
	items    map[string]Item
	owner    map[string]cluster.NodeID // of keys that go with a process
	log      []event
	news     chan struct{}
	// away: no call is answered, nothing is delivered.
	away bool
}

var errAway = errors.New("no quorum")

// setAway takes the service away, or brings it back.
func (s *service) setAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
	close(s.news)
	s.news = make(chan struct{})
}

type event struct {
	revision int64
	item     Item // of a removal without data
	removed  bool
}

func newService() *service {
	return &service{items: map[string]Item{}, owner: map[string]cluster.NodeID{}, news: make(chan struct{})}
}

// changed is closed when something changes, or soon.
func (s *service) changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	soon := make(chan struct{})
	news := s.news
	go func() {
		select {
		case <-news:
		case <-time.After(10 * time.Millisecond):
		}
		close(soon)
	}()
	return soon
}

// write changes a key.
//
// REQUIRES: s.mu held.
func (s *service) write(key string, data []byte, removed bool) int64 {
	s.revision++
	it := Item{key, slices.Clone(data), s.revision}
	if removed {
		delete(s.items, key)
		delete(s.owner, key)
	} else {
		s.items[key] = it
	}
	s.log = append(s.log, event{s.revision, it, removed})
	close(s.news)
	s.news = make(chan struct{})
	return s.revision
}

// drop removes what goes with a process.
func (s *service) drop(id cluster.NodeID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, owner := range maps.Clone(s.owner) {
		if owner == id {
			s.write(key, nil, true)
		}
	}
}

// connection is one node's access to the service.
type connection struct {
	*service
	node *testNode
}

var _ Configuration = (*connection)(nil)

// cut reports whether the node does not reach the service: what was killed does
// nothing any more.
//
// REQUIRES: c.mu held.
func (c *connection) cut() bool { return c.away || c.node.dead.Load() || c.node.offline.Load() }

// reached returns when the node reaches the service, unless it has to give up.
func (c *connection) reached(ctx context.Context) {
	for c.node.offline.Load() && !c.node.dead.Load() && ctx.Err() == nil {
		select {
		case <-c.changed():
		case <-ctx.Done():
		}
	}
}

func (c *connection) Load(ctx context.Context, key string) (Item, error) {
	c.reached(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut() {
		return Item{}, errAway
	}
	it, ok := c.items[key]
	if !ok {
		return Item{}, ErrAbsent
	}
	return it, nil
}

func (c *connection) List(_ context.Context, prefix string) (list []Item, revision int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut() {
		return nil, 0, errAway
	}
	for _, key := range slices.Sorted(maps.Keys(c.items)) {
		if strings.HasPrefix(key, prefix) {
			list = append(list, c.items[key])
		}
	}
	return list, c.revision, nil
}

func (c *connection) Watch(ctx context.Context, prefix string, after int64) <-chan Delivery {
	out := make(chan Delivery)
	go func() {
		defer close(out)
		for {
			c.mu.Lock()
			d := Delivery{Revision: c.revision}
			if c.cut() {
				d.Revision = after
			}
			for _, e := range c.log {
				switch {
				case c.cut() || e.revision <= after || !strings.HasPrefix(e.item.Key, prefix):
				case e.removed:
					d.Removed = append(d.Removed, e.item.Key)
				default:
					d.Items = append(d.Items, e.item)
				}
			}
			news := c.news
			c.mu.Unlock()
			after = d.Revision
			if len(d.Items)+len(d.Removed) > 0 {
				select {
				case out <- d:
				case <-ctx.Done():
					return
				}
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func (c *connection) Save(ctx context.Context, key string, data []byte, revision int64, t Term, absent ...string) (int64, error) {
	c.reached(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut() {
		return 0, errAway
	}
	if revision != AnyRevision && c.items[key].Revision != revision {
		return 0, ErrConflict
	}
	if t != nil && c.items[keyController].Revision != t.(*term).revision {
		return 0, ErrConflict
	}
	for _, other := range absent {
		if _, there := c.items[other]; there {
			return 0, ErrConflict
		}
	}
	return c.write(key, data, false), nil
}

func (c *connection) Remove(_ context.Context, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut() {
		return errAway
	}
	c.write(key, nil, true)
	return nil
}

type registration struct {
	c   *connection
	key string
}

func (c *connection) Register(_ context.Context, key string, data []byte, _ time.Duration) (Registration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut() {
		return nil, errAway
	}
	c.write(key, data, false)
	c.owner[key] = c.node.id
	return &registration{c, key}, nil
}

func (r *registration) Update(_ context.Context, data []byte) error {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if r.c.cut() || r.c.owner[r.key] != r.c.node.id {
		return errors.New("lost")
	}
	r.c.write(r.key, data, false)
	return nil
}

func (r *registration) Close(ctx context.Context) error { return r.c.Remove(ctx, r.key) }

type term struct {
	c        *connection
	revision int64
	done     chan struct{}
	once     sync.Once
}

func (c *connection) Campaign(ctx context.Context, name, id string, _ time.Duration) (Term, error) {
	for {
		c.mu.Lock()
		if _, taken := c.items[name]; !taken && !c.cut() {
			t := &term{c: c, revision: c.write(name, []byte(id), false), done: make(chan struct{})}
			c.owner[name] = c.node.id
			c.mu.Unlock()
			return t, nil
		}
		news := c.news
		c.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (t *term) Done() <-chan struct{} { return t.done }

func (t *term) Resign(context.Context) error {
	t.once.Do(func() { close(t.done) })
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if t.c.cut() {
		return errAway
	}
	if t.c.items[keyController].Revision == t.revision {
		t.c.write(keyController, nil, true)
	}
	return nil
}

func (c *connection) Depose(_ context.Context, name, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut() {
		return errAway
	}
	if string(c.items[name].Data) == id {
		c.write(name, nil, true)
	}
	return nil
}
