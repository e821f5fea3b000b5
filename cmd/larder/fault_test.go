package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/larder-cache/larder/internal/config"
)

func TestReport(t *testing.T) {
	dial := func(cause error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", cause)}
	}
	tests := []struct {
		name string
		err  error
		code int
		want string
	}{
		{"nothing", nil, exitDone, ""},
		{"plain", errors.New("it broke"), exitFailed, "larder: it broke\n"},
		{"no", no("no such key: %s", "a"), exitNo, "larder: no such key: a\n"},
		{"wrapped", fmt.Errorf("x: %w", misuse("do y", "z")), exitUsage, "larder: x: z\nhint:   do y\n"},
		{"refused", network("127.0.0.1:6379", dial(syscall.ECONNREFUSED)), exitFailed,
			"larder: cannot reach 127.0.0.1:6379: connection refused\nhint:   is a node running? Start one with: larder serve\n"},
		{"refused elsewhere", network("db:6379", dial(syscall.ECONNREFUSED)), exitFailed,
			"larder: cannot reach db:6379: connection refused\nhint:   name the node with --addr host:port or LARDER_ADDR\n"},
		{"timeout", network("db:6379", context.DeadlineExceeded), exitFailed,
			"larder: cannot reach db:6379: no answer in time\nhint:   is it a Redis-compatible server, and not overloaded? --timeout waits\n        longer\n"},
		{"closed", network("db:6379", io.EOF), exitFailed,
			"larder: cannot reach db:6379: the connection was closed\nhint:   the server closed the connection; its log says why\n"},
		{"taken", starting(fmt.Errorf("listen on :1: %w", syscall.EADDRINUSE)), exitFailed,
			"larder: the node did not start: listen on :1: address already in use\nhint:   another process listens there: end it, or choose other ports with\n        --resp-addr and --http-addr\n"},
		{"configuration", config.Problems{{File: "f", Line: 1, Column: 2, Setting: "s", Text: "t", Hint: "h"}}, exitUsage,
			"larder: the configuration cannot be used: 1 problem\n\nf:1:2: s: t\n    h\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			if code := report(&b, test.err); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if b.String() != test.want {
				t.Errorf("got\n%s\nwant\n%s", b.String(), test.want)
			}
		})
	}
}

func TestEndpoint(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:1": "tcp 127.0.0.1:1", "db": "tcp db:6379", "[::1]:7": "tcp [::1]:7",
		"/run/l.sock": "unix /run/l.sock", "./l.sock": "unix ./l.sock", "unix:l.sock": "unix l.sock",
	} {
		f := clientFlags{addr: addr}
		network, address, err := f.endpoint()
		if got := network + " " + address; err != nil || got != want {
			t.Errorf("%s is %s, %v, want %s", addr, got, err, want)
		}
	}
}

// Each flag of serve names a setting that exists; config panics otherwise.
func TestServeFlagsAreSettings(t *testing.T) {
	anything := []string{"unix", "password", "data-dir", "name", "zone"} // texts that may be anything
	for _, f := range serveFlags {
		if _, err := config.Parse("", nil, config.Override{Flag: "--" + f.name, Path: f.path, Values: []string{"?"}}); err == nil && !slices.Contains(anything, f.name) {
			t.Errorf("--%s accepts nonsense", f.name)
		}
	}
}
