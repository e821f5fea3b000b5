package hashing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fleet returns n nodes of equal weight in the given number of zones.
func fleet(n, zones int) []RingNode {
	var nodes []RingNode
	for i := range n {
		nodes = append(nodes, RingNode{ID: fmt.Sprintf("node-%03d", i), Zone: fmt.Sprint("zone-", i%zones), Weight: 100})
	}
	return nodes
}

// changes counts partitions whose owner differs, and copies that are on a node
// that had none.
func changes(before, after [][]int) (owners, copies int) {
	for p := range after {
		if before[p][0] != after[p][0] {
			owners++
		}
		for _, n := range after[p] {
			if !slices.Contains(before[p], n) {
				copies++
			}
		}
	}
	return owners, copies
}

// imbalance returns the largest load in parts of the share, of owners and of
// copies; the share of copies is what zones permit.
func imbalance(nodes []RingNode, placed [][]int) (owners, copies float64) {
	ring := NewRing(nodes, len(placed))
	own, all := counts(nodes, placed)
	for at, b := range ring.ownerBounds() {
		owners = max(owners, float64(own[ring.input[at]])/b.share)
	}
	for at, b := range ring.copyBounds(len(placed[0])) {
		copies = max(copies, float64(all[ring.input[at]])/b.share)
	}
	return owners, copies
}

func counts(nodes []RingNode, placed [][]int) (own, all []int) {
	own, all = make([]int, len(nodes)), make([]int, len(nodes))
	for _, list := range placed {
		for i, n := range list {
			all[n]++
			if i == 0 {
				own[n]++
			}
		}
	}
	return own, all
}

// gone returns what was placed as it looks without the last node.
func gone(placed [][]int, last int) [][]int {
	out := make([][]int, len(placed))
	for p := range placed {
		out[p] = slices.Clone(placed[p])
		for i := range out[p] {
			if out[p][i] == last {
				out[p][i] = -1
			}
		}
	}
	return out
}

// TestPlacementTable prints what the design promises: load at most 1.1 times
// the mean, and at most 1.1 times the least possible moves.
func TestPlacementTable(t *testing.T) {
	for _, replicas := range []int{0, 1, 2} {
		t.Logf("%d replicas, 3 zones; owners / copies", replicas)
		t.Logf("%5s  %-13s  %-19s  %-19s  %9s  %9s", "nodes", "imbalance", "join: moved/least", "leave: moved/least", "first", "join")
		for _, n := range []int{3, 4, 5, 6, 8, 10, 16, 25, 32, 50, 64, 100} {
			nodes := fleet(n+1, 3)
			began := time.Now()
			first := NewRing(nodes[:n], Partitions).Place(nil, replicas)
			took := time.Since(began)
			began = time.Now()
			joined := NewRing(nodes, Partitions).Place(first, replicas)
			tookJoin := time.Since(began)
			left := NewRing(nodes[:n], Partitions).Place(gone(joined, n), replicas)

			own, all := counts(nodes, joined)
			leastOwn, leastAll := float64(Partitions)/float64(n+1), float64(all[n])
			joinOwn, joinAll := changes(first, joined)
			leaveOwn, leaveAll := changes(joined, left)
			ratio := func(moved int, least float64) float64 { return float64(moved) / least }
			ownImbalance, allImbalance := imbalance(nodes[:n], first)
			ownAfter, allAfter := imbalance(nodes[:n], left)
			t.Logf("%5d  %.3f / %.3f  %4d %.3f / %.3f  %4d %.3f / %.3f  %9v  %9v", n,
				max(ownImbalance, ownAfter), max(allImbalance, allAfter),
				joinOwn, ratio(joinOwn, leastOwn), ratio(joinAll, leastAll),
				leaveOwn, ratio(leaveOwn, float64(own[n])), ratio(leaveAll, float64(all[n])),
				took.Round(10*time.Microsecond), tookJoin.Round(10*time.Microsecond))
			if x := max(ownImbalance, ownAfter); x > 1.1 {
				t.Errorf("%d nodes: an owner has %.3f of its share", n, x)
			}
			if x := max(allImbalance, allAfter); x > 1.1 {
				t.Errorf("%d nodes: a node has %.3f of its share of copies", n, x)
			}
			for what, x := range map[string]float64{
				"owners at join": ratio(joinOwn, leastOwn), "copies at join": ratio(joinAll, leastAll),
				"owners at leave": ratio(leaveOwn, float64(own[n])), "copies at leave": ratio(leaveAll, float64(all[n])),
			} {
				if x > 1.1 {
					t.Errorf("%d nodes, %d replicas, %s: moved %.3f of the least possible", n, replicas, what, x)
				}
			}
		}
	}
}

