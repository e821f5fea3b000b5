// Package config has every setting of a node: it composes the configurations of
// the packages, gives them defaults, reads larder.yaml, and judges the whole.
// Only node and cmd import it; no package below reads a file or a flag.
package config

import (
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/eviction"
	"github.com/larder-cache/larder/internal/server"
	"github.com/larder-cache/larder/internal/source"
)

// Config is the configuration of one node. The sections bear the names of the
// packages they are for.
type Config struct {
	Server     server.Config
	HTTP       HTTP
	Memory     Memory
	Command    command.Options
	Sources    map[string]source.Config
	Namespaces map[string]source.NamespaceConfig

	// File is the path the configuration was read from, empty for none.
	File string
}

// HTTP configures the listener for health, metrics and the status page.
type HTTP struct {
	// Listen is the address, "host:port". Default 127.0.0.1:8080. Empty: no HTTP.
	Listen string
}

// Memory configures the engine.
type Memory struct {
	// MaxBytes is the limit for the memory of the process. Zero: no limit.
	MaxBytes uint64
	// Policy decides what leaves at the limit. Default adaptive.
	Policy eviction.Name
	// Databases is the number of numbered databases. Default 16.
	Databases int
	// Shards is a power of two, the number of independently locked parts.
	// Default (0): four per core and at least 16.
	Shards int
}

// Default returns the configuration of a node that was given none: it listens
// on this machine only and has no source.
func Default() Config {
	return Config{
		Server:  server.Default(),
		HTTP:    HTTP{Listen: "127.0.0.1:8080"},
		Memory:  Memory{Policy: eviction.Default, Databases: 16},
		Command: command.DefaultOptions(),
	}
}
