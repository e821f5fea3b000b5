package memory

import (
	"bytes"
	"testing"

	"github.com/larder-cache/larder/internal/eviction"
)

// FuzzEngine reads operations from bytes and runs them on a small store that
// has to evict, with every policy; the invariants must hold throughout and a
// value that is found must be the one written last.
func FuzzEngine(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
	f.Add(bytes.Repeat([]byte{0, 9, 200, 3, 7, 1, 44}, 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 2 || len(data) > 4096 {
			return
		}
		names := eviction.Names()
		s := open(t, Config{
			Shards: 2, MaxBytes: 12 << 20, Policy: names[int(data[0])%len(names)], Partitions: data[0]&128 != 0,
		})
		data = data[1:]
		now := testStart
		written := map[string]byte{}
		for step := 0; len(data) >= 3; step++ {
			op, key, arg := data[0]%10, []byte{data[1] % 64}, data[2]
			data = data[3:]
			h := s.Lock(int(arg)%2, key, now)
			id := string([]byte{arg % 2, key[0]})
			if e, ok := h.Find(); ok {
				for _, b := range e.Value() {
					if b != written[id] {
						t.Fatalf("step %d: a value of %d bytes %d holds %d", step, len(e.Value()), written[id], b)
					}
				}
			}
			fill := byte(step)
			switch op {
			case 0, 1, 2:
				size := int(arg) << (op * 4)
				h.Set(bytes.Repeat([]byte{fill}, size), 0)
				written[id] = fill
			case 3:
				h.Set(bytes.Repeat([]byte{fill}, int(arg)), now+int64(arg)*100+1)
				written[id] = fill
			case 4:
				v := h.Resize(int(arg) * 3)
				for i := range v {
					v[i] = fill
				}
				h.Modified()
				written[id] = fill
			case 5:
				h.Delete()
			case 6:
				h.SetExpiry(now + int64(arg)*50 + 1)
			case 7:
				h.SetExpiry(0)
			case 8:
				h.FillNegative(now + int64(arg) + 1)
			}
			h.Release()
			if op == 9 {
				now += int64(arg) * 20
				s.Tick(now, arg%2 == 0)
			}
			if step%32 == 0 {
				if err := s.Check(); err != nil {
					t.Fatalf("step %d: %v", step, err)
				}
			}
		}
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
	})
}
