package loadgen

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startServer runs a program until the test ends, and returns when it has
// printed ready. The test is skipped when the program is not installed.
func startServer(t *testing.T, ready, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	output, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	drained := make(chan struct{})
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		<-drained
		output.Close()
	})
	lines := bufio.NewReader(output)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			close(drained)
			t.Fatalf("%s ended before it was ready: %v", name, err)
		}
		if strings.Contains(line, ready) {
			break
		}
	}
	go func() {
		io.Copy(io.Discard, lines)
		close(drained)
	}()
}

// startRedis returns the address of a fresh redis-server's socket.
func startRedis(t *testing.T, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	args = append([]string{"--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no"}, args...)
	startServer(t, "eady to accept connections", "redis-server", args...)
	return "unix:" + socket
}

// startMemcached returns the address of a fresh memcached's socket.
func startMemcached(t *testing.T) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	startServer(t, "server listening", "memcached", "-vv", "-u", "root", "-m", "512", "-I", "8m", "-s", socket)
	return "unix:" + socket
}

// ask sends one RESP command to address and returns the raw reply.
func ask(t *testing.T, address string, words ...string) string {
	t.Helper()
	network, target := splitAddress(address)
	conn, err := net.Dial(network, target)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, strings.Join(words, " ")+"\r\n"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(buf[:n]))
}
