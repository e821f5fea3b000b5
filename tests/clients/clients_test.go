// Package clients runs the Redis clients that people use against a larder.
package clients

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// binary is the larder under test, address where the node that stands alone
// serves.
var binary, address string

// patience bounds everything that a test waits for.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		code = 1
	}
	os.Exit(code)
}

// run builds larder, serves with it, and runs the tests.
func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "larder-clients-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if binary, err = nodes.Build(context.Background(), dir); err != nil {
		return 0, err
	}
	stop, err := serve()
	if err != nil {
		return 0, err
	}
	code = m.Run()
	return code, errors.Join(stop(), dissolve())
}

var serving = regexp.MustCompile(`resp\W+(127\.0\.0\.1:\d+)`)

// serve starts the node, sets address, and returns what stops the node.
func serve() (stop func() error, err error) {
	cmd := exec.Command(binary, "serve", "--resp-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	found, ended := make(chan string, 1), make(chan struct{})
	go func() { // ends when the node does
		defer close(ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if at := serving.FindStringSubmatch(lines.Text()); at != nil {
				found <- at[1]
				_, _ = io.Copy(os.Stderr, stderr)
				return
			}
			fmt.Fprintln(os.Stderr, lines.Text())
		}
	}()
	stop = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		<-ended
		return cmd.Wait()
	}
	select {
	case address = <-found:
		return stop, nil
	case <-ended:
		return nil, fmt.Errorf("larder ended without serving: %w", cmd.Wait())
	case <-time.After(patience):
		return nil, fmt.Errorf("larder does not say where it serves; stopping it: %w", stop())
	}
}

// command is commandAt for the node that stands alone.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	return commandAt(t, address, name, args...)
}

// commandAt returns a program that runs for at most patience, with the host and
// the port of a node in its environment. Without the program the test is
// skipped, or fails where everything is said to be installed.
func commandAt(t *testing.T, address, name string, args ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		missing(t, "%v; scripts/install-test-deps.sh installs it", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	host, port := apart(t, address)
	cmd.Env = append(os.Environ(), "LARDER_HOST="+host, "LARDER_PORT="+port)
	return cmd
}

// missing ends a test whose counterpart is not there.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("LARDER_TEST_COMPLETE") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func hostAndPort(t *testing.T) (host, port string) {
	t.Helper()
	return apart(t, address)
}

func apart(t *testing.T, address string) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}
