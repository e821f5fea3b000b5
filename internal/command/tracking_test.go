package command

import (
	"fmt"
	"sync"
	"testing"
)

const invalidA = ">2 $10 invalidate *1 $1 a"

func TestTracking(t *testing.T) {
	w := newWorld(t)
	c, other := w.connect("3"), w.connect("2")
	c.expect(step{"CLIENT TRACKING on", "+OK"})
	c.do("GET a")
	other.do("SET b 1")
	c.got("")
	other.do("SET a 1")
	c.got(invalidA)
	other.do("SET a 2") // was told already
	c.got("")

	for _, change := range []string{"SET a 3", "APPEND a x", "EXPIRE a 100", "DEL a"} {
		c.do("GET a")
		other.do(change)
		if got := c.take(); got != invalidA {
			t.Errorf("after %s: pushed %q", change, got)
		}
	}
	c.do("MGET x y")
	other.do("MSET y 1 z 1")
	c.got(">2 $10 invalidate *1 $1 y")
	other.do("MSET z 1 x 1")
	c.got(">2 $10 invalidate *1 $1 x")

	// Its own changes too, without NOLOOP.
	c.do("GET a")
	c.do("SET a 1 PX 5")
	c.got(invalidA)

	// Expiry.
	c.do("GET a")
	w.now.Add(10_000)
	w.store.Tick(w.now.Load(), false)
	c.got(invalidA)

	other.do("FLUSHALL")
	c.got(">2 $10 invalidate _")

	c.do("GET a")
	c.expect(step{"CLIENT TRACKING off", "+OK"})
	other.do("SET a 1")
	c.got("")
	if got := w.x.tracker.totals(); got != (trackingTotals{}) {
		t.Errorf("remembers %+v", got)
	}
}

func TestTrackingOptions(t *testing.T) {
	t.Run("optin", func(t *testing.T) {
		w := newWorld(t)
		c, other := w.connect("3"), w.connect("2")
		c.do("CLIENT TRACKING on OPTIN")
		c.do("GET a")
		other.do("SET a 1")
		c.got("")
		c.expect(step{"CLIENT CACHING yes", "+OK"})
		c.do("GET a")
		c.do("GET b")
		other.do("MSET a 1 b 1")
		c.got(invalidA)
	})
	t.Run("optout", func(t *testing.T) {
		w := newWorld(t)
		c, other := w.connect("3"), w.connect("2")
		c.do("CLIENT TRACKING on OPTOUT")
		c.expect(step{"CLIENT CACHING no", "+OK"})
		c.do("GET b")
		c.do("GET a")
		other.do("MSET a 1 b 1")
		c.got(invalidA)
	})
	t.Run("broadcast", func(t *testing.T) {
		w := newWorld(t)
		c, all, other := w.connect("3"), w.connect("3"), w.connect("2")
		c.do("CLIENT TRACKING on BCAST PREFIX u: PREFIX v:")
		all.do("CLIENT TRACKING on BCAST")
		other.do("SET u:1 x")
		other.do("SET w:1 x")
		c.got(">2 $10 invalidate *1 $3 u:1")
		all.got(">2 $10 invalidate *1 $3 u:1 >2 $10 invalidate *1 $3 w:1")
		// One message for a batch, also of keys that expire.
		other.do("MSET u:1 x u:2 x w:1 x u:1 y")
		if got := c.take(); got != ">2 $10 invalidate *2 $3 u:1 $3 u:2" && got != ">2 $10 invalidate *2 $3 u:2 $3 u:1" {
			t.Errorf("pushed %q", got)
		}
		other.do("PEXPIRE u:1 1")
		c.take()
		w.now.Add(1000)
		w.store.Tick(w.now.Load(), false)
		eventually(t, "expiry is told", func() bool { return c.take() == ">2 $10 invalidate *1 $3 u:1" })
	})
	t.Run("redirect", func(t *testing.T) {
		w := newWorld(t)
		c, to, other := w.connect("2"), w.connect("2"), w.connect("2")
		to.do("SUBSCRIBE __redis__:invalidate")
		c.do(fmt.Sprint("CLIENT TRACKING on REDIRECT ", to.s.ID))
		c.expect(step{"CLIENT GETREDIR", fmt.Sprint(":", to.s.ID)})
		c.do("GET a")
		other.do("SET a 1")
		to.got("*3 $7 message $20 __redis__:invalidate *1 $1 a")
		other.do("FLUSHDB")
		to.got("*3 $7 message $20 __redis__:invalidate $-1")
		c.do("GET a")
		w.x.EndSession(to.s)
		other.do("SET a 1")
		c.expect(step{"CLIENT TRACKINGINFO", fmt.Sprint("*6 $5 flags *2 $2 on $15 broken_redirect $8 redirect :", to.s.ID, " $8 prefixes *0")})
	})
	t.Run("noloop", func(t *testing.T) {
		w := newWorld(t)
		c, other := w.connect("3"), w.connect("2")
		c.do("CLIENT TRACKING on NOLOOP")
		for _, change := range []string{"SET a 1", "INCR a", "MSET a 1 b 2", "EXPIRE a 100", "DEL a b"} {
			c.do("MGET a b")
			c.do(change)
			if got := c.take(); got != "" {
				t.Errorf("after %s: pushed %q", change, got)
			}
		}
		c.do("GET a")
		other.do("SET a 1")
		c.got(invalidA)
	})
	t.Run("limit", func(t *testing.T) {
		w := newWorld(t)
		c := w.connect("3")
		c.do("CONFIG SET tracking-table-max-keys 2")
		c.do("CLIENT TRACKING on")
		for i := range 5 {
			c.do(fmt.Sprint("GET k", i))
		}
		if got := w.x.tracker.totals(); got.keys != 2 {
			t.Errorf("remembers %+v", got)
		}
		if got := len(c.take()); got != 3*len(">2 $10 invalidate *1 $2 k0")+2 {
			t.Errorf("pushed %d bytes", got)
		}
	})
}

// A change by another client is told even when a NOLOOP client writes the same
// key at the same time: the last value a client that reads after each message
// has seen is the last one written.
func TestNoLoopTellsChangesOfOthers(t *testing.T) {
	w := newWorld(t)
	c, other := w.connect("3"), w.connect("2")
	c.do("CLIENT TRACKING on NOLOOP")
	for range 300 {
		c.do("GET a")
		var both sync.WaitGroup
		both.Add(2)
		go func() { defer both.Done(); other.do("SET a other") }()
		own := ""
		go func() { defer both.Done(); own = c.do("SETNX a own") }()
		both.Wait()
		if got := c.take(); own == ":0" && got != invalidA {
			t.Fatalf("the other's change was not told: %q", got)
		}
		other.do("DEL a")
		c.take()
	}
}

func TestTrackingUnderLoad(t *testing.T) {
	w := newWorld(t)
	var clients sync.WaitGroup
	for i := range 4 {
		c := w.connect("3")
		clients.Go(func() {
			for n := range 500 {
				switch n % 50 {
				case 0:
					c.do("CLIENT TRACKING on")
				case 40:
					c.do("CLIENT TRACKING off")
				}
				c.do(fmt.Sprint("GET k", n%7))
				c.do(fmt.Sprint("SET k", (n+i)%7, " ", n))
				c.take()
			}
			w.x.EndSession(c.s)
		})
	}
	clients.Wait()
	if got := w.x.tracker.active.Load(); got != 0 {
		t.Errorf("%d clients track", got)
	}
}
