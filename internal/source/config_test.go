package source_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/larder-cache/larder/internal/source"
)

func TestConfigFromYAML(t *testing.T) {
	text := `
kind: postgres
dsn: postgres://larder@db/app
max_connections: 20
concurrency: 10
queue: 50
timeout: 750ms
breaker:
  failures: 3
  open_for: 2s
`
	var c source.Config
	if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	want := source.Config{
		Kind: source.KindPostgres, DSN: "postgres://larder@db/app", MaxConnections: 20, Concurrency: 10,
		Queue: 50, Timeout: 750 * time.Millisecond, Breaker: source.BreakerConfig{Failures: 3, OpenFor: 2 * time.Second},
	}
	if c != want {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestNamespaceFromYAML(t *testing.T) {
	text := `
prefix: "user:"
source: main
pattern: user:{id:int}
query: SELECT * FROM users WHERE id = :id
result: json
ttl: 5m
ttl_jitter: 0.1
negative_ttl: 30s
early_refresh: 1
stale_while_revalidate: 10s
stale_if_error: 1h
`
	var c source.NamespaceConfig
	if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(map[string]source.Config{"main": {Kind: source.KindSQLite}}); err != nil {
		t.Error(err)
	}
	if c.StaleIfError != time.Hour || c.TTLJitter != 0.1 || c.NegativeTTL != 30*time.Second {
		t.Errorf("read as %+v", c)
	}
}

func TestConfigDefaults(t *testing.T) {
	c := source.Config{Kind: source.KindSQLite, DSN: "x.db"}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	d := c.WithDefaults()
	if d.Concurrency != 16 || d.MaxConnections != 16 || d.Queue != 1000 || d.Timeout != 2*time.Second ||
		d.Breaker.Failures != 5 || d.Breaker.OpenFor != 5*time.Second {
		t.Errorf("defaults are %+v", d)
	}
	n := source.NamespaceConfig{Source: "s", Pattern: "user:{id}"}.WithDefaults()
	if n.Result != source.ResultJSON || n.Prefix != "user:" {
		t.Errorf("namespace defaults are %+v", n)
	}
}

// expectField fails unless err has a FieldError for field that says text.
func expectField(t *testing.T, err error, field, text string) {
	t.Helper()
	var all interface{ Unwrap() []error }
	if !errors.As(err, &all) {
		t.Fatalf("error = %v, want one about %s", err, field)
	}
	for _, e := range all.Unwrap() {
		var f *source.FieldError
		if errors.As(e, &f) && f.Field == field && strings.Contains(f.Error(), text) {
			if f.Hint == "" {
				t.Errorf("%v has no hint", f)
			}
			return
		}
	}
	t.Errorf("error = %v, want %s: …%s…", err, field, text)
}

func TestConfigRefused(t *testing.T) {
	good := source.Config{Kind: source.KindPostgres, DSN: "x"}
	for _, tt := range []struct {
		field, text string
		change      func(*source.Config)
	}{
		{"kind", `"mysqk" is not a kind`, func(c *source.Config) { c.Kind = "mysqk" }},
		{"dsn", "postgres://", func(c *source.Config) { c.DSN = "" }},
		{"dsn", "path of the database file", func(c *source.Config) { c.Kind, c.DSN = source.KindSQLite, "" }},
		{"dsn", "in memory", func(c *source.Config) { c.Kind, c.DSN = source.KindSQLite, ":memory:" }},
		{"concurrency", "negative", func(c *source.Config) { c.Concurrency = -1 }},
		{"concurrency", "16 loads cannot share 4 connections; write concurrency: 4", func(c *source.Config) { c.MaxConnections = 4 }},
		{"max_connections", "negative", func(c *source.Config) { c.MaxConnections = -1 }},
		{"queue", "negative", func(c *source.Config) { c.Queue = -1 }},
		{"timeout", "negative", func(c *source.Config) { c.Timeout = -time.Second }},
		{"breaker.failures", "negative", func(c *source.Config) { c.Breaker.Failures = -1 }},
		{"breaker.open_for", "negative", func(c *source.Config) { c.Breaker.OpenFor = -1 }},
		{"breaker.disabled", "contradicts", func(c *source.Config) { c.Breaker = source.BreakerConfig{Disabled: true, Failures: 1} }},
	} {
		c := good
		tt.change(&c)
		expectField(t, c.Validate(), tt.field, tt.text)
	}
}

func TestNamespaceRefused(t *testing.T) {
	good := source.NamespaceConfig{
		Source: "main", Pattern: "user:{id}", Query: "SELECT name FROM users WHERE id = :id", TTL: time.Minute,
	}
	sources := map[string]source.Config{"main": {Kind: source.KindPostgres}, "other": {Kind: source.KindSQLite}}
	if err := good.Validate(sources); err != nil {
		t.Fatal(err)
	}
	for _, c := range []source.NamespaceConfig{{Prefix: "session:"}, {Prefix: "session:", MaxStaleness: 100 * time.Millisecond}} {
		if err := c.Validate(sources); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		field, text string
		change      func(*source.NamespaceConfig)
	}{
		{"source", "main, other", func(c *source.NamespaceConfig) { c.Source = "mian" }},
		{"source", "is missing", func(c *source.NamespaceConfig) { c.Source = "" }},
		{"pattern", "is empty", func(c *source.NamespaceConfig) { c.Pattern = "" }},
		{"pattern", "column 8", func(c *source.NamespaceConfig) { c.Pattern = "u:{abc}{d}" }},
		{"pattern", `does not begin with the prefix "usr:"`, func(c *source.NamespaceConfig) { c.Prefix = "usr:" }},
		{"query", "is missing", func(c *source.NamespaceConfig) { c.Query = "" }},
		{"query", "parameter :ident is unknown; the pattern has :id", func(c *source.NamespaceConfig) { c.Query = "SELECT :id, :ident" }},
		{"max_staleness", "11s is not between 1ms and 10s", func(c *source.NamespaceConfig) { c.MaxStaleness = 11 * time.Second }},
		{"max_staleness", "-1s is not between", func(c *source.NamespaceConfig) { c.MaxStaleness = -time.Second }},
		{"max_staleness", "1µs is not between", func(c *source.NamespaceConfig) { c.MaxStaleness = time.Microsecond }},
		{"query", "does not use :id", func(c *source.NamespaceConfig) { c.Query = "SELECT 1" }},
		{"query", "positional", func(c *source.NamespaceConfig) { c.Query = "SELECT $1" }},
		{"result", "column or json", func(c *source.NamespaceConfig) { c.Result = "xml" }},
		{"ttl", "is missing", func(c *source.NamespaceConfig) { c.TTL = 0 }},
		{"ttl_jitter", "1.5", func(c *source.NamespaceConfig) { c.TTLJitter = 1.5 }},
		{"early_refresh", "-1", func(c *source.NamespaceConfig) { c.EarlyRefresh = -1 }},
		{"negative_ttl", "negative", func(c *source.NamespaceConfig) { c.NegativeTTL = -1 }},
		{"stale_while_revalidate", "negative", func(c *source.NamespaceConfig) { c.StaleWhileRevalidate = -1 }},
		{"stale_if_error", "no effect", func(c *source.NamespaceConfig) { c.StaleWhileRevalidate, c.StaleIfError = time.Minute, time.Second }},
	} {
		c := good
		tt.change(&c)
		expectField(t, c.Validate(sources), tt.field, tt.text)
	}
}
