package command

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/larder-cache/larder/internal/eviction"
)

// parameter is one setting under Redis's name.
type parameter struct {
	name, alias string
	kind        parameterKind
	low, high   int64    // of integer and bytes, both included
	percent     bool     // of bytes: a share of maxmemory may be given as "50%"
	words       []string // of word
	fixed       string   // why it can not be changed; empty: it can
	value       string   // at the start, for those without get

	// get and set read and change a live setting; nil for one without effect.
	get func(x *Executor, o *Options) string
	set func(d *draft, value string) error
}

// draft is the settings to be, while a change is checked.
type draft struct {
	Options
	maxBytes *uint64 // nil: unchanged, as the next one
	policy   *eviction.Name
}

// parameterKind decides how a value is written and checked.
type parameterKind uint8

const (
	kindAny parameterKind = iota
	kindYesNo
	kindInteger
	kindBytes // an integer that may have a unit: 100mb
	kindWord
)

// Parameters are the settings under Redis's names: those that live in an
// executor's [Options] and in the engine, and those that only have Redis's
// default here. It implements [Settings] and is safe for concurrent use.
type Parameters struct {
	x      *Executor
	byName map[string]*parameter // by name and by alias
	names  []string              // both, sorted

	mu      sync.Mutex
	values  map[string]string // GUARDED_BY(mu): of those without get, by name
	changed map[string]string // GUARDED_BY(mu): what Set has changed since the last Rewrite
}

// NewParameters returns the settings of an executor.
func NewParameters(x *Executor) *Parameters {
	p := &Parameters{x: x, byName: map[string]*parameter{}, values: map[string]string{}, changed: map[string]string{}}
	for _, list := range [][]parameter{liveParameters, otherParameters} {
		for i := range list {
			row := &list[i]
			p.byName[row.name] = row
			if row.alias != "" {
				p.byName[row.alias] = row
			}
			p.values[row.name] = row.value
		}
	}
	p.names = slices.Sorted(maps.Keys(p.byName))
	return p
}

// Get implements [Settings]. A pattern without wildcards is a name, in any case.
func (p *Parameters) Get(patterns []string) []Parameter {
	o := p.x.Options()
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []Parameter
	seen := map[string]bool{}
	add := func(shown string) {
		name := strings.ToLower(shown)
		row := p.byName[name]
		if row == nil || seen[name] {
			return
		}
		seen[name] = true
		found = append(found, Parameter{shown, p.valueLocked(row, o)})
	}
	for _, pattern := range patterns {
		if !strings.ContainsAny(pattern, "[*?") {
			add(pattern)
			continue
		}
		for _, name := range p.names {
			if globMatch([]byte(pattern), []byte(name), true) {
				add(name)
			}
		}
	}
	return found
}

// REQUIRES: p.mu held.
func (p *Parameters) valueLocked(row *parameter, o *Options) string {
	if row.get != nil {
		return row.get(p.x, o)
	}
	return p.values[row.name]
}

// Set implements [Settings].
func (p *Parameters) Set(changes []Parameter) error {
	rows, err := p.rows(changes)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	values := make([]string, len(rows))
	for i, row := range rows {
		if values[i], err = row.normalize(changes[i].Value); err != nil {
			return refused(row.name, err)
		}
		if row.fixed != "" && values[i] != p.valueLocked(row, p.x.Options()) {
			return refused(row.name, refusal(row.fixed))
		}
	}
	if err := p.apply(rows, values); err != nil {
		return err
	}
	for i, row := range rows {
		if row.fixed != "" {
			continue
		}
		if row.set == nil {
			p.values[row.name] = values[i]
		}
		p.changed[row.name] = values[i]
		if p.x.hooks.Changed != nil {
			p.x.hooks.Changed(row.name, values[i])
		}
	}
	return nil
}

// rows finds the parameters to be changed.
func (p *Parameters) rows(changes []Parameter) ([]*parameter, error) {
	rows := make([]*parameter, 0, len(changes))
	for _, change := range changes {
		row := p.byName[strings.ToLower(change.Name)]
		switch {
		case row == nil:
			return nil, refusal(fmt.Sprintf("Unknown option or number of arguments for CONFIG SET - '%s'", change.Name))
		case row.fixed == immutable:
			return nil, refused(change.Name, refusal(immutable))
		case slices.Contains(rows, row):
			return nil, refused(change.Name, refusal("duplicate parameter"))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// apply puts the live settings in force, all or none.
func (p *Parameters) apply(rows []*parameter, values []string) error {
	d := draft{Options: *p.x.Options()}
	for i, row := range rows {
		if row.set == nil || row.fixed != "" {
			continue
		}
		if err := row.set(&d, values[i]); err != nil {
			return refused(row.name, err)
		}
	}
	if d.policy != nil {
		if err := p.x.store.SetPolicy(*d.policy); err != nil {
			return refused("maxmemory-policy", err)
		}
	}
	if d.maxBytes != nil {
		p.x.store.SetMaxBytes(*d.maxBytes)
	}
	p.x.Change(func(o *Options) { *o = d.Options })
	return nil
}

func refused(name string, reason error) error {
	return refusal(fmt.Sprintf("CONFIG SET failed (possibly related to argument '%s') - %v", name, reason))
}

// Rewrite implements [Settings].
func (p *Parameters) Rewrite() error {
	if p.x.server.Load().ConfigFile == "" || p.x.hooks.Rewrite == nil {
		return refusal("The server is running without a config file")
	}
	p.mu.Lock()
	changed := maps.Clone(p.changed)
	p.mu.Unlock()
	if err := p.x.hooks.Rewrite(changed); err != nil {
		return refusal(fmt.Sprintf("Rewriting config file: %v", err))
	}
	return nil
}
