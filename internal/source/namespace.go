package source

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/source/query"
)

// NamespaceConfig is one entry of `namespaces`: how its keys are read.
type NamespaceConfig struct {
	// Prefix of the namespace's keys. Default (empty): what the pattern
	// begins with. Contradicts a pattern that begins otherwise.
	Prefix string `yaml:"prefix,omitempty"`

	// Source is the name of an entry of `sources`. Default (empty): misses
	// are not loaded; then every other field but prefix and max_staleness
	// must be empty.
	Source string `yaml:"source,omitempty"`

	// Pattern of the keys that are loaded, with named parts: user:{id:int}.
	// Types are text (the default), int, uuid and bytes; a literal brace is
	// doubled. Other keys of the prefix are a plain miss. Required with source.
	Pattern string `yaml:"pattern,omitempty"`

	// Query is one SQL statement that returns at most one row, with every
	// part of the pattern as a parameter: SELECT ... WHERE id = :id. Required
	// with source.
	Query string `yaml:"query,omitempty"`

	// Result is the form of the value: column (the only column as it is) or
	// json (the row as a JSON object). Default (empty): json.
	Result Result `yaml:"result,omitempty"`

	// TTL is the longest that a loaded value is fresh. Required with source:
	// without it a value would be served for ever.
	TTL time.Duration `yaml:"ttl,omitempty"`

	// TTLJitter is the fraction of ttl, from 0 to below 1, by which each ttl
	// is shortened at random at most. Default (0): none; 0.1 is usual.
	TTLJitter float64 `yaml:"ttl_jitter,omitempty"`

	// NegativeTTL is how long it is remembered that a row does not exist.
	// Default (0): not at all, every miss asks the source.
	NegativeTTL time.Duration `yaml:"negative_ttl,omitempty"`

	// EarlyRefresh is the eagerness (beta of XFetch, see [EarlyRefresh]) with
	// which hits near the end of the ttl refresh their entry in the
	// background. 1 is the optimum for most loads; at most 100. Default (0): off.
	EarlyRefresh float64 `yaml:"early_refresh,omitempty"`

	// StaleWhileRevalidate is how long after the ttl a value is still served
	// while it is loaded anew in the background. Default (0): off.
	StaleWhileRevalidate time.Duration `yaml:"stale_while_revalidate,omitempty"`

	// StaleIfError is how long after the ttl a value is served when the
	// source fails. Default (0): off. Contradictory when it is not longer
	// than stale_while_revalidate, which serves stale values anyway.
	StaleIfError time.Duration `yaml:"stale_if_error,omitempty"`

	// MaxStaleness is how old a value may be that a node of a cluster answers
	// reads of a hot key of another node with, from 1ms to 10s. Default (0): such
	// reads go to the owner, and none is older than a write that was acknowledged.
	MaxStaleness time.Duration `yaml:"max_staleness,omitempty"`
}

// Bounds of max_staleness: below, a copy would be too old before it has arrived;
// above, client-side caching or a ttl is what is wanted.
const (
	minMaxStaleness = time.Millisecond
	maxMaxStaleness = 10 * time.Second
)

// maxEarlyRefresh is where beta surely is a typing error: entries would be
// refreshed a hundred load times ahead.
const maxEarlyRefresh = 100

// Validate returns all problems joined, each a [*FieldError]; nil when there is
// none. sources are the configured sources by name.
func (c NamespaceConfig) Validate(sources map[string]Config) error {
	var f fieldErrors
	if c.MaxStaleness != 0 && (c.MaxStaleness < minMaxStaleness || c.MaxStaleness > maxMaxStaleness) {
		f.add("max_staleness", fmt.Sprintf("%v is not between %v and %v", c.MaxStaleness, minMaxStaleness, maxMaxStaleness),
			"write a duration like 100ms, or leave it out: then all reads go to the owner")
	}
	if c.Source == "" {
		c.validateWithoutSource(&f)
		return errors.Join(f...)
	}
	source, known := sources[c.Source]
	if !known {
		names := strings.Join(slices.Sorted(maps.Keys(sources)), ", ")
		if names == "" {
			names = "none is configured; add it under sources"
		}
		f.add("source", fmt.Sprintf("there is no source %q", c.Source), "write one of the sources: %s", names)
	}
	c.validateQuestion(&f, source.Kind)
	c.validateTimes(&f)
	return errors.Join(f...)
}

