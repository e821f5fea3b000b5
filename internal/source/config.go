package source

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind names an implementation of [Source].
type Kind string

// The kinds of sources.
const (
	KindSQLite   Kind = "sqlite"
	KindPostgres Kind = "postgres"
)

var kinds = []Kind{KindSQLite, KindPostgres}

// Defaults of [Config]; a zero field means them.
const (
	DefaultConcurrency     = 16
	DefaultQueue           = 1000
	DefaultTimeout         = 2 * time.Second
	DefaultBreakerFailures = 5
	DefaultBreakerOpenFor  = 5 * time.Second
)

// Config is one entry of `sources`. It is a value; [Config.WithDefaults] fills
// what is zero, [Config.Validate] judges it as it was written.
type Config struct {
	// Kind of database: sqlite or postgres. Required.
	Kind Kind `yaml:"kind"`

	// DSN says where the database is. Required. For sqlite a file's path or a
	// file: URI; the file must exist. For postgres a URL
	// (postgres://user:password@host:5432/db) or key=value pairs; unset ones
	// come from the PG* variables of the environment. Either is only read;
	// give it a user that may do no more.
	DSN string `yaml:"dsn"`

	// MaxConnections bounds the open connections. Default (0): as many as
	// concurrency. Fewer than concurrency is contradictory.
	MaxConnections int `yaml:"max_connections,omitempty"`

	// Concurrency bounds the loads that run at once, over all namespaces of
	// this source. Default (0): 16.
	Concurrency int `yaml:"concurrency,omitempty"`

	// Queue bounds the loads that wait for one of the concurrency slots; one
	// more fails at once. Default (0): 1000.
	Queue int `yaml:"queue,omitempty"`

	// Timeout is the longest that one load may take, and also the longest
	// that it waits for a slot before. Default (0): 2s.
	Timeout time.Duration `yaml:"timeout,omitempty"`

	// Breaker stops asking a source that fails.
	Breaker BreakerConfig `yaml:"breaker,omitempty"`
}

// BreakerConfig is the circuit breaker of a source.
type BreakerConfig struct {
	// Failures in a row (unreachable or timed out; a missing row or a refused
	// query is an answer) after which the source is not asked. Default (0): 5.
	Failures int `yaml:"failures,omitempty"`

	// OpenFor is how long it is not asked before one load probes it; up to a
	// fifth is added at random. Default (0): 5s.
	OpenFor time.Duration `yaml:"open_for,omitempty"`

	// Disabled turns the breaker off: a failing source is asked every time.
	// Default: false. Contradicts failures and open_for.
	Disabled bool `yaml:"disabled,omitempty"`
}

// FieldError is a setting that cannot be used.
type FieldError struct {
	Field   string // path of the yaml names, below the struct that was validated
	Problem string // what is wrong
	Hint    string // what to write instead
}

// Error returns «field: problem; hint».
func (e *FieldError) Error() string { return e.Field + ": " + e.Problem + "; " + e.Hint }

// fieldErrors collects the problems of one struct.
type fieldErrors []error

func (f *fieldErrors) add(field, problem, hint string, args ...any) {
	*f = append(*f, &FieldError{field, problem, fmt.Sprintf(hint, args...)})
}

func (f *fieldErrors) notNegative(field string, value int, fallback string) {
	if value < 0 {
		f.add(field, fmt.Sprintf("%d is negative", value), "write a number above 0, or leave it out for %s", fallback)
	}
}

func (f *fieldErrors) noNegativeDuration(field string, value time.Duration, zero string) {
	if value < 0 {
		f.add(field, fmt.Sprintf("%v is negative", value), "write a duration like 30s, or leave it out for %s", zero)
	}
}

// Validate returns all problems joined, each a [*FieldError]; nil when there is
// none. It does no I/O.
func (c Config) Validate() error {
	var f fieldErrors
	if !slices.Contains(kinds, c.Kind) {
		f.add("kind", fmt.Sprintf("%q is not a kind of source", c.Kind), "write one of sqlite, postgres")
	}
	switch {
	case c.DSN == "" && c.Kind == KindSQLite:
		f.add("dsn", "is missing", "write the path of the database file")
	case c.DSN == "":
		f.add("dsn", "is missing", "write where the database is, for example postgres://user:password@host:5432/database")
	case c.Kind == KindSQLite && (c.DSN == ":memory:" || strings.Contains(c.DSN, "mode=memory")):
		f.add("dsn", "a database in memory is empty and private to its connection", "write the path of a file")
	}
	f.notNegative("max_connections", c.MaxConnections, "as many as concurrency")
	f.notNegative("concurrency", c.Concurrency, fmt.Sprint(DefaultConcurrency))
	f.notNegative("queue", c.Queue, fmt.Sprint(DefaultQueue))
	f.noNegativeDuration("timeout", c.Timeout, DefaultTimeout.String())
	if d := c.WithDefaults(); c.MaxConnections > 0 && c.Concurrency >= 0 && d.Concurrency > c.MaxConnections {
		f.add("concurrency", fmt.Sprintf("%d loads cannot share %d connections", d.Concurrency, c.MaxConnections),
			"write concurrency: %d, or leave max_connections out", c.MaxConnections)
	}
	c.Breaker.validate(&f)
	return errors.Join(f...)
}

func (b BreakerConfig) validate(f *fieldErrors) {
	f.notNegative("breaker.failures", b.Failures, fmt.Sprint(DefaultBreakerFailures))
	f.noNegativeDuration("breaker.open_for", b.OpenFor, DefaultBreakerOpenFor.String())
	if b.Disabled && (b.Failures != 0 || b.OpenFor != 0) {
		f.add("breaker.disabled", "contradicts breaker.failures and breaker.open_for", "remove either it or them")
	}
}

// WithDefaults returns the configuration with every zero field filled in.
func (c Config) WithDefaults() Config {
	c.Concurrency = orDefault(c.Concurrency, DefaultConcurrency)
	c.MaxConnections = orDefault(c.MaxConnections, c.Concurrency)
	c.Queue = orDefault(c.Queue, DefaultQueue)
	c.Timeout = orDefault(c.Timeout, DefaultTimeout)
	if !c.Breaker.Disabled {
		c.Breaker.Failures = orDefault(c.Breaker.Failures, DefaultBreakerFailures)
		c.Breaker.OpenFor = orDefault(c.Breaker.OpenFor, DefaultBreakerOpenFor)
	}
	return c
}

func orDefault[T int | time.Duration](value, fallback T) T {
	if value == 0 {
		return fallback
	}
	return value
}
