package eviction

import "testing"

// missesOfLoop returns the misses of a policy over the last of several rounds
// through a loop of n keys with room for capacity entries of size one.
func missesOfLoop(t *testing.T, name Name, n, capacity, rounds int) int {
	t.Helper()
	h := newHeap()
	p, err := New(name, h)
	if err != nil {
		t.Fatal(err)
	}
	p.SetCapacity(uint64(capacity))
	refs := map[uint64]Ref{}
	keys := map[Ref]uint64{}
	misses := 0
	for i := range n * rounds {
		if i%n == 0 {
			misses = 0
		}
		key := uint64(i % n)
		if r, ok := refs[key]; ok {
			p.Touch(r, h.Hash(r), 0)
			continue
		}
		misses++
		if len(refs) == capacity {
			v := p.Victim()
			p.Evicted(v)
			delete(refs, keys[v])
			delete(keys, v)
			h.drop(v)
		}
		r := h.add(key, 1)
		refs[key], keys[r] = r, key
		p.Add(r, h.Hash(r), 1, 0)
	}
	return misses
}

// A loop larger than the cache is LRU's worst case: it misses always, where the
// optimum keeps a fixed part.
func TestAdaptiveLearnsLoops(t *testing.T) {
	const n, capacity = 2000, 1000
	if m := missesOfLoop(t, AllKeysLRU, n, capacity, 10); m != n {
		t.Errorf("LRU misses %d of %d", m, n)
	}
	if m := missesOfLoop(t, Adaptive, n, capacity, 10); m > n*7/10 {
		t.Errorf("adaptive misses %d of %d, the optimum half", m, n)
	}
}

func TestAdaptiveWithoutLimitKeepsNoHistory(t *testing.T) {
	h := newHeap()
	p := newAdaptive(h)
	p.SetCapacity(0)
	for key := range uint64(1000) {
		r := h.add(key, 100)
		p.Add(r, h.Hash(r), 100, 0)
		p.Touch(r, h.Hash(r), 0)
	}
	if p.learner != nil || len(p.ghosts.slots) != 0 {
		t.Error("history is kept without a limit")
	}
	// The limit may come later, and victims may be asked for without one.
	if p.Victim() == 0 {
		t.Error("no victim without a limit")
	}
	p.SetCapacity(50000)
	for range 500 {
		v := p.Victim()
		p.Evicted(v)
		h.drop(v)
	}
	if p.population.count != 500 {
		t.Errorf("%d entries are left", p.population.count)
	}
}

// The worth of entries whose reuse thins out falls with age, that of entries in
// a loop rises until their turn.
func TestWorthFollowsReuse(t *testing.T) {
	m := newReuseModel()
	m.rescale(10)
	thin, loop := usage(0), usage(0).used(4096, 0)
	for age := uint32(1); age <= 1<<14; age *= 2 {
		m.reused[m.cell(thin, age)] += 1000 / float32(age)
	}
	m.ended[m.cell(thin, 1<<15)] = 1000
	m.reused[m.cell(loop, 4096)] = 1000
	var alive [cells]float32
	m.learn(&alive, 1)
	worth := func(u usage, age uint32) float32 { return m.worth[m.cell(u, age)] }
	if !(worth(thin, 64) > worth(thin, 512) && worth(thin, 512) > worth(thin, 4096)) {
		t.Errorf("thinning reuse: %g, %g, %g", worth(thin, 64), worth(thin, 512), worth(thin, 4096))
	}
	if !(worth(loop, 64) < worth(loop, 1024) && worth(loop, 1024) < worth(loop, 3000)) {
		t.Errorf("loop: %g, %g, %g", worth(loop, 64), worth(loop, 1024), worth(loop, 3000))
	}
}

func TestAgeBucketsMeetTheirEdges(t *testing.T) {
	for _, scale := range []int{5, 10, 20} {
		m := newReuseModel()
		m.rescale(scale)
		for b := 1; b < ageBuckets; b++ {
			edge := m.edge(b)
			if edge < 2 {
				continue // below, a bucket is less than one access wide
			}
			if got := m.bucket(uint32(edge)); got != b {
				t.Errorf("scale %d: age %g is in bucket %d, want %d", scale, edge, got, b)
			}
			if got := m.bucket(uint32(edge) - 1); got != b-1 && edge > 4 {
				t.Errorf("scale %d: age %g-1 is in bucket %d, want %d", scale, edge, got, b-1)
			}
		}
	}
}

