package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/larder-cache/larder/internal/source"
	"github.com/larder-cache/larder/internal/storage/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// table is a source whose rows a test changes and whose answers it can hold
// back.
type table struct {
	mu    sync.Mutex
	rows  map[string]string
	err   error
	hold  chan struct{} // when not nil, a query waits for it
	asked atomic.Int64
	began chan struct{} // receives once per query, when not nil
}

func (s *table) Load(ctx context.Context, p source.Params) (source.Value, error) {
	s.asked.Add(1)
	s.mu.Lock()
	row, ok := s.rows[p.Key()]
	err, hold := s.err, s.hold
	s.mu.Unlock()
	if s.began != nil {
		s.began <- struct{}{}
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return source.Value{}, ctx.Err()
		}
	}
	switch {
	case err != nil:
		return source.Value{}, err
	case !ok:
		return source.Value{}, source.ErrNotFound
	}
	return source.Value{Data: []byte(row)}, nil
}

func (s *table) set(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[key] = value
}

func (s *table) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// newCache returns a cache whose namespace user: is filled from the table.
func newCache(t *testing.T, rows *table, config source.NamespaceConfig) *Cache {
	c, _ := newCacheAndClock(t, rows, config)
	return c
}

// newCacheAndClock also returns what a test adds to move the clock.
func newCacheAndClock(t *testing.T, rows *table, config source.NamespaceConfig) (*Cache, *atomic.Int64) {
	t.Helper()
	if config.TTL == 0 {
		config.TTL = time.Hour
	}
	config.Pattern, config.Source = "user:{id}", "test"
	pattern, err := source.ParsePattern(config.Pattern)
	if err != nil {
		t.Fatal(err)
	}
	loader := source.NewLoader(pattern, rows, source.NewGate("test", source.Config{Timeout: 5 * time.Second}.WithDefaults()))
	var c *Cache
	clock := &atomic.Int64{}
	clock.Store(time.Now().UnixMilli())
	store, err := memory.Open(memory.Config{Clock: clock.Load, Voided: func(db int, key []byte) { c.Voided(db, key) }})
	if err != nil {
		t.Fatal(err)
	}
	c = New(store, []*Namespace{{Name: "users", Read: config.WithDefaults(), Loader: loader}})
	t.Cleanup(func() {
		c.Close()
		store.Close()
	})
	return c, clock
}

// get reads a key as a command does.
func get(c *Cache, key string) (value string, found bool, err error) {
	var r Reads
	for {
		h := c.Lock(0, []byte(key), c.Store().Now())
		e, ok := c.Lookup(&h, &r)
		if ok {
			value = string(e.Value())
		}
		h.Release()
		if !r.Missed() {
			c.Commit(&r)
			return value, ok, nil
		}
		if err := c.Load(context.Background(), &r); err != nil {
			return "", false, err
		}
	}
}

func set(c *Cache, key, value string) {
	h := c.Lock(0, []byte(key), c.Store().Now())
	h.Set([]byte(value), 0)
	h.Release()
}

func stats(c *Cache) NamespaceStats { return c.Namespaces()[0] }

func want(t *testing.T, c *Cache, key, value string) {
	t.Helper()
	if got, ok, err := get(c, key); err != nil || !ok || got != value {
		t.Fatalf("get %s = %q, %v, %v; want %q", key, got, ok, err, value)
	}
}

func TestOneQueryForManyMisses(t *testing.T) {
	rows := &table{rows: map[string]string{"user:1": "ann"}, hold: make(chan struct{})}
	c := newCache(t, rows, source.NamespaceConfig{})
	var clients sync.WaitGroup
	for range 1000 {
		clients.Go(func() {
			if v, ok, err := get(c, "user:1"); err != nil || !ok || v != "ann" {
				t.Errorf("get = %q, %v, %v", v, ok, err)
			}
		})
	}
	close(rows.hold)
	clients.Wait()
	if n := rows.asked.Load(); n != 1 {
		t.Errorf("%d queries, want 1", n)
	}
	if s := stats(c); s.Hits+s.Misses != 1000 || s.Fills != 1 || s.Voided != 0 {
		t.Errorf("stats %+v", s)
	}
}

// TestFillNeverOverwritesWrite replays: 1. a load has read the row, 2. the key
// is written, 3. the load ends.
func TestFillNeverOverwritesWrite(t *testing.T) {
	rows := &table{rows: map[string]string{"user:1": "old"}, hold: make(chan struct{}), began: make(chan struct{}, 10)}
	c := newCache(t, rows, source.NamespaceConfig{})
	done := make(chan string)
	go func() {
		v, _, err := get(c, "user:1")
		if err != nil {
			t.Error(err)
		}
		done <- v
	}()
	<-rows.began
	set(c, "user:1", "new")
	close(rows.hold)
	if got := <-done; got != "new" {
		t.Errorf("the reader got %q", got)
	}
	want(t, c, "user:1", "new")
	if s := stats(c); s.Voided != 1 || s.Fills != 0 {
		t.Errorf("stats %+v", s)
	}
}

