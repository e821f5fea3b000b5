package server_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/server"
)

func TestPushToIdleClient(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		h.eventually("the client is known", func() bool { return h.toy.link() != nil })
		for i := range 100 {
			h.toy.link().Push([]byte(fmt.Sprintf("+message %d\r\n", i)))
			c.expect(fmt.Sprintf("+message %d\r\n", i))
		}
		if n := h.Stats().Total.Pushes; n != 100 {
			t.Errorf("%d pushes counted", n)
		}
	})
}

// Messages stand between replies, and those of one sender in their order.
func TestPushOrder(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		h.eventually("the client is known", func() bool { return h.toy.link() != nil })
		const senders, each, requests = 3, 2000, 3000
		var sending sync.WaitGroup
		for s := range senders {
			sending.Go(func() {
				for i := range each {
					h.toy.link().Push([]byte(fmt.Sprintf("+%d %d\r\n", s, i)))
				}
			})
		}
		sending.Go(func() { c.send(strings.Repeat(request("ECHO", "some\r\nreply"), requests)) })
		var next [senders]int
		for replies := 0; replies < requests || next != [senders]int{each, each, each}; {
			line, err := c.r.ReadString('\n')
			if err != nil {
				t.Fatalf("%v after %d replies and messages %v", err, replies, next)
			}
			if line[0] == '$' {
				c.expect("some\r\nreply\r\n")
				replies++
				continue
			}
			var s, i int
			if n, _ := fmt.Sscanf(line, "+%d %d\r\n", &s, &i); n != 2 || i != next[s] {
				t.Fatalf("got %q, messages so far %v", line, next)
			}
			next[s]++
		}
		sending.Wait()
	})
}

// A message that a request causes for its own client follows its reply.
func TestPushToSelf(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		c.send(request("SELF", "+a\r\n"), request("PING"), request("SELF", "+b\r\n"), request("SELF", "+c\r\n"))
		c.expect("+OK\r\n+a\r\n+PONG\r\n+OK\r\n+b\r\n+OK\r\n+c\r\n")
	})
}

func TestPushLimit(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.toy.limit(func(l *command.Limits) { l.Output[command.ClassNormal].Hard = 1 << 20 })
		h.start()
		c := h.dial()
		h.eventually("the client is known", func() bool { return h.toy.link() != nil })
		message := []byte("+" + strings.Repeat("x", 10000) + "\r\n")
		link := h.toy.link()
		h.eventually("the client is closed", func() bool {
			for range 100 {
				link.Push(message)
			}
			return h.Stats().Total.Closed[server.ClosedOutputHard] == 1
		})
		c.Close()
	})
}

func TestKill(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		for i, afterReply := range []bool{false, true} {
			c := h.dial()
			c.send(request("PING"))
			c.expect("+PONG\r\n")
			h.toy.link().Push([]byte("+bye\r\n"))
			h.toy.link().Kill(afterReply)
			if afterReply {
				c.expect("+bye\r\n")
				c.expectEnd()
			}
			h.closed(server.ClosedByKill, uint64(i+1))
		}
	})
}

func TestBuffers(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		c.send(request("COPY", "30000000"), "*2\r\n$4\r\nECHO\r\n$100\r\nabc")
		h.eventually("input and output are seen", func() bool {
			link := h.toy.link()
			if link == nil {
				return false
			}
			query, free, output := link.Buffers()
			return query == 23 && free >= 0 && output > 1<<20
		})
		c.send(strings.Repeat("x", 97) + "\r\n")
		c.expect(bulk(string(blob(30000000))) + bulk("abc"+strings.Repeat("x", 97)))
		h.eventually("buffers are empty", func() bool {
			query, _, output := h.toy.link().Buffers()
			return query == 0 && output == 0
		})
	})
}
