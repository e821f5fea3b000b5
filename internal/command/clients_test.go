package command

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// world is an executor with several clients, at a time of its own.
type world struct {
	t        testing.TB
	x        *Executor
	observer Observer
	store    *memory.Store
	now      atomic.Int64
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	return newWorldOf(t, nil, change...)
}

// newWorldOf is newWorld with namespaces.
func newWorldOf(t testing.TB, namespaces []*cache.Namespace, change ...func(*Config)) *world {
	w := &world{t: t}
	w.now.Store(testerStart)
	var service *cache.Cache
	store, err := memory.Open(memory.Config{
		Partitions: true,
		Shards:     16, Clock: w.now.Load, Observer: &w.observer,
		Voided: func(db int, key []byte) { service.Voided(db, key) },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.store = store
	service = cache.New(store, namespaces)
	t.Cleanup(func() {
		service.Close()
		store.Close()
	})
	config := Config{Cache: service, Options: DefaultOptions(), Observer: &w.observer}
	for _, f := range change {
		f(&config)
	}
	w.x = New(config)
	return w
}

// client is one connection of a world. What is pushed to it is kept apart from
// its replies.
type client struct {
	w    *world
	s    *Session
	host string // it comes from; empty: 127.0.0.1

	mu     sync.Mutex
	pushed []byte
	killed bool
}

func (c *client) Push(message []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pushed = append(c.pushed, message...)
}

func (c *client) Kill(bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = true
}

func (c *client) RemoteAddr() string {
	return fmt.Sprintf("%s:%d", cmp.Or(c.host, "127.0.0.1"), 1000+c.s.ID)
}
func (c *client) LocalAddr() string        { return "127.0.0.1:6379" }
func (c *client) Buffers() (int, int, int) { return 10, 20, 30 }
func (c *client) FD() int                  { return 7 }

// connect adds a client; with RESP3 when version is 3.
func (w *world) connect(version string) *client {
	c := &client{w: w}
	c.s = &Session{} // an address is asked for while the session is made
	c.s = w.x.NewSession(c)
	if version == "3" {
		c.do("HELLO 3")
	}
	return c
}

// request runs one request and returns its reply and what is to be done next.
func (c *client) request(words ...string) (string, Outcome) {
	args := make([][]byte, len(words))
	for i, word := range words {
		args[i] = []byte(word)
	}
	for {
		c.w.x.Begin(c.s)
		c.s.ctx.Now = c.w.now.Load()
		outcome := c.w.x.Execute(c.s, args)
		c.w.x.End(c.s)
		if outcome == Park && !c.s.MayBlock {
			c.s.MayBlock = true
			continue
		}
		c.s.MayBlock = false
		out := flatten(&c.s.Out)
		c.s.Out.Reset()
		return string(out), outcome
	}
}

func (c *client) do(request string) string {
	reply, _ := c.request(words(c.w.t, request)...)
	return flat(reply)
}

// expect runs requests and compares their replies.
func (c *client) expect(steps ...step) {
	c.w.t.Helper()
	for _, s := range steps {
		if got := c.do(s.request); got != s.reply {
			c.w.t.Errorf("%s\n got %q\nwant %q", s.request, got, s.reply)
		}
	}
}

// got compares what was pushed since the last call.
func (c *client) got(want string) {
	c.w.t.Helper()
	if got := c.take(); got != want {
		c.w.t.Errorf("pushed\n got %q\nwant %q", got, want)
	}
}

func (c *client) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := flat(string(c.pushed))
	c.pushed = nil
	return out
}

func (c *client) wasKilled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.killed
}

// eventually waits until a condition that another goroutine brings about holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// field returns the value of a field of INFO or of a line of CLIENT LIST.
func field(text, name string) string {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == '\r' || r == '\n' || r == ' ' }) {
		if value, ok := strings.CutPrefix(word, name+"="); ok {
			return value
		}
		if value, ok := strings.CutPrefix(word, name+":"); ok {
			return value
		}
	}
	return ""
}
