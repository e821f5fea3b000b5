package config

import (
	"maps"
	"strings"

	"github.com/larder-cache/larder/internal/source"
)

// Scope says who a setting belongs to.
type Scope uint8

const (
	// ScopeNode is for what differs from node to node or is needed before the
	// cluster can be reached: addresses, places on disk, the log.
	ScopeNode Scope = iota
	// ScopeCluster is for what the nodes of a cluster have in common. A node
	// that is given such a setting by its own file or flags goes by its own.
	// Sources and namespaces are all of this scope.
	ScopeCluster
)

// String returns node or cluster.
func (s Scope) String() string {
	if s == ScopeCluster {
		return "cluster"
	}
	return "node"
}

const (
	textOfNode = "is a setting of each node, not of the cluster"
	hintOfNode = "set it in the larder.yaml of the node, or by a flag, and restart that node"
)

// located is a setting of any table, by its path from the top of the file.
type located struct {
	path    string
	rank    int // place in the file; of all entries of a section the same for the same setting
	redis   string
	scope   Scope
	live    bool
	secrecy secrecy
	// of returns the setting's value in a configuration. What is set in it
	// counts once keep has been called; sources and namespaces must be a map of
	// the caller's own then.
	of func(c *Config) (v value, keep func())
}

// locate finds the setting of a path.
func locate(path string) (located, bool) {
	section, rest, _ := strings.Cut(path, ".")
	switch section {
	case "sources":
		return locateEntry(path, rest, sourceSettings, 1<<16, func(c *Config) *map[string]source.Config { return &c.Sources })
	case "namespaces":
		return locateEntry(path, rest, namespaceSettings, 1<<17, func(c *Config) *map[string]Namespace { return &c.Namespaces })
	}
	for i := range settings {
		s := &settings[i]
		if s.path == path {
			return located{path, i, s.redis, s.scope, s.live || s.redis != "", s.secrecy,
				func(c *Config) (value, func()) { return s.at(c), func() {} }}, true
		}
	}
	return located{}, false
}

func locateEntry[T any](path, rest string, table []setting[T], rank int, in func(*Config) *map[string]T) (located, bool) {
	name, field, _ := strings.Cut(rest, ".")
	for i := range table {
		s := &table[i]
		if s.path != field || !validName(name) {
			continue
		}
		return located{path, rank + i, "", ScopeCluster, s.live, s.secrecy, func(c *Config) (value, func()) {
			entries := in(c)
			entry := (*entries)[name]
			return s.at(&entry), func() {
				if *entries == nil {
					*entries = map[string]T{}
				}
				(*entries)[name] = entry
			}
		}}, true
	}
	return located{}, false
}

// cloned returns a configuration whose entries can be changed.
func (c Config) cloned() Config {
	c.Sources, c.Namespaces = maps.Clone(c.Sources), maps.Clone(c.Namespaces)
	return c
}

// redacted stands for a secret.
const redacted = "xxxxx"

// shownText returns the text of a value for people to see.
func (s *located) shownText(text string) string {
	switch {
	case s.secrecy == secret && text != "":
		return redacted
	case s.secrecy == locators:
		return RedactDSN(text)
	}
	return text
}

// placesOf returns the paths of all settings that a configuration has a value
// for, in the order of the file: every one of the first table, and those of
// each source and namespace.
func placesOf(c *Config) []string {
	var paths []string
	for _, s := range settings {
		paths = append(paths, s.path)
	}
	for _, name := range sortedNames(c.Sources) {
		for _, s := range sourceSettings {
			paths = append(paths, "sources."+name+"."+s.path)
		}
	}
	for _, name := range sortedNames(c.Namespaces) {
		for _, s := range namespaceSettings {
			paths = append(paths, "namespaces."+name+"."+s.path)
		}
	}
	return paths
}
