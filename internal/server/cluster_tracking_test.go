package server_test

import (
	"fmt"
	"strings"
	"testing"
)

func invalidated(keys ...string) string {
	b := fmt.Sprintf(">2\r\n%s*%d\r\n", bulk("invalidate"), len(keys))
	for _, key := range keys {
		b += bulk(key)
	}
	return b
}

// tracking returns a client of RESP3 that tracks.
func (d *node) tracking(options ...string) *client {
	cl := d.any.dial()
	cl.ask("HELLO", "3")
	cl.send(request(append([]string{"CLIENT", "TRACKING", "ON"}, options...)...))
	cl.expect("+OK\r\n")
	return cl
}

// A client that tracks is told of changes of keys that other nodes own, made by
// clients of any node.
func TestTrackingAcrossNodes(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		key, prefixed := c.keyOf(c.list[1], "k"), c.keyOf(c.list[2], "p:")
		ordinary, optIn, broadcast := c.list[0].tracking(), c.list[0].tracking("OPTIN"), c.list[0].tracking("BCAST", "PREFIX", "p:")
		optIn.send(request("GET", key), request("CLIENT", "CACHING", "YES"), request("GET", prefixed))
		optIn.expect("_\r\n+OK\r\n_\r\n")
		for i, writer := range []*client{c.list[1].any.dial(), c.list[2].any.dial(), c.list[0].any.dial()} {
			ordinary.send(request("GET", key))
			ordinary.reply()
			writer.ask("SET", key, fmt.Sprint(i))
			ordinary.expect(invalidated(key))
			writer.ask("SET", prefixed, fmt.Sprint(i))
			broadcast.expect(invalidated(prefixed))
		}
		optIn.expect(invalidated(prefixed))
		for _, cl := range []*client{ordinary, optIn, broadcast} {
			cl.send(request("PING"))
			cl.expect("+PONG\r\n") // and nothing else
		}
		ordinary.send(request("GET", key))
		ordinary.expect(bulk("2"))
		c.list[2].any.dial().ask("FLUSHALL")
		ordinary.expect(">2\r\n" + bulk("invalidate") + "_\r\n")
	})
}

// A reply never comes behind the invalidation that concerns it.
func TestTrackingOrder(t *testing.T) {
	inClusters(t, func(t *testing.T, c *nodes) {
		key := c.keyOf(c.list[1], "k")
		writer, reader := c.list[2].any.dial(), c.list[0].tracking()
		const n = 300
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range n {
				writer.send(request("SET", key, fmt.Sprintf("%06d", i)))
				writer.expect("+OK\r\n")
			}
		}()
		// What the client has in memory is what it was told last; when everything
		// has been written and told, that is the last value.
		cached := ""
		for cached != fmt.Sprintf("%06d", n-1) {
			reader.send(request("GET", key))
			for {
				reply := reader.reply()
				if strings.HasPrefix(reply, ">") {
					cached = ""
					continue
				}
				cached = strings.TrimSuffix(strings.TrimPrefix(reply, "$6\r\n"), "\r\n")
				break
			}
			if cached == fmt.Sprintf("%06d", n-1) || t.Failed() {
				break
			}
			if reply := reader.reply(); !strings.HasPrefix(reply, ">") {
				t.Fatalf("value %q, then %q: want an invalidation", cached, reply)
			}
		}
		<-done
	})
}
