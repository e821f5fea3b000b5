package config

import (
	"slices"
	"strings"
)

// Value is a setting as people see it.
type Value struct {
	Path string
	Text string // as in a larder.yaml; secrets are xxxxx
	// Layer is where it comes from, Where the place for those of the node:
	// larder.yaml:3:5, --maxmemory, CONFIG SET.
	Layer Layer
	Where string
	Scope Scope
	Live  bool // changes while the node runs
}

// changedRunning is the place of what a client has changed on a node that keeps
// its settings itself.
const changedRunning = "CONFIG SET"

// Values returns settings of these paths; a section stands for what is in it,
// no path for everything. The error is a [Problems].
func (e *Effective) Values(paths ...string) ([]Value, error) {
	return e.values(&e.Config, paths)
}

// ValuesAt is Values for a configuration that has been changed since, as by
// CONFIG SET: such settings have that as their place.
func (e *Effective) ValuesAt(now Config, paths ...string) ([]Value, error) {
	return e.values(&now, paths)
}

func (e *Effective) values(now *Config, paths []string) ([]Value, error) {
	l := &loader{config: *now, places: map[string]place{}}
	all := placesOf(now)
	var chosen []string
	for _, path := range paths {
		n := len(chosen)
		for _, at := range all {
			if at == path || strings.HasPrefix(at, path+".") {
				chosen = append(chosen, at)
			}
		}
		if _, known := locate(path); len(chosen) == n && !known {
			if section, rest, _ := strings.Cut(path, "."); rest == "" && (section == "sources" || section == "namespaces") {
				continue // there are none
			}
			l.unknownPath(path)
		} else if len(chosen) == n {
			l.fail(path, &fault{"there is no " + strings.TrimSuffix(parent(path[:strings.LastIndexByte(path, '.')]), "s") + " of this name", "larder config get " + path[:strings.IndexByte(path, '.')] + " lists those there are"})
		}
	}
	if len(l.problems) > 0 {
		return nil, l.problems.sorted()
	}
	if len(paths) == 0 {
		chosen = all
	}
	var found []Value
	for _, path := range chosen {
		v := e.value(now, path)
		if entryOf(path) != "" && v.Layer == LayerDefault && !slices.Contains(paths, path) {
			continue // what an entry does not set, as WriteEffective
		}
		found = append(found, v)
	}
	return found, nil
}

func (e *Effective) value(now *Config, path string) Value {
	row, _ := locate(path)
	v, _ := row.of(now)
	before, _ := row.of(&e.Config)
	out := Value{Path: path, Text: redactText(path, textsOf(v)).yaml(), Scope: row.scope, Live: row.live}
	out.Layer, out.Where = e.Layer(path)
	if v.text() != before.text() {
		out.Layer, out.Where = LayerNode, changedRunning
	}
	return out
}

// Live reports whether a setting takes effect without a restart.
func Live(path string) bool {
	row, _ := locate(path)
	return row.live
}
