package server_test

import (
	"net"
	"testing"

	"github.com/larder-cache/larder/internal/server"
)

// The rest of a batch runs after the command that waits, and others meanwhile.
func TestPark(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c, other := h.dial(), h.dial()
		c.send(request("PING"), request("HOLD", "a"), "ECHO b\r\n", request("HOLD", "c"), request("ECHO", "d"))
		h.eventually("a client waits", func() bool { return h.toy.waiting.Load() == 1 })
		other.send(request("PING"))
		other.expect("+PONG\r\n")
		c.send(request("ECHO", "later"))
		h.toy.release("a")
		h.toy.release("c")
		c.expect("+PONG\r\n+a\r\n$1\r\nb\r\n+c\r\n$1\r\nd\r\n$5\r\nlater\r\n")
		c.send(request("PING"))
		c.expect("+PONG\r\n")
		if s := h.Stats(); s.Parked != 0 || h.cfg.Mode == server.ModeLoops && s.Total.Parks != 1 {
			t.Errorf("%d parked, %d parks", s.Parked, s.Total.Parks)
		}
	})
}

func TestParkInPieces(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		large := string(blob(200000))
		// A request with an argument outside of the buffer parks too.
		c.send("*3\r\n$4\r\nHOLD\r\n$1\r\na\r\n$200000\r\n" + large[:1000])
		h.eventually("the head has arrived", func() bool { return h.Stats().Total.BytesIn > 1000 })
		c.send(large[1000:] + "\r\n" + request("ECHO", large)[:100])
		h.eventually("it waits", func() bool { return h.toy.waiting.Load() == 1 })
		c.send(request("ECHO", large)[100:])
		h.toy.release("a")
		c.expect("+a\r\n" + bulk(large))
	})
}

func TestParkLimit(t *testing.T) {
	for _, mode := range modes() {
		if mode == server.ModeGoroutines {
			continue // every client may wait
		}
		h := newHarness(t, mode)
		h.cfg.MaxParked = 1
		h.start()
		c, other := h.dial(), h.dial()
		c.send(request("HOLD", "a"))
		h.eventually("a client waits", func() bool { return h.toy.waiting.Load() == 1 })
		other.send(request("HOLD", "a"), request("PING"))
		other.expect("-BUSY too many clients are waiting for their commands, try again later\r\n+PONG\r\n")
		if n := h.Stats().Total.ParkRefused; n != 1 {
			t.Errorf("%d refused", n)
		}
		h.toy.release("a")
		c.expect("+a\r\n")
		other.send(request("HOLD", "a"))
		other.expect("+a\r\n")
	}
}

// A client that goes away while its command waits does not wait for ever.
func TestParkedClientLeaves(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		for i, leave := range []func(c *client){
			func(c *client) { c.Close() },
			func(c *client) { c.Conn.(*net.TCPConn).SetLinger(0); c.Close() },
		} {
			c := h.dial()
			c.send(request("HOLD", "never"))
			h.eventually("it waits", func() bool { return h.toy.waiting.Load() == 1 })
			leave(c)
			h.eventually("it waits no more", func() bool { return h.toy.waiting.Load() == 0 })
			h.eventually("it is counted", func() bool { return h.Stats().Total.ParkedGone == uint64(i+1) })
		}
	})
}

// One that has only shut down its side gets the reply.
func TestParkedClientShutsDown(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		c.send(request("HOLD", "a"))
		c.Conn.(*net.TCPConn).CloseWrite()
		h.eventually("it waits", func() bool { return h.toy.waiting.Load() == 1 })
		h.toy.release("a")
		c.expect("+a\r\n")
		c.expectEnd()
	})
}

func TestKillParkedClient(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		c.send(request("HOLD", "never"))
		h.eventually("it waits", func() bool { return h.toy.waiting.Load() == 1 })
		h.toy.link().Kill(false)
		c.expectEnd()
		h.closed(server.ClosedByKill, 1)
	})
}

// Messages for a parked client reach it when its command is done.
func TestPushToParkedClient(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		c.send(request("HOLD", "a"))
		h.eventually("it waits", func() bool { return h.toy.waiting.Load() == 1 })
		h.toy.link().Push([]byte("+message\r\n"))
		h.toy.release("a")
		c.expect("+a\r\n+message\r\n")
	})
}

// Output that the socket did not take before the client was parked leaves, and
// what comes while it is parked too.
func TestParkWithOutputPending(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		c.send(request("COPY", "20000000"), request("HOLD", "a"), request("REF", "20000000"), request("HOLD", "b"), request("PING"))
		h.eventually("it waits", func() bool { return h.toy.waiting.Load() == 1 })
		h.toy.release("a")
		h.toy.release("b")
		big := bulk(string(blob(20000000)))
		c.expect(big + "+a\r\n" + big + "+b\r\n+PONG\r\n")
	})
}