// anyNodes draws nodes of the weights 50, 100 and 200 in one to four zones.
func anyNodes(t *rapid.T, most int) []RingNode {
	zones := rapid.IntRange(1, 4).Draw(t, "zones")
	var nodes []RingNode
	for i := range rapid.IntRange(1, most).Draw(t, "nodes") {
		nodes = append(nodes, RingNode{
			ID:     fmt.Sprintf("%08x", rapid.Uint32().Draw(t, "id")) + fmt.Sprint(i),
			Zone:   fmt.Sprint(rapid.IntRange(1, zones).Draw(t, "zone")),
			Weight: rapid.SampledFrom([]uint32{50, 100, 200}).Draw(t, "weight"),
		})
	}
	return nodes
}

// judge checks what every placement has to keep.
func judge(t *rapid.T, nodes []RingNode, placed [][]int, replicas int) {
	t.Helper()
	ring := NewRing(nodes, len(placed))
	copies := min(1+replicas, len(ring.nodes))
	for p, list := range placed {
		zones := map[string]bool{}
		for i, n := range list {
			zones[nodes[n].Zone] = true
			if slices.Contains(list[:i], n) {
				t.Fatalf("partition %d is twice on a node: %v", p, list)
			}
		}
		if len(list) != copies {
			t.Fatalf("partition %d has %d copies, want %d", p, len(list), copies)
		}
		if want := min(copies, ring.zones); len(zones) != want {
			t.Fatalf("partition %d is in %d zones, want %d: %v", p, len(zones), want, list)
		}
	}
	own, all := counts(nodes, placed)
	for what, c := range map[string]struct {
		bounds []bounds
		count  []int
	}{"owns": {ring.ownerBounds(), own}, "holds": {ring.copyBounds(copies), all}} {
		for at, b := range c.bounds {
			if n := c.count[ring.input[at]]; n < b.low || n > b.high {
				t.Fatalf("node %d of %d %s %d, its share is %.2f", at, len(nodes), what, n, b.share)
			}
		}
	}
}

func TestPlacementKeepsItsRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, replicas := anyNodes(t, 30), rapid.IntRange(0, 3).Draw(t, "replicas")
		placed := Place(nodes, Partitions, replicas)
		judge(t, nodes, placed, replicas)
		if again := NewRing(nodes, Partitions).Place(placed, replicas); !equal(placed, again) {
			t.Fatal("a placement is moved by placing it again")
		}
	})
}

func TestPlacementIsIndependentOfOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, replicas := anyNodes(t, 12), rapid.IntRange(0, 2).Draw(t, "replicas")
		if len(nodes) < 2 {
			return
		}
		before := NewRing(nodes[:len(nodes)-1], Partitions).Place(nil, replicas)
		want := NewRing(nodes, Partitions).Place(before, replicas)

		order := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)).Perm(len(nodes))
		shuffled, place := make([]RingNode, len(nodes)), make([]int, len(nodes))
		for i, at := range order {
			shuffled[at], place[i] = nodes[i], at
		}
		rename := func(placed [][]int) [][]int {
			out := make([][]int, len(placed))
			for p := range placed {
				for _, n := range placed[p] {
					out[p] = append(out[p], place[n])
				}
			}
			return out
		}
		if got := NewRing(shuffled, Partitions).Place(rename(before), replicas); !equal(rename(want), got) {
			t.Fatal("the order of the nodes decides about the placement")
		}
	})
}

