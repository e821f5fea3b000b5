package server_test

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/server"
)

func TestValidate(t *testing.T) {
	if err := server.Default().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for want, change := range map[string]func(*server.Config){
		"nobody could connect":       func(c *server.Config) { c.Listen = nil },
		`write "localhost:6379"`:     func(c *server.Config) { c.Listen = []string{"localhost"} },
		"not between 0 and 65535":    func(c *server.Config) { c.Listen = []string{"localhost:70000"} },
		"is not host:port":           func(c *server.Config) { c.Listen = []string{"::1:6379"} },
		"at most 103 are possible":   func(c *server.Config) { c.Unix = strings.Repeat("x", 104) },
		"more than permission bits":  func(c *server.Config) { c.UnixMode = 0o4700 },
		"none of auto, loops":        func(c *server.Config) { c.Mode = "threads" },
		"is not between 0 and 1024":  func(c *server.Config) { c.Loops = -1 },
		"max_parked: -1 is negative": func(c *server.Config) { c.MaxParked = -1 },
	} {
		cfg := server.Default()
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
		if _, err := server.New(cfg, newToy(), nil); err == nil {
			t.Errorf("New takes settings with %q", want)
		}
	}
}

func TestListenErrors(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		h.start()
		second := h.cfg
		second.Listen, second.Unix = []string{"127.0.0.1:0", h.Addrs()[0].String()}, ""
		srv, err := server.New(second, newToy(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := srv.Start(); err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("a second server on the same port: %v", err)
		}
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := h.Start(); err != server.ErrStarted {
			t.Errorf("a second start: %v", err)
		}
	})
}

func TestUnixSocketFile(t *testing.T) {
	inModes(t, func(t *testing.T, h *harness) {
		leaveStale(t, h.cfg.Unix)
		h.cfg.UnixMode = 0o640
		h.start()
		info, err := os.Stat(h.cfg.Unix)
		if err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%v, %v", info, err)
		}
		second := h.cfg
		second.Listen = nil
		srv, err := server.New(second, newToy(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := srv.Start(); err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("a second server on the same socket: %v", err)
		}
		c := h.dialTo(h.Addrs()[1])
		c.send(request("PING"))
		c.expect("+PONG\r\n")
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(h.cfg.Unix); !os.IsNotExist(err) {
			t.Errorf("the socket is left behind: %v", err)
		}
	})
}

// leaveStale makes the file that a killed process leaves.
func leaveStale(t *testing.T, path string) {
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
}

func TestUnixSocketInTheWay(t *testing.T) {
	h := newHarness(t, server.ModeAuto)
	if err := os.WriteFile(h.cfg.Unix, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(h.cfg, h.toy, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Start(); err == nil || !strings.Contains(err.Error(), "no socket is in the way") {
		t.Errorf("error %v", err)
	}
	if b, _ := os.ReadFile(h.cfg.Unix); string(b) != "precious" {
		t.Error("the file is gone")
	}
}

func TestIPv6(t *testing.T) {
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Logf("no IPv6 here: %v", err)
		return
	}
	probe.Close()
	inModes(t, func(t *testing.T, h *harness) {
		h.cfg.Listen = []string{"[::1]:0"}
		h.start()
		c := h.dial()
		c.send(request("PING"))
		c.expect("+PONG\r\n")
		if got, want := h.toy.link().RemoteAddr(), c.LocalAddr().String(); got != want {
			t.Errorf("remote %s, want %s", got, want)
		}
	})
}
