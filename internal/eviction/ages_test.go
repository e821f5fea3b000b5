package eviction

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// checkAges compares the groups with the list.
func (p *lru) checkAges() error {
	a := &p.ages
	at := 0
	var time Time
	for r := p.list.tail; r != 0; at++ {
		if at == len(a.order) {
			return fmt.Errorf("entry %d is behind the last of %d groups", r, at)
		}
		label := a.order[at]
		g := a.groups[label]
		if at > 0 && g.time <= time || g.last != r {
			return fmt.Errorf("group %d of %d: last entry %d, want %d; time %d after %d", at, len(a.order), g.last, r, g.time, time)
		}
		time = g.time
		count := uint32(0)
		for ; r != 0 && p.entries.Node(r).Bits == label; r = p.entries.Node(r).Prev {
			count++
		}
		if count != g.count || count == 0 {
			return fmt.Errorf("group %d has %d entries, says %d", at, count, g.count)
		}
	}
	if at != len(a.order) || at+len(a.free) != ageGroups {
		return fmt.Errorf("%d groups, %d in order, %d labels free", at, len(a.order), len(a.free))
	}
	return nil
}

// Entries are used at many more times than there are groups: what is said of the
// last use is earlier than it was by a small part of the age only.
func TestAgesStayClose(t *testing.T) {
	for _, row := range []struct {
		name string
		n    int // entries
		step int // of time between uses, at most
	}{{"often", 20_000, 0}, {"seldom", 20_000, 20}, {"few", 300, 2000}} {
		t.Run(row.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(row.n)))
			e := &flatEntries{nodes: make([]Node, row.n+1)}
			p := newLRU(e)
			used := make([]Time, row.n+1)
			now := Time(1)
			for r := Ref(1); int(r) <= row.n; r++ {
				used[r] = now
				p.Add(r, 0, 1, now)
				if r%50 == 0 {
					now++
				}
			}
			for i := range 400_000 {
				// Some are used all the time, some hardly ever.
				r := Ref(rng.ExpFloat64()*float64(row.n)/12) + 1
				if int(r) > row.n {
					continue
				}
				switch {
				case row.step > 0:
					now += Time(rng.IntN(row.step))
				case i%500 == 0:
					now++
				}
				used[r] = now
				if i%100 == 0 {
					used[r] = now - min(now, Time(rng.IntN(1000)))
					p.SetLastUse(r, used[r])
				} else {
					p.Touch(r, 0, now)
				}
				if i%10_000 == 0 {
					if err := p.checkAges(); err != nil {
						t.Fatal(err)
					}
				}
			}
			worst, sum := 0.0, 0.0
			for r := Ref(1); int(r) <= row.n; r++ {
				got := p.LastUse(r)
				off := (float64(used[r]) - float64(got)) / float64(now-used[r]+2)
				worst = max(worst, off)
				sum += off
				if off < 0 {
					t.Fatalf("entry %d was used at %d, said to be %d, now %d", r, used[r], got, now)
				}
			}
			t.Logf("off by %.3f, on average %.4f; %d groups", worst, sum/float64(row.n), len(p.ages.order))
			if worst > 0.15 || sum/float64(row.n) > 0.03 {
				t.Errorf("off by up to %.2f of the age, on average %.3f", worst, sum/float64(row.n))
			}
		})
	}
}