func TestGhostsRememberUsage(t *testing.T) {
	var g ghosts
	g.grow(1 << 12)
	u := usage(0).used(1, 0).used(1, 0).used(1, 0)
	for i := range uint64(2000) {
		g.put(i*0x9e3779b97f4a7c15, u, uint32(10*i), uint32(10*i))
	}
	g.grow(1 << 13)
	found, off, now := 0, 0, uint32(20000)
	for i := range uint64(2000) {
		got, interval, ok := g.take(i*0x9e3779b97f4a7c15, now)
		if !ok {
			continue
		}
		found++
		if got.level() != u.level() {
			t.Fatalf("level %d, want %d", got.level(), u.level())
		}
		// An epoch is a sixteenth of the slots, 10 accesses each.
		if d := int(interval) - int(now-uint32(10*i)); d > 5200 || d < -5200 {
			off++
		}
	}
	if found < 1900 {
		t.Errorf("%d of 2000 ghosts were found", found)
	}
	// A key may find another's ghost.
	if off > found/30 {
		t.Errorf("%d of %d intervals are wrong", off, found)
	}
	strangers := 0
	for i := range uint64(10000) {
		if _, _, ok := g.take((i+1e6)*0x9e3779b97f4a7c15, now); ok {
			strangers++
		}
	}
	if strangers > 400 {
		t.Errorf("%d of 10000 strangers were recognised", strangers)
	}
}

// A few large entries among many small ones are found in proportion to their
// bytes.
func TestPopulationSamplesBytes(t *testing.T) {
	h := newHeap()
	p := population{entries: h}
	for i := range uint64(1000) {
		size := uint32(100)
		if i%100 == 0 {
			size = 10000
		}
		r := h.add(i, size)
		p.add(r, h.Node(r), size, 0)
	}
	random, large := uint64(1), 0
	const draws = 10000
	for range draws {
		random = spread(random + 0x9e3779b97f4a7c15)
		if h.Size(p.sample(random)) == 10000 {
			large++
		}
	}
	// 10 x 10000 of 199000 bytes.
	if share := float64(large) / draws; share < 0.46 || share > 0.55 {
		t.Errorf("large entries are drawn with probability %g", share)
	}
}

// The extra memory is at most twelve bytes per entry beyond a constant.
func TestAdaptiveMemory(t *testing.T) {
	h := newHeap()
	p := newAdaptive(h)
	const n = 1 << 17
	p.SetCapacity(n * 100)
	for key := range uint64(n) {
		r := h.add(key, 100)
		p.Add(r, h.Hash(r), 100, 0)
	}
	bytes := 2 * len(p.ghosts.slots)
	for _, l := range p.population.lists {
		bytes += 8 * len(l.chunks) << chunkBits
	}
	if perEntry := float64(bytes) / n; perEntry > 12.1 {
		t.Errorf("%.2f bytes per entry", perEntry)
	}
	const record = 28
	limit := nearRecords + farRecords + 2*n/entriesPerRecord
	if got := len(p.learner.near.records) + len(p.learner.far.records); got > limit+4 {
		t.Errorf("%d records of %d bytes, want at most %d", got, record, limit)
	}
}

func BenchmarkTouch(b *testing.B) {
	for _, name := range TrackedNames() {
		b.Run(name.String(), func(b *testing.B) {
			const n = 1 << 16
			e := &flatEntries{nodes: make([]Node, n+1)}
			p, _ := New(name, e)
			p.SetCapacity(n)
			for r := Ref(1); r <= n; r++ {
				p.Add(r, e.Hash(r), 1, 0)
			}
			b.ResetTimer()
			for i := range b.N {
				r := Ref(uint32(i)*0x9e3779b1>>16) + 1
				p.Touch(r, e.Hash(r), 0)
			}
		})
	}
}

func BenchmarkEvictAdd(b *testing.B) {
	for _, name := range TrackedNames() {
		b.Run(name.String(), func(b *testing.B) {
			const n = 1 << 16
			e := &flatEntries{nodes: make([]Node, n+1)}
			p, _ := New(name, e)
			p.SetCapacity(n)
			for r := Ref(1); r <= n; r++ {
				p.Add(r, e.Hash(r), 1, 0)
			}
			b.ResetTimer()
			for range b.N {
				v := p.Victim()
				p.Evicted(v)
				e.nodes[v] = Node{}
				e.generation++
				p.Add(v, e.Hash(v)+e.generation, 1, 0)
			}
		})
	}
}

// flatEntries is entries of size one in a slice.
type flatEntries struct {
	nodes      []Node
	generation uint64
}

func (e *flatEntries) Node(r Ref) *Node { return &e.nodes[r] }
func (e *flatEntries) Hash(r Ref) uint64 {
	return spread(uint64(r) * 0x9e3779b97f4a7c15)
}
func (e *flatEntries) Size(Ref) uint32 { return 1 }
