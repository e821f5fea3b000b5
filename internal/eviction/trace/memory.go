package trace

import "github.com/larder-cache/larder/internal/eviction"

// memory is the entries of a simulated cache: one slot per key of the trace,
// whose reference is the key number plus one.
type memory struct {
	nodes []eviction.Node
	sizes []uint32 // nil when every entry counts as one byte
}

func newMemory(t *Trace, sized bool) *memory {
	m := &memory{nodes: make([]eviction.Node, t.Distinct+1)}
	if sized {
		m.sizes = make([]uint32, t.Distinct+1)
	}
	return m
}

func (m *memory) Node(r eviction.Ref) *eviction.Node { return &m.nodes[r] }

func (m *memory) Hash(r eviction.Ref) uint64 { return hashKey(uint32(r) - 1) }

func (m *memory) Size(r eviction.Ref) uint32 {
	if m.sizes == nil {
		return 1
	}
	return m.sizes[r]
}

// hashKey returns the hash under which a cache sees a key number: the
// finalizer of splitmix64.
func hashKey(key uint32) uint64 {
	x := uint64(key) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
