package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/monitoring/status"
)

func runTopOnce(args ...string) (string, error) {
	var out bytes.Buffer
	c := newTopCommand()
	c.SilenceErrors = true
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(append(args, "--once"))
	err := c.Execute()
	return out.String(), err
}

func TestTopOnce(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/status" {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(status.Status{
			Health: status.Health{State: status.OK}, Traffic: status.Traffic{RequestsPerSecond: 20113},
			HotKeys: []status.HotKey{{Key: "user:7", RequestsPerSecond: 12}},
		})
	}))
	defer server.Close()
	hostPort := strings.TrimPrefix(server.URL, "http://")
	for _, args := range [][]string{{"--http-addr", hostPort}, {"--addr", hostPort}, {"-a", server.URL}} {
		out, err := runTopOnce(args...)
		if err != nil || !strings.Contains(out, "20,113") || !strings.Contains(out, "user:7") || strings.Contains(out, "\x1b") {
			t.Errorf("%q: got %v\n%s", args, err, out)
		}
	}
	if _, err := runTopOnce("-a", server.URL+"/elsewhere"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("something else answers: got %v", err)
	}
	server.Close()
	if _, err := runTopOnce("-a", hostPort); err == nil || !strings.Contains(err.Error(), "Is it running") {
		t.Errorf("nobody answers: got %v", err)
	}
	if _, err := runTopOnce("-a", "http://"); err == nil || !strings.Contains(err.Error(), "host:port") {
		t.Errorf("no address: got %v", err)
	}
}
