package server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/server"
)

// No reply to a write leaves before it is acknowledged, nor one that tells of it,
// nor what comes behind; others go on.
func TestRepliesAreHeld(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		d := c.list[0]
		key, other := c.keyOf(d, "k"), c.keyOf(d, "other")
		writer, reader, far := d.any.dial(), d.any.dial(), c.list[1].any.dial()
		writer.send(request("SET", other, "1"))
		writer.expect("+OK\r\n")
		n := at.sent.Load()
		at.stop()
		writer.send(request("PING"), request("SET", key, "v"), request("PING"), request("GET", other))
		at.batches(d.any, n)
		if c.mode == server.ModeLoops {
			writer.expect("+PONG\r\n") // what comes before is told
			writer.send(request("INCR", key), request("ECHO", "behind"))
		}
		reader.send(request("GET", other), request("EXISTS", "nosuch"))
		reader.expect(bulk("1") + ":0\r\n")
		reader.send(request("GET", key))
		far.send(request("GET", other))
		far.expect(bulk("1"))
		far.send(request("GET", key))
		writer.silent()
		reader.silent()
		far.silent()
		at.goOn()
		if c.mode == server.ModeLoops {
			writer.expect("+OK\r\n+PONG\r\n" + bulk("1") + "-ERR value is not an integer or out of range\r\n" + bulk("behind"))
		} else {
			writer.expect("+PONG\r\n+OK\r\n+PONG\r\n" + bulk("1"))
		}
		reader.expect(bulk("v"))
		far.expect(bulk("v"))
	})
}

// When this node is not the owner any more, whoever waits is closed without a
// word; a request of another node is lost.
func TestFencedRepliesAreLost(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		d := c.list[0]
		key, near := c.keyOf(d, "k"), c.keyOf(d, "near")
		writer, idle, far := d.any.dial(), d.any.dial(), c.list[1].any.dial()
		idle.send(request("SET", near, "1"))
		idle.expect("+OK\r\n")
		n := at.sent.Load()
		at.stop()
		writer.send(request("SET", key, "v"))
		far.send(request("SET", key, "w"))
		at.batches(d.any, n)
		writer.silent()
		c.change(func(v *cluster.View) {
			p := hashing.PartitionOf([]byte(key))
			v.Rows[p].Owner, v.Rows[p].Epoch = int16(v.Index(c.list[1].id)), 2
		})
		c.list[1].reroute(nil)
		d.any.eventually("both have been executed", func() bool { return d.x.Snapshot().ForwardServed == 1 })
		<-time.After(10 * time.Millisecond)
		at.refuse(hashing.PartitionOf([]byte(key)))
		writer.expectEnd()
		far.expect("-ERR The connection to the owner of the key was lost: whether the request was executed is not known\r\n")
		if got := d.x.Snapshot().RepliesLost; got != 2 {
			t.Errorf("%d replies are counted as lost", got)
		}
		d.any.closed(server.ClosedFenced, 1)
		at.goOn()
		idle.send(request("GET", near))
		idle.expect(bulk("1"))
	})
}

// A read of another node's client that is lost is asked again, of the new owner.
func TestLostReadsAreRepeated(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		d, next := c.list[0], c.list[1]
		key := c.keyOf(d, "k")
		p := hashing.PartitionOf([]byte(key))
		n := at.sent.Load()
		at.stop()
		writer, far := d.any.dial(), next.any.dial()
		writer.send(request("SET", key, "v"))
		at.batches(d.any, n)
		far.send(request("GET", key))
		d.any.eventually("the read has come", func() bool { return d.x.Snapshot().ForwardServed == 1 })
		far.silent()
		c.change(func(v *cluster.View) { v.Rows[p].Owner, v.Rows[p].Epoch = int16(v.Index(next.id)), 2 })
		next.reroute(nil)
		d.logs.Log(p).Fence()
		far.expect("$-1\r\n") // the new owner does not have it
		writer.expectEnd()
	})
}

