package config

import (
	"slices"
	"strings"
)

// setting is one line of the file: where it stands, what it means, which field
// of a T it is.
type setting[T any] struct {
	// path is the names from the top of the file, or of the entry, with points
	// between them: "memory.maxmemory".
	path string
	// doc says what the setting does and in which unit, in whole sentences.
	doc string
	// zero says what 0, or nothing, means. Empty: nothing special.
	zero string
	// shown is the default in the reference where that is not a constant.
	shown string
	// example is a value for the reference where there is no default.
	example string
	// redis is the parameter of CONFIG SET that changes it while the node runs.
	// Empty: it needs a restart.
	redis string
	// scope says whether the nodes of a cluster have it in common.
	scope Scope
	// live says that it changes while the node runs although no parameter of
	// CONFIG SET is for it: as a setting of the cluster.
	live bool
	// secrecy says what must not be shown.
	secrecy secrecy
	// at returns the field.
	at func(*T) value
}

// secrecy says how a value is shown to people.
type secrecy uint8

const (
	public   secrecy = iota
	secret           // only whether it is set
	locators         // a DSN: without the password in it
)

// find returns the setting of a path, nil when there is none.
func find[T any](table []setting[T], path string) *setting[T] {
	for i := range table {
		if table[i].path == path {
			return &table[i]
		}
	}
	return nil
}

// below returns the names that may stand in a section of a table: those of its
// settings and sections, in the order of the table. The top is "".
func below[T any](table []setting[T], section string) []string {
	prefix := ""
	if section != "" {
		prefix = section + "."
	}
	var names []string
	for i := range table {
		rest, ok := strings.CutPrefix(table[i].path, prefix)
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(rest, ".")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Names returns the paths of all settings, of sources and namespaces with a *
// in place of the name. The caller owns the slice.
func Names() []string {
	var paths []string
	for _, s := range settings {
		paths = append(paths, s.path)
	}
	for _, s := range sourceSettings {
		paths = append(paths, "sources.*."+s.path)
	}
	for _, s := range namespaceSettings {
		paths = append(paths, "namespaces.*."+s.path)
	}
	return paths
}
