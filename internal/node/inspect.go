package node

import (
	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// Namespaces returns the counters of all namespaces. Safe for concurrent use
// until Stop.
func (n *Node) Namespaces() []cache.NamespaceStats { return n.cache.Namespaces() }

// Memory returns what the engine holds and has counted. Safe for concurrent use
// until Stop.
func (n *Node) Memory() memory.Stats { return n.store.Stats() }