// Who is not required any more need not acknowledge.
func TestHeldRepliesWithoutTheNode(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		d := c.list[0]
		key := c.keyOf(d, "k")
		n := at.sent.Load()
		at.stop()
		cl := d.any.dial()
		cl.send(request("SET", key, "v"))
		at.batches(d.any, n)
		cl.silent()
		d.logs.Log(hashing.PartitionOf([]byte(key))).Require(nil)
		cl.expect("+OK\r\n")
		at.goOn()
	})
}

// Transactions, requests over several partitions and nodes, those that take long,
// large values and clients that asked for no replies.
func TestHeldKinds(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		d := c.list[0]
		a, b, far := c.keyOf(d, "a"), c.keyOf(d, "b"), c.keyOf(c.list[1], "far")
		value := string(blob(1 << 20))
		for name, story := range map[string]struct{ send, want string }{
			"transaction":  {request("MULTI") + request("SET", a, "1") + request("GET", a) + request("EXEC"), "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n" + bulk("1")},
			"several keys": {request("MSET", a, "1", b, "2", far, "3") + request("MGET", a, far, b), "+OK\r\n*3\r\n" + bulk("1") + bulk("3") + bulk("2")},
			"large":        {request("SET", a, value) + request("GET", a), "+OK\r\n" + bulk(value)},
			"flush":        {request("SET", a, "1") + request("FLUSHALL") + request("DBSIZE"), "+OK\r\n+OK\r\n:0\r\n"},
			"no reply":     {request("CLIENT", "REPLY", "SKIP") + request("SET", a, "x") + request("GET", a), bulk("x")},
			"wait":         {request("SET", a, "x") + request("WAIT", "1", "0") + request("GET", a), "+OK\r\n:1\r\n" + bulk("x")},
			"parked":       {request("DEBUG", "SLEEP", "0") + request("SET", a, "x") + request("GET", a) + request("DEBUG", "SLEEP", "0"), "+OK\r\n+OK\r\n" + bulk("x") + "+OK\r\n"},
			"parks":        {request("SET", a, "x") + request("DEBUG", "SLEEP", "0") + request("GET", a), "+OK\r\n+OK\r\n" + bulk("x")},
		} {
			at.stop()
			n := at.sent.Load()
			cl := d.any.dial()
			go cl.send(story.send)
			at.batches(d.any, n)
			if name != "transaction" && name != "parked" { // which begin with what is not held
				cl.silent()
			}
			end := make(chan struct{})
			go func() {
				defer close(end)
				cl.expect(story.want)
			}()
			for done := false; !done; {
				select {
				case <-end:
					done = true
				case <-time.After(time.Millisecond):
					at.step()
				}
			}
			at.goOn()
			if t.Failed() {
				t.Fatal(name)
			}
		}
	})
}

// Clients write and read at random while the copy acknowledges at random: what a
// client is told of has been acknowledged.
func TestHeldAtRandom(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		at.stop()
		var ended atomic.Bool
		var pump sync.WaitGroup
		pump.Go(func() {
			for !ended.Load() {
				at.step()
				<-time.After(time.Duration(rand.IntN(500)) * time.Microsecond)
			}
			at.goOn()
		})
		var clients sync.WaitGroup
		for i := range 8 {
			key := c.keyOf(c.list[i%2], fmt.Sprint("n", i/2, "-"))
			cl := c.list[i/2%2].any.dial()
			clients.Go(func() {
				value := 0
				for range 40 {
					all, want := "", ""
					for range 1 + rand.IntN(40) {
						switch rand.IntN(4) {
						case 0:
							all, want = all+request("PING"), want+"+PONG\r\n"
						case 1:
							all += request("MULTI") + request("GET", key) + request("EXEC")
							want += "+OK\r\n+QUEUED\r\n*1\r\n"
							if value == 0 {
								want += "$-1\r\n"
							} else {
								want += bulk(fmt.Sprint(value))
							}
						default:
							value++
							all, want = all+request("INCR", key), want+fmt.Sprintf(":%d\r\n", value)
						}
					}
					cl.send(all)
					cl.expect(want)
				}
			})
		}
		clients.Wait()
		ended.Store(true)
		pump.Wait()
	})
}

