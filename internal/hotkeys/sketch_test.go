package hotkeys

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// exact is the slow, obvious version: every addition with its time.
type exact struct {
	halfLife time.Duration
	adds     map[string][]addition
}

type addition struct {
	at     time.Duration
	weight float64
}

func (e *exact) add(at time.Duration, key string, w float64) {
	e.adds[key] = append(e.adds[key], addition{at, w})
}

func (e *exact) count(key string, now time.Duration) (n float64) {
	for _, a := range e.adds[key] {
		n += a.weight * math.Exp2(-float64(now-a.at)/float64(e.halfLife))
	}
	return n
}

func (e *exact) total(now time.Duration) (n float64) {
	for key := range e.adds {
		n += e.count(key, now)
	}
	return n
}

// TestSketchAgainstExactCounts guards the invariant of [Sketch] on Zipf streams
// with pauses, some long enough for the counts to be scaled back.
func TestSketchAgainstExactCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.IntRange(1, 64).Draw(t, "capacity")
		seed := rapid.Uint64().Draw(t, "seed")
		exponent := rapid.Float64Range(1.01, 2).Draw(t, "exponent")
		pause := time.Duration(rapid.IntRange(0, 30).Draw(t, "pause")) * time.Second
		random := rand.New(rand.NewPCG(seed, 1))
		zipf := rand.NewZipf(random, exponent, 1, 500)
		s, judge := NewSketch(capacity, 10*time.Second), exact{10 * time.Second, map[string][]addition{}}
		now := time.Duration(0)
		for range 2000 {
			now += time.Duration(random.Int64N(int64(100*time.Millisecond))) + pause*time.Duration(random.IntN(100)/99)
			key, weight := strconv.FormatUint(zipf.Uint64(), 10), 1+float64(random.IntN(3))
			s.Add(now, 0, []byte(key), weight, false)
			judge.add(now, key, weight)
		}
		checkBounds(t, s, &judge, capacity, now)
	})
}

func checkBounds(t *rapid.T, s *Sketch, judge *exact, capacity int, now time.Duration) {
	const slip = 1e-6 // of rounding, relative to all
	total := judge.total(now)
	if got := s.Total(now); math.Abs(got-total) > slip*total {
		t.Fatalf("total %v, want %v", got, total)
	}
	have := map[string]bool{}
	for _, k := range s.Top(now, capacity) {
		have[k.Key] = true
		want := judge.count(k.Key, now)
		if k.Count < want-slip*total || k.AtLeast() > want+slip*total {
			t.Fatalf("key %s: between %v and %v, want %v", k.Key, k.AtLeast(), k.Count, want)
		}
		if k.Error > total/float64(capacity)+slip*total {
			t.Fatalf("key %s: error %v of %v with %d counters", k.Key, k.Error, total, capacity)
		}
	}
	for key := range judge.adds {
		if judge.count(key, now) > total/float64(capacity)*(1+slip) && !have[key] {
			t.Fatalf("key %s has %v of %v and no counter", key, judge.count(key, now), total)
		}
	}
}

func TestSketchForgets(t *testing.T) {
	s := NewSketch(8, 10*time.Second)
	for range 100 {
		s.Add(0, 0, []byte("old"), 1, true)
	}
	for range 10 {
		s.Add(100*time.Second, 0, []byte("new"), 1, false)
	}
	top := s.Top(100*time.Second, 2)
	if top[0].Key != "new" || top[1].Key != "old" {
		t.Fatalf("got %+v, want new before old", top)
	}
	if top[1].Writes != top[1].Count || top[0].Writes != 0 {
		t.Errorf("writes: got %+v", top)
	}
}

func TestTrackerReportsRates(t *testing.T) {
	var now time.Duration
	tr := New(func() time.Duration { return now })
	// For five minutes, 500 requests per second for one key and 100 to one of
	// a thousand others, one in ten seen, one in five of the hot ones a write.
	for i := range 5 * 60 * 60 {
		now = time.Duration(i) * time.Second / 60
		key := "hot"
		if i%6 == 0 {
			key = "cold" + strconv.Itoa(i*7919%6000)
		}
		tr.Sampled(2, []byte(key), 10, i%5 == 1)
	}
	top := tr.Top(10)
	if len(top) == 0 || top[0].Key != "hot" || top[0].DB != 2 {
		t.Fatalf("got %+v, want hot first", top)
	}
	hot := top[0]
	if hot.PerSecond < 490 || hot.PerSecond > 510 || hot.Share < 0.82 || hot.Share > 0.84 || hot.Writes < 0.15 || hot.Writes > 0.25 {
		t.Errorf("got %+v, want 500 requests per second, 5/6 of all, a fifth of them writes", hot)
	}
	for _, k := range top[1:] {
		if k.PerSecond > 5 {
			t.Errorf("a cold key is reported as hot: %+v", k)
		}
	}
}

func TestTrackerKeepsItsPace(t *testing.T) {
	var now time.Duration
	tr := New(func() time.Duration { return now })
	const perSecond = 100 * maxPerSecond
	before := uint64(0)
	for second := range 5 {
		for i := range perSecond {
			now = time.Duration(second)*time.Second + time.Duration(i)*(time.Second/perSecond)
			tr.Sampled(0, []byte("hot"), 1, false)
		}
		now = time.Duration(second+1) * time.Second
		tr.Pace()
		seen := tr.Seen() - before
		before += seen
		if second > 0 && (seen < maxPerSecond*8/10 || seen > maxPerSecond*12/10) {
			t.Errorf("second %d: counted %d of %d, want about %d", second, seen, perSecond, maxPerSecond)
		}
	}
	if got := tr.Top(1)[0].PerSecond; got < 0.9*perSecond || got > 1.1*perSecond {
		t.Errorf("got %.0f requests per second, want %d", got, perSecond)
	}
	now += time.Second
	tr.Pace()
	if tr.thin.Load() != 1 {
		t.Error("an idle tracker still thins its sample")
	}
}

func TestTrackerBoundsLongKeys(t *testing.T) {
	tr := New(func() time.Duration { return 0 })
	long := make([]byte, 1<<20)
	other := append([]byte(nil), long...)
	other[1<<19] = 1
	for range 10 {
		tr.Sampled(0, long, 1, false)
		tr.Sampled(0, other, 1, false)
	}
	top := tr.Top(10)
	if len(top) != 2 || top[0].Key == top[1].Key || len(top[0].Key) > longKey {
		t.Fatalf("got %d keys, want two different ones of at most %d bytes", len(top), longKey)
	}
	tr.Reset()
	if len(tr.Top(10)) != 0 || tr.Seen() != 0 {
		t.Error("a reset tracker still reports keys")
	}
}

func BenchmarkSampled(b *testing.B) {
	tr := New(nil)
	keys := make([][]byte, 1<<16)
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, 1<<20)
	for i := range keys {
		keys[i] = []byte("key:" + strconv.FormatUint(zipf.Uint64(), 10))
	}
	b.ReportAllocs()
	for i := range b.N {
		tr.Sampled(0, keys[i&(1<<16-1)], 100, false)
	}
}
