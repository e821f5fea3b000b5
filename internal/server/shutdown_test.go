package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/server"
)

func TestShutdownIdle(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c := h.dial()
		c.send(request("PING"))
		c.expect("+PONG\r\n")
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		c.expectEnd()
		if n := h.Stats().Total.Closed[server.ClosedShutdown]; n != 1 {
			t.Errorf("%d closed", n)
		}
		for _, a := range h.Addrs() {
			if nc, err := net.Dial(a.Network(), a.String()); err == nil {
				nc.Close()
				t.Errorf("%s still accepts", a)
			}
		}
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A command at work finishes and its reply is sent.
func TestShutdownWaits(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		c, half := h.dial(), h.dial()
		c.send(request("HOLD", "a"), request("COPY", "1000000"))
		half.send(request("ECHO", "abc")[:10])
		h.eventually("it waits", func() bool { return h.toy.waiting.Load() == 1 })
		h.eventually("the half is there", func() bool { return h.toy.sessions.Load() == 2 })
		done := make(chan error)
		go func() { done <- h.Shutdown(t.Context()) }()
		h.eventually("nobody is accepted", func() bool {
			nc, err := net.Dial("tcp", h.Addrs()[0].String())
			if err == nil {
				nc.Close()
			}
			return err != nil
		})
		half.send(request("ECHO", "abc")[10:])
		half.expect(bulk("abc"))
		half.expectEnd()
		h.toy.release("a")
		c.expect("+a\r\n" + bulk(string(blob(1000000))))
		c.expectEnd()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// What does not end by itself is cut.
func TestShutdownDeadline(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		waiter, half, deaf := h.dial(), h.dial(), h.dial()
		waiter.send(request("HOLD", "never"))
		half.send("*1\r\n$4\r\n")
		deaf.send(request("COPY", "30000000"))
		h.eventually("all are at it", func() bool {
			return h.toy.waiting.Load() == 1 && h.toy.executed.Load() >= 2 && h.toy.sessions.Load() == 3
		})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := h.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if n := h.toy.sessions.Load(); n != 0 {
			t.Errorf("%d sessions left", n)
		}
	})
}

// Under load each request sent is either answered or refused with the whole
// connection: no reply is torn.
func TestShutdownUnderLoad(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		var clients sync.WaitGroup
		pipeline := strings.Repeat(request("ECHO", "some reply"), 20)
		for range 20 {
			c := h.dial()
			clients.Go(func() {
				want := strings.Repeat(bulk("some reply"), 20)
				got := make([]byte, len(want))
				for {
					if _, err := io.WriteString(c.Conn, pipeline); err != nil {
						return
					}
					n, err := io.ReadFull(c.r, got)
					if n%len(bulk("some reply")) != 0 || string(got[:n]) != want[:n] {
						t.Errorf("torn reply %q", got[:n])
					}
					if err != nil {
						return
					}
				}
			})
		}
		h.eventually("there is load", func() bool { return h.toy.executed.Load() > 10000 })
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		clients.Wait()
	})
}
