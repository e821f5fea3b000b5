package bigkeys

import (
	"fmt"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/storage/memory"
)

func open(t *testing.T) *memory.Store {
	s, err := memory.Open(memory.Config{Shards: 16})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func set(s *memory.Store, db int, key string, size int) {
	h := s.Lock(db, []byte(key), time.Now().UnixMilli())
	defer h.Release()
	h.Set(make([]byte, size), 0)
}

func remove(s *memory.Store, db int, key string) {
	h := s.Lock(db, []byte(key), time.Now().UnixMilli())
	defer h.Release()
	h.Delete()
}

// walk steps to the end of a pass.
func walk(t *testing.T, s *Scanner, now time.Time) (steps int) {
	for steps = 1; s.Step(now); steps++ {
		if steps > 1e6 {
			t.Fatal("a pass does not end")
		}
	}
	return steps
}

func TestScannerFindsTheLargest(t *testing.T) {
	store := open(t)
	for i := range 5000 {
		set(store, i%2*3, fmt.Sprint("small:", i), 10)
	}
	for i := range 100 {
		set(store, 3, fmt.Sprint("big:", i), 8192*(i+1))
	}
	s := New(store)
	now := time.Now()
	if steps := walk(t, s, now); steps < 5100/batch {
		t.Errorf("a pass of %d steps; a step is to look at %d entries", steps, batch)
	}
	r := s.Report(10)
	if len(r.Largest) != 10 || r.Scanned != 5100 || r.Passes != 1 {
		t.Fatalf("got %d entries, %d scanned, %d passes", len(r.Largest), r.Scanned, r.Passes)
	}
	for i, e := range r.Largest {
		if want := fmt.Sprint("big:", 99-i); e.Key != want || e.DB != 3 || e.Bytes < 8192*(100-i) {
			t.Errorf("place %d: got %+v, want %s", i, e, want)
		}
	}
	if r.Counts[0]+r.Counts[1] != 5000 || r.Counts[len(r.Counts)-1] != 0 {
		t.Errorf("sizes: got %v at bounds %v, want 5000 of at most 128 bytes", r.Counts, r.Bounds)
	}
}

func TestScannerReportsWhatIsThere(t *testing.T) {
	store := open(t)
	set(store, 0, "gone", 9000)
	set(store, 0, "shrunk", 8000)
	set(store, 0, "stays", 100)
	s := New(store)
	now := time.Now()
	walk(t, s, now)
	remove(store, 0, "gone")
	set(store, 0, "shrunk", 1)
	if got := s.Report(5).Largest; len(got) != 2 || got[0].Key != "stays" || got[1].Key != "shrunk" || got[1].Bytes > 100 {
		t.Errorf("got %+v, want stays before shrunk", got)
	}
}

func TestScannerRests(t *testing.T) {
	store := open(t)
	set(store, 0, "a", 1)
	s := New(store)
	now := time.Now()
	walk(t, s, now)
	if s.Step(now.Add(rest - 1)); s.Report(1).Passes != 1 {
		t.Error("a second pass began before its time")
	}
	walk(t, s, now.Add(rest))
	if got := s.Report(1); got.Passes != 2 || got.Scanned != 2 {
		t.Errorf("got %d passes and %d entries after the rest, want 2 and 2", got.Passes, got.Scanned)
	}
}

func TestScannerStops(t *testing.T) {
	s := New(open(t))
	s.Stop()
	s.Start()
	s.Stop()
	s.Stop()
}

func BenchmarkStep(b *testing.B) {
	store, err := memory.Open(memory.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	for i := range 1_000_000 {
		set(store, 0, fmt.Sprint("key:", i), 64)
	}
	s := New(store)
	now := time.Now()
	for b.Loop() {
		if !s.Step(now) {
			now = now.Add(rest)
		}
	}
}
