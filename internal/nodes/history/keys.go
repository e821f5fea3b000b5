package history

import (
	"fmt"
	"sync"
)

// keys are the keys in use: as many places as were asked for, each with a key
// that is replaced when it is used up. Safe for concurrent use.
type keys struct {
	prefix  string
	ops     int // that a key gets
	unknown int // writes that end without being known

	mu     sync.Mutex
	places []place // GUARDED_BY(mu)
	all    []string
}

// form is what is done to a key.
type form uint8

const (
	register form = iota // SET
	counter              // INCR
	cell                 // SET, compare and set, DEL and PEXPIRE
	forms
)

// place has one key after another.
type place struct {
	generation    int
	key           string
	used, unknown int
}

func newKeys(c *Config) *keys {
	k := &keys{prefix: c.Prefix, ops: c.KeyOps, unknown: c.KeyUnknown, places: make([]place, c.Keys)}
	for i := range k.places {
		k.renew(i)
	}
	return k
}

// renew gives a place another key. REQUIRES: k.mu held, or nobody else has k.
func (k *keys) renew(at int) {
	p := &k.places[at]
	*p = place{generation: p.generation + 1}
	p.key = fmt.Sprintf("%s:%d:%d", k.prefix, at, p.generation)
	k.all = append(k.all, p.key)
}

// take returns the key of a place for one more operation.
func (k *keys) take(at int) (key string, f form) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := &k.places[at]
	if p.used >= k.ops || p.unknown >= k.unknown {
		k.renew(at)
	}
	p.used++
	return p.key, form(at % int(forms))
}

// doubt notes that a write of a key is unknown.
func (k *keys) doubt(at int, key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := &k.places[at]; p.key == key {
		p.unknown++
	}
}

// list returns all keys that there have been.
func (k *keys) list() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.all[:len(k.all):len(k.all)]
}