func equal(a, b [][]int) bool { return slices.EqualFunc(a, b, slices.Equal) }

// TestPlacementFollowsNodes lets nodes leave, return and change weight, and
// checks the rules and the number of moves at each step.
func TestPlacementFollowsNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, replicas := anyNodes(t, 16), rapid.IntRange(0, 2).Draw(t, "replicas")
		weights := make([]uint32, len(nodes))
		for i := range nodes {
			weights[i] = nodes[i].Weight
		}
		placed := Place(nodes, Partitions, replicas)
		for range 6 {
			at := rapid.IntRange(0, len(nodes)-1).Draw(t, "who")
			switch {
			case nodes[at].Weight == 0:
				nodes[at].Weight = weights[at]
			case present(nodes) > 1:
				nodes[at].Weight = 0
			}
			next := NewRing(nodes, Partitions).Place(placed, replicas)
			judge(t, nodes, next, replicas)
			own, _ := counts(nodes, placed)
			least, bounds, ring := 0, NewRing(nodes, Partitions).ownerBounds(), NewRing(nodes, Partitions)
			surplus, need := 0, 0
			for i := range nodes {
				if place := ring.place[i]; place < 0 {
					surplus += own[i]
				} else {
					surplus += max(0, own[i]-bounds[place].high)
					need += max(0, bounds[place].low-own[i])
				}
			}
			least = max(surplus, need)
			if moved, _ := changes(placed, next); moved != least {
				t.Fatalf("%d owners changed, %d had to", moved, least)
			}
			placed = next
		}
	})
}

func present(nodes []RingNode) (n int) {
	for i := range nodes {
		if nodes[i].Weight > 0 {
			n++
		}
	}
	return n
}

// TestReturningNodeGetsMostOfItBack shows what the ring is for: a node that
// leaves and returns owns mostly what it owned.
func TestReturningNodeGetsMostOfItBack(t *testing.T) {
	for _, n := range []int{3, 5, 10, 25, 100} {
		nodes := fleet(n, 1)
		first := Place(nodes, Partitions, 1)
		without := NewRing(nodes[:n-1], Partitions).Place(gone(first, n-1), 1)
		back := NewRing(nodes, Partitions).Place(without, 1)
		had, same := 0, 0
		for p := range first {
			if first[p][0] == n-1 {
				had++
				if back[p][0] == n-1 {
					same++
				}
			}
		}
		t.Logf("%3d nodes: %d of %d returned", n, same, had)
		if same*2 < had {
			t.Errorf("%d nodes: only %d of %d partitions came back", n, same, had)
		}
	}
}

func TestPlacementOfFewAndOdd(t *testing.T) {
	if got := Place(nil, 4, 1); len(got) != 4 || got[0] != nil {
		t.Errorf("without nodes: %v", got)
	}
	if got := Place([]RingNode{{ID: "a"}}, 4, 1); got[3] != nil {
		t.Errorf("without weight: %v", got)
	}
	got := NewRing([]RingNode{{ID: "a", Weight: 1}, {ID: "b"}}, 4).Place([][]int{{1, 0}, {-1}, {0, 1, 1}}, 2)
	if want := [][]int{{0}, {0}, {0}, {0}}; !equal(got, want) {
		t.Errorf("one node: %v", got)
	}
	lopsided := []RingNode{{ID: "a", Weight: 4_000_000_000}, {ID: "b", Weight: 1}, {ID: "c", Weight: 1}}
	own, all := counts(lopsided, Place(lopsided, Partitions, 1))
	if own[0] != Partitions || all[1] != Partitions/2 {
		t.Errorf("very different weights: %v %v", own, all)
	}
	defer func() {
		if recover() == nil {
			t.Error("two nodes of one name were taken")
		}
	}()
	NewRing([]RingNode{{ID: "a", Weight: 1}, {ID: "a", Weight: 1}}, 4)
}
