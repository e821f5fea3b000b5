package memory

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/larder-cache/larder/internal/eviction"
)

// key16 writes the 16-byte key number n into b.
func key16(b []byte, n uint64) []byte {
	copy(b, "key:....")
	binary.LittleEndian.PutUint64(b[8:], n)
	return b
}

func fill(s *Store, n, valueSize int) {
	value, key := make([]byte, valueSize), make([]byte, 16)
	for i := range n {
		h := s.Lock(0, key16(key, uint64(i)), testStart)
		h.Set(value, 0)
		h.Release()
	}
}

// BenchmarkGet reads a random one of n entries.
func BenchmarkGet(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := open(b, Config{})
			fill(s, n, 64)
			rng, key := rand.New(rand.NewPCG(1, 2)), make([]byte, 16)
			sink := 0
			for b.Loop() {
				h := s.Lock(0, key16(key, uint64(rng.IntN(n))), testStart)
				if e, ok := h.Find(); ok {
					sink += int(e.Value()[0])
				}
				h.Release()
			}
			_ = sink
		})
	}
}

// BenchmarkSet overwrites a random one of a million entries.
func BenchmarkSet(b *testing.B) {
	const n = 1_000_000
	s := open(b, Config{})
	fill(s, n, 64)
	rng, key, value := rand.New(rand.NewPCG(1, 2)), make([]byte, 16), make([]byte, 64)
	for b.Loop() {
		h := s.Lock(0, key16(key, uint64(rng.IntN(n))), testStart)
		h.Set(value, 0)
		h.Release()
	}
}

// BenchmarkInsertAtLimit inserts new entries into a full store: every one
// evicts another.
func BenchmarkInsertAtLimit(b *testing.B) {
	for _, policy := range eviction.Names() {
		if policy == eviction.NoEviction || policy.Volatile() {
			continue
		}
		b.Run(string(policy), func(b *testing.B) {
			s := open(b, Config{MaxBytes: 128 << 20, Policy: policy})
			fill(s, 1_200_000, 64)
			key, value := make([]byte, 16), make([]byte, 64)
			n := uint64(10_000_000)
			for b.Loop() {
				h := s.Lock(0, key16(key, n), testStart)
				h.Set(value, 0)
				h.Release()
				n++
			}
			if s.Stats().Evicted == 0 {
				b.Error("nothing was evicted")
			}
		})
	}
}
