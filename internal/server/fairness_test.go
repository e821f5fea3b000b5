package server_test

import (
	"strings"
	"testing"
)

// A client with an endless pipeline does not keep the others of its loop waiting.
func TestPipelinerDoesNotStarveOthers(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.cfg.Loops = 1
		h.start()
		greedy, modest := h.dial(), h.dial()
		const total = 1000000
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			greedy.send(strings.Repeat(request("PING"), total))
		}()
		h.eventually("the pipeline is at work", func() bool { return h.toy.executed.Load() > 1000 })
		for range 5 {
			modest.send(request("PING"))
			modest.expect("+PONG\r\n")
		}
		if n := h.toy.executed.Load(); n >= total {
			t.Errorf("all %d requests of the pipeline came first", n)
		}
		greedy.expect(strings.Repeat("+PONG\r\n", total))
		<-sent
	})
}
