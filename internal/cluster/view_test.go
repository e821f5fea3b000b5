package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// anyView draws a valid view.
func anyView(t *rapid.T) *View {
	var nodes []Node
	for i := range rapid.IntRange(1, 100).Draw(t, "nodes") {
		nodes = append(nodes, Node{
			ID: NodeID(fmt.Sprintf("%040x", i*7919)), Name: rapid.String().Draw(t, "name"), Weight: DefaultWeight, State: Active,
			Peer: fmt.Sprintf("10.0.0.%d:7380", i),
		})
	}
	v := NewView(nodes)
	v.Version = rapid.Uint64().Draw(t, "version")
	node := rapid.IntRange(-1, len(nodes)-1)
	changes := rapid.SliceOfN(rapid.IntRange(0, Partitions-1), 0, 20).Draw(t, "changes")
	for p := range v.Rows {
		if p > 0 && !slices.Contains(changes, p) {
			former := &v.Rows[p-1]
			v.Rows[p] = *former
			v.Rows[p].Replicas, v.Rows[p].InSync = slices.Clone(former.Replicas), slices.Clone(former.InSync)
			continue
		}
		r := Row{Owner: int16(node.Draw(t, "owner")), Target: int16(node.Draw(t, "target")), Epoch: Epoch(rapid.Uint64().Draw(t, "epoch"))}
		for i := range nodes {
			if int16(i) != r.Owner && i < 5 && rapid.Bool().Draw(t, "replica") {
				r.Replicas = append(r.Replicas, int16(i))
				if rapid.Bool().Draw(t, "in sync") {
					r.InSync = append(r.InSync, int16(i))
				}
			}
		}
		v.Rows[p] = r
	}
	return v
}

func TestViewSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyView(t)
		got, err := DecodeView(v.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(v, got) {
			t.Fatalf("got %+v, want %+v", got, v)
		}
	})
}

func TestViewOfHundredNodesIsSmall(t *testing.T) {
	var nodes []Node
	for i := range 100 {
		nodes = append(nodes, Node{
			ID: NewNodeID(), Name: fmt.Sprintf("cache-%03d.example.internal", i), Zone: "eu-west-1a", Weight: 100, State: Active,
			Peer: fmt.Sprintf("10.11.12.%d:7380", i), RESP: fmt.Sprintf("10.11.12.%d:6379", i),
			RESPCluster: fmt.Sprintf("10.11.12.%d:7379", i), HTTP: fmt.Sprintf("10.11.12.%d:8080", i), Version: "v1.2.3-45-gabcdef",
		})
	}
	v := NewView(nodes)
	for p := range v.Rows {
		v.Rows[p] = Row{Owner: int16(p * 37 % 100), Target: int16(p % 100), Epoch: Epoch(p * 1000), Replicas: []int16{int16((p*37 + 1) % 100)}}
	}
	if n := len(v.Encode()); n > 60_000 {
		t.Errorf("the view of 100 nodes takes %d bytes", n)
	}
}

func TestBrokenViewsAreRefused(t *testing.T) {
	good := NewView([]Node{{ID: NewNodeID()}}).Encode()
	if _, err := DecodeView(append([]byte{9}, good[1:]...)); !errors.Is(err, ErrViewForm) {
		t.Errorf("a newer form: %v", err)
	}
	for n := range good {
		if _, err := DecodeView(good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a view", n, len(good))
		}
	}
	if _, err := DecodeView(append(bytes.Clone(good), 0)); err == nil || !strings.Contains(err.Error(), "more than a view") {
		t.Errorf("a byte too many: %v", err)
	}
}

func FuzzDecodeView(f *testing.F) {
	v := NewView([]Node{{ID: NewNodeID()}, {ID: NewNodeID()}})
	f.Add(v.Encode())
	v.Rows[5] = Row{Owner: 0, Target: 1, Epoch: 3, Replicas: []int16{1}, InSync: []int16{1}}
	f.Add(v.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := DecodeView(b)
		if err != nil {
			return
		}
		again, err := DecodeView(v.Encode())
		if err != nil || !reflect.DeepEqual(v, again) {
			t.Fatalf("not the same after a second round: %v", err)
		}
	})
}

