package memory

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/larder-cache/larder/internal/hashing"
)

// piece is a piece of a partition with its digest.
type piece struct {
	HashRange
	Digest
}

// pieces digests a partition of a store.
func pieces(s *Store, p int, after int64) (list []piece) {
	for next, done := uint32(0), false; !done; {
		next, done = s.DigestSome(HashRange{Partition: p, From: next, Last: math.MaxUint32, After: after}, func(r HashRange, d Digest) {
			list = append(list, piece{r, d})
		})
	}
	return list
}

// differing returns how many pieces another store has otherwise.
func differing(s *Store, list []piece) (n int) {
	for _, p := range list {
		if s.DigestRange(p.HashRange, p.Entries) != p.Digest {
			n++
		}
	}
	return n
}

const digested = 5 // a partition

// digestPair returns two stores with the same entries, written in another order
// into tables of other sizes, and how many there are.
func digestPair(t *testing.T, r *rand.Rand) (a, b *Store, n int) {
	a = open(t, Config{Partitions: true, Seed: []byte("seed"), Shards: 1})
	b = open(t, Config{Partitions: true, Seed: []byte("seed"), Shards: 8})
	n = 1 + r.IntN(400)
	for range n {
		write(b, 0, inPartition(digested, 1000+r.IntN(n)), nil, 0)
	}
	b.FlushPartition(digested)
	entry := func(s *Store, i int) {
		size, expireAt := i%50, int64(0)
		if i%100 == 7 {
			size = PinThreshold + i
		}
		if i%3 == 0 {
			expireAt = testStart + 1000 + int64(i%5)*1000
		}
		write(s, 0, inPartition(digested, i), bytes.Repeat([]byte{byte(i)}, size), expireAt)
	}
	order := r.Perm(n)
	for i := range n {
		entry(a, i)
		entry(b, order[i])
	}
	return a, b, n
}

// TestDigest: the digests of two stores are equal, whatever their tables and
// clocks, and as soon as an entry is another one they are not.
func TestDigest(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		a, b, n := digestPair(t, r)
		after := testStart + int64(r.IntN(6000))
		b.Tick(after+128, false) // b has removed by now what is left out
		list := pieces(a, digested, after)
		from, entries := uint64(0), 0
		for _, p := range list {
			if uint64(p.From) != from || p.Last < p.From || p.Bytes > digestBytes+100*PinThreshold {
				t.Fatalf("seed %d: a piece from %d to %d, %d bytes, the one before ends at %d", seed, p.From, p.Last, p.Bytes, from)
			}
			from = uint64(p.Last) + 1
			entries += p.Entries
		}
		if from != math.MaxUint32+1 || differing(b, list) != 0 {
			t.Fatalf("seed %d: %d of %d pieces up to %d differ", seed, differing(b, list), len(list), from)
		}
		i := 1 + 3*r.IntN(n/3+1) // of those that do not expire
		if i >= n {
			continue
		}
		for name, damage := range map[string]func(h *Handle, e Entry){
			"value":   func(h *Handle, _ Entry) { h.Corrupt() },
			"expiry":  func(h *Handle, _ Entry) { h.SetExpiry(after + 1) },
			"missing": func(h *Handle, _ Entry) { h.Delete() },
			"flags":   func(h *Handle, e Entry) { h.Restore(bytes.Clone(e.Value()), 0, String, e.Flags()^Filled) },
		} {
			h := b.Lock(0, inPartition(digested, i), testStart)
			e, ok := h.Peek()
			if !ok {
				t.Fatalf("seed %d: entry %d is not there", seed, i)
			}
			value := bytes.Clone(e.Value())
			damage(&h, e)
			h.Release()
			if differing(b, list) != 1 {
				t.Errorf("seed %d: %s of entry %d: %d pieces differ", seed, name, i, differing(b, list))
			}
			write(b, 0, inPartition(digested, i), value, 0)
		}
		write(b, 0, inPartition(digested, n), nil, 0)
		if differing(b, list) != 1 {
			t.Errorf("seed %d: with one entry more %d pieces differ", seed, differing(b, list))
		}
	}
}

// TestDigestOfMuchMore: a range with far more entries than expected is given up
// early, one without any is digested, too.
func TestDigestOfMuchMore(t *testing.T) {
	s := open(t, Config{Partitions: true, Seed: []byte("seed")})
	all := HashRange{Partition: digested, Last: math.MaxUint32}
	if d := s.DigestRange(all, 0); d != (Digest{}) {
		t.Errorf("nothing comes to %+v", d)
	}
	for i := range 10_000 {
		write(s, 0, inPartition(digested, i), nil, 0)
	}
	if d := s.DigestRange(all, 10); d.Entries <= 10 || d.Entries > 10+2*digestEntries {
		t.Errorf("of 10000 entries, 10 expected, %d were digested", d.Entries)
	}
	if d := s.DigestRange(all, 10_000); d.Entries != 10_000 {
		t.Errorf("of 10000 entries %d were digested", d.Entries)
	}
}

// TestDigestOfChangingValue: a large value that is written while it is digested
// gives no digest, or the right one.
func TestDigestOfChangingValue(t *testing.T) {
	s := open(t, Config{Partitions: true, Seed: []byte("seed")})
	key, value := inPartition(digested, 1), make([]byte, 4<<20)
	stop, ended := make(chan struct{}), make(chan struct{})
	write(s, 0, key, value, 0)
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			value[i%len(value)]++
			write(s, 0, key, value, 0)
		}
	}()
	var released sync.WaitGroup
	digests := 0
	for range 200 {
		s.DigestSome(HashRange{Partition: digested, Last: math.MaxUint32}, func(r HashRange, d Digest) {
			// Under the lock: it is the digest of what is there.
			g := digester{s: s.shards[digested&s.shardMask]}
			g.all(g.s.spaces[s.spaceAt(0, digested>>s.shardBits)], r)
			want := xxh3.HashSeed(g.large[0].value, g.large[0].seed)
			released.Go(g.large[0].release) // when the lock is free
			if d.Entries != 1 || d.Sum != want {
				t.Errorf("%d entries come to %x, want %x", d.Entries, d.Sum, want)
			}
			digests++
		})
	}
	close(stop)
	<-ended
	released.Wait()
	t.Logf("%d of 200 digests were not overtaken", digests)
}

// BenchmarkDigest digests a million small entries, and says which share of a core
// it takes to do so every 20 s.
func BenchmarkDigest(b *testing.B) {
	const entries = 1_000_000
	s := open(b, Config{Partitions: true, Seed: []byte("seed")})
	for i := range entries {
		write(s, 0, fmt.Appendf(nil, "key:%012d", i), make([]byte, 64), 0)
	}
	began, n := time.Now(), 0
	for b.Loop() {
		for p := range hashing.Partitions {
			for _, piece := range pieces(s, p, 0) {
				n += piece.Entries
			}
		}
	}
	each := float64(time.Since(began)) / float64(n)
	b.ReportMetric(each, "ns/entry")
	b.ReportMetric(100*each*entries/float64(20*time.Second), "%core")
}
