package server_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/larder-cache/larder/internal/server"
)

func TestRequests(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.cfg.Listen = append(h.cfg.Listen, "127.0.0.1:0")
		h.start()
		for _, addr := range h.Addrs() {
			c := h.dialTo(addr)
			c.send(request("PING"))
			c.expect("+PONG\r\n")
			c.send(request("SET", "k", "v"), request("GET", "k"), "GET k\r\n", "\r\n", request("ECHO", ""))
			c.expect("+OK\r\n$1\r\nv\r\n$1\r\nv\r\n$0\r\n\r\n")
			c.send(request("PING"), request("QUIT"), request("PING"))
			c.expect("+PONG\r\n+OK\r\n")
			c.expectEnd()
		}
		h.closed(server.ClosedByCommand, 3)
	})
}

func TestAddresses(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		c.send(request("PING"))
		c.expect("+PONG\r\n")
		link := h.toy.link()
		if link.RemoteAddr() != c.LocalAddr().String() || link.LocalAddr() != h.Addrs()[0].String() || link.FD() < 0 {
			t.Errorf("remote %s, local %s, fd %d", link.RemoteAddr(), link.LocalAddr(), link.FD())
		}
		c.Close()
		h.closed(server.ClosedByClient, 1)
		c = h.dialTo(h.Addrs()[1])
		c.send(request("PING"))
		c.expect("+PONG\r\n")
		if link := h.toy.link(); link.RemoteAddr() != h.cfg.Unix+":0" {
			t.Errorf("remote %s", link.RemoteAddr())
		}
	})
}

func TestByteAtATime(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		c.Conn.(*net.TCPConn).SetNoDelay(true)
		for _, r := range []string{request("SET", "key", "value\r\n\x00"), request("GET", "key"), "GET \"key\"\n"} {
			for i := range len(r) {
				c.send(r[i : i+1])
			}
		}
		c.expect("+OK\r\n$8\r\nvalue\r\n\x00\r\n$8\r\nvalue\r\n\x00\r\n")
	})
}

// A client may send a pipeline of any length before it reads the first reply.
func TestHugePipeline(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		const n = 200000
		var requests, replies strings.Builder
		for i := range n {
			key := fmt.Sprintf("key:%d:%s", i, strings.Repeat("x", i%90))
			requests.WriteString(request("ECHO", key))
			replies.WriteString(bulk(key))
		}
		c.send(requests.String())
		c.expect(replies.String())
		h.eventually("all bytes are counted", func() bool {
			s := h.Stats().Total
			return s.BytesIn == uint64(requests.Len()) && s.BytesOut == uint64(replies.Len())
		})
	})
}

// Input that comes in pieces of any size gives the same replies.
func TestPieces(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.toy.staging = true
		h.start()
		seed := rand.Uint64()
		rnd := rand.New(rand.NewPCG(seed, 0))
		var requests, replies strings.Builder
		for i := range 300 {
			n := rnd.IntN(200)
			if i%20 == 0 {
				n = 60<<10 + rnd.IntN(200<<10)
			}
			value := string(blob(n))
			switch i % 3 {
			case 0:
				requests.WriteString(request("SET", "k", value) + request("GET", "k"))
				replies.WriteString("+OK\r\n" + bulk(value))
			case 1:
				requests.WriteString(request("ECHO", value))
				replies.WriteString(bulk(value))
			case 2:
				requests.WriteString(request("LEN", value, "abc", value))
				fmt.Fprintf(&replies, "*3\r\n:%d\r\n:3\r\n:%d\r\n", n, n)
			}
		}
		c := h.dial()
		var sending sync.WaitGroup
		sending.Go(func() {
			for rest := requests.String(); rest != ""; {
				n := min(len(rest), 1+rnd.IntN(1<<rnd.IntN(18)))
				if _, err := io.WriteString(c.Conn, rest[:n]); err != nil {
					t.Errorf("seed %d: %v", seed, err)
					return
				}
				rest = rest[n:]
			}
		})
		c.expect(replies.String())
		sending.Wait()
	})
}

func TestManyConnections(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		clients := make([]*client, 500)
		for i := range clients {
			clients[i] = h.dialTo(h.Addrs()[i%2])
		}
		for round := range 3 {
			for i, c := range clients {
				c.send(request("ECHO", fmt.Sprint(i, round)))
			}
			for i, c := range clients {
				c.expect(bulk(fmt.Sprint(i, round)))
			}
		}
		s := h.Stats()
		if s.Total.Connections != int64(len(clients)) || s.Total.Accepted != uint64(len(clients)) {
			t.Errorf("%d connections, %d accepted", s.Total.Connections, s.Total.Accepted)
		}
		for i, l := range s.Loops {
			if want := int64(len(clients) / len(s.Loops)); l.Connections != want {
				t.Errorf("loop %d has %d connections, want %d", i, l.Connections, want)
			}
		}
		for _, c := range clients {
			c.Close()
		}
		h.closed(server.ClosedByClient, uint64(len(clients)))
	})
}

// Half a request is no harm, nor is a reply that nobody waits for.
func TestDisconnects(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		for _, input := range []string{"", "*", "*2\r\n$3\r\nGE", request("COPY", "100000"), "PING", request("REF", "10000000")} {
			c := h.dial()
			c.send(input)
			c.Close()
		}
		h.eventually("all are closed", func() bool {
			s := h.Stats().Total
			return s.Closed[server.ClosedByClient]+s.Closed[server.ClosedByError] == 6
		})
		c := h.dial()
		c.send(request("PING"))
		c.expect("+PONG\r\n")
	})
}

// A client that shuts down its side of the connection gets its replies.
func TestHalfClose(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		c.send(request("COPY", "3000000"), request("PING"))
		c.Conn.(*net.TCPConn).CloseWrite()
		c.expect(bulk(string(blob(3000000))) + "+PONG\r\n")
		c.expectEnd()
	})
}

func TestProtocolErrors(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		for i, tt := range []struct{ input, text string }{
			{"*1\r\nPING\r\n", "expected '$', got 'P'"},
			{"*x\r\n", "invalid multibulk length"},
			{"*1\r\n$-5\r\n", "invalid bulk length"},
			{"*1\r\n$536870913\r\n", "invalid bulk length"},
			{"SET \"a\r\n", "unbalanced quotes in request"},
			{strings.Repeat("a", 64<<10+1), "too big inline request"},
		} {
			c := h.dial()
			c.send(request("PING"), tt.input)
			c.expect("+PONG\r\n-ERR Protocol error: " + tt.text + "\r\n")
			c.expectEnd()
			h.closed(server.ClosedProtocol, uint64(i+1))
		}
	})
}

// A stranger may not announce much, which AUTH changes for the next request.
func TestUnauthenticatedLimits(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.toy.password = "secret"
		h.start()
		c := h.dial()
		c.send(request("PING"), "*1\r\n$100000\r\n")
		c.expect("-NOAUTH Authentication required.\r\n-ERR Protocol error: unauthenticated bulk length\r\n")
		c.expectEnd()
		c = h.dial()
		value := string(blob(100000))
		c.send(request("AUTH", "secret"), request("ECHO", value))
		c.expect("+OK\r\n" + bulk(value))
	})
}
