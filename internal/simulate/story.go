package simulate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
)

// Tell runs a story: lines of commands, each beginning with «> ». It returns
// them with what each of them led to in between; other lines are left out, so
// that a transcript can be told again. Lines with # are kept.
//
//	copies 1           before all else: every partition has one copy
//	nodes 3            three nodes, n1 to n3, begin together
//	join               one more begins
//	crash n2           the process dies, with all it had
//	start n2           a new one begins in its place
//	drain n2           it is to be emptied, and goes then
//	aside n2           its process is to own nothing that another one has in sync
//	accept             an operator accepts the loss of what nobody has any more
//	hang n2 3s         it stands still for so long
//	cut n1->n3         messages that way are lost; n1-n3: both ways; «store» is a place
//	heal               all messages pass again
//	store away         the store does not answer; store back
//	load 5s            requests to all nodes for that long, beside what follows
//	run 5s             time passes
//	rest               time passes until the cluster is at rest
//	show               who has what
func Tell(story string) (transcript string, err error) {
	t := &teller{w: newWorld(Config{Seed: 1, Nodes: 1, Settings: storySettings()})}
	t.w.said = func(e controller.Event) { t.events = append(t.events, e) }
	for number, line := range strings.Split(story, "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
			t.out.WriteString(line + "\n")
		case strings.HasPrefix(line, "> "):
			t.out.WriteString(line + "\n")
			if err := t.do(strings.Fields(line[2:])); err != nil {
				return t.out.String(), fmt.Errorf("line %d: %q: %w", number+1, line, err)
			}
			t.tell()
			if t.w.err != nil {
				return t.out.String(), fmt.Errorf("line %d: %w", number+1, t.w.err)
			}
		}
	}
	return t.out.String(), nil
}

func storySettings() controller.Settings {
	s := controller.DefaultSettings()
	s.RebalanceDelay = 5 * time.Second
	return s
}

// teller is a story in progress.
type teller struct {
	w      *World
	out    strings.Builder
	events []controller.Event
}

func (t *teller) do(words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("no command")
	}
	argument := strings.Join(words[1:], " ")
	switch words[0] {
	case "nodes", "copies":
		count, err := strconv.Atoi(argument)
		if err != nil {
			return err
		}
		if words[0] == "copies" {
			return t.keep(count)
		}
		t.w.cfg.Nodes = count
		for range count {
			t.w.add()
		}
	case "join":
		t.w.add()
	case "crash", "start", "drain", "aside":
		return t.process(words[0], argument)
	case "accept":
		t.w.healed = true
	case "hang":
		return t.hang(words[1:])
	case "cut":
		return t.cut(argument)
	case "heal":
		t.w.net.heal()
	case "store":
		t.w.store.setAway(argument == "away")
	case "load", "run":
		d, err := time.ParseDuration(argument)
		if err != nil {
			return err
		}
		if words[0] == "load" {
			t.w.load(t.w.now + d)
		} else {
			t.w.run(d)
		}
	case "rest":
		began := t.w.now
		t.w.reach("this")
		fmt.Fprintf(&t.out, "at rest after %v\n", (t.w.now - began).Round(100*time.Millisecond))
	case "show":
		t.show()
	default:
		return fmt.Errorf("nobody knows this command")
	}
	return nil
}

// keep has the cluster keep copies.
func (t *teller) keep(copies int) error {
	if len(t.w.nodes) > 0 {
		return fmt.Errorf("there are nodes already")
	}
	cfg := t.w.cfg
	cfg.Replicas = copies
	said := t.w.said
	t.w = newWorld(cfg)
	t.w.said = said
	return nil
}

func (t *teller) hang(words []string) error {
	if len(words) != 2 {
		return fmt.Errorf("want a node and for how long")
	}
	n, err := t.find(words[0])
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(words[1])
	if err == nil {
		n.pausedUntil = t.w.now + d
	}
	return err
}

