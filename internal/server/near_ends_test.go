package server_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/server"
)

// staleNodes is a cluster whose first node has a copy of a key that has another
// value by now, of which it does not hear.
func staleNodes(t *testing.T, mode server.Mode) (c *nodes, key string) {
	c = newHotNodes(t, mode, forLong)
	key = c.keyOf(c.list[1], "hot")
	writer, cl := c.list[1].any.dial(), c.list[0].any.dial()
	// Until the nodes know each other's interests, news of the first write may end
	// the copy: then once more.
	for begun := time.Now(); time.Since(begun) < patience; c.list[1].mute.Store(false) {
		writer.ask("SET", key, "old")
		c.list[0].heat(key)
		c.list[1].mute.Store(true)
		writer.ask("SET", key, "new")
		if cl.ask("GET", key) == bulk("old") {
			return c, key
		}
	}
	t.Fatal("no copy stays")
	return c, key
}

// Reads that have to agree with what else their client is told go to the owner.
func TestReadsThatNoCopyAnswers(t *testing.T) {
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) {
			c, key := staleNodes(t, mode)
			d := c.list[0]
			tracking := d.tracking()
			tracking.send(request("GET", key))
			tracking.expect(bulk("new"))
			noTouch := d.any.dial()
			noTouch.send(request("CLIENT", "NO-TOUCH", "ON"), request("GET", key))
			noTouch.expect("+OK\r\n" + bulk("new"))
			tx := d.any.dial()
			tx.send(request("WATCH", key), request("GET", key), request("MULTI"), request("GET", key), request("EXEC"))
			tx.expect("+OK\r\n" + bulk("new") + "+OK\r\n+QUEUED\r\n*1\r\n" + bulk("new"))
			many := d.any.dial()
			many.send(request("MGET", key), request("STRLEN", key), request("GETRANGE", key, "0", "-1"))
			many.expect("*1\r\n" + bulk("new") + ":3\r\n" + bulk("new"))
			redirected := d.own.dial()
			if got := redirected.ask("GET", key); !strings.HasPrefix(got, "-MOVED ") {
				t.Errorf("a client of the cluster protocol got %q", got)
			}
		})
	}
}

// A copy ends with what makes it doubtful, long before its time.
func TestCopyEnds(t *testing.T) {
	for _, mode := range modes() {
		for name, end := range map[string]func(c *nodes, key string){
			"written":  func(c *nodes, key string) { c.list[0].any.dial().ask("APPEND", key, "er") },
			"of many":  func(c *nodes, key string) { c.list[0].any.dial().ask("DEL", "a", "b", "c", key) },
			"of slots": func(c *nodes, key string) { c.list[0].any.dial().ask("MSET", c.keyOf(c.list[1], "k"), "1", key, "2") },
			"in a transaction": func(c *nodes, key string) {
				cl := c.list[0].any.dial()
				cl.send(request("MULTI"), request("SET", key, "x"), request("EXEC"))
				cl.expect("+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n")
			},
			"flushed": func(c *nodes, key string) { c.list[0].any.dial().ask("FLUSHALL") },
			"moved": func(c *nodes, key string) {
				c.move([]int{hashing.PartitionOf([]byte(key))}, int16(c.view.Index(c.list[2].id)), []string{key})
			},
			"removed": func(c *nodes, key string) { c.list[0].x.RemovedFromCluster() },
		} {
			t.Run(string(mode)+"/"+name, func(t *testing.T) {
				c, key := staleNodes(t, mode)
				cl := c.list[0].any.dial()
				end(c, key)
				if got, want := cl.ask("GET", key), c.owner(key).any.dial().ask("GET", key); got != want || got == bulk("old") {
					t.Errorf("read %q, want %q", got, want)
				}
			})
		}
	}
}

// When the link to its owner breaks, a copy is not used any more.
func TestCopyEndsWithItsLink(t *testing.T) {
	c, key := staleNodes(t, server.ModeAuto)
	c.list[1].net.Close()
	for lane := range 2 {
		for begun := time.Now(); c.list[0].link(c.list[1].id, lane).IsUp(); {
			if time.Since(begun) > patience {
				t.Fatal("the link is up though its other end was closed")
			}
		}
	}
	cl := c.list[0].any.dial()
	if got := cl.ask("GET", key); !strings.HasPrefix(got, "-CLUSTERDOWN ") {
		t.Errorf("read %q though the owner cannot be reached", got)
	}
}

// News that are told again after they were lost end what they were about.
func TestLostNewsEndCopies(t *testing.T) {
	c, key := staleNodes(t, server.ModeAuto)
	cl := c.list[0].any.dial()
	c.list[1].mute.Store(false)
	for begun := time.Now(); cl.ask("GET", key) != bulk("new"); {
		if time.Since(begun) > forLong/2 {
			t.Fatal("the copy is still read")
		}
	}
}

