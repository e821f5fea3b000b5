package replication

import (
	"errors"
	"slices"
	"testing"

	"github.com/larder-cache/larder/internal/storage/memory"
)

func TestRefusalsSurviveTheWire(t *testing.T) {
	list := []Refusal{{0, Promised}, {300, NotTaken}, {1023, Differs}}
	got, err := ParseRefusals(AppendRefusals(nil, list))
	if err != nil || !slices.Equal(got, list) {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range [][]byte{{1}, {0xff, 0xff, 0x7f, 1}, {0x80}, {1, 3}} {
		if _, err := ParseRefusals(bad); !errors.Is(err, ErrBatch) {
			t.Errorf("%x: %v", bad, err)
		}
	}
}

func FuzzBatch(f *testing.F) {
	f.Add(appendMark(appendHead(nil, 1, 2, 0), effectBegin, 3, 4, 5))
	f.Add(appendDelete(appendHead(nil, 1, 2, 0), 3, 9, 1, []byte("key")))
	f.Add(append(appendHead(nil, 1, 2, 0), 'P', 3, 9, 0, 0, 0x80, 0x10, 1, 'k', 2, 'v', 'w'))
	f.Add(appendDigest(appendHead(nil, 1, 2, 0), memory.HashRange{DB: 1, Partition: 3, From: 7, Last: 1 << 31, After: 1e12}, memory.Digest{Entries: 64, Sum: 1 << 63}))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := openBatch(data, limits{partitions: 1024, databases: 16})
		for more := err == nil; more; {
			var e effect
			if e, more, err = b.next(); err != nil {
				if !errors.Is(err, ErrBatch) {
					t.Fatal(err)
				}
				return
			}
			if e.partition >= 1024 || e.db >= 16 || len(e.key)+len(e.value) > len(data) ||
				e.hashes.From > e.hashes.Last || e.hashes.DB >= 16 || e.hashes.After < 0 || e.digest.Entries < 0 {
				t.Fatalf("%+v", e)
			}
		}
	})
}
