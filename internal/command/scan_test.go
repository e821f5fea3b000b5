package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// bulks returns the bulk strings of a raw reply.
func bulks(t testing.TB, raw string) (out []string) {
	v, _ := decode(t, raw)
	list, _ := v.([]any)
	for _, x := range list {
		out = append(out, x.(string))
	}
	return out
}

func TestScanVisitsEveryKeyOnce(t *testing.T) {
	for _, count := range []string{"1", "7", "10", "600", "100000"} {
		r := newTester(t)
		r.fill(3000)
		r.do("SET", "key:expired", "1", "PXAT", strconv.Itoa(testerStart+5))
		r.now.Add(10)
		seen := map[string]int{}
		cursor, calls := "0", 0
		for calls == 0 || cursor != "0" {
			v, _ := decode(t, r.do("SCAN", cursor, "COUNT", count, "MATCH", "key:*"))
			reply := v.([]any)
			cursor = reply[0].(string)
			for _, key := range reply[1].([]any) {
				seen[key.(string)]++
			}
			r.do("SET", fmt.Sprint("other:", calls), "1") // does not disturb
			r.do("DEL", fmt.Sprint("other:", calls-3))
			calls++
		}
		if len(seen) != 3000 {
			t.Errorf("COUNT %s: %d keys of 3000", count, len(seen))
		}
		for key, n := range seen {
			if n != 1 {
				t.Errorf("COUNT %s: %s %d times", count, key, n)
			}
		}
	}
}

func TestKeysListsAll(t *testing.T) {
	r := newTester(t)
	r.fill(5000)
	r.do("SET", "key:expired", "1", "PXAT", strconv.Itoa(testerStart+5))
	r.now.Add(10)
	keys := bulks(t, r.do("KEYS", "*"))
	slices.Sort(keys)
	if keys = slices.Compact(keys); len(keys) != 5000 {
		t.Errorf("%d keys", len(keys))
	}
	if keys := bulks(t, r.do("KEYS", "key:49?9")); len(keys) != 10 {
		t.Errorf("%v match", keys)
	}
	// The list stands behind what is there already, and in front of what follows.
	r.x.Begin(r.s)
	r.s.Out.Simple("before")
	r.s.MayBlock = true
	r.x.Execute(r.s, [][]byte{[]byte("KEYS"), []byte("key:1")})
	r.s.MayBlock = false
	r.s.Out.Simple("after")
	r.x.End(r.s)
	if got := flat(string(r.s.Out.Buf)); got != "+before *1 $5 key:1 +after" {
		t.Errorf("%q", got)
	}
	r.s.Out.Reset()
}

func TestRandomkeyReturnsAnyKey(t *testing.T) {
	r := newTester(t)
	r.fill(20)
	seen := map[string]bool{}
	for range 2000 {
		reply := r.do("RANDOMKEY")
		if !strings.Contains(reply, "key:") {
			t.Fatalf("%q", reply)
		}
		seen[reply] = true
	}
	if len(seen) != 20 {
		t.Errorf("%d different keys of 20", len(seen))
	}
}
