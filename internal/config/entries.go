package config

import (
	"math"

	"github.com/larder-cache/larder/internal/source"
)

// sourceSettings is one entry of the section sources.
var sourceSettings = []setting[source.Config]{
	{
		path:    "kind",
		doc:     "Kind of database: sqlite or postgres. Required.",
		example: "postgres",
		at:      func(c *source.Config) value { return wordOf(&c.Kind, source.KindSQLite, source.KindPostgres) },
	},
	{
		path:    "dsn",
		doc:     "Where the database is. Required. For sqlite the path of an existing file or a file: URI; for postgres a URL or key=value pairs, of which missing ones come from the PG* variables of the environment. It is only read: give it a user that may do no more.",
		example: "postgres://reader:secret@db.example.com:5432/shop",
		secrecy: locators,
		at:      func(c *source.Config) value { return textOf(&c.DSN) },
	},
	{
		path: "max_connections",
		doc:  "Connections that are open at most. Not below concurrency.",
		zero: "0: as many as concurrency.",
		at:   func(c *source.Config) value { return intOf(&c.MaxConnections, 0, math.MaxInt32) },
	},
	{
		path: "concurrency",
		doc:  "Loads that run at once, of all namespaces of this source.",
		zero: "0: the default.",
		at:   func(c *source.Config) value { return intOf(&c.Concurrency, 0, math.MaxInt32) },
	},
	{
		path: "queue",
		doc:  "Loads that wait for a free place among those. A further one fails at once.",
		zero: "0: the default.",
		at:   func(c *source.Config) value { return intOf(&c.Queue, 0, math.MaxInt32) },
	},
	{
		path: "timeout",
		doc:  "The longest that one load may take, and that it may wait for its place before.",
		zero: "0: the default.",
		at:   func(c *source.Config) value { return durationOf(&c.Timeout) },
	},
	{
		path: "breaker.failures",
		doc:  "Failures in a row after which the source is left alone for a while. A missing row is an answer, not a failure.",
		zero: "0: the default.",
		at:   func(c *source.Config) value { return intOf(&c.Breaker.Failures, 0, math.MaxInt32) },
	},
	{
		path: "breaker.open_for",
		doc:  "How long it is left alone, before one load tries it again.",
		zero: "0: the default.",
		at:   func(c *source.Config) value { return durationOf(&c.Breaker.OpenFor) },
	},
	{
		path: "breaker.disabled",
		doc:  "Asks a failing source every time. Excludes failures and open_for.",
		at:   func(c *source.Config) value { return truth{&c.Breaker.Disabled} },
	},
}

// namespaceSettings is one entry of the section namespaces.
var namespaceSettings = []setting[Namespace]{
	{
		path:    "prefix",
		doc:     "What the keys begin with. No two namespaces have the same.",
		zero:    "Empty: what pattern begins with.",
		example: "user:",
		at:      func(c *Namespace) value { return textOf(&c.Prefix) },
	},
	{
		path:    "source",
		doc:     "Name of the source that misses are loaded from.",
		zero:    "Empty: misses are not loaded; then only prefix, ack and max_staleness may be set.",
		example: "shop",
		at:      func(c *Namespace) value { return textOf(&c.Source) },
	},
	{
		path:    "pattern",
		doc:     "Keys that are loaded, with named parts: {name}, or {name:type} with text, int, uuid or bytes. Other keys of the prefix are a plain miss. Required with source.",
		example: "user:{id:int}",
		at:      func(c *Namespace) value { return textOf(&c.Pattern) },
	},
	{
		path:    "query",
		doc:     "SQL that returns one row or none, with each part of the pattern as :name. Required with source.",
		example: "SELECT name, email FROM users WHERE id = :id",
		at:      func(c *Namespace) value { return textOf(&c.Query) },
	},
	{
		path:    "result",
		doc:     "Form of the value: json (the row as an object) or column (the only column as it is).",
		zero:    "Empty: json.",
		example: "json",
		at: func(c *Namespace) value {
			return wordOf(&c.Result, source.ResultJSON, source.ResultColumn)
		},
	},
	{
		path:    "ttl",
		doc:     "How long a loaded value is fresh. Required with source.",
		example: "5m",
		at:      func(c *Namespace) value { return durationOf(&c.TTL) },
	},
	{
		path:    "ttl_jitter",
		doc:     "Share of ttl, below 1, by which each is shortened at random at most, so that what was loaded together does not expire together.",
		zero:    "0: not at all.",
		example: "0.1",
		at:      func(c *Namespace) value { return &fraction{&c.TTLJitter, 0, 1} },
	},
	{
		path:    "negative_ttl",
		doc:     "How long it is remembered that there is no such row.",
		zero:    "0: not at all, each miss asks the source.",
		example: "30s",
		at:      func(c *Namespace) value { return durationOf(&c.NegativeTTL) },
	},
	{
		path:    "early_refresh",
		doc:     "Eagerness with which reads near the end of ttl load the value anew in the background; 1 is right for most.",
		zero:    "0: off.",
		example: "1",
		at:      func(c *Namespace) value { return &fraction{&c.EarlyRefresh, 0, 100} },
	},
	{
		path:    "stale_while_revalidate",
		doc:     "How long after ttl a value is still served while it is loaded anew in the background.",
		zero:    "0: off.",
		example: "30s",
		at:      func(c *Namespace) value { return durationOf(&c.StaleWhileRevalidate) },
	},
	{
		path:    "stale_if_error",
		doc:     "How long after ttl a value is served when the source fails. Longer than stale_while_revalidate.",
		zero:    "0: off.",
		example: "1h",
		at:      func(c *Namespace) value { return durationOf(&c.StaleIfError) },
	},
	{
		path:    "ack",
		doc:     "What replies about these keys wait for, replicas or none: see replication.ack. A change is in force at once, and for what the prefix is by then.",
		zero:    "Empty: replication.ack.",
		live:    true,
		example: "replicas",
		at:      func(c *Namespace) value { return wordOf(&c.Ack, AckReplicas, AckNone) },
	},
	{
		path:    "max_staleness",
		doc:     "In a cluster, how old a value may be that a node answers GET of a hot key of another node with, from 1ms to 10s: one that is read so much that its owner would have no time for the rest is kept for a moment by every node that it is read through. Such a read may miss a write that another node has acknowledged within that time.",
		zero:    "0: off, every read shows every acknowledged write.",
		example: "100ms",
		at:      func(c *Namespace) value { return durationOf(&c.MaxStaleness) },
	},
}
