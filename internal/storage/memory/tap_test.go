package memory

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larder-cache/larder/internal/eviction"
	"github.com/larder-cache/larder/internal/hashing"
)

// told is one call of a tap, or one entry of a scan.
type told struct {
	call     string
	db       int
	key      string
	value    []byte
	release  func() // of a pinned value
	expireAt int64
	kind     Kind
	flags    Flags
	why      Change
}

// stream is what a partition's tap and scans have told, in order.
//
// GUARDED_BY the partition's lock while the tap is attached.
type stream struct{ all []told }

func (t *stream) Put(db int, e Entry) {
	r := told{
		call: "put", db: db, key: string(e.Key()),
		expireAt: e.ExpireAt(), kind: e.Kind(), flags: e.Flags(),
	}
	if value, release, ok := e.Pin(); ok {
		r.value, r.release = value, release
	} else {
		r.value = bytes.Clone(e.Value())
	}
	t.all = append(t.all, r)
}

func (t *stream) Delete(db int, key []byte, why Change) {
	t.all = append(t.all, told{call: "delete", db: db, key: string(key), why: why})
}

func (t *stream) Clear(db int) { t.all = append(t.all, told{call: "clear", db: db}) }

// TestTapIsToldOnce runs single requests and compares what the tap of the key's
// partition is told, word by word.
func TestTapIsToldOnce(t *testing.T) {
	a, b := []byte("{t}a"), []byte("{t}b")
	p := hashing.PartitionOf(a)
	on := func(run func(h *Handle)) func(s *Store) {
		return func(s *Store) {
			h := s.Lock(0, a, testStart)
			run(&h)
			h.Release()
		}
	}
	both := func(run func(a, b, a2 *Handle)) func(s *Store) {
		return func(s *Store) {
			g := s.LockAll([]KeyRef{{0, a}, {0, b}, {0, a}}, testStart)
			run(g.At(0), g.At(1), g.At(2))
			g.Release()
		}
	}
	set := func(h *Handle) { h.Set([]byte("1"), 0) }
	for name, c := range map[string]struct {
		before, run func(*Store)
		want        string
	}{
		"read":                 {on(set), on(func(h *Handle) { h.Find() }), ""},
		"set":                  {nil, on(set), "put a=1"},
		"set twice":            {nil, on(func(h *Handle) { h.Set([]byte("0"), 0); set(h) }), "put a=1"},
		"set and delete":       {nil, on(func(h *Handle) { set(h); h.Delete() }), "delete a 1"},
		"delete":               {on(set), on(func(h *Handle) { h.Delete() }), "delete a 1"},
		"delete of nothing":    {nil, on(func(h *Handle) { h.Delete() }), ""},
		"delete and set":       {on(set), on(func(h *Handle) { h.Delete(); h.Set([]byte("2"), 0) }), "put a=2"},
		"in place":             {on(set), on(func(h *Handle) { h.Resize(2)[1] = '2'; h.Modified() }), "put a=12 raw"},
		"expiry":               {on(set), on(func(h *Handle) { h.SetExpiry(testStart + 5) }), "put a=1 in 5"},
		"expiry of nothing":    {nil, on(func(h *Handle) { h.SetExpiry(testStart + 5) }), ""},
		"fill":                 {nil, on(func(h *Handle) { h.Fill([]byte("f"), testStart+9) }), "put a=f filled in 9"},
		"fill negative":        {nil, on(func(h *Handle) { h.FillNegative(testStart + 9) }), "put a= filled negative in 9"},
		"resize of an absence": {on(func(h *Handle) { h.FillNegative(testStart + 9) }), on(func(h *Handle) { h.Resize(1)[0] = 'x' }), "put a=x raw"},
		"restore":              {nil, on(func(h *Handle) { h.Restore([]byte("r"), 0, String, Raw|Filled) }), "put a=r raw filled"},
		"met expired":          {on(func(h *Handle) { h.Set(nil, testStart) }), on(func(h *Handle) { h.Find() }), "delete a 2"},
		"set over expired":     {on(func(h *Handle) { h.Set(nil, testStart) }), on(set), "delete a 2, put a=1"},
		"expired unasked":      {on(func(h *Handle) { h.Set(nil, testStart+1) }), func(s *Store) { s.Tick(testStart+1000, true) }, "delete a 2"},
		"evicted":              {on(set), func(s *Store) { sh := s.shards[0]; sh.mu.Lock(); sh.evict(); sh.unlock() }, "delete a 3"},
		"flush of all":         {on(set), func(s *Store) { s.Flush(0) }, "clear 0"},
		"flush of one of two":  {both(func(a, b, _ *Handle) { set(a); set(b) }), func(s *Store) { write(s, 1, a, nil, 0); s.Flush(0) }, "put a=, delete a 4, delete b 4"},
		"moved":                {on(set), func(s *Store) { s.FlushPartition(p) }, "delete a 5"},
		"cleared":              {on(set), func(s *Store) { s.ClearPartition(0, p) }, "delete a 4"},
		"swap":                 {on(set), func(s *Store) { s.SwapDB(0, 1) }, "clear 0, clear 1, put a=1"},
		"rename":               {on(set), both(func(a, b, _ *Handle) { e, _ := a.Find(); b.Set(e.Value(), 0); a.Delete() }), "delete a 1, put b=1"},
		"one key twice":        {nil, both(func(a, _, a2 *Handle) { set(a); a2.Set([]byte("2"), 0) }), "put a=2"},
		"deleted by its twin":  {nil, both(func(a, _, a2 *Handle) { set(a); a2.Delete() }), "delete a 1"},
		"written by its twin":  {on(set), both(func(a, _, a2 *Handle) { a.Delete(); a2.Set([]byte("2"), 0) }), "put a=2"},
		"another partition":    {nil, func(s *Store) { write(s, 0, []byte("elsewhere"), nil, 0) }, ""},
		"staged": {nil, func(s *Store) {
			g := s.Stage(0, a, 40_000)
			clear(g.Bytes())
			h := s.Lock(0, a, testStart)
			h.RestoreStaged(g, 0, String, Filled)
			h.Release()
		}, "put a=40000 bytes filled"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Config{Partitions: true, Shards: 1, Databases: 2, Policy: eviction.AllKeysLRU})
			if c.before != nil {
				c.before(s)
			}
			tap := &stream{}
			s.Tap(p, tap)
			c.run(s)
			s.Untap(p)
			write(s, 0, a, nil, 0)
			if got := tap.String(); got != c.want {
				t.Errorf("told %q, want %q", got, c.want)
			}
		})
	}
}

