package memory

import (
	"fmt"
	"slices"
	"testing"
)

// TestRemovedInScanOrder: entries may go in the order of their hashes, from the lowest
// or from the highest one on, as they do when what a scan lists is deleted: what is
// left is all at one end of the table, however small that becomes.
func TestRemovedInScanOrder(t *testing.T) {
	for _, count := range []int{10, 100, 1000, 4_500, 10_000, 60_000, 300_000} {
		for _, partitions := range []bool{false, true} {
			for _, backwards := range []bool{false, true} {
				t.Run(fmt.Sprint(count, partitions, backwards), func(t *testing.T) {
					s := open(t, Config{Partitions: partitions, Databases: 1, Seed: []byte("seed")})
					for i := range count {
						h := s.Lock(0, fmt.Appendf(nil, "{a}%d", i), s.Now())
						h.Set([]byte("x"), 0)
						h.Release()
					}
					var keys [][]byte
					list := func(e Entry) { keys = append(keys, append([]byte(nil), e.Key()...)) }
					for cursor := s.Scan(0, 0, 1000, s.Now(), list); cursor != 0; {
						cursor = s.Scan(0, cursor, 1000, s.Now(), list)
					}
					if backwards {
						slices.Reverse(keys)
					}
					for _, key := range keys {
						h := s.Lock(0, key, s.Now())
						if !h.Delete() {
							t.Fatalf("%s is not there", key)
						}
						h.Release()
					}
					if left := s.Len(0); left != 0 {
						t.Errorf("%d are left", left)
					}
				})
			}
		}
	}
}
