package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/server"
	"github.com/larder-cache/larder/internal/storage/memory"
)

func TestMaxClients(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.toy.limit(func(l *command.Limits) { l.MaxClients = 2 })
		h.start()
		first, second := h.dial(), h.dial()
		for _, c := range []*client{first, second} {
			c.send(request("PING"))
			c.expect("+PONG\r\n")
		}
		third := h.dial()
		third.expect("-ERR max number of clients reached\r\n")
		third.expectEnd()
		if n := h.Stats().RefusedClients; n != 1 {
			t.Errorf("%d refused", n)
		}
		first.Close()
		h.closed(server.ClosedByClient, 1)
		c := h.dial()
		c.send(request("PING"))
		c.expect("+PONG\r\n")
	})
}

// A client that never reads is closed at the hard limit, and its values in the
// engine are let go.
func TestOutputHardLimit(t *testing.T) {
	for _, big := range []string{request("COPY", "100000"), request("REF", "100000")} {
		inModes(t, func(t *testing.T, h *harness) {
			h.toy.limit(func(l *command.Limits) { l.Output[command.ClassNormal].Hard = 4 << 20 })
			h.start()
			c := h.dial()
			c.send(strings.Repeat(big, 1000))
			h.closed(server.ClosedOutputHard, 1)
		})
	}
}

func TestOutputSoftLimit(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.toy.limit(func(l *command.Limits) {
			l.Output[command.ClassNormal] = command.OutputLimit{Hard: 1 << 30, Soft: 1 << 20, SoftFor: time.Second}
		})
		h.start()
		reader, idler := h.dial(), h.dial()
		reply := bulk(string(blob(20000000)))
		reader.send(request("COPY", "20000000"))
		idler.send(request("COPY", "20000000"))
		reader.expect(reply)
		h.closed(server.ClosedOutputSoft, 1)
		reader.send(request("PING"))
		reader.expect("+PONG\r\n")
	})
}

// Values that are not copied are bounded by not executing further requests, so
// that a client that reads late still gets everything.
func TestAttachedOutputIsBounded(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		const n = 200
		c.send(strings.Repeat(request("REF", "1000000"), n), request("PING"))
		var top, last int64
		h.eventually("execution pauses", func() bool {
			now := h.toy.executed.Load()
			steady := now == last && now > 20
			last, top = now, max(top, h.toy.pinned.Load())
			return steady
		})
		if top > 60 {
			t.Errorf("%d values of 1 MB are pinned for a client that does not read", top)
		}
		reply := bulk(string(blob(1000000)))
		for range n {
			c.expect(reply)
		}
		c.expect("+PONG\r\n")
	})
}

func TestQueryLimit(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.toy.limit(func(l *command.Limits) { l.QueryBuffer = 100000 })
		h.start()
		for i, input := range []string{
			"*100000\r\n" + strings.Repeat("$10\r\n0123456789\r\n", 7000),
			"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$400000\r\n" + strings.Repeat("x", 300000),
		} {
			c := h.dial()
			c.Write([]byte(input)) // may fail: the server does not take all of it
			h.closed(server.ClosedQueryLimit, uint64(i+1))
		}
	})
}

func TestValueLimit(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.toy.limit(func(l *command.Limits) { l.MaxValue = 1000 })
		h.start()
		c := h.dial()
		value := strings.Repeat("x", 1000)
		c.send(request("ECHO", value))
		c.expect(bulk(value))
		h.toy.limit(func(l *command.Limits) { l.MaxValue = 1001 })
		value += "x"
		c.send(request("ECHO", value))
		c.expect(bulk(value))
		c.send(request("ECHO", value+"x"))
		c.expect("-ERR Protocol error: invalid bulk length\r\n")
		c.expectEnd()
	})
}

func TestIdleTimeout(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.toy.limit(func(l *command.Limits) { l.IdleTimeout = 300 * time.Millisecond })
		h.start()
		c, told := h.dial(), h.dial()
		told.send(request("PING"))
		told.expect("+PONG\r\n")
		c.send(request("PING"))
		c.expect("+PONG\r\n")
		c.Close()
		h.closed(server.ClosedByClient, 1)
		link := h.toy.link()
		// Who is told something is not idle.
		for range 20 {
			<-time.After(40 * time.Millisecond)
			link.Push([]byte("+news\r\n"))
			told.expect("+news\r\n")
		}
		told.expectEnd()
		h.closed(server.ClosedIdle, 1)
	})
}

// Who sends too much is refused and stays connected.
func TestRequestsPerSecond(t *testing.T) {
	withCommands(t, func(t *testing.T, h *harness, x *command.Executor, _ *memory.Store) {
		const limit = 50
		x.Change(func(o *command.Options) { o.RequestsPerSecond = limit })
		c := h.dial()
		c.send(strings.Repeat(request("GET", "k"), 3*limit))
		begun, served, refused := time.Now(), 0, 0
		for range 3 * limit {
			switch line, err := c.r.ReadString('\n'); {
			case err != nil:
				t.Fatal(err)
			case line == "$-1\r\n":
				served++
			case strings.HasPrefix(line, "-BUSY max requests per second reached: 127.0.0.1 may send 50 "):
				refused++
			default:
				t.Fatalf("reply %q", line)
			}
		}
		most := limit + int(time.Since(begun).Seconds()*limit) + 1
		if served < limit || served > most || refused != int(x.Snapshot().RequestsRefused) {
			t.Errorf("%d served, at most %d expected; %d refused, %d counted", served, most, refused, x.Snapshot().RequestsRefused)
		}
		h.eventually("it is served again", func() bool {
			c.send(request("GET", "k"))
			line, err := c.r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			return line == "$-1\r\n"
		})
	})
}
