package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/monitoring/status"
	"github.com/larder-cache/larder/internal/monitoring/web"
)

func testConfig() config.Config {
	cfg := config.Default()
	cfg.Server.Listen = []string{"127.0.0.1:0"}
	cfg.HTTP.Listen = "127.0.0.1:0"
	cfg.Memory.MaxBytes = 64 << 20
	cfg.Command.LatencySample = 1
	return cfg
}

func start(t *testing.T, cfg config.Config) *Node {
	n, err := Start(cfg, Build{Version: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return n
}

// TestWatch follows requests from the socket to what HTTP and INFO show.
func TestWatch(t *testing.T) {
	n := start(t, testConfig())
	conn, err := net.Dial("tcp", n.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, strings.Repeat("SET hot value\r\n", 300)+"INFO hotkeys stats\r\nQUIT\r\n")
	replies, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"key=hot\r\n", "total_net_input_bytes:4"} {
		if !strings.Contains(string(replies), want) {
			t.Errorf("INFO lacks %q", want)
		}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(path string) string {
		r, err := client.Get("http://" + n.HTTPAddr() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v", path, r.StatusCode, err)
		}
		return string(body)
	}
	if ready := get("/ready"); !strings.Contains(ready, `"ready":true`) {
		t.Errorf("got %s", ready)
	}
	if metrics := get("/metrics"); !strings.Contains(metrics, `larder_commands_total{command="set"} 300`) {
		t.Errorf("the metrics lack 300 calls of set:\n%s", metrics)
	}
	var s status.Status
	if err := json.Unmarshal([]byte(get("/api/status")), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.HotKeys) == 0 || s.HotKeys[0].Key != "hot" || s.Node.Addresses[0] != n.Addrs()[0].String() {
		t.Errorf("got %+v at %v", s.HotKeys, s.Node.Addresses)
	}
}

func TestHTTPPortInUse(t *testing.T) {
	first := start(t, testConfig())
	cfg := testConfig()
	cfg.HTTP.Listen = first.HTTPAddr()
	if _, err := Start(cfg, Build{}, slog.New(slog.DiscardHandler)); !errors.Is(err, web.ErrInUse) {
		t.Errorf("got %v, want that the port is in use", err)
	}
}

func TestWithoutHTTP(t *testing.T) {
	cfg := testConfig()
	cfg.HTTP.Listen = ""
	if got := start(t, cfg).HTTPAddr(); got != "" {
		t.Errorf("got %q, want no HTTP", got)
	}
}