// String lists what was told, with changes as numbers and deletions in order
// of their keys where a hash decided.
func (t *stream) String() string {
	var out []string
	for _, r := range t.all {
		s := r.call + " " + strings.TrimPrefix(r.key, "{t}")
		switch {
		case r.call == "clear":
			s = fmt.Sprint("clear ", r.db)
		case r.call == "delete":
			s += fmt.Sprint(" ", int(r.why))
		case len(r.value) > 10:
			s += fmt.Sprintf("=%d bytes", len(r.value))
		default:
			s += "=" + string(r.value)
		}
		if r.flags&Raw != 0 {
			s += " raw"
		}
		if r.flags&Filled != 0 {
			s += " filled"
		}
		if r.kind == Negative {
			s += " negative"
		}
		if r.expireAt != 0 {
			s += fmt.Sprint(" in ", r.expireAt-testStart)
		}
		out = append(out, s)
	}
	if len(out) == 3 && strings.HasPrefix(out[1], "delete") && strings.HasPrefix(out[2], "delete") {
		slices.Sort(out[1:])
	}
	return strings.Join(out, ", ")
}

// copier lets writers loose on a store and keeps copies of some partitions.
type copier struct {
	t          *testing.T
	s          *Store
	copy       *Store
	partitions []int
	keys       [][]byte
	now        atomic.Int64
	large      bool // some values are large, so that they are pinned
}

// TestCopyByTap writes with everything there is, evictions included, while taps
// and scans of three partitions (two of them in one shard) fill streams.
// Applied in order they make another store equal, round after round: every
// second round begins new copies, the others go on with those of the last.
func TestCopyByTap(t *testing.T) {
	for _, observed := range []bool{false, true} {
		for _, large := range []bool{false, true} {
			t.Run(fmt.Sprintf("observed %v, large %v", observed, large), func(t *testing.T) {
				testCopyByTap(t, observed, large)
			})
		}
	}
}

func testCopyByTap(t *testing.T, observed, large bool) {
	seed := []byte("same")
	config := Config{Partitions: true, Seed: seed, Shards: 2, Databases: 2, Policy: eviction.AllKeysLRU}
	if observed {
		config.Observer = deafObserver{}
	}
	c := &copier{
		large: large,
		t:     t, s: open(t, config), partitions: []int{10, 12, 13},
		copy: open(t, Config{Partitions: true, Seed: seed, Shards: 4, Databases: 2}),
	}
	c.now.Store(testStart)
	for i := range 90 {
		c.keys = append(c.keys, inPartition(c.partitions[i%3], i))
	}
	streams := map[int]*stream{}
	for round := range 6 {
		var work sync.WaitGroup
		for g := range 3 {
			rng := rand.New(rand.NewPCG(uint64(round), uint64(g)))
			work.Go(func() {
				for range 1500 {
					c.write(rng)
				}
			})
		}
		for i, p := range c.partitions {
			if round%2 == 0 || i == 0 {
				to := &stream{}
				streams[p] = to
				c.copy.FlushPartition(p)
				work.Go(func() { c.snapshot(p, to) })
			}
		}
		work.Wait()
		for _, p := range c.partitions {
			c.apply(p, streams[p])
			c.compare(round, p)
		}
		if err := c.s.Check(); err != nil {
			t.Fatal(err)
		}
		if err := c.copy.Check(); err != nil {
			t.Fatal(err)
		}
	}
	st := c.s.Stats()
	t.Logf("%d writes, %d expired, %d evicted", st.Writes, st.Expired, st.Evicted)
	if st.Expired == 0 || st.Evicted == 0 {
		t.Error("nothing expired, or nothing was evicted")
	}
}

