package eviction

import (
	"testing"
	"unsafe"
)

func TestNames(t *testing.T) {
	for _, row := range []struct {
		in                        string
		want                      Name
		tracked, volatile, evicts bool
	}{
		{"noeviction", NoEviction, false, false, false},
		{"ALLKEYS-LRU", AllKeysLRU, true, false, true},
		{"volatile-lfu", VolatileLFU, true, true, true},
		{"volatile-ttl", VolatileTTL, false, true, true},
		{"allkeys-random", AllKeysRandom, false, false, true},
		{"allkeys-adaptive", Adaptive, true, false, true},
		{" adaptive ", Default, true, false, true},
	} {
		n, err := ParseName(row.in)
		if err != nil || n != row.want {
			t.Errorf("%q is %q, %v; want %q", row.in, n, err, row.want)
		}
		if n.Tracked() != row.tracked || n.Volatile() != row.volatile || n.Evicts() != row.evicts {
			t.Errorf("%q: tracked %v, volatile %v, evicts %v", n, n.Tracked(), n.Volatile(), n.Evicts())
		}
	}
	if n, err := ParseName("mru"); err == nil {
		t.Errorf("mru is %q", n)
	}
}

func TestNewMakesEveryTrackedPolicy(t *testing.T) {
	for _, n := range Names() {
		p, err := New(n, newHeap())
		if (err == nil) != n.Tracked() {
			t.Errorf("%s: %v", n, err)
		}
		if err != nil {
			continue
		}
		if _, ok := p.(FrequencyReporter); ok != n.CountsFrequency() {
			t.Errorf("%s: reports frequencies: %v", n, ok)
		}
		if _, ok := p.(Timekeeper); ok && n.CountsFrequency() {
			t.Errorf("%s counts uses, and keeps times", n)
		}
	}
	if _, err := New("mru", newHeap()); err == nil {
		t.Error("made mru")
	}
}

func TestNodeSize(t *testing.T) {
	if s := unsafe.Sizeof(Node{}); s != 12 {
		t.Errorf("a node is %d bytes", s)
	}
}