func (c NamespaceConfig) validateWithoutSource(f *fieldErrors) {
	rest := c
	rest.Prefix, rest.Source, rest.MaxStaleness = "", "", 0
	if rest != (NamespaceConfig{}) {
		f.add("source", "is missing, but read-through settings are given", "write the name of a source, or remove the other settings")
	}
}

func (c NamespaceConfig) validateQuestion(f *fieldErrors, k Kind) {
	if c.Result != "" && c.Result != ResultColumn && c.Result != ResultJSON {
		f.add("result", fmt.Sprintf("%q is not a form of result", c.Result), "write column or json")
	}
	if c.Query == "" {
		f.add("query", "is missing", "write a SELECT for one row, with the parts of the pattern as parameters: :id")
	}
	pattern, err := ParsePattern(c.Pattern)
	if err != nil {
		f.add("pattern", err.Error(), "an example is user:{id}")
		return
	}
	if !strings.HasPrefix(pattern.Prefix(), c.Prefix) {
		f.add("pattern", fmt.Sprintf("%q does not begin with the prefix %q, so no key could match", c.Pattern, c.Prefix),
			"begin it with the prefix, or leave prefix out")
	}
	dialect, known := k.dialect()
	if c.Query == "" || !known {
		return
	}
	if _, err := (Question{Query: c.Query, Pattern: pattern}).Parse(dialect); err != nil {
		f.add("query", err.Error(), "parameters are written :name and named like the parts of the pattern")
	}
}

// dialect returns the SQL of a kind of source; false for an unknown kind.
func (k Kind) dialect() (query.Dialect, bool) {
	switch k {
	case KindSQLite:
		return query.SQLite, true
	case KindPostgres:
		return query.PostgreSQL, true
	}
	return 0, false
}

func (c NamespaceConfig) validateTimes(f *fieldErrors) {
	if c.TTL < time.Millisecond {
		f.add("ttl", "is missing or below a millisecond", "write how long a loaded value may be served, for example 5m")
	}
	if !(c.TTLJitter >= 0 && c.TTLJitter < 1) {
		f.add("ttl_jitter", fmt.Sprintf("%v is no fraction of the ttl", c.TTLJitter), "write a number from 0 to below 1, for example 0.1")
	}
	if !(c.EarlyRefresh >= 0 && c.EarlyRefresh <= maxEarlyRefresh) {
		f.add("early_refresh", fmt.Sprintf("%v is no sensible eagerness", c.EarlyRefresh), "write 1, or 0 for off")
	}
	f.noNegativeDuration("negative_ttl", c.NegativeTTL, "not remembering missing rows")
	f.noNegativeDuration("stale_while_revalidate", c.StaleWhileRevalidate, "not serving stale values")
	f.noNegativeDuration("stale_if_error", c.StaleIfError, "not serving stale values")
	if c.StaleIfError > 0 && c.StaleIfError <= c.StaleWhileRevalidate {
		f.add("stale_if_error", fmt.Sprintf("%v has no effect beside stale_while_revalidate: %v", c.StaleIfError, c.StaleWhileRevalidate),
			"write a longer duration, or leave it out")
	}
}

// WithDefaults returns the configuration with every zero field that has a
// default filled in.
func (c NamespaceConfig) WithDefaults() NamespaceConfig {
	if c.Source != "" && c.Result == "" {
		c.Result = ResultJSON
	}
	if pattern, err := ParsePattern(c.Pattern); err == nil && c.Prefix == "" {
		c.Prefix = pattern.Prefix()
	}
	return c
}

// Question returns what a valid configuration with a source asks of it.
func (c NamespaceConfig) Question() (Question, error) {
	pattern, err := ParsePattern(c.Pattern)
	if err != nil {
		return Question{}, err
	}
	return Question{Query: c.Query, Pattern: pattern, Result: c.WithDefaults().Result}, nil
}
