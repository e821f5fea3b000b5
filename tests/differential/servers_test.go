package differential

import (
	"context"
	"log/slog"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/node"
)

// startLarder runs a node in this process and returns its address.
func startLarder(t testing.TB) string {
	t.Helper()
	cfg := config.Default()
	cfg.Server.Listen = []string{"127.0.0.1:0"}
	cfg.HTTP.Listen = ""
	n, err := node.Start(cfg, node.Build{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := n.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return n.Addrs()[0].String()
}

// startRedis runs the redis-server on the PATH on a Unix socket and returns a
// TCP address that leads there, so that no port has to be chosen.
func startRedis(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is not installed; make test installs it, or: apt-get install redis-server")
	}
	socket := filepath.Join(t.TempDir(), "redis.sock")
	c := exec.Command(path, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", filepath.Dir(socket))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	deadline := time.Now().Add(10 * time.Second)
	for {
		s, err := net.Dial("unix", socket)
		if err == nil {
			s.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("redis-server does not answer on %s: %v", socket, err)
		}
		<-time.After(5 * time.Millisecond)
	}
	return proxy(t, socket)
}

// proxy listens on a free port and carries bytes to and from a Unix socket.
func proxy(t testing.TB, socket string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", socket)
			if err != nil {
				in.Close()
				continue
			}
			go carry(in, out)
			go carry(out, in)
		}
	}()
	return l.Addr().String()
}

func carry(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