func TestWithNodesKeepsWhoIsMeant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyView(t)
		nodes := append(slices.Clone(v.Nodes), Node{ID: NewNodeID()}, Node{ID: NewNodeID()})
		got, err := v.WithNodes(nodes)
		if err != nil {
			t.Fatal(err)
		}
		for p := range v.Rows {
			if v.Owner(p) != got.Owner(p) || v.Target(p) != got.Target(p) || v.Rows[p].Epoch != got.Rows[p].Epoch {
				t.Fatalf("partition %d: %v %v, was %v %v", p, got.Owner(p), got.Target(p), v.Owner(p), v.Target(p))
			}
			for i, at := range v.Rows[p].Replicas {
				if !slices.Contains(got.Rows[p].Replicas, int16(got.Index(v.Nodes[at].ID))) {
					t.Fatalf("partition %d lost replica %d", p, i)
				}
			}
		}
		owned := v.Owned()
		for i := range v.Nodes {
			if owned[i] > 0 {
				if _, err := v.WithNodes(slices.Delete(slices.Clone(v.Nodes), i, i+1)); err == nil {
					t.Fatal("an owner was left out")
				}
			}
		}
	})
}

func TestRoutes(t *testing.T) {
	a, b := NodeID(strings.Repeat("a", 40)), NodeID(strings.Repeat("b", 40))
	v := NewView([]Node{{ID: b}, {ID: a}})
	v.Rows[0].Owner, v.Rows[1].Owner, v.Rows[2].Owner, v.Rows[4].Owner = 0, 1, 0, 0
	v.Rows[2].Target, v.Rows[4].Target = 0, 0
	r := NewRoutes(v, a, func(p int) bool { return p != 2 })
	for p, want := range map[int]Place{0: {0, Here}, 1: {1, There}, 2: {0, Arriving}, 3: {NoNode, Nowhere}, 4: {0, Here}} {
		if got := r.At(p); got != want {
			t.Errorf("partition %d: %v, want %v", p, got, want)
		}
	}
	if !r.IsHere(0) || r.IsHere(1) || r.IsHere(2) || r.IsHere(3) {
		t.Error("IsHere disagrees with At")
	}
}

// Routes have the same ways when nothing is elsewhere, and what the node has of
// others' partitions is not less.
func TestSameWays(t *testing.T) {
	a, b := NodeID(strings.Repeat("a", 40)), NodeID(strings.Repeat("b", 40))
	v := NewView([]Node{{ID: a}, {ID: b}})
	for p := range v.Rows {
		v.Rows[p].Owner, v.Rows[p].Epoch = int16(p%2), 1
	}
	v.Rows[1].Replicas, v.Rows[1].InSync = []int16{0}, []int16{0}
	ready := func(int) bool { return true }
	before := NewRoutes(v, a, ready)
	for _, c := range []struct {
		name   string
		change func(*View)
		same   bool
	}{
		{"nothing", func(*View) {}, true},
		{"a learner elsewhere", func(v *View) { v.Rows[0].Replicas = []int16{1} }, true},
		{"a copy in sync elsewhere", func(v *View) { v.Rows[0].Replicas, v.Rows[0].InSync = []int16{1}, []int16{1} }, true},
		{"a copy in sync here", func(v *View) { v.Rows[3].Replicas, v.Rows[3].InSync = []int16{0}, []int16{0} }, true},
		{"no copy here any more", func(v *View) { v.Rows[1].InSync = nil }, false},
		{"another owner", func(v *View) { v.Rows[0].Owner = 1 }, false},
		{"another epoch", func(v *View) { v.Rows[0].Epoch = 2 }, false},
		{"a target", func(v *View) { v.Rows[0].Target = 1 }, false},
		{"another address", func(v *View) { v.Nodes[1].Peer = "b:1" }, false},
	} {
		next := v.Clone()
		c.change(next)
		next.Version++
		if got := before.SameWays(NewRoutes(next, a, ready)); got != c.same {
			t.Errorf("%s: %v, want %v", c.name, got, c.same)
		}
	}
	if before.SameWays(NewRoutes(v, a, func(p int) bool { return p != 0 })) {
		t.Error("a partition that is not ready any more has the same way")
	}
}

func TestParseNodeID(t *testing.T) {
	id := NewNodeID()
	if got, err := ParseNodeID(string(id)); err != nil || got != id {
		t.Errorf("%s: %v %v", id, got, err)
	}
	for _, bad := range []string{"", "abc", strings.Repeat("G", 40), strings.Repeat("A", 40), strings.Repeat("a", 41)} {
		if _, err := ParseNodeID(bad); err == nil {
			t.Errorf("%q was taken for a node id", bad)
		}
	}
}
