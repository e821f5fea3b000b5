package settings

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
)

// memoryStore is a [Store] in memory. It is linearizable: each operation takes
// effect at one moment, under the lock.
type memoryStore struct {
	mu       sync.Mutex
	revision int64
	keys     map[string]memoryValue
	changed  chan struct{} // closed, and made anew, by each commit

	// fault is asked before an operation: an error fails it, and for a commit
	// that error comes after it was made when made is true.
	fault func(commit bool) (err error, made bool)
}

type memoryValue struct {
	data     []byte
	revision int64
}

var errNoQuorum = errors.New("the configuration store has lost its quorum")

func newMemoryStore() *memoryStore {
	return &memoryStore{keys: map[string]memoryValue{}, changed: make(chan struct{}), fault: func(bool) (error, bool) { return nil, false }}
}

// flaky makes an operation of so many fail; of failing commits half are made.
func (m *memoryStore) flaky(random *rand.Rand, oneOf int) {
	m.fault = func(commit bool) (error, bool) {
		if random.IntN(oneOf) > 0 {
			return nil, false
		}
		return errNoQuorum, commit && random.IntN(2) == 0
	}
}

func (m *memoryStore) down(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = func(bool) (error, bool) {
		if down {
			return errNoQuorum, false
		}
		return nil, false
	}
}

func (m *memoryStore) Get(ctx context.Context, key string) ([]byte, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err, _ := m.fault(false); err != nil {
		return nil, 0, err
	}
	v := m.keys[key]
	return bytes.Clone(v.data), v.revision, ctx.Err()
}

func (m *memoryStore) Commit(ctx context.Context, c Commit) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err, made := m.fault(true)
	if ctx.Err() != nil || err != nil && !made {
		return errors.Join(ctx.Err(), err)
	}
	if m.keys[c.Key].revision != c.Revision {
		if err != nil {
			return err
		}
		return ErrConflict
	}
	m.revision++
	for key, data := range c.Writes {
		m.keys[key] = memoryValue{bytes.Clone(data), m.revision}
	}
	for _, key := range c.Removes {
		delete(m.keys, key)
	}
	close(m.changed)
	m.changed = make(chan struct{})
	return err
}

func (m *memoryStore) Watch(ctx context.Context, key string) <-chan []byte {
	out := make(chan []byte)
	go func() { // ends with ctx
		defer close(out)
		for last := int64(-1); ; {
			m.mu.Lock()
			v, changed := m.keys[key], m.changed
			m.mu.Unlock()
			if v.revision != last {
				last = v.revision
				select {
				case out <- bytes.Clone(v.data):
				case <-ctx.Done():
					return
				}
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// drop removes a key, as whoever empties the store does.
func (m *memoryStore) drop(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.revision++
	delete(m.keys, key)
	close(m.changed)
	m.changed = make(chan struct{})
}
