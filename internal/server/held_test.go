package server_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/replication"
	"github.com/larder-cache/larder/internal/server"
)

// copies is a node that has copies of all partitions of another one, as far as
// acknowledgements go: it applies nothing, and acknowledges when the test wants.
// It is the transport of the other one's sender.
type copies struct {
	t      testing.TB
	name   string
	logs   *replication.Logs
	sender *replication.Sender
	counts replication.Counters

	mu      sync.Mutex
	slow    bool                                 // GUARDED_BY(mu): acknowledge waits for the test
	waiting []func([]replication.Refusal, error) // GUARDED_BY(mu)
	sent    atomic.Uint64
}

// Send implements [replication.Transport].
func (c *copies) Send(_ []byte, done func([]replication.Refusal, error)) {
	c.sent.Add(1)
	c.mu.Lock()
	if c.slow {
		c.waiting = append(c.waiting, done)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	done(nil, nil)
}

// stop has what comes from now on wait.
func (c *copies) stop() {
	c.mu.Lock()
	c.slow = true
	c.mu.Unlock()
}

// goOn acknowledges what waits and what comes.
func (c *copies) goOn() {
	c.mu.Lock()
	c.slow = false
	list := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for _, done := range list {
		done(nil, nil)
	}
}

// step acknowledges one batch, if one waits.
func (c *copies) step() bool {
	c.mu.Lock()
	var done func([]replication.Refusal, error)
	if len(c.waiting) > 0 {
		done, c.waiting = c.waiting[0], c.waiting[1:]
	}
	c.mu.Unlock()
	if done != nil {
		done(nil, nil)
	}
	return done != nil
}

// refuse answers what waits with the word that another node has been promised a
// partition.
func (c *copies) refuse(p int) {
	c.mu.Lock()
	list := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for _, done := range list {
		done([]replication.Refusal{{Partition: p, Reason: replication.Promised}}, nil)
	}
}

// replicate gives a node logs before it has clients.
func (d *node) replicate() {
	d.logs = replication.NewLogs(d.cache.Store(), 0)
	d.x.Replicate(d.logs, &replication.Counters{})
}

// copyTo gives every partition that a node owns a copy that is required.
func (d *node) copyTo(name string) *copies {
	t := d.all.t
	c := &copies{t: t, name: name, logs: d.logs}
	changed := make(chan struct{}, 1)
	c.sender = replication.NewSender(replication.SenderConfig{
		Store: d.cache.Store(), Logs: d.logs, Transport: c, Incarnation: 1, Node: name, Counters: &c.counts,
		Changed: func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		},
	})
	t.Cleanup(c.sender.Close)
	var list []*replication.Copy
	for p := range hashing.Partitions {
		if d.x.Routes().IsHere(p) {
			one, err := c.sender.Copy(d.logs.Open(p, 0), 1)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, one)
		}
	}
	for _, one := range list {
		for one.State() != replication.CaughtUp {
			<-changed
		}
		log := d.logs.Log(one.Partition())
		log.Require(append(log.Required(), name))
	}
	return c
}

// inReplicated runs a test in clusters of two nodes, the first of which has copies
// elsewhere, in each mode.
func inReplicated(t *testing.T, test func(t *testing.T, c *nodes, at *copies)) {
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) {
			c := newNodesWith(t, mode, 2, (*node).replicate)
			test(t, c, c.list[0].copyTo("copy"))
		})
	}
}

// silent checks that nothing comes.
func (c *client) silent() {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	if b, err := c.r.Peek(1); err == nil {
		rest, _ := c.r.Peek(c.r.Buffered())
		c.t.Fatalf("%q came early: %q", b, rest)
	}
	c.SetReadDeadline(time.Now().Add(patience))
}

// batches waits until the copy has been sent more than n batches.
func (c *copies) batches(h *harness, n uint64) {
	h.t.Helper()
	h.eventually("the copy is sent something", func() bool { return c.sent.Load() > n })
}

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

// WAIT tells how many copies have what the client has written.
func TestWaitForCopies(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		d := c.list[0]
		second := d.copyTo("second")
		free, far := c.keyOf(d, "free:"), c.keyOf(c.list[1], "far")
		d.x.SetUnheld(isFree)
		cl := d.any.dial()
		cl.send(request("WAIT", "0", "0"), request("SET", free, "1"), request("WAIT", "2", "0"))
		cl.expect(":2\r\n+OK\r\n:2\r\n")
		second.stop()
		cl.send(request("SET", free, "1"), request("WAIT", "1", "0"), request("WAIT", "2", "5"))
		cl.expect("+OK\r\n:1\r\n:1\r\n")
		cl.send(request("WAIT", "2", "0"))
		cl.silent()
		second.goOn()
		cl.expect(":2\r\n")
		cl.send(request("SET", far, "1"), request("WAIT", "0", "0"), request("MULTI"), request("WAIT", "9", "0"), request("EXEC"))
		cl.expect("+OK\r\n:0\r\n+OK\r\n+QUEUED\r\n*1\r\n:0\r\n") // the other node has no copies
	})
}

