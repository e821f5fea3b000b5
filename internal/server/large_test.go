package server_test

import (
	"strconv"
	"strings"
	"testing"
)

// A large value is received in the memory it stays in.
func TestLargeSet(t *testing.T) {
	for _, staging := range []bool{true, false} {
		inModes(t, func(t *testing.T, h *harness) {
			h.toy.staging = staging
			h.start()
			c := h.dial()
			for i, n := range []int{64 << 10, 64<<10 + 1, 1 << 20, 5<<20 + 3} {
				value := string(blob(n))
				go c.send(request("SET", "k", value), request("PING"))
				c.expect("+OK\r\n+PONG\r\n")
				c.send(request("GET", "k"))
				c.expect(bulk(value))
				if got := h.toy.adopted.Load(); staging && got != int64(i+1) {
					t.Errorf("%d bytes: %d values received in place", n, got)
				}
			}
		})
	}
}

// Every cut between the pieces of a large request, in and around its ends.
func TestLargeSetCutAnywhere(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.toy.staging = true
		h.start()
		c := h.dial()
		value := string(blob(70000))
		whole := request("SET", "k", value) + request("GET", "k")
		head := strings.Index(whole, "70000\r\n") + len("70000\r\n")
		var seen uint64
		for _, cut := range []int{1, 4, head - 2, head - 1, head, head + 1, head + 40000, head + 69999, head + 70000, head + 70001, head + 70002, head + 70003} {
			c.send(whole[:cut])
			h.eventually("the first piece is read", func() bool { return h.Stats().Total.BytesIn >= seen+uint64(cut) })
			c.send(whole[cut:])
			seen += uint64(len(whole))
			c.expect("+OK\r\n" + bulk(value))
		}
	})
}

func TestDisconnectInLargeSet(t *testing.T) {
	for _, staging := range []bool{true, false} {
		inModes(t, func(t *testing.T, h *harness) {
			h.toy.staging = staging
			h.start()
			c := h.dial()
			c.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10000000\r\n", strings.Repeat("x", 3000000))
			h.eventually("it arrives", func() bool { return h.Stats().Total.BytesIn > 3000000 })
			if staging && h.toy.staged.Load() != 1 {
				t.Error("the value is not received in place")
			}
			c.Close()
			h.eventually("it is discarded", func() bool { return h.toy.sessions.Load() == 0 && h.toy.staged.Load() == 0 })
			if h.toy.executed.Load() != 0 {
				t.Error("half a request was executed")
			}
		})
	}
}

// Several large arguments of one request, of which one has a place of its own.
func TestManyLargeArguments(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.toy.staging = true
		h.start()
		c := h.dial()
		a, b := string(blob(100000)), string(blob(3000000))
		go c.send(request("LEN", a, "x", b, a, b), request("ECHO", b), request("SET", a, b), request("GET", a))
		c.expect("*5\r\n:100000\r\n:1\r\n:3000000\r\n:100000\r\n:3000000\r\n" + bulk(b) + "+OK\r\n" + bulk(b))
	})
}

// Large replies that are not copied arrive whole, and are let go.
func TestLargeReplies(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		for _, n := range []int{0, 1, 100000, 1 << 20, 30 << 20} {
			c.send(request("REF", itoa(n)), request("PING"), request("REF", itoa(n)), request("COPY", itoa(n)))
			big := bulk(string(blob(n)))
			c.expect(big + "+PONG\r\n" + big + big)
		}
		h.eventually("all are released", func() bool { return h.toy.pinned.Load() == 0 })
	})
}

func itoa(n int) string { return strconv.Itoa(n) }
