package controller

import (
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/cluster"
)

func TestCheckRefuses(t *testing.T) {
	const a, b, c = 0, 1, 2
	nodes := []cluster.Node{
		{ID: id("a"), State: cluster.Active}, {ID: id("b"), State: cluster.Active},
		{ID: id("c"), State: cluster.Draining}, {ID: id("d"), State: cluster.Left},
	}
	row := func(owner, target int16, epoch cluster.Epoch, replicas, inSync []int16) cluster.Row {
		return cluster.Row{Owner: owner, Target: target, Epoch: epoch, Replicas: replicas, InSync: inSync}
	}
	const none = cluster.NoNode
	for _, x := range []struct {
		name     string
		was, is  cluster.Row
		complain string // empty: it is right
	}{
		{"at rest", row(a, none, 7, nil, nil), row(a, none, 7, nil, nil), ""},
		{"a move begins", row(a, none, 7, nil, nil), row(a, b, 7, nil, nil), ""},
		{"swap", row(a, b, 7, nil, nil), row(b, b, 8, nil, nil), ""},
		{"arrival", row(b, b, 8, nil, nil), row(b, none, 8, nil, nil), ""},
		{"given up", row(a, b, 7, nil, nil), row(a, none, 8, nil, nil), ""},
		{"lost", row(a, none, 7, nil, nil), row(b, none, 8, nil, nil), ""},
		{"lost in the middle of a move", row(a, c, 7, nil, nil), row(b, none, 8, nil, nil), ""},
		{"inherited", row(a, b, 7, nil, nil), row(b, none, 8, nil, nil), ""},
		{"returned", row(b, b, 8, nil, nil), row(a, none, 9, nil, nil), ""},
		{"taken away", row(a, none, 7, nil, nil), row(none, none, 8, nil, nil), "given to nobody"},
		{"owner without epoch", row(a, none, 7, nil, nil), row(b, none, 7, nil, nil), "epoch 7, after 7"},
		{"owner with a leap", row(a, none, 7, nil, nil), row(b, none, 9, nil, nil), "epoch 9, after 7"},
		{"epoch without owner", row(a, none, 7, nil, nil), row(a, none, 8, nil, nil), "without a reason"},
		{"epoch falls", row(a, none, 7, nil, nil), row(a, none, 6, nil, nil), "without a reason"},
		{"given up in silence", row(a, b, 7, nil, nil), row(a, none, 7, nil, nil), "given up at epoch 7"},
		{"another target", row(a, b, 7, nil, nil), row(a, c, 7, nil, nil), "became one to"},
		{"another owner, same target", row(a, b, 7, nil, nil), row(c, b, 8, nil, nil), "change at once"},
		{"owner and target", row(a, none, 7, nil, nil), row(b, b, 8, nil, nil), "change at once"},
		{"to itself", row(a, none, 7, nil, nil), row(a, a, 7, nil, nil), "its own owner"},
		{"to one that is drained", row(a, none, 7, nil, nil), row(a, c, 7, nil, nil), "is draining"},
		{"to nowhere", row(a, none, 7, nil, nil), row(a, 9, 7, nil, nil), "not in the view"},
		{"replica of itself", row(a, none, 7, nil, nil), row(a, none, 7, []int16{a}, nil), "replicas"},
		{"in sync without a copy", row(a, none, 7, nil, nil), row(a, none, 7, []int16{b}, []int16{c}), "in sync"},
		{"a learner", row(a, none, 7, nil, nil), row(a, none, 7, []int16{b}, nil), ""},
		{"in sync", row(a, none, 7, []int16{b}, nil), row(a, none, 7, []int16{b}, []int16{b}), ""},
		{"in sync at once", row(a, none, 7, nil, nil), row(a, none, 7, []int16{b}, []int16{b}), "without having been a learner"},
		{"two learners", row(a, none, 7, nil, nil), row(a, none, 7, []int16{b, c}, nil), "2 learners at once"},
		{"promoted", row(a, none, 7, []int16{b, c}, []int16{b, c}), row(b, none, 8, []int16{c}, []int16{c}), ""},
		{"promoted, and the former owner is in sync", row(a, none, 7, []int16{b}, []int16{b}), row(b, none, 8, []int16{a}, []int16{a}), "not in sync with the former"},
		{"a learner promoted", row(a, none, 7, []int16{b, c}, []int16{c}), row(b, none, 8, []int16{c}, []int16{c}), "was not in sync, follows"},
		{"a learner in sync by promotion", row(a, none, 7, []int16{b, c}, []int16{b}), row(b, none, 8, []int16{c}, []int16{c}), "not in sync with the former"},
		{"a learner added by promotion", row(a, none, 7, []int16{b}, []int16{b}), row(b, none, 8, []int16{c}, nil), "in the view of another owner"},
		{"loss accepted", row(a, none, 7, []int16{b}, []int16{b}), row(c, none, 8, nil, nil), ""},
		{"swap to one in sync", row(a, none, 7, []int16{b, c}, []int16{b, c}), row(b, b, 8, []int16{a, c}, []int16{a, c}), ""},
		{"swap to a learner", row(a, none, 7, []int16{b}, nil), row(b, b, 8, []int16{a}, []int16{a}), "change at once"},
		{"promised and left", row(a, none, 7, []int16{b}, []int16{b}), row(a, none, 8, nil, nil), ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			prev := cluster.NewView(nodes)
			prev.Rows[3] = x.was
			next := prev.Clone()
			next.Version++
			next.Rows[3] = x.is
			err := Check(prev, next)
			if x.complain == "" && err != nil || x.complain != "" && (err == nil || !strings.Contains(err.Error(), x.complain)) {
				t.Errorf("got %v, want %q", err, x.complain)
			}
		})
	}
	prev := cluster.NewView(nodes)
	if err := Check(prev, prev.Clone()); err == nil {
		t.Error("the same version twice")
	}
	next := prev.Clone()
	next.Version++
	next.Nodes[3].State = cluster.Active
	if err := Check(prev, next); err == nil {
		t.Error("a node came back that had left")
	}
	next = prev.Clone()
	next.Version++
	next.Nodes[0], next.Nodes[1] = next.Nodes[1], next.Nodes[0]
	if err := Check(prev, next); err == nil {
		t.Error("nodes out of order")
	}
}

