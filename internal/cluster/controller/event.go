package controller

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/larder-cache/larder/internal/cluster"
)

// EventKind says what an event is about.
type EventKind string

// The kinds of events.
const (
	Joined    EventKind = "joined"    // a node is in the view
	Changed   EventKind = "changed"   // a node has another state, address, weight ...
	Gone      EventKind = "gone"      // a node is no longer in the view
	Assigned  EventKind = "assigned"  // partitions have got their first owner
	Begun     EventKind = "begun"     // partitions begin to move
	Swapped   EventKind = "swapped"   // partitions have their new owner, who waits for the last writes
	Arrival   EventKind = "arrived"   // the new owner serves
	Bereft    EventKind = "bereft"    // the new owner serves without a handover: the former one is dead
	Returned  EventKind = "returned"  // the new owner died before it served; the former one has them again
	GivenUp   EventKind = "given up"  // partitions stay where they are
	Inherited EventKind = "inherited" // the owner died, one who had it all follows
	Lost      EventKind = "lost"      // the owner died with the entries; another one begins with none
	Promoted  EventKind = "promoted"  // the owner died, a copy in sync follows
	Relieved  EventKind = "relieved"  // the new owner serves without a handover: it has every acknowledged write
	Learning  EventKind = "learning"  // a node is being sent a copy
	Synced    EventKind = "synced"    // a copy has every acknowledged write
	Unsynced  EventKind = "unsynced"  // a copy has failed, or its node is dead
	Dropped   EventKind = "dropped"   // a copy is not needed any more
)

// Event tells people about a change.
type Event struct {
	Kind       EventKind
	Partitions []int // ascending; none when it is about a node
	From, To   cluster.NodeID
	Why        string
}

// happening is what becomes an event together with others of its kind.
type happening struct {
	kind      EventKind
	partition int // -1: none
	from, to  cluster.NodeID
	why       string
}

// isUrgent reports whether somebody may wait for what has happened: all but the
// steps of moves and copies that go as planned.
func (h happening) isUrgent() bool {
	switch h.kind {
	case Begun, Swapped, Arrival, Learning, Synced, Dropped:
		return false
	}
	return true
}

func (d *draft) note(h happening) { d.happened = append(d.happened, h) }

// told gathers what happened.
func (d *draft) told() (events []Event) {
	at := make(map[happening]int)
	for _, h := range d.happened {
		p := h.partition
		h.partition = 0
		i, ok := at[h]
		if !ok {
			i = len(events)
			at[h] = i
			events = append(events, Event{Kind: h.kind, From: h.from, To: h.to, Why: h.why})
		}
		if p >= 0 {
			events[i].Partitions = append(events[i].Partitions, p)
		}
	}
	return events
}

// String returns the event in words, such as «partitions 12-14: a1b2c3d4 ->
// 99887766 begin».
func (e Event) String() string { return e.Words(cluster.NodeID.Short) }

// Words is String with nodes named as the caller likes.
func (e Event) Words(name func(cluster.NodeID) string) string {
	from, to := name(e.From), name(e.To)
	switch e.Kind {
	case Joined:
		return "node " + to + " joins"
	case Gone:
		return "node " + to + " is gone"
	case Changed:
		return "node " + to + " " + e.Why
	}
	verb := func(one, more string) string {
		if len(e.Partitions) == 1 {
			return one
		}
		return more
	}
	what := verb("partition ", "partitions ") + Ranges(e.Partitions)
	if n := len(e.Partitions); n > 2 {
		what += fmt.Sprintf(" (%d)", n)
	}
	what += ": "
	switch e.Kind {
	case Assigned:
		return what + "first owner is " + to
	case Begun:
		return what + from + " -> " + to + verb(" begins", " begin")
	case Swapped:
		return what + from + " -> " + to + verb(" has caught up: swap", " have caught up: swap")
	case Arrival:
		return what + to + " serves"
	case Bereft:
		return what + to + " serves without the last writes: nobody has them any more"
	case Returned:
		return what + from + " died before it served: back to " + to
	case GivenUp:
		return what + from + " -> " + to + " given up: " + e.Why
	case Inherited:
		return what + from + " died, " + to + " had caught up and follows"
	case Lost:
		return what + "lost with " + from + ", " + to + verb(" begins empty", " begin empty")
	}
	return what + e.ofCopies(from, to)
}

func (e Event) ofCopies(from, to string) string {
	switch e.Kind {
	case Promoted:
		return from + " died, " + to + " has all that was acknowledged and follows"
	case Relieved:
		return to + " has all that was acknowledged and serves without a handover"
	case Learning:
		return from + " sends a copy to " + to
	case Synced:
		return "the copy on " + to + " is in sync"
	case Unsynced:
		return "the copy on " + to + " is given up: " + e.Why
	case Dropped:
		return "the copy on " + to + " is not needed any more"
	}
	return string(e.Kind)
}

// Ranges writes ascending numbers shortly: «1-3, 7».
func Ranges(list []int) string {
	var b strings.Builder
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(list[i]))
		if j > i {
			b.WriteString("-" + strconv.Itoa(list[j]))
		}
		i = j + 1
	}
	return b.String()
}
