package cache

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/source"
)

// Namespace is the set of keys with one prefix and what is special about them.
// The namespace of the empty prefix, which always exists, has all other keys.
type Namespace struct {
	// Name is how metrics and messages call it.
	Name string
	// Read is how its keys are read; its prefix decides which keys belong.
	Read source.NamespaceConfig
	// Loader answers misses; nil when the namespace has no source.
	Loader *source.Loader

	number int // index into Cache.namespaces
	stale  time.Duration
	count  counters
}

// counters of a namespace with a source, and of reads that are answered without
// the engine; other hits and misses are counted per shard, under its lock.
type counters struct {
	hits, misses, negative, stale, voided, fills, failed atomic.Uint64
}

// prepare computes what reads need.
func (n *Namespace) prepare(number int) {
	n.number = number
	n.stale = max(n.Read.StaleWhileRevalidate, n.Read.StaleIfError)
}

// match returns the namespace of a key: that with the longest prefix. The
// namespaces are sorted by falling length of the prefix; the last is empty.
func match(namespaces []*Namespace, key []byte) *Namespace {
	for _, n := range namespaces {
		if len(key) >= len(n.Read.Prefix) && string(key[:len(n.Read.Prefix)]) == n.Read.Prefix {
			return n
		}
	}
	return nil
}

// NamespaceStats are the counters of one namespace.
type NamespaceStats struct {
	Name     string
	Prefix   string
	Hits     uint64 // reads answered from memory, stale and negative ones included
	Misses   uint64 // reads that found nothing in memory
	Negative uint64 // hits of a remembered absence
	Stale    uint64 // hits of a value past its ttl
	Fills    uint64 // values stored from the source
	Voided   uint64 // fills dropped because the key was written meanwhile
	Failed   uint64 // reads answered with the source's error
	Loader   *source.LoaderStats
}

// HitRatio returns hits over reads, 0 without reads.
func (s NamespaceStats) HitRatio() float64 {
	if s.Hits+s.Misses == 0 {
		return 0
	}
	return float64(s.Hits) / float64(s.Hits+s.Misses)
}

// byPrefix orders namespaces for match.
func byPrefix(a, b *Namespace) int {
	if d := len(b.Read.Prefix) - len(a.Read.Prefix); d != 0 {
		return d
	}
	return strings.Compare(a.Read.Prefix, b.Read.Prefix)
}
