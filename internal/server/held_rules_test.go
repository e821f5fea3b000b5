package server_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/replication"
)

// isFree tells of which keys the replies of these tests do not wait for copies.
func isFree(key []byte) bool { return strings.HasPrefix(string(key), "free:") }

// With too few copies writes are refused, and those that do not wait for copies
// when these are too far behind.
func TestRefusedWrites(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		d := c.list[0]
		key, free := c.keyOf(d, "k"), c.keyOf(d, "free:")
		cl, far := d.any.dial(), c.list[1].any.dial()
		d.x.Change(func(o *command.Options) { o.MinInSync, o.MaxLag = 2, 20*time.Millisecond })
		d.x.SetUnheld(isFree)
		cl.send(request("SET", key, "v"))
		cl.expect("+OK\r\n")
		if got := d.x.Snapshot(); got.RefusedFew+got.RefusedBehind > 0 {
			t.Errorf("refused %d and %d", got.RefusedFew, got.RefusedBehind)
		}
		d.logs.Log(hashing.PartitionOf([]byte(key))).Require(nil)
		few := "-NOREPLICAS Not enough good replicas to write.\r\n"
		cl.send(request("SET", key, "w"), request("GET", key), request("MSET", key, "w", free, "w"))
		cl.expect(few + bulk("v") + few)
		cl.send(request("MULTI"), request("SET", key, "w"), request("EXEC"), request("FLUSHALL"))
		cl.expect("+OK\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: NOREPLICAS Not enough good replicas to write.\r\n" + few)
		far.send(request("SET", key, "w"))
		far.expect(few)
		c.list[1].x.Change(func(o *command.Options) { o.MinInSync = 2 })
		far.send(request("FLUSHALL"), request("GET", key))
		far.expect(few + bulk("v"))
		if got := d.x.Snapshot().RefusedFew; got != 5 {
			t.Errorf("refused %d writes", got)
		}

		at.stop()
		cl.send(request("SET", free, "1"))
		cl.expect("+OK\r\n") // not held
		var last string
		d.any.eventually("the copy is too far behind", func() bool {
			cl.send(request("SET", free, "2"))
			last = cl.reply()
			return last != "+OK\r\n"
		})
		if want := "-NOREPLICAS The replicas are behind by more than replication.max_lag; the write was not executed\r\n"; last != want {
			t.Errorf("%q", last)
		}
		if got := d.x.Snapshot().RefusedBehind; got != 1 {
			t.Errorf("refused %d writes", got)
		}
		cl.send(request("GET", free))
		cl.expect(bulk("2"))
		at.goOn()
		d.any.eventually("it has caught up", func() bool {
			cl.send(request("SET", free, "3"))
			return cl.reply() == "+OK\r\n"
		})
	})
}

// With `ack: none` nothing waits for a copy, be the request forwarded or not; with
// other keys in the same request everything does.
func TestUnheldReplies(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		d := c.list[0]
		d.x.SetUnheld(isFree)
		key := c.keyOf(d, "k")
		free := "free:{" + key + "}"
		at.stop()
		for _, through := range c.list {
			cl := through.any.dial()
			cl.send(request("SET", free, "1"), request("GET", free), request("MULTI"), request("INCR", free), request("EXEC"))
			cl.expect("+OK\r\n" + bulk("1") + "+OK\r\n+QUEUED\r\n*1\r\n:2\r\n")
			cl.send(request("SETRANGE", free, "70000", "x"), request("STRLEN", free), request("DEL", free))
			cl.expect(":70001\r\n:70001\r\n:1\r\n")
		}
		at.goOn()
		for _, story := range []struct{ first, now, send, late string }{
			{request("SET", free, "1"), "+OK\r\n", request("MSET", free, "1", key, "1"), "+OK\r\n"},
			{request("SET", free, "1"), "+OK\r\n", request("MGET", free, key), "*2\r\n" + bulk("1") + bulk("0")},
			{request("MULTI") + request("SET", free, "1") + request("SET", key, "1"), "+OK\r\n+QUEUED\r\n+QUEUED\r\n", request("EXEC"), "*2\r\n+OK\r\n+OK\r\n"},
		} {
			at.stop()
			n := at.sent.Load()
			other, cl := d.any.dial(), d.any.dial()
			other.send(request("SET", key, "0"))
			at.batches(d.any, n)
			cl.send(story.first)
			cl.expect(story.now)
			cl.send(story.send)
			cl.silent()
			at.goOn()
			cl.expect(story.late)
			other.expect("+OK\r\n")
		}
	})
}

// A copy that takes everything and acknowledges nothing for ever holds replies for
// the time-out, until the view is without it; the clients of other keys do not
// notice.
func TestLateCopyIsGivenUp(t *testing.T) {
	inReplicated(t, func(t *testing.T, c *nodes, at *copies) {
		d := c.list[0]
		key := c.keyOf(d, "k")
		at.stop()
		cl := d.any.dial()
		began := time.Now()
		cl.send(request("SET", key, "v"), request("GET", key))
		d.any.eventually("it is given up", func() bool { return errors.Is(at.sender.Judge(0), replication.ErrLate) })
		if took := time.Since(began); took < replication.DefaultLimits().Timeout {
			t.Errorf("it is given up after %v", took)
		}
		cl.silent()
		d.logs.Log(hashing.PartitionOf([]byte(key))).Require(nil) // by the controller
		cl.expect("+OK\r\n" + bulk("v"))
		at.goOn() // too late: it counts for nothing
		cl.send(request("SET", key, "w"), request("GET", key))
		cl.expect("+OK\r\n" + bulk("w"))
	})
}