// A client that is killed, and one that leaves, with held replies leave nothing
// behind; a shutdown waits for them.
func TestEndWithHeldReplies(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		d := c.list[0]
		key := c.keyOf(d, "k")
		n := at.sent.Load()
		at.stop()
		gone, killed, quits, stays := d.any.dial(), d.any.dial(), d.any.dial(), d.any.dial()
		killer := d.own.dial()
		killed.send(request("CLIENT", "ID"))
		id := strings.Trim(killed.reply(), ":\r\n")
		for _, cl := range []*client{gone, killed, stays} {
			cl.send(request("SET", key, "v"))
		}
		quits.send(request("SET", key, "v"), request("QUIT"))
		at.batches(d.any, n)
		stays.silent()
		killer.send(request("CLIENT", "KILL", "ID", id))
		killer.expect(":1\r\n")
		killed.expectEnd()
		gone.Close()
		stopped := make(chan error)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			stopped <- d.any.Shutdown(ctx)
		}()
		quits.silent()
		stays.silent()
		at.goOn()
		quits.expect("+OK\r\n+OK\r\n")
		quits.expectEnd()
		stays.expect("+OK\r\n")
		stays.expectEnd()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// A shutdown that may not wait cuts clients with held replies.
func TestCutWithHeldReplies(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		d := c.list[0]
		n := at.sent.Load()
		at.stop()
		cl := d.any.dial()
		cl.send(request("SET", c.keyOf(d, "k"), "v"))
		at.batches(d.any, n)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := d.any.Shutdown(ctx); err == nil {
			t.Error("nothing was cut")
		}
		cl.expectEnd()
		at.goOn()
	})
}

// A client has a limited number of batches held; what it sends beyond waits.
func TestHoldsAreBounded(t *testing.T) {
	if len(modes()) == 1 {
		t.Skip("there are no event loops")
	}
	c := newNodesWith(t, server.ModeLoops, 2, (*node).replicate)
	d := c.list[0]
	at := d.copyTo("copy")
	key := c.keyOf(d, "k")
	at.stop()
	cl := d.any.dial()
	watch := d.own.dial()
	written := func() string {
		log := d.logs.Log(hashing.PartitionOf([]byte(key)))
		return fmt.Sprint(log.Seq())
	}
	want := ""
	for i := range 400 {
		cl.send(request("INCR", key))
		want += fmt.Sprintf(":%d\r\n", i+1)
		if i < 256 {
			d.any.eventually("it is executed", func() bool { return written() == fmt.Sprint(i+1) })
		}
	}
	watch.send(request("PING"))
	watch.expect("+PONG\r\n")
	<-time.After(20 * time.Millisecond)
	if seq := written(); seq != "256" {
		t.Errorf("%s batches were executed", seq)
	}
	at.goOn()
	cl.expect(want)
}

// Messages keep their place between the replies.
func TestMessagesBehindHeldReplies(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		d := c.list[0]
		key := c.keyOf(d, "k")
		cl, other := d.any.dial(), d.any.dial()
		cl.send(request("HELLO", "3"))
		cl.reply()
		cl.send(request("SUBSCRIBE", "news"))
		cl.expect(">3\r\n" + bulk("subscribe") + bulk("news") + ":1\r\n")
		n := at.sent.Load()
		at.stop()
		cl.send(request("SET", key, "v"))
		at.batches(d.any, n)
		other.send(request("PUBLISH", "news", "x"))
		other.expect(":1\r\n")
		cl.silent()
		at.goOn()
		cl.expect("+OK\r\n>3\r\n" + bulk("message") + bulk("news") + bulk("x"))
	})
}
