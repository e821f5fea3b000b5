package command

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/source"
)

// rows is a source of keys row:<id>.
type rows struct {
	asked  atomic.Int64
	values sync.Map      // id to value or error
	wait   chan struct{} // what a load waits for; nil: nothing
}

func (r *rows) Load(ctx context.Context, p source.Params) (source.Value, error) {
	r.asked.Add(1)
	if r.wait != nil {
		select {
		case <-r.wait:
		case <-ctx.Done():
			return source.Value{}, ctx.Err()
		}
	}
	v, _ := r.values.Load(p.Text(0))
	switch v := v.(type) {
	case string:
		return source.Value{Data: []byte(v)}, nil
	case error:
		return source.Value{}, v
	}
	return source.Value{}, source.ErrNotFound
}

// newSourced is a world whose keys row:<id> come from a source.
func newSourced(t *testing.T, r *rows) *world {
	pattern, err := source.ParsePattern("row:{id}")
	if err != nil {
		t.Fatal(err)
	}
	loader := source.NewLoader(pattern, r, source.NewGate("db", source.Config{}))
	return newWorldOf(t, []*cache.Namespace{{
		Name: "rows", Loader: loader,
		Read: source.NamespaceConfig{Prefix: "row:", TTL: time.Hour, NegativeTTL: time.Minute},
	}})
}

func TestReadThrough(t *testing.T) {
	var r rows
	r.values.Store("1", "one")
	r.values.Store("2", "two")
	w := newSourced(t, &r)
	w.now.Store(time.Now().UnixMilli())
	c := w.connect("2")
	c.expect(
		step{"GET row:1", "$3 one"},
		step{"GET row:1", "$3 one"},
		step{"GET row:none", "$-1"},
		step{"GET row:none", "$-1"},
		step{"GET other", "$-1"},
		step{"MGET row:1 row:2 other row:none", "*4 $3 one $3 two $-1 $-1"},
		step{"STRLEN row:2", ":3"},
		step{"SET row:1 mine GET", "$3 one"},
		step{"GET row:1", "$4 mine"},
	)
	if got := r.asked.Load(); got != 3 {
		t.Errorf("the source was asked %d times", got)
	}
	if got := field(c.do("INFO larder"), "namespace_rows"); !strings.HasPrefix(got, "hits=") || !strings.Contains(got, "misses=3,") {
		t.Errorf("counters %s", got)
	}
}

func TestSourceFails(t *testing.T) {
	var r rows
	r.values.Store("1", errors.New("the database is on fire"))
	c := newSourced(t, &r).connect("2")
	if got := c.do("GET row:1"); !strings.HasPrefix(got, "-") {
		t.Errorf("reply %q", got)
	}
	c.expect(step{"GET other", "$-1"}, step{"SET row:1 x", "+OK"}, step{"GET row:1", "$1 x"})
}

// A miss leaves the event loop before the source is asked, without an answer;
// while the source hangs others go on, and a client that is gone stops waiting.
func TestMissParks(t *testing.T) {
	r := rows{wait: make(chan struct{})}
	r.values.Store("1", "one")
	w := newSourced(t, &r)
	w.now.Store(time.Now().UnixMilli())
	c, other := w.connect("2"), w.connect("2")
	args := [][]byte{[]byte("GET"), []byte("row:1")}
	w.x.Begin(c.s)
	if got := w.x.Execute(c.s, args); got != Park || c.s.Out.Size() != 0 || r.asked.Load() != 0 {
		t.Fatalf("outcome %v, %d bytes, asked %d times", got, c.s.Out.Size(), r.asked.Load())
	}
	w.x.End(c.s)

	done := make(chan string)
	go func() { done <- c.do("GET row:1") }()
	eventually(t, "the client waits", func() bool { return w.x.blocked.Load() == 1 && r.asked.Load() == 1 })
	other.expect(step{"SET a 1", "+OK"}, step{"GET a", "$1 1"})
	if got := other.do("CLIENT LIST ID 1"); field(got, "flags") != "b" {
		t.Errorf("not blocked: %q", got)
	}
	gone := make(chan string)
	go func() { gone <- other.do("GET row:1") }()
	eventually(t, "both wait", func() bool { return w.x.blocked.Load() == 2 })
	other.s.Interrupt()
	if got := <-gone; !strings.HasPrefix(got, "-") {
		t.Errorf("the client that is gone got %q", got)
	}
	close(r.wait)
	if got := <-done; got != "$3 one" {
		t.Errorf("reply %q", got)
	}
}

// A read of a client with NO-TOUCH does not count for eviction.
func TestNoTouch(t *testing.T) {
	c := newWorld(t).connect("2")
	c.do("CONFIG SET maxmemory-policy allkeys-lfu")
	c.do("SET a 1")
	freq := func(touch string) string {
		c.do("CLIENT NO-TOUCH " + touch)
		for range 200 {
			c.do("GET a")
		}
		return c.do("OBJECT FREQ a")
	}
	before := freq("on")
	if after := freq("on"); after != before {
		t.Errorf("untouched, but from %s to %s", before, after)
	}
	if after := freq("off"); after == before {
		t.Errorf("touched, but still %s", after)
	}
}
