package config

import (
	"maps"
	"path/filepath"
)

// Own is what one node was given by itself: a file and flags, as they were at
// the start. It is immutable and safe for concurrent use.
type Own struct {
	base  Config // what the layers begin with
	name  string // of the file, as it was named; empty: none
	data  []byte
	flags []Override
}

// ReadOwn reads a file, without judging it, and keeps the flags that go before
// it. name is the file's path; empty: none. The error says why the file could
// not be read.
func ReadOwn(name string, flags ...Override) (*Own, error) {
	o := &Own{base: Default(), name: name, flags: flags}
	if name == "" {
		return o, nil
	}
	data, err := readFile(name)
	if err != nil {
		return nil, err
	}
	o.data = data
	return o, nil
}

// NewOwn returns the own of a node that was configured by a program. The
// settings of the cluster go before it, but for those that the flags name.
func NewOwn(base Config, flags ...Override) *Own {
	base = base.cloned()
	base.Own = nil
	return &Own{base: base, name: base.File, flags: flags}
}

// Layer is where the value of a setting comes from.
type Layer uint8

// The layers, each goes before the former.
const (
	LayerDefault Layer = iota // nobody has set it
	LayerCluster              // the settings of the cluster
	LayerNode                 // the file or the flags of this node
)

// String returns default, cluster or node.
func (l Layer) String() string { return [...]string{"default", "cluster", "node"}[l] }

// Effective is a configuration with the layer of each setting.
type Effective struct {
	Config Config
	places map[string]place // of the settings that are set, by path
	file   string
	// Unknown has the paths of settings of the cluster that this version does
	// not know, and that it therefore goes without.
	Unknown []string
}

// Over lays what the node was given over the settings of the cluster, and those
// over the defaults. The result is judged as a whole: the error is a [Problems].
// [Load] is this over no settings of a cluster.
func (o *Own) Over(s Shared) (Effective, error) {
	e, problems := o.over(s, (*loader).judge)
	if len(problems) > 0 {
		return Effective{}, problems.sorted()
	}
	return e, nil
}

// BeforeCluster is [Own.Over] before the settings of the cluster are known: for
// what a node needs to reach them. Only what the node has to itself is judged;
// sources, limits, and whether something is open to other machines without a
// password, depend on the cluster too. The node must not serve clients by it:
// Over has the last word.
func (o *Own) BeforeCluster() (Config, error) {
	e, problems := o.over(Shared{}, (*loader).judgeNode)
	if len(problems) > 0 {
		return Config{}, problems.sorted()
	}
	return e.Config, nil
}

func (o *Own) over(s Shared, judge func(*loader) Problems) (Effective, Problems) {
	l := &loader{file: o.name, config: o.base.cloned(), places: map[string]place{}}
	unknown := l.readShared(s)
	l.read(o.data)
	for _, f := range o.flags {
		l.override(f)
	}
	// What could not be read would only be reported a second time: a section with
	// a typing error in dsn lacks its dsn.
	l.problems = append(l.problems, judge(l)...)
	l.config.Own = o
	if o.name != "" {
		l.config.File = o.name
		if absolute, err := filepath.Abs(o.name); err == nil {
			l.config.File = absolute
		}
	}
	return Effective{Config: l.config, places: l.places, file: o.name, Unknown: unknown}, l.problems
}

// readShared fills the configuration with settings of a cluster and returns the
// paths of those it does not know.
func (l *loader) readShared(s Shared) (unknown []string) {
	for _, path := range s.Paths() {
		row, known := locate(path)
		if !known || row.scope != ScopeCluster {
			unknown = append(unknown, path)
			continue
		}
		for at := path; at != ""; at = parent(at) {
			if _, written := l.places[at]; !written {
				l.places[at] = place{shared: true}
			}
		}
		v, keep := row.of(&l.config)
		if f := s.texts[path].into(v); f != nil {
			l.fail(path, f)
			continue
		}
		keep()
	}
	return unknown
}

// Layer returns where the value of a setting comes from, and for a setting of
// the node's own the place: larder.yaml:3 or --maxmemory.
func (e *Effective) Layer(path string) (l Layer, where string) {
	at, written := e.places[path]
	switch {
	case !written:
		return LayerDefault, ""
	case at.shared:
		return LayerCluster, ""
	}
	return LayerNode, Problem{File: e.file, Line: at.line, Flag: at.flag}.position()
}

// Overridden returns the settings of the scope of the cluster that this node
// goes by its own for, with their places, by path.
func (e *Effective) Overridden() map[string]string {
	found := map[string]string{}
	for path := range maps.Keys(e.places) {
		if row, known := locate(path); known && row.scope == ScopeCluster {
			if l, where := e.Layer(path); l == LayerNode {
				found[path] = where
			}
		}
	}
	return found
}

// Seed returns what the node was given of the settings of the cluster's scope,
// in its own words: what a cluster that it forms begins with. The error is a
// [Problems].
func (o *Own) Seed() (Shared, error) {
	given := Shared{texts: map[string]text{}}
	standard := Default()
	for _, path := range Changed(standard, o.base) {
		if row, _ := locate(path); row.scope == ScopeCluster {
			v, _ := row.of(&o.base)
			given.texts[path] = textsOf(v)
		}
	}
	file, err := DecodeShared(o.data)
	if err != nil {
		return Shared{}, Problems{{File: o.name, Text: err.Error()}}
	}
	for path, t := range file.texts {
		if row, known := locate(path); known && row.scope == ScopeCluster {
			given.texts[path] = t
		}
	}
	for _, f := range o.flags {
		row, known := locate(f.Path)
		if !known || row.scope != ScopeCluster {
			continue
		}
		v, _ := row.of(&standard)
		_, isList := v.(list)
		given.texts[f.Path] = text{f.Values, isList}
	}
	return Shared{}.With(Shared{}.Changes(given))
}
