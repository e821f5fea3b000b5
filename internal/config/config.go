// Package config has every setting of a node: it composes the configurations of
// the packages, gives them defaults, reads larder.yaml, and judges the whole.
// Only node and cmd import it; no package below reads a file or a flag.
//
// One table (table.go, entries.go) says of each setting where it stands in the
// file, what it means, and which field of [Config] it is. Reading, the
// reference, the effective configuration and CONFIG REWRITE all work from that
// table, so that none of them can know a setting the others do not.
//
// [Load] goes: defaults, file, flags, then validation as a whole. It does not
// stop at the first problem: [Problems] has all of them, each with its place.
package config

import (
	"log/slog"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/eviction"
	"github.com/larder-cache/larder/internal/replication"
	"github.com/larder-cache/larder/internal/server"
	"github.com/larder-cache/larder/internal/source"
)

// Config is the configuration of one node. The sections bear the names of the
// packages they are for.
type Config struct {
	Server      server.Config
	HTTP        HTTP
	Memory      Memory
	Command     command.Options
	Auth        Auth
	Cluster     Cluster
	Replication Replication
	Log         Log
	Sources     map[string]source.Config
	Namespaces  map[string]Namespace

	// File is the path the configuration was read from, empty for none.
	File string
	// Own is what the node itself was given, so that the settings of a cluster
	// can be laid below it. Nil for a configuration that was not read by [Load].
	Own *Own
}

// HTTP configures the listener for health, metrics and the status page.
type HTTP struct {
	// Listen is the address, "host:port". Default 127.0.0.1:8080. Empty: no HTTP.
	Listen string
}

// Memory configures the engine.
type Memory struct {
	// MaxBytes is the limit for the memory of the process. Default: 75 % of
	// [MachineMemory]. Zero: no limit.
	MaxBytes uint64
	// Policy decides what leaves at the limit. Default adaptive.
	Policy eviction.Name
	// Databases is the number of numbered databases. Default 16.
	Databases int
	// Shards is a power of two, the number of independently locked parts.
	// Default (0): four per core and at least 16.
	Shards int
}

// Auth says who may connect, beside the password, which commands can change
// and which therefore is in [command.Options].
type Auth struct {
	// Insecure allows to listen on more than loopback without a password.
	// Default false.
	Insecure bool
}

// Log configures what the node writes to standard error.
type Log struct {
	// Level is the lowest that is written. Default info.
	Level slog.Level
	// Format is text or json. Default text.
	Format LogFormat
}

// LogFormat is the form of a line of the log.
type LogFormat string

// The formats.
const (
	LogText LogFormat = "text" // for people
	LogJSON LogFormat = "json" // an object per line, for collectors
)

// defaultShare is the part of the machine's memory, in per cent, that a node
// takes when nobody says how much. The rest is for buffers of clients, the page
// cache and other programs: a cache that the kernel kills has lost everything,
// one that evicts has lost what mattered least.
const defaultShare = 75

// Default returns the configuration of a node that was given none: it listens
// on this machine only, takes three quarters of its memory, and has no source.
func Default() Config {
	return Config{
		Server:      server.Default(),
		HTTP:        HTTP{Listen: "127.0.0.1:8080"},
		Memory:      Memory{MaxBytes: shareOfMemory(defaultShare), Policy: eviction.Default, Databases: 16},
		Command:     command.DefaultOptions(),
		Log:         Log{Level: slog.LevelInfo, Format: LogText},
		Cluster:     defaultCluster(),
		Replication: Replication{Ack: AckReplicas, Limits: replication.DefaultLimits()},
	}
}

// shareOfMemory returns that many per cent of the machine's memory; zero, which
// is no limit, where the system does not tell how much it has.
func shareOfMemory(percent float64) uint64 {
	return uint64(float64(MachineMemory()) * percent / 100)
}
