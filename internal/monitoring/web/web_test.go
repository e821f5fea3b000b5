package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/larder-cache/larder/internal/monitoring/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// toy is a node that is as it is told.
type toy struct{ ready bool }

func (n toy) Ready() bool { return n.ready }

func (n toy) Status() status.Status {
	return status.Status{
		Health:  status.Health{State: status.OK},
		Sources: []status.Source{{Name: "people", Breaker: "open"}},
	}
}

func (n toy) Authorized(password string) bool { return password == "" || password == "secret" }
func (n toy) Registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "larder_toy", Help: "A toy."}))
	return r
}

func get(h http.Handler, target, host string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name, target string
		ready        bool
		code         int
		kind, holds  string
	}{
		{"health", "/health", false, 200, "application/json", `{"status":"ok"}`},
		{"ready", "/ready", true, 200, "application/json", `{"ready":true,"sources":{"people":"open"}}`},
		{"not ready", "/ready", false, 503, "application/json", `{"ready":false,"sources":{"people":"open"}}`},
		{"metrics", "/metrics", true, 200, "text/plain; version=0.0.4", "larder_toy 0"},
		{"status", "/api/status", true, 200, "application/json", `"state":"ok"`},
		{"page", "/", true, 200, "text/html; charset=utf-8", "<title>larder</title>"},
		{"profiles", "/debug/pprof/", true, 200, "text/html; charset=utf-8", "goroutine"},
		{"unknown", "/page.html", true, 404, "text/plain", "not found"},
		{"upwards", "/../../etc/passwd", true, 307, "", ""},
		{"a directory", "/api/", true, 404, "text/plain", "not found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := get(Handler(toy{c.ready}, true), c.target, "127.0.0.1:8080")
			text := body(t, r)
			if r.StatusCode != c.code || !strings.HasPrefix(r.Header.Get("Content-Type"), c.kind) || !strings.Contains(text, c.holds) {
				t.Errorf("got %d %s %q", r.StatusCode, r.Header.Get("Content-Type"), text)
			}
			for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "X-Frame-Options": "DENY"} {
				if got := r.Header.Get(header); got != want {
					t.Errorf("%s: got %q, want %q", header, got, want)
				}
			}
			if !strings.HasPrefix(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("policy: got %q", r.Header.Get("Content-Security-Policy"))
			}
		})
	}
}

func TestOnlyReads(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		w := httptest.NewRecorder()
		Handler(toy{true}, true).ServeHTTP(w, httptest.NewRequest(method, "http://127.0.0.1/api/status", nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: got %d", method, w.Code)
		}
	}
}

func TestNamesOfAListenerOfThisMachine(t *testing.T) {
	for host, want := range map[string]int{
		"127.0.0.1:8080": 200, "localhost:8080": 200, "LOCALHOST": 200, "[::1]:8080": 200, "node.localhost:1": 200,
		"evil.example": 403, "localhost.evil.example:8080": 403, "": 403,
	} {
		if r := get(Handler(toy{true}, true), "/health", host); r.StatusCode != want {
			t.Errorf("host %q: got %d, want %d", host, r.StatusCode, want)
		}
	}
	if r := get(Handler(toy{true}, false), "/health", "cache.example"); r.StatusCode != 200 {
		t.Errorf("a listener for others refuses its name: %d", r.StatusCode)
	}
}

func TestProfilesAreLocal(t *testing.T) {
	if r := get(Handler(toy{true}, false), "/debug/pprof/", "cache.example"); r.StatusCode != 404 {
		t.Errorf("got %d, want no profiles for others", r.StatusCode)
	}
}

// TestPageStandsAlone refuses what the page's own policy would block, or what
// would need another file or host.
func TestPageStandsAlone(t *testing.T) {
	for _, bad := range []string{"src=", " style=\"", "onclick", "@import", "url(", "https://", "innerHTML", "eval("} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, element := range []string{"<script", "<style"} {
		if strings.Count(page, element) != 1 {
			t.Errorf("the page must have one %s>", element)
		}
	}
	if !strings.Contains(pagePolicy, "script-src 'sha256-") || !strings.Contains(pagePolicy, "style-src 'sha256-") {
		t.Errorf("got policy %q", pagePolicy)
	}
}

func TestListen(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	s, err := Listen("127.0.0.1:0", toy{true}, log)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	r, err := client.Get("http://" + s.Addr().String() + "/api/status")
	if err != nil {
		t.Fatal(err)
	}
	var got status.Status
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil || got.Health.State != status.OK {
		t.Errorf("got %+v, %v", got, err)
	}
	r.Body.Close()
	if _, err := Listen(s.Addr().String(), toy{}, log); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), s.Addr().String()) {
		t.Errorf("a port in use: got %v", err)
	}
	if _, err := Listen("nowhere", toy{}, log); err == nil {
		t.Error("an address without a port was accepted")
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestConnectionsAreBounded opens more connections than there may be: all are
// answered in the end.
func TestConnectionsAreBounded(t *testing.T) {
	s, err := Listen("127.0.0.1:0", toy{true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	codes := make(chan int, 2*maxConnections)
	for range cap(codes) {
		go func() {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			r, err := client.Get("http://" + s.Addr().String() + "/health")
			if err != nil {
				codes <- 0
				return
			}
			r.Body.Close()
			codes <- r.StatusCode
		}()
	}
	for range cap(codes) {
		if code := <-codes; code != 200 {
			t.Errorf("got %d", code)
		}
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestPasswordIsAskedForFromAfar: beyond loopback all but health and readiness
// is for those who know the node's password.
func TestPasswordIsAskedForFromAfar(t *testing.T) {
	for _, c := range []struct {
		path, password string
		want           int
	}{
		{"/metrics", "wrong", http.StatusUnauthorized},
		{"/api/status", "wrong", http.StatusUnauthorized},
		{"/", "wrong", http.StatusUnauthorized},
		{"/metrics", "secret", http.StatusOK},
		{"/health", "wrong", http.StatusOK},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		r.SetBasicAuth("any", c.password)
		w := httptest.NewRecorder()
		Handler(toy{}, false).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s with password %q: %d, want %d", c.path, c.password, w.Code, c.want)
		}
	}
}