// What happens at the owner reaches the copies: deletion, expiry, a flush
// through another node.
func TestNewsEndCopies(t *testing.T) {
	inHotClusters(t, forLong, func(t *testing.T, c *nodes) {
		key := c.keyOf(c.list[1], "hot")
		elsewhere, cl := c.list[2].any.dial(), c.list[0].any.dial()
		for _, change := range []string{"DEL", "UNLINK", "FLUSHALL"} {
			elsewhere.ask("SET", key, "v")
			c.list[0].heat(key)
			words := []string{change, key}
			if change == "FLUSHALL" {
				words = words[:1]
			}
			elsewhere.ask(words...)
			for begun := time.Now(); cl.ask("GET", key) != "$-1\r\n"; {
				if time.Since(begun) > forLong/2 {
					t.Fatalf("after %s the copy is still read", change)
				}
			}
		}
	})
}

// A copy does not outlive its entry, though nobody tells of that.
func TestCopyExpires(t *testing.T) {
	inHotClusters(t, forLong, func(t *testing.T, c *nodes) {
		key := c.keyOf(c.list[1], "hot")
		writer, cl := c.list[1].any.dial(), c.list[0].any.dial()
		writer.ask("SET", key, "v")
		c.list[0].heat(key)
		c.list[1].mute.Store(true)
		writer.ask("SET", key, "v", "PX", "400")
		expired := time.Now().Add(400 * time.Millisecond)
		c.list[0].any.dial().ask("PERSIST", "hot{"+key+"}") // ends the copy without an expiry
		hits := c.list[0].near().Hits
		for {
			sent := time.Now()
			got := cl.ask("GET", key)
			if got == "$-1\r\n" {
				break
			}
			if sent.After(expired) {
				t.Fatalf("read %q after it had expired", got)
			}
		}
		if c.list[0].near().Hits == hits {
			t.Error("nothing was read from the copy")
		}
	})
}

// A client that sends reads and writes without waiting gets every reply as if it
// had waited, while others keep the copy warm.
func TestNearPipelines(t *testing.T) {
	inHotClusters(t, forLong, func(t *testing.T, c *nodes) {
		d, key := c.list[0], c.keyOf(c.list[1], "hot")
		tagged := "{" + key + "}x"
		d.heat(key)
		stop := make(chan struct{})
		var others sync.WaitGroup
		for range 2 {
			cl := d.any.dial()
			others.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						cl.ask("GET", key)
					}
				}
			})
		}
		cl := d.any.dial()
		for i := range 300 {
			a, b := fmt.Sprint("a", i), fmt.Sprint("b", i)
			cl.send(request("SET", key, a), request("GET", key), request("MSET", key, b, tagged, b), request("GET", key), request("GET", key),
				request("MULTI"), request("SET", key, a), request("EXEC"), request("GET", key))
			cl.expect("+OK\r\n" + bulk(a) + "+OK\r\n" + bulk(b) + bulk(b) + "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n" + bulk(a))
		}
		close(stop)
		others.Wait()
	})
}

// Absent keys are copied too, and answered in the version of each client; large
// values are not copied.
func TestWhatIsCopied(t *testing.T) {
	inHotClusters(t, forLong, func(t *testing.T, c *nodes) {
		d, absent, large := c.list[0], c.keyOf(c.list[1], "hot-absent"), c.keyOf(c.list[1], "hot-large")
		d.heat(absent)
		cl := d.any.dial()
		cl.send(request("GET", absent), request("HELLO", "3"))
		cl.expect("$-1\r\n")
		cl.reply()
		hits, joined := d.near().Hits, d.near().Joined
		cl.send(request("GET", absent))
		cl.expect("_\r\n")
		if s := d.near(); s.Hits+s.Joined != hits+joined+1 {
			t.Errorf("%+v, want one read more than %d and %d", s, hits, joined)
		}
		value := strings.Repeat("x", 100<<10)
		cl.ask("SET", large, value)
		for begun := time.Now(); d.near().HotKeys < 2; {
			if time.Since(begun) > patience {
				t.Fatal("the large value is not hot")
			}
			cl.send(request("GET", large))
			cl.expect(bulk(value))
		}
		cl.send(request("GET", large))
		cl.expect(bulk(value))
		if s := d.near(); s.Bytes > 10<<10 {
			t.Errorf("%d bytes are kept", s.Bytes)
		}
	})
}

// Reads that copies answer are counted where they are answered, as others are;
// the owner learns of every fill.
func TestNearReadsAreCounted(t *testing.T) {
	inHotClusters(t, forLong, func(t *testing.T, c *nodes) {
		key := c.keyOf(c.list[1], "hot")
		c.list[1].any.dial().ask("SET", key, "v")
		hits := func() (all uint64) {
			for _, d := range c.list {
				n, _ := d.cache.HitsAndMisses()
				all += n
			}
			return all
		}
		reads := hits()
		var readers sync.WaitGroup
		const n, batch = 4, 2000
		for range n {
			cl := c.list[0].any.dial()
			readers.Go(func() {
				for range batch / 50 {
					cl.send(strings.Repeat(request("GET", key), 50))
					for range 50 {
						cl.expect(bulk("v"))
					}
				}
			})
		}
		readers.Wait()
		if got := hits() - reads; got != n*batch {
			t.Errorf("%d hits are counted of %d: %+v", got, n*batch, c.list[0].near())
		}
	})
}
