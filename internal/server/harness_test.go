package server_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/larder-cache/larder/internal/server"
)

func TestMain(m *testing.M) {
	if os.Getenv(descriptorChild) != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}

// descriptorChild is set in the process of TestDescriptorsExhausted.
const descriptorChild = "LARDER_SERVER_TEST_DESCRIPTORS"

// patience bounds every wait of a test.
const patience = 20 * time.Second

// modes are the ways to serve that this system has.
func modes() []server.Mode {
	if runtime.GOOS == "linux" {
		return []server.Mode{server.ModeLoops, server.ModeGoroutines}
	}
	return []server.Mode{server.ModeGoroutines}
}

// inModes runs a test against a server of each mode.
func inModes(t *testing.T, test func(t *testing.T, h *harness)) {
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) { test(t, newHarness(t, mode)) })
	}
}

// harness is a server with a toy executor on a free port and a Unix socket.
type harness struct {
	*server.Server
	t    testing.TB
	cfg  server.Config
	toy  *toy
	exec server.Executor // toy unless a test replaces it
}

// newHarness prepares a server; change cfg and toy before start.
func newHarness(t testing.TB, mode server.Mode) *harness {
	cfg := server.Default()
	cfg.Listen = []string{"127.0.0.1:0"}
	cfg.Unix = filepath.Join(t.TempDir(), "s")
	cfg.Mode, cfg.Loops = mode, 2
	x := newToy()
	return &harness{t: t, cfg: cfg, toy: x, exec: x}
}

// start serves until the end of the test, and then checks that nothing is left.
func (h *harness) start() {
	h.t.Helper()
	if r, w, err := os.Pipe(); err == nil { // the runtime's own poller exists from here on
		r.Close()
		w.Close()
	}
	before := descriptors()
	srv, err := server.New(h.cfg, h.exec, nil)
	if err == nil {
		err = srv.Start()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.Server = srv
	h.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		srv.Shutdown(ctx)
		for what, n := range map[string]int64{
			"sessions": h.toy.sessions.Load(), "staged values": h.toy.staged.Load(),
			"pinned values": h.toy.pinned.Load(), "connections": srv.Stats().Total.Connections,
			"parked clients": srv.Stats().Parked,
		} {
			if n != 0 {
				h.t.Errorf("%d %s left", n, what)
			}
		}
		h.eventually("descriptors are closed", func() bool { return descriptors() <= before })
	})
}

// descriptors counts the open file descriptors of the process.
func descriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

// eventually waits for a condition.
func (h *harness) eventually(what string, condition func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			h.t.Fatalf("it did not happen that %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

// closed waits until n connections have been closed for a reason.
func (h *harness) closed(reason server.CloseReason, n uint64) {
	h.t.Helper()
	h.eventually(fmt.Sprintf("%d clients are closed for reason %s", n, reason), func() bool {
		return h.Stats().Total.Closed[reason] == n
	})
}

// client is one connection to the server.
type client struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

// dial connects by TCP.
func (h *harness) dial() *client { return h.dialTo(h.Addrs()[0]) }

func (h *harness) dialTo(a net.Addr) *client {
	h.t.Helper()
	c, err := net.Dial(a.Network(), a.String())
	if err != nil {
		h.t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	h.t.Cleanup(func() { c.Close() })
	return &client{Conn: c, t: h.t, r: bufio.NewReaderSize(c, 64<<10)}
}

// send writes requests.
func (c *client) send(requests ...string) {
	c.t.Helper()
	if _, err := io.WriteString(c, strings.Join(requests, "")); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// expect reads exactly that reply.
func (c *client) expect(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(c.r, got)
	if err != nil || string(got) != want {
		c.t.Fatalf("got %.200q (%v), want %.200q", got[:n], err, want)
	}
}

// expectEnd reads the end of the stream.
func (c *client) expectEnd() {
	c.t.Helper()
	if b, err := c.r.ReadByte(); err == nil {
		rest, _ := c.r.Peek(c.r.Buffered())
		c.t.Fatalf("got %q instead of the end", append([]byte{b}, rest...))
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		c.t.Fatal("the connection is not closed")
	}
}

// request encodes a request.
func request(args ...string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b.String()
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }
