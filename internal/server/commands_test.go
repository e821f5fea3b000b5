package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/server"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// withCommands runs a test in each mode with the commands that a node has.
func withCommands(t *testing.T, test func(t *testing.T, h *harness, x *command.Executor, store *memory.Store)) {
	inModes(t, func(t *testing.T, h *harness) {
		store, err := memory.Open(memory.Config{Shards: 16})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(store.Close)
		x := command.New(command.Config{Cache: cache.New(store, nil), Options: command.DefaultOptions()})
		h.exec = server.Commands{Executor: x}
		h.start()
		test(t, h, x, store)
	})
}

// A large value arrives in the engine's own memory and leaves from there.
func TestLargeValueInEngine(t *testing.T) {
	withCommands(t, func(t *testing.T, h *harness, _ *command.Executor, store *memory.Store) {
		c := h.dial()
		value := string(blob(1 << 20))
		for i := range 3 {
			go c.send(request("SET", "k", value, "EX", "100"), request("PING"))
			c.expect("+OK\r\n+PONG\r\n")
			c.send(request("GET", "k"), request("STRLEN", "k"))
			c.expect(bulk(value) + ":1048576\r\n")
			if n := h.Stats().Total.Received; n != uint64(i+1) {
				t.Errorf("%d values received in place", n)
			}
		}
		before := store.Stats().Blocks
		gone := h.dial()
		gone.send("*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$5000000\r\n", value)
		h.eventually("it arrives", func() bool { return store.Stats().Blocks >= before+5000000 })
		gone.Close()
		h.eventually("it is freed", func() bool { return store.Stats().Blocks <= before })
		c.send(request("EXISTS", "x"))
		c.expect(":0\r\n")
	})
}

// A value that is read slowly stays what it was, whatever becomes of its key.
func TestValueOutlivesItsKey(t *testing.T) {
	withCommands(t, func(t *testing.T, h *harness, _ *command.Executor, store *memory.Store) {
		c, other := h.dial(), h.dial()
		value := string(blob(8 << 20))
		go c.send(request("SET", "k", value))
		c.expect("+OK\r\n")
		c.send(strings.Repeat(request("GET", "k"), 10))
		h.eventually("the first has left", func() bool { return h.Stats().Total.BytesOut > 1<<20 })
		go other.send(request("SET", "k", strings.Repeat("x", len(value))), request("DEL", "k"), request("FLUSHALL"))
		other.expect("+OK\r\n:1\r\n+OK\r\n")
		for range 10 {
			head, err := c.r.Peek(1)
			if err != nil {
				t.Fatal(err)
			}
			line, _ := c.r.ReadString('\n')
			switch {
			case line == "$-1\r\n":
			case head[0] == '$':
				first, _ := c.r.Peek(1)
				want := value
				if first[0] == 'x' {
					want = strings.Repeat("x", len(value))
				}
				c.expect(want + "\r\n")
			default:
				t.Fatalf("reply %q", line)
			}
		}
		h.eventually("all memory is free", func() bool { return store.Stats().Blocks == 0 })
	})
}

func TestPublish(t *testing.T) {
	withCommands(t, func(t *testing.T, h *harness, x *command.Executor, _ *memory.Store) {
		publisher := h.dial()
		var subscribers []*client
		for range 20 {
			c := h.dial()
			c.send(request("SUBSCRIBE", "news"))
			c.expect("*3\r\n" + bulk("subscribe") + bulk("news") + ":1\r\n")
			subscribers = append(subscribers, c)
		}
		for i := range 100 {
			publisher.send(request("PUBLISH", "news", fmt.Sprint(i)))
			publisher.expect(":20\r\n")
		}
		for _, c := range subscribers {
			for i := range 100 {
				c.expect("*3\r\n" + bulk("message") + bulk("news") + bulk(fmt.Sprint(i)))
			}
		}
		// One that never reads is closed, the others go on.
		x.Change(func(o *command.Options) { o.Output[command.ClassPubSub].Hard = 1 << 20 })
		text := strings.Repeat("x", 100000)
		want := "*3\r\n" + bulk("message") + bulk("news") + bulk(text)
		h.eventually("the deaf subscriber is closed", func() bool {
			publisher.send(request("PUBLISH", "news", text))
			if _, err := publisher.r.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			for _, c := range subscribers[1:] {
				c.expect(want)
			}
			return h.Stats().Total.Closed[server.ClosedOutputHard] == 1
		})
	})
}

func TestClientCommands(t *testing.T) {
	withCommands(t, func(t *testing.T, h *harness, _ *command.Executor, _ *memory.Store) {
		c, other := h.dial(), h.dial()
		other.send(request("CLIENT", "ID"))
		id, err := other.r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		c.send(request("CLIENT", "KILL", "ID", strings.Trim(id, ":\r\n")))
		c.expect(":1\r\n")
		other.expectEnd()
		c.send(request("CLIENT", "KILL", c.LocalAddr().String()), request("PING"))
		c.expect("+OK\r\n")
		c.expectEnd()
		h.closed(server.ClosedByKill, 1)
		h.closed(server.ClosedByCommand, 1)
	})
}

// A slow command leaves its loop: another client of that loop is served.
func TestSlowCommandParks(t *testing.T) {
	withCommands(t, func(t *testing.T, h *harness, _ *command.Executor, _ *memory.Store) {
		slow := h.dial()
		others := []*client{h.dial(), h.dial()}
		slow.send(request("CLIENT", "PAUSE", "100000", "WRITE"))
		slow.expect("+OK\r\n")
		slow.send(request("SET", "k", "v"), request("GET", "k"))
		if h.cfg.Mode == server.ModeLoops {
			h.eventually("it is parked", func() bool { return h.Stats().Parked == 1 })
		}
		for _, c := range others {
			c.send(request("PING"))
			c.expect("+PONG\r\n")
		}
		others[0].send(request("CLIENT", "UNPAUSE"))
		others[0].expect("+OK\r\n")
		slow.expect("+OK\r\n$1\r\nv\r\n")
	})
}
