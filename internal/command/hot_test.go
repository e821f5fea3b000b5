package command

import (
	"testing"
)

// The commands that make up most traffic allocate nothing.
func TestHotCommandsDoNotAllocate(t *testing.T) {
	for _, request := range []string{
		"GET key:1", "GET nosuch", "SET key:1 value", "SET key:1 other EX 100", "SETEX key:1 100 value",
		"INCR key:2", "INCRBY key:2 1000", "MGET key:1 key:2 key:3 nosuch", "MSET key:1 a key:2 1 key:3 c",
		"EXISTS key:1 key:2 nosuch", "DEL nosuch1 nosuch2", "EXPIRE key:3 100", "TTL key:3", "STRLEN key:1",
		"GETRANGE key:1 0 1", "GETBIT key:1 5", "SETBIT key:4 5 1", "APPEND key:5 x", "PERSIST key:3",
	} {
		t.Run(request, func(t *testing.T) {
			r := newTester(t)
			r.fill(10)
			var args [][]byte
			for _, w := range words(t, request) {
				args = append(args, []byte(w))
			}
			r.x.Begin(r.s)
			defer r.x.End(r.s)
			allocs := testing.AllocsPerRun(200, func() {
				r.x.Execute(r.s, args)
				r.s.Out.Buf = r.s.Out.Buf[:0]
			})
			if allocs > 0 {
				t.Errorf("%v allocations", allocs)
			}
		})
	}
}