// find returns a node by its name.
func (t *teller) find(name string) (*node, error) {
	for _, n := range t.w.nodes {
		if n.name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("there is no %q", name)
}

func (t *teller) process(what, name string) error {
	n, err := t.find(name)
	if err != nil {
		return err
	}
	switch {
	case what == "drain":
		t.w.store.change(n.id, func(n *cluster.Node) { n.State = cluster.Draining })
	case what == "aside" && n.up && n.copies != nil:
		t.w.replicas.aside[n.id] = controller.Aside{Incarnation: n.incarnation, By: "alice"}
		for _, other := range t.w.nodes {
			other.awake(other.lead.soon)
		}
	case what == "crash" && n.up:
		n.crash()
	case what == "start" && !n.up:
		n.start()
	default:
		return fmt.Errorf("it is so already")
	}
	return nil
}

func (t *teller) cut(between string) error {
	names, both := strings.Split(between, "->"), false
	if len(names) != 2 {
		names, both = strings.Split(between, "-"), true
	}
	if len(names) != 2 {
		return fmt.Errorf("want n1->n2 or n1-n2")
	}
	var places [2]int
	for i, name := range names {
		places[i] = storePlace
		if name != "store" {
			n, err := t.find(name)
			if err != nil {
				return err
			}
			places[i] = n.place
		}
	}
	t.w.net.cut(places[0], places[1])
	if both {
		t.w.net.cut(places[1], places[0])
	}
	return nil
}

// tell writes what has happened since the last command: events of one kind
// between the same nodes as one.
func (t *teller) tell() {
	type kind struct {
		kind     controller.EventKind
		from, to cluster.NodeID
		why      string
	}
	var order []kind
	all := make(map[kind]controller.Event)
	for _, e := range t.events {
		k := kind{e.Kind, e.From, e.To, e.Why}
		sum, known := all[k]
		if !known {
			order = append(order, k)
		}
		partitions := append(sum.Partitions, e.Partitions...)
		sum = e
		sum.Partitions = partitions
		all[k] = sum
	}
	t.events = nil
	for _, k := range order {
		e := all[k]
		t.out.WriteString(shortly(e, t.w.name) + "\n")
	}
}

// shortly returns an event in words, with partitions counted when they are many.
func shortly(e controller.Event, name func(cluster.NodeID) string) string {
	text := e.Words(name)
	if n := len(e.Partitions); n > 2 {
		text = strings.Replace(text, "partitions "+controller.Ranges(e.Partitions)+fmt.Sprintf(" (%d)", n), fmt.Sprint(n, " partitions"), 1)
	}
	return text
}

// show writes who has what.
func (t *teller) show() {
	w := t.w
	v := w.store.view
	if v == nil {
		t.out.WriteString("there is no view\n")
		return
	}
	leader := "nobody"
	if w.store.leader != storePlace {
		leader = w.nodes[w.store.leader].name
	}
	fmt.Fprintf(&t.out, "%.1fs, view %d, controller %s, %d moving\n", w.now.Seconds(), v.Version, leader, len(v.Moving()))
	owned := v.Owned()
	for _, n := range w.nodes {
		at := v.Index(n.id)
		if at == cluster.NoNode {
			fmt.Fprintf(&t.out, "  %-4s is not in the view\n", n.name)
			continue
		}
		serving, copies := n.count(v)
		state := string(v.Nodes[at].State)
		if !n.up {
			state = "dead"
		}
		fmt.Fprintf(&t.out, "  %-4s %-8s owns %4d, serves %4d, ", n.name, state, owned[at], serving)
		if w.cfg.Replicas > 0 {
			fmt.Fprintf(&t.out, "in sync with %4d, ", copies)
		}
		fmt.Fprintf(&t.out, "follows view %d\n", n.version())
	}
	if r := w.requests; r.Sent > 0 {
		fmt.Fprintf(&t.out, "  requests: %d sent, %d executed (%d, %d, %d, %d by hops), %d refused\n",
			r.Sent, r.Executed, r.ByHops[0], r.ByHops[1], r.ByHops[2], r.ByHops[3], r.Refused)
	}
}

// count returns how many partitions the process of a node serves, and of how many of
// other nodes the view has it in sync.
func (n *node) count(v *cluster.View) (serving, copies int) {
	at := int16(v.Index(n.id))
	for p := range n.parts {
		if n.up && (n.parts[p].serving > 0 || n.copies != nil && n.copies.parts[p].serving > 0) {
			serving++
		}
		if slices.Contains(v.Rows[p].InSync, at) {
			copies++
		}
	}
	return serving, copies
}
