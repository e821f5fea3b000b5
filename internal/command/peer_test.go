package command

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// rival is a connection to a real Redis that the test has started.
type rival struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

// startPeer starts the redis-server of the machine, on a Unix socket.
func startPeer(t testing.TB) *rival {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is not installed; make test installs it, or: apt-get install redis-server")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "redis.sock")
	cmd := exec.Command(binary, "--port", "0", "--unixsocket", socket, "--save", "",
		"--dir", dir, "--daemonize", "no", "--enable-debug-command", "yes")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	log := bufio.NewScanner(out)
	for log.Scan() {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			continue // it says more before it is ready
		}
		go io.Copy(io.Discard, out)
		conn.SetDeadline(time.Now().Add(time.Minute))
		t.Cleanup(func() { conn.Close() })
		return &rival{t: t, conn: conn, in: bufio.NewReader(conn)}
	}
	t.Fatalf("redis-server does not start: %v", log.Err())
	return nil
}

// do runs one request and returns the raw reply.
func (p *rival) do(words ...string) string {
	request := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		request = fmt.Appendf(request, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := p.conn.Write(request); err != nil {
		p.t.Fatal(err)
	}
	return string(p.reply(nil))
}

// reply appends one reply to raw.
func (p *rival) reply(raw []byte) []byte {
	line, err := p.in.ReadBytes('\n')
	if err != nil {
		p.t.Fatal(err)
	}
	raw = append(raw, line...)
	n, _ := strconv.Atoi(string(line[1 : len(line)-2]))
	switch line[0] {
	case '$', '=':
		if n >= 0 {
			body := make([]byte, n+2)
			if _, err := io.ReadFull(p.in, body); err != nil {
				p.t.Fatal(err)
			}
			raw = append(raw, body...)
		}
	case '*', '~', '>':
		for range n {
			raw = p.reply(raw)
		}
	case '%':
		for range 2 * n {
			raw = p.reply(raw)
		}
	}
	return raw
}

// TestStoriesOfRedis asks a real Redis, so that stories tell the truth.
func TestStoriesOfRedis(t *testing.T) {
	p := startPeer(t)
	for name, steps := range stories {
		t.Run(name, func(t *testing.T) {
			p.do("FLUSHALL")
			p.do("SELECT", "0")
			for i, s := range steps {
				if got := flat(p.do(words(t, s.request)...)); got != s.reply {
					t.Errorf("step %d: %s\n   redis %q\n story %q", i, s.request, got, s.reply)
				}
			}
		})
	}
}
