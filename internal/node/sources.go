package node

import (
	"fmt"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/source"
	"github.com/larder-cache/larder/internal/source/postgres"
	"github.com/larder-cache/larder/internal/source/sqlite"
)

// openSources opens what the configuration names, without talking to it yet,
// and returns the namespaces with their loaders and the gates by source.
func (n *Node) openSources(cfg config.Config) ([]*cache.Namespace, map[string]*source.Gate, error) {
	sources, gates := map[string]source.Source{}, map[string]*source.Gate{}
	for name, c := range cfg.Sources {
		c = c.WithDefaults()
		s, err := openSource(name, c)
		if err != nil {
			return nil, nil, fmt.Errorf("source %q: %w", name, err)
		}
		n.sources = append(n.sources, s)
		sources[name], gates[name] = s, source.NewGate(name, c)
	}
	var namespaces []*cache.Namespace
	for name, c := range cfg.Namespaces {
		c := c.NamespaceConfig.WithDefaults()
		ns := &cache.Namespace{Name: name, Read: c}
		namespaces = append(namespaces, ns)
		if c.Source == "" {
			continue
		}
		q, err := c.Question()
		if err != nil {
			return nil, nil, fmt.Errorf("namespace %q: %w", name, err)
		}
		lookup, err := sources[c.Source].Prepare(q)
		if err != nil {
			return nil, nil, fmt.Errorf("namespace %q: %w", name, err)
		}
		ns.Loader = source.NewLoader(q.Pattern, lookup, gates[c.Source])
	}
	return namespaces, gates, nil
}

func openSource(name string, c source.Config) (source.Source, error) {
	if c.Kind == source.KindPostgres {
		return postgres.Open(name, c)
	}
	return sqlite.Open(name, c)
}
