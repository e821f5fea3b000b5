package server_test

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/server"
	"github.com/larder-cache/larder/internal/source"
)

// forLong is a max_staleness that no test waits for.
const forLong = 10 * time.Second

// inHotClusters runs a test in clusters of three nodes whose keys «hot…» may be
// read from near copies for so long.
func inHotClusters(t *testing.T, staleness time.Duration, test func(t *testing.T, c *nodes)) {
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) { test(t, newHotNodes(t, mode, staleness)) })
	}
}

func newHotNodes(t testing.TB, mode server.Mode, staleness time.Duration) *nodes {
	c := &nodes{t: t, mode: mode, opened: func(*node) {}}
	c.namespaces = func() []*cache.Namespace {
		return []*cache.Namespace{{Name: "hot", Read: source.NamespaceConfig{Prefix: "hot", MaxStaleness: staleness}}}
	}
	c.start(3)
	return c
}

func (d *node) near() command.NearSnapshot { return d.x.Snapshot().Cluster.Near }

// heat reads a key until the node answers it from a copy.
func (d *node) heat(key string) {
	d.all.t.Helper()
	cl := d.any.dial()
	defer cl.Close()
	batch := strings.Repeat(request("GET", key), 100)
	hits := d.near().Hits
	for begun := time.Now(); d.near().Hits == hits; {
		if time.Since(begun) > patience {
			d.all.t.Fatalf("%s is not hot: %+v", key, d.near())
		}
		cl.send(batch)
		for range 100 {
			cl.reply()
		}
	}
}

// ledger knows when the writes of a key were acknowledged: the value n is the
// n-th write.
type ledger struct {
	mu    sync.Mutex
	acked []time.Time // GUARDED_BY(mu): by value
}

func (l *ledger) note() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, time.Now())
}

// least returns the lowest value that a read may return that shows every write
// acknowledged before a time.
func (l *ledger) least(before time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, _ := slices.BinarySearchFunc(l.acked, before, time.Time.Compare)
	return n - 1
}

// A read of a hot key is never older than max_staleness, also when no news of
// changes get through; a client sees its own writes, and no key go back.
func TestNearStalenessIsBounded(t *testing.T) {
	const bound = 30 * time.Millisecond
	for _, mute := range []bool{false, true} {
		t.Run(fmt.Sprint("mute=", mute), func(t *testing.T) {
			inHotClusters(t, bound, func(t *testing.T, c *nodes) {
				owner, key := c.list[1], c.keyOf(c.list[1], "hot")
				owner.any.dial().ask("SET", key, "0")
				l := &ledger{acked: []time.Time{time.Now()}}
				c.list[0].heat(key)
				c.list[2].heat(key)
				owner.mute.Store(mute)
				old := checkStaleness(t, c, key, l, bound)
				for _, d := range []*node{c.list[0], c.list[2]} {
					s := d.near()
					if s.Fills == 0 || s.Hits == 0 {
						t.Errorf("nothing was read from copies: %+v", s)
					}
					if !mute && s.Dropped[0] == 0 {
						t.Errorf("no copy was dropped when its key was changed: %+v", s)
					}
				}
				if mute && old == 0 {
					t.Error("no read was stale at all: nothing was tested")
				}
				if told := owner.near().Told; !mute && told == 0 {
					t.Error("the owner has told nobody")
				}
			})
		})
	}
}

// checkStaleness writes a key through two nodes in turns, each time after some
// reads, while it is read through two; it returns how many reads were older than
// the last acknowledged write.
func checkStaleness(t *testing.T, c *nodes, key string, l *ledger, bound time.Duration) (old int64) {
	var readers sync.WaitGroup
	var reads, stale atomic.Int64
	stop := make(chan struct{})
	for i := range 4 {
		cl := c.list[i%2*2].any.dial()
		readers.Go(func() {
			last := 0
			for {
				select {
				case <-stop:
					return
				default:
				}
				sent := time.Now()
				got := valueOf(t, cl.ask("GET", key))
				reads.Add(1)
				if least := l.least(sent.Add(-bound)); got < least {
					t.Errorf("read %d, but %d was acknowledged %v before", got, least, bound)
					return
				}
				if got < l.least(sent) {
					stale.Add(1)
				}
				if got < last {
					t.Errorf("read %d after %d", got, last)
					return
				}
				last = got
			}
		})
	}
	writers := []*client{c.list[0].any.dial(), c.list[1].any.dial()}
	other := c.list[0].any.dial() // of the same node as the first
	for begun, n := time.Now(), 1; time.Since(begun) < 500*time.Millisecond && !t.Failed(); n++ {
		writers[n%2].ask("SET", key, strconv.Itoa(n))
		l.note()
		if n%2 == 0 {
			for _, cl := range []*client{writers[0], other} {
				if got := valueOf(t, cl.ask("GET", key)); got != n {
					t.Errorf("read %d through the node that has acknowledged %d", got, n)
				}
			}
		}
		for from := reads.Load(); reads.Load() < from+100 && !t.Failed(); {
			time.Sleep(100 * time.Microsecond)
		}
	}
	close(stop)
	readers.Wait()
	return stale.Load()
}

func valueOf(t *testing.T, reply string) int {
	lines := strings.Split(reply, "\r\n")
	n, err := strconv.Atoi(lines[min(1, len(lines)-1)])
	if err != nil {
		t.Errorf("reply %q", reply)
	}
	return n
}

// Without max_staleness no read is answered from a copy, however hot its key is.
func TestNearIsOffByDefault(t *testing.T) {
	c := newHotNodes(t, server.ModeAuto, forLong)
	d, cold := c.list[0], c.keyOf(c.list[1], "cold")
	cl := d.any.dial()
	for range 50 {
		cl.send(strings.Repeat(request("GET", cold), 100))
		for range 100 {
			cl.expect("$-1\r\n")
		}
	}
	d.heat(c.keyOf(c.list[1], "hot")) // by now it would be hot
	if s := d.near(); s.HotKeys != 1 || c.list[1].near().Held != 1 {
		t.Errorf("%+v; held: %+v", s, c.list[1].near())
	}
}

// BenchmarkNear is reads of one hot key through a node that does not own it, by
// eight clients: from its owner, and from near copies.
func BenchmarkNear(b *testing.B) {
	for name, prefix := range map[string]string{"owner": "cold", "copy": "hot"} {
		b.Run(name, func(b *testing.B) {
			c := newHotNodes(b, server.ModeAuto, 100*time.Millisecond)
			key, value := c.keyOf(c.list[1], prefix), strings.Repeat("x", 64)
			c.list[1].any.dial().ask("SET", key, value)
			served := c.list[1].x.Snapshot().ForwardServed
			const depth = 16
			batch, size := strings.Repeat(request("GET", key), depth), depth*len(bulk(value))
			var clients sync.WaitGroup
			var left atomic.Int64
			left.Store(int64(b.N))
			begun := processorTime()
			b.ResetTimer()
			for range 8 {
				cl := c.list[0].any.dial()
				clients.Go(func() {
					replies := make([]byte, size)
					for left.Add(-depth) > -depth {
						cl.SetDeadline(time.Now().Add(patience))
						cl.send(batch)
						if _, err := io.ReadFull(cl.r, replies); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			clients.Wait()
			b.ReportMetric(float64(processorTime()-begun)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(c.list[1].x.Snapshot().ForwardServed-served)/float64(b.N), "owner/op")
		})
	}
}
