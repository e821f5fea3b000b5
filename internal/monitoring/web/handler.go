package web

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/larder-cache/larder/internal/monitoring/status"
)

// Node is what is shown.
type Node interface {
	// Ready tells whether the node serves its clients.
	Ready() bool
	Status() status.Status
	Registry() *prometheus.Registry
	// Authorized tells whether a password is the node's; any is when it has none.
	Authorized(password string) bool
}

// page is the status page: one file, whose script reads /api/status.
//
//go:embed page.html
var page string

// Handler answers the requests of the listener. local tells that it listens on
// this machine only: then profiles are served as well, and only requests to an
// address or to localhost are answered, so that no page in a browser can read
// the node through a name that it has pointed at this machine. Elsewhere the
// node's password is asked for.
func Handler(node Node, local bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", servePage)
	mux.HandleFunc("GET /health", serveHealth)
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) { serveReady(w, node) })
	mux.HandleFunc("GET /api/status", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, node.Status())
	})
	metrics := promhttp.HandlerFor(node.Registry(), promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: writeTimeout - time.Second})
	mux.Handle("GET /metrics", metrics)
	if local {
		profiles := http.NewServeMux()
		profiles.HandleFunc("GET /debug/pprof/", pprof.Index)
		profiles.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		profiles.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		profiles.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		profiles.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		mux.Handle("GET /debug/pprof/", within(profileTimeout, profiles))
	}
	h := within(writeTimeout, mux)
	if local {
		h = onlyLocalNames(h)
	} else {
		h = onlyKnown(node, h)
	}
	return guarded(h)
}

// onlyKnown asks for the node's password, if it has one, as Redis clients are
// asked: with HTTP basic authentication, the user being ignored. Health and
// readiness tell nothing and are for those who have no password.
func onlyKnown(node Node, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		if r.URL.Path != "/health" && r.URL.Path != "/ready" && !node.Authorized(password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="larder"`)
			http.Error(w, "this node has a password: send it with HTTP basic authentication", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// guarded sets what holds for every answer.
func guarded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		header.Set("Cache-Control", "no-store")
		h.ServeHTTP(w, r)
	})
}

// within bounds the time to write the answer.
func within(limit time.Duration, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A recorder in a test has no deadline.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit))
		h.ServeHTTP(w, r)
	})
}

// onlyLocalNames refuses requests that came here by another name than that of
// this machine.
func onlyLocalNames(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocalName(r.Host) {
			http.Error(w, "this listener answers to localhost and to addresses only", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func isLocalName(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	_, err = netip.ParseAddr(host)
	return err == nil
}

// serveHealth answers while the process lives.
func serveHealth(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readiness is the answer of /ready.
type readiness struct {
	Ready bool `json:"ready"`
	// Sources has the states of circuit breakers. A source that fails does not
	// make the node unready: hits are served, and a second node would ask the
	// same source.
	Sources map[string]string `json:"sources"`
}

func serveReady(w http.ResponseWriter, node Node) {
	answer := readiness{Ready: node.Ready(), Sources: map[string]string{}}
	for _, s := range node.Status().Sources {
		answer.Sources[s.Name] = s.Breaker
	}
	code := http.StatusOK
	if !answer.Ready {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, answer)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "the answer cannot be encoded: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n'))
}

// pagePolicy lets the page run its own script and style, known by their
// hashes, and fetch from here; nothing else.
var pagePolicy = "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" +
	"; script-src " + hashOf("script") + "; style-src " + hashOf("style")

// hashOf returns the source expression of the page's only element of a kind.
func hashOf(element string) string {
	_, rest, _ := strings.Cut(page, "<"+element+">")
	content, _, found := strings.Cut(rest, "</"+element+">")
	if !found {
		panic("web: the page has no " + element)
	}
	sum := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	_, _ = w.Write([]byte(page))
}