// Clients are told of the copies.
func TestReplicasAreShown(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		d := c.list[0]
		named := d.copyTo(string(c.list[1].id))
		cl := d.any.dial()
		cl.send(request("SET", c.keyOf(d, "k"), "v"))
		cl.expect("+OK\r\n")
		cl.send(request("ROLE"))
		host, port, _ := net.SplitHostPort(c.list[1].any.Addrs()[0].String())
		role := cl.reply()
		if !strings.HasPrefix(role, "*3\r\n$6\r\nmaster\r\n:1\r\n*2\r\n*3\r\n") || !strings.Contains(role, "*3\r\n"+bulk(host)+bulk(port)+bulk("1")) {
			t.Errorf("role %q", role)
		}
		cl.send(request("INFO", "replication"))
		info := cl.reply()
		for _, want := range []string{"role:master\r\n", "connected_slaves:2\r\n", "ip=" + host + ",port=" + port + ",state=online,offset=1,lag=0\r\n", "master_repl_offset:1\r\n"} {
			if !strings.Contains(info, want) {
				t.Errorf("%q is not in %q", want, info)
			}
		}
		named.sender.Close()
		cl.send(request("INFO", "replication"))
		if info := cl.reply(); !strings.Contains(info, "port="+port+",state=wait_bgsave,") {
			t.Errorf("without the stream: %q", info)
		}
	})
}

// A client with READONLY is served from copies, others are not.
func TestReadOnlyClients(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, _ *copies) {
		owner, has := c.list[0], c.list[1]
		key := c.keyOf(owner, "k")
		p := hashing.PartitionOf([]byte(key))
		c.change(func(v *cluster.View) { v.Rows[p].InSync = []int16{int16(v.Index(has.id))} })
		for _, d := range c.list {
			d.reroute(nil)
		}
		h := has.cache.Lock(0, []byte(key), time.Now().UnixMilli())
		h.Set([]byte("of the copy"), 0)
		h.Release()
		moved := fmt.Sprintf("-MOVED %d %s\r\n", hashing.Slot([]byte(key)), owner.own.Addrs()[0])
		cl := has.own.dial()
		cl.send(request("GET", key), request("READONLY"), request("GET", key), request("STRLEN", key), request("SET", key, "v"), request("READWRITE"), request("GET", key))
		cl.expect(moved + "+OK\r\n" + bulk("of the copy") + ":11\r\n" + moved + "+OK\r\n" + moved)
		any := has.any.dial()
		any.send(request("READONLY"), request("GET", key))
		any.expect("+OK\r\n$-1\r\n")
		cl.send(request("READONLY"), request("GET", c.keyOf(owner, "without")))
		cl.expect("+OK\r\n")
		if reply := cl.reply(); !strings.HasPrefix(reply, "-MOVED ") {
			t.Errorf("%q", reply)
		}
	})
}

// Held replies cost no allocation, once under way.
func TestHeldAllocations(t *testing.T) {
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) {
			c := newNodesWith(t, mode, 1, (*node).replicate)
			d := c.list[0]
			cl := d.any.dial()
			measure := func() float64 {
				const depth = 200
				input := []byte(strings.Repeat(request("SET", "k", "v"), depth))
				got := make([]byte, depth*len("+OK\r\n"))
				run := func() {
					cl.Conn.Write(input)
					if _, err := io.ReadFull(cl.Conn, got); err != nil {
						t.Fatal(err)
					}
				}
				for range 100 {
					run()
				}
				return testing.AllocsPerRun(100, run)
			}
			without := measure()
			d.copyTo("copy")
			// A batch to the copy, and the wait of a goroutine, cost some; commands none.
			if with := measure(); with-without > 40 {
				t.Errorf("%v allocations for 200 commands, %v without copies", with, without)
			}
		})
	}
}

// BenchmarkHeldSet compares SET with and without a copy that acknowledges at once.
func BenchmarkHeldSet(b *testing.B) {
	for _, with := range []string{"alone", "copy"} {
		for _, depth := range []int{1, 16, 64} {
			b.Run(with+"/"+itoa(depth), func(b *testing.B) {
				c := newNodesWith(b, modes()[0], 1, (*node).replicate)
				d := c.list[0]
				if with == "copy" {
					d.copyTo("copy")
				}
				const clients = 8
				var done sync.WaitGroup
				per := b.N/(clients*depth) + 1
				b.ReportAllocs()
				b.ResetTimer()
				for i := range clients {
					cl := d.any.dial()
					input := ""
					for k := range depth {
						input += request("SET", fmt.Sprint("key:", i, ":", k), strings.Repeat("v", 64))
					}
					done.Go(func() {
						got := make([]byte, depth*len("+OK\r\n"))
						for range per {
							io.WriteString(cl.Conn, input)
							if _, err := io.ReadFull(cl.Conn, got); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				done.Wait()
				b.ReportMetric(float64(per*clients*depth)/b.Elapsed().Seconds(), "ops/s")
			})
		}
	}
}