type deafObserver struct{}

func (deafObserver) Observing() bool             { return true }
func (deafObserver) Changed(int, []byte, Change) {}

// snapshot attaches a tap and scans, both into one stream, with the writers
// let in between.
func (c *copier) snapshot(p int, to *stream) {
	c.s.Tap(p, to)
	for db := range 2 {
		for cursor, done := uint32(0), false; !done; {
			for range 20 {
				runtime.Gosched()
			}
			cursor, done = c.s.ScanPartition(db, p, cursor, 2, c.now.Load(), func(e Entry) { to.Put(db, e) })
		}
	}
}

// write does one random thing.
func (c *copier) write(rng *rand.Rand) {
	s, now, db := c.s, c.now.Load(), rng.IntN(2)
	key, other := c.keys[rng.IntN(len(c.keys))], c.keys[rng.IntN(len(c.keys))]
	size := 1 << rng.IntN(10)
	if c.large && rng.IntN(30) == 0 {
		size = 30_000 + rng.IntN(200_000)
	}
	value := bytes.Repeat([]byte{byte(rng.Uint32())}, size)
	soon := now + 1 + int64(rng.IntN(300))
	switch op := rng.IntN(400); {
	case op < 1:
		s.FlushAll()
		return
	case op < 2:
		s.Flush(db)
		return
	case op < 4:
		s.SwapDB(0, 1)
		return
	case op < 5:
		s.FlushPartition(c.partitions[rng.IntN(3)])
		return
	case op < 10:
		sh := s.shards[rng.IntN(2)]
		sh.mu.Lock()
		sh.evict()
		sh.unlock()
		return
	case op < 20:
		s.Tick(c.now.Add(int64(rng.IntN(50))), true)
		return
	case op < 25:
		g := s.Stage(db, key, size)
		copy(g.Bytes(), value)
		h := s.Lock(db, key, now)
		h.Adopt(g, 0)
		h.Release()
		return
	case op < 60:
		g := s.LockAll([]KeyRef{{db, key}, {1 - db, other}, {db, key}}, now)
		if e, ok := g.At(0).Find(); ok {
			g.At(1).Set(e.Value(), e.ExpireAt())
			g.At(rng.IntN(2) * 2).Delete()
		}
		if rng.IntN(2) == 0 {
			g.At(2).Set(value, 0)
		}
		g.Release()
		return
	}
	h := s.Lock(db, key, now)
	defer h.Release()
	switch rng.IntN(9) {
	case 0, 1:
		h.Set(value, 0)
	case 2:
		h.Set(value, soon)
	case 3:
		h.SetExpiry(soon)
	case 4:
		h.SetExpiry(0)
	case 5:
		h.Delete()
	case 6:
		for i, v := 0, h.Resize(size); i < len(v); i += 100 {
			v[i]++
		}
		h.Modified()
	case 7:
		h.Fill(value, soon)
	case 8:
		h.FillNegative(soon)
	}
}

// apply carries out what a stream says, and empties it.
func (c *copier) apply(p int, from *stream) {
	for _, r := range from.all {
		if r.call == "clear" {
			c.copy.ClearPartition(r.db, p)
			continue
		}
		h := c.copy.Lock(r.db, []byte(r.key), 0)
		if r.call == "put" {
			h.Restore(r.value, r.expireAt, r.kind, r.flags)
		} else {
			h.Delete()
		}
		h.Release()
		if r.release != nil {
			r.release()
		}
	}
	from.all = nil
}

// compare wants the copy of a partition to be equal.
func (c *copier) compare(round, p int) {
	c.t.Helper()
	for db := range 2 {
		state := func(s *Store) map[string]string {
			out := map[string]string{}
			s.ScanPartition(db, p, 0, 1<<20, c.now.Load(), func(e Entry) {
				out[string(e.Key())] = fmt.Sprint(e.Kind(), e.Flags(), e.ExpireAt(), " ", string(e.Value()))
			})
			return out
		}
		want, got := state(c.s), state(c.copy)
		for key := range want {
			if got[key] != want[key] {
				c.t.Fatalf("round %d, partition %d, database %d: %s is %.60q in the copy, want %.60q", round, p, db, key, got[key], want[key])
			}
		}
		if len(got) != len(want) {
			c.t.Fatalf("round %d, partition %d, database %d: the copy has %d entries, want %d", round, p, db, len(got), len(want))
		}
	}
}
