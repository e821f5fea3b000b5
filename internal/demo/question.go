package demo

import (
	"time"

	"github.com/larder-cache/larder/internal/source"
)

// The questions of the demonstration, in SQL that both databases understand.
const (
	CharacterQuery = `SELECT code, decimal, character, name, category, script, bidi, width, upper, lower,
		nfd, nfkd, utf16, utf8, html, about
		FROM characters WHERE code = :code`
	// ScriptQuery reads the whole table: it is worth asking once.
	ScriptQuery = `SELECT script, count(*) AS characters, min(decimal) AS first, max(decimal) AS last,
		count(DISTINCT category) AS categories, count(DISTINCT lower) AS distinct_lower
		FROM characters WHERE script = :script GROUP BY script`
	// NameQuery has no index to help it either.
	NameQuery = `SELECT character FROM characters WHERE name = :name`
)

// Times are the lifetimes of what is loaded. Their relations are fixed; a short
// demonstration makes all of them shorter.
type Times struct {
	TTL     time.Duration
	Timeout time.Duration // of one query
	OpenFor time.Duration // of the circuit breaker
}

// NewTimes returns the times for a demonstration whose events follow each other
// pace times as slowly as in the shortest that can be followed; pace is from
// above 0 to 1, and 1 is comfortable.
func NewTimes(pace float64) Times {
	scaled := func(d, least time.Duration) time.Duration { return max(time.Duration(float64(d)*pace), least) }
	return Times{
		TTL:     scaled(10*time.Second, 800*time.Millisecond),
		Timeout: 250 * time.Millisecond,
		OpenFor: scaled(time.Second, 200*time.Millisecond),
	}
}

// Namespaces are the read-through settings, for a source of the name given.
func Namespaces(sourceName string, t Times) map[string]source.NamespaceConfig {
	return map[string]source.NamespaceConfig{
		"characters": {
			Source: sourceName, Pattern: "char:{code}", Query: CharacterQuery,
			TTL: t.TTL, TTLJitter: 0.2, NegativeTTL: t.TTL / 2, EarlyRefresh: 1,
			StaleWhileRevalidate: 2 * t.TTL, StaleIfError: 10 * time.Minute,
		},
		"scripts": {
			Source: sourceName, Pattern: "script:{script}", Query: ScriptQuery,
			TTL: time.Minute, TTLJitter: 0.1, NegativeTTL: t.TTL, StaleIfError: 10 * time.Minute,
		},
		"names": {
			Source: sourceName, Pattern: "name:{name}", Query: NameQuery, Result: source.ResultColumn,
			TTL: time.Minute, TTLJitter: 0.1, NegativeTTL: t.TTL, StaleIfError: 10 * time.Minute,
		},
	}
}