// TestInvalidationDuringLoad is the same with a deletion: the row has changed in
// the database, and what was read before must not be stored nor answered.
func TestInvalidationDuringLoad(t *testing.T) {
	rows := &table{rows: map[string]string{"user:1": "old"}, hold: make(chan struct{}), began: make(chan struct{}, 10)}
	c := newCache(t, rows, source.NamespaceConfig{})
	done := make(chan string)
	go func() {
		v, _, err := get(c, "user:1")
		if err != nil {
			t.Error(err)
		}
		done <- v
	}()
	<-rows.began
	rows.set("user:1", "new")
	c.Invalidate([]byte("user:1"))
	close(rows.hold)
	if got := <-done; got != "new" {
		t.Errorf("the reader got %q", got)
	}
	want(t, c, "user:1", "new")
}

func TestNegative(t *testing.T) {
	rows := &table{rows: map[string]string{}}
	c := newCache(t, rows, source.NamespaceConfig{NegativeTTL: time.Minute})
	for range 3 {
		if _, ok, err := get(c, "user:9"); ok || err != nil {
			t.Fatalf("found %v, %v", ok, err)
		}
	}
	if n := rows.asked.Load(); n != 1 {
		t.Errorf("%d queries, want 1", n)
	}
	if s := stats(c); s.Negative != 2 || s.Hits != 2 || s.Misses != 1 {
		t.Errorf("stats %+v", s)
	}
	if n := c.Store().Len(0); n != 0 {
		t.Errorf("a remembered absence counts as %d keys", n)
	}
	set(c, "user:9", "now")
	want(t, c, "user:9", "now")
	if err := c.Store().Check(); err != nil {
		t.Error(err)
	}
}

func TestStaleWhileRevalidate(t *testing.T) {
	rows := &table{rows: map[string]string{"user:1": "one"}}
	c, clock := newCacheAndClock(t, rows, source.NamespaceConfig{TTL: time.Minute, StaleWhileRevalidate: time.Minute})
	want(t, c, "user:1", "one")
	rows.set("user:1", "two")
	clock.Add(90_000)
	want(t, c, "user:1", "one")
	await(t, func() bool { v, _, _ := get(c, "user:1"); return v == "two" })
	if s := stats(c); s.Stale == 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestStaleIfError(t *testing.T) {
	rows := &table{rows: map[string]string{"user:1": "one"}}
	c, clock := newCacheAndClock(t, rows, source.NamespaceConfig{TTL: time.Minute, StaleIfError: time.Hour})
	want(t, c, "user:1", "one")
	clock.Add(600_000)
	rows.fail(errors.New("the database is on fire"))
	want(t, c, "user:1", "one")
	if _, _, err := get(c, "user:2"); err == nil {
		t.Error("a miss while the source is down is no error")
	}
	rows.fail(nil)
	rows.set("user:1", "two")
	want(t, c, "user:1", "two")
	clock.Add(3_600_000 + 60_000)
	rows.fail(errors.New("the database is on fire"))
	if v, _, err := get(c, "user:1"); err == nil {
		t.Errorf("read %q beyond stale_if_error", v)
	}
}

func TestEarlyRefresh(t *testing.T) {
	rows := &table{rows: map[string]string{"user:1": "one"}}
	c, clock := newCacheAndClock(t, rows, source.NamespaceConfig{TTL: time.Minute, EarlyRefresh: 100})
	want(t, c, "user:1", "one")
	clock.Add(60_000 - 1)
	await(t, func() bool {
		want(t, c, "user:1", "one")
		return rows.asked.Load() > 1
	})
}

// TestHangingSourceLeavesHitsAlone is the promise that a miss never blocks hits.
func TestHangingSourceLeavesHitsAlone(t *testing.T) {
	rows := &table{rows: map[string]string{}, hold: make(chan struct{}), began: make(chan struct{}, 100)}
	c := newCache(t, rows, source.NamespaceConfig{})
	set(c, "user:hit", "here")
	var waiting sync.WaitGroup
	for i := range 10 {
		waiting.Go(func() { _, _, _ = get(c, fmt.Sprintf("user:%d", i)) })
	}
	<-rows.began
	for range 1000 {
		want(t, c, "user:hit", "here")
	}
	close(rows.hold)
	waiting.Wait()
}

// TestWritesAndLoadsAgree writes rows and invalidates their keys while readers
// load them: once all is quiet no reader sees an old row.
func TestWritesAndLoadsAgree(t *testing.T) {
	rows := &table{rows: map[string]string{}}
	c := newCache(t, rows, source.NamespaceConfig{NegativeTTL: time.Hour})
	var work sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		work.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				_, _, _ = get(c, fmt.Sprintf("user:%d", i%8))
			}
		})
	}
	for i := range 2000 {
		key := fmt.Sprintf("user:%d", i%8)
		rows.set(key, fmt.Sprint(i))
		c.Invalidate([]byte(key))
	}
	close(stop)
	work.Wait()
	for i := range 8 {
		want(t, c, fmt.Sprintf("user:%d", i), fmt.Sprint(2000-8+i))
	}
}

func await(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("did not happen within 10 s")
		}
	}
}
