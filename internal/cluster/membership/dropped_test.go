package membership

import (
	"fmt"
	"testing"

	"github.com/larder-cache/larder/internal/hashing"
)

// TestDroppedBeforeItReturns: a partition that comes back while what the node had of it
// is still being dropped loses nothing of what comes.
func TestDroppedBeforeItReturns(t *testing.T) {
	w := newWorld(t)
	a, b := w.start(1, 1), w.start(2, 1)
	v := w.settled(2)
	p := hashing.PartitionOf([]byte("{x}"))
	if v.Owner(p) == b.id {
		a, b = b, a
	}
	put := func(name string, count int) {
		for i := range count {
			h := b.store.Lock(0, fmt.Appendf(nil, "{x}%s%d", name, i), b.store.Now())
			h.Set([]byte("x"), 0)
			h.Release()
		}
	}
	put("old", 100_000)
	self := int16(v.Index(b.id))
	back := v.Clone()
	back.Rows[p].Target = self
	b.member.has.set(p, complete)
	b.member.forget(p, &v.Rows[p], self)
	if !b.member.takes(back, p, a.id) {
		t.Fatal("what comes back is refused")
	}
	put("new", 100)
	b.member.Applied()
	b.member.awaitDropped(p)
	if n := b.store.PartitionLen(0, p); n != 100 {
		t.Errorf("%d entries are there, want the 100 new ones", n)
	}
	b.stop()
	a.stop()
}
