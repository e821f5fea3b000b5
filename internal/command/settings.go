package command

import (
	"context"
	"os"
	"runtime"
)

// Settings are what CONFIG reads and changes, under Redis's names.
type Settings interface {
	// Get returns the parameters whose names match one of the glob patterns, in
	// any case, pattern by pattern and sorted within one. A name without
	// wildcards comes back as it was written.
	Get(patterns []string) []Parameter
	// Set changes all of the given parameters or none. The error's text is what
	// the client gets behind the code ERR.
	Set(changes []Parameter) error
	// Rewrite writes the parameters back to the configuration file.
	Rewrite() error
}

// AuthoredSettings are [Settings] that other machines have a say in: they note
// who changes them, and a change takes a while.
type AuthoredSettings interface {
	Settings
	// SetAs is Set on behalf of author, "user@address". It ends with ctx.
	SetAs(ctx context.Context, author string, changes []Parameter) error
}

// Parameter is a setting by its name in Redis.
type Parameter struct{ Name, Value string }

// ServerInfo describes the process to INFO, HELLO and CONFIG GET. Zero fields
// have the defaults named.
type ServerInfo struct {
	Version    string // of larder; default "dev"
	Commit     string
	RunID      string // 40 hexadecimal digits; default: random
	Port       int    // TCP port
	TLSPort    int
	Bind       []string
	UnixSocket string
	ConfigFile string
	Executable string // default: that of the process
	EventLoops int    // default: GOMAXPROCS
	Multiplex  string // how connections are waited for: "epoll" (default) or "go"
}

// RedisVersion is the version of Redis whose commands and replies these are.
const RedisVersion = "7.2.4"

// Describe changes what INFO and CONFIG tell of the process: f gets a copy of
// what they tell now. For what is known only after the start, such as the port
// the system has chosen. Safe for concurrent use with requests, not with itself.
func (x *Executor) Describe(f func(*ServerInfo)) {
	var s ServerInfo
	if now := x.server.Load(); now != nil {
		s = *now
	}
	f(&s)
	s = s.withDefaults()
	x.server.Store(&s)
}

func (s ServerInfo) withDefaults() ServerInfo {
	if s.Version == "" {
		s.Version = "dev"
	}
	if s.RunID == "" {
		s.RunID = randomHex(40)
	}
	if s.Executable == "" {
		s.Executable, _ = os.Executable()
	}
	if s.EventLoops == 0 {
		s.EventLoops = runtime.GOMAXPROCS(0)
	}
	if s.Multiplex == "" {
		s.Multiplex = "epoll"
	}
	return s
}

// Section is a part of INFO that another package supplies.
type Section struct {
	Name   string // "larder": shown by INFO larder, and by INFO ALL
	Title  string // "Larder"
	Fields []Parameter
}