func TestWishesOfTwoOperators(t *testing.T) {
	w := newWorld(t)
	w.join("a", "b", "c")
	w.decide()
	w.node("c").State = cluster.Draining
	w.decide()
	p := 0
	for w.in.View.Owner(p) != id("a") {
		p++
	}
	standing := Wishes{Paused: true, PausedBy: "alice", Pins: map[int]Pin{p: {id("b"), "alice"}}}
	for _, x := range []struct {
		name string
		r    Request
		note string
		err  string
	}{
		{"paused twice", Request{Kind: Pause, By: "bob"}, "paused already, by alice", ""},
		{"resumed by another", Request{Kind: Resume, By: "bob"}, "", "paused by alice"},
		{"resumed by force", Request{Kind: Resume, By: "bob", Force: true}, "", ""},
		{"resumed", Request{Kind: Resume, By: "alice"}, "", ""},
		{"same move", Request{Kind: Move, By: "bob", Partitions: []int{p}, Node: id("b")}, "already, by alice", ""},
		{"contrary move", Request{Kind: Move, By: "bob", Partitions: []int{p}, Node: id("a")}, "", "was sent to bbbbbbbb by alice"},
		{"contrary move by force", Request{Kind: Move, By: "bob", Partitions: []int{p}, Node: id("a"), Force: true}, "there already", ""},
		{"own mind changed", Request{Kind: Move, By: "alice", Partitions: []int{p}, Node: id("a")}, "", ""},
		{"no such node", Request{Kind: Move, By: "bob", Partitions: []int{p}, Node: id("e")}, "", "there is no node"},
		{"draining node", Request{Kind: Move, By: "bob", Partitions: []int{p}, Node: id("c")}, "", "is draining"},
		{"no such partition", Request{Kind: Move, By: "bob", Partitions: []int{1024}, Node: id("b")}, "", "from 0 to 1023"},
		{"nothing", Request{Kind: Move, By: "bob", Node: id("b")}, "", "no partition"},
		{"released by another", Request{Kind: Release, By: "bob"}, "", "by alice"},
		{"released", Request{Kind: Release, By: "alice", Partitions: []int{p, p + 1}}, "ring's already", ""},
		{"nonsense", Request{Kind: "dance", By: "bob"}, "", "dance"},
	} {
		t.Run(x.name, func(t *testing.T) {
			next, notes, err := standing.With(x.r, w.in.View)
			if x.err == "" && err != nil || x.err != "" && (err == nil || !strings.Contains(err.Error(), x.err)) {
				t.Fatalf("got %v, want %q", err, x.err)
			}
			if all := strings.Join(notes, "\n"); !strings.Contains(all, x.note) {
				t.Errorf("notes %q, want %q", all, x.note)
			}
			if standing.Pins[p].Node != id("b") {
				t.Error("the standing wishes were changed")
			}
			_ = next
		})
	}
}

func TestRanges(t *testing.T) {
	if got := Ranges([]int{1, 2, 3, 7, 9, 10}); got != "1-3, 7, 9-10" {
		t.Error(got)
	}
}
