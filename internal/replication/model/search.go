package model

import (
	"fmt"
	"strings"
)

// Scope bounds a search.
type Scope struct {
	// Writes, Crashes, Breaks (of streams), Views and Epochs are how many there
	// are at most.
	Writes, Crashes, Breaks, Views, Epochs uint8
	// Both: two copies are in sync at the beginning, not one.
	Both bool
	// Swaps: owners change by plan, too.
	Swaps bool
}

// Fault is a rule that is left out.
type Fault int

// The rules.
const (
	None                Fault = iota
	PromiseDoesNotFence       // who has promised still answers the former owner, and counts its wait from the promise
	NoOffer                   // a learner is reported without its acknowledgements being required
	OfferWithoutAck           // one is reported before it has what was executed when they began to be
	OldReport                 // a report counts in another view
	BeginInSync               // a broken stream to one in sync begins its copy anew
	ResumeLearner             // a learner with as many effects is taken to have the same
	StreamDoesNotFence        // the stream of a former owner goes on beside that of the owner
	LeaseNotWaited            // who is promoted serves at once
	NoLease                   // owners answer reads without having been heard
	EmptyIsWhole              // who has begun anew may follow
	LearnerFollows            // who is not in sync may
	OneOfMany                 // one acknowledgement of two will do
	EmptyOwnerServes          // an owner that has begun anew, without copies, serves
)

// Found is what a search comes to.
type Found struct {
	// States were seen. Cut: there are more.
	States int
	Cut    bool
	// Wrong is what must hold and does not, empty when all is well, and Path how
	// it came to that, a shortest one.
	Wrong string
	Path  []string
}

// search is a search under way.
type search struct {
	scope Scope
	fault Fault
}

// Search looks at all states within a scope, those that take the fewest steps
// first, until something is wrong or limit states were seen.
func Search(scope Scope, fault Fault, limit int) Found {
	m := &search{scope: scope, fault: fault}
	first := begin(scope.Both)
	m.settle(&first)
	type origin struct {
		parent int32
		i, k   int8
		name   string
	}
	seen := map[state]struct{}{first: {}}
	queue := []state{first}
	origins := []origin{{parent: -1}}
	path := func(at int) (lines []string) {
		for ; at > 0; at = int(origins[at].parent) {
			lines = append([]string{tell(origins[at].name, int(origins[at].i), int(origins[at].k))}, lines...)
		}
		return lines
	}
	for at := 0; at < len(queue); at++ {
		s := queue[at]
		queue[at] = state{}
		for _, next := range m.steps(&s) {
			if _, known := seen[next.then]; known {
				continue
			}
			seen[next.then] = struct{}{}
			queue = append(queue, next.then)
			origins = append(origins, origin{int32(at), int8(next.i), int8(next.k), next.name})
			if wrong := next.then.wrong(); wrong != "" {
				return Found{len(seen), true, wrong, path(len(queue) - 1)}
			}
		}
		if len(seen) >= limit {
			return Found{States: len(seen), Cut: true}
		}
	}
	return Found{States: len(seen)}
}

func tell(name string, i, k int) string {
	who := "the controller"
	if i >= 0 {
		who = fmt.Sprint("n", i)
	}
	switch {
	case strings.HasPrefix(name, "learns") || strings.HasPrefix(name, "promises"):
		return fmt.Sprintf("%s %s %d", who, name, k)
	case k >= 0:
		return fmt.Sprintf("%s %s n%d", who, name, k)
	case strings.HasPrefix(name, "adds"), strings.HasPrefix(name, "removes"), strings.HasPrefix(name, "has"),
		strings.HasPrefix(name, "swaps"), strings.HasPrefix(name, "relieves"), strings.HasPrefix(name, "sees"):
		return fmt.Sprintf("the controller %s n%d", name, i)
	}
	return who + " " + name
}

// wrong says which invariant does not hold.
func (s *state) wrong() string {
	if s.stale {
		return "a read has missed a write that was acknowledged or read before"
	}
	r := s.view()
	all := s.acked | s.seen
	if at := int(r.owner); s.nodes[at].active && s.nodes[at].begun == r.epoch {
		for k := range nodes {
			if n := &s.nodes[k]; s.streams[at][k].taken && n.whole && !n.data.prefixes(s.nodes[at].data) {
				return fmt.Sprintf("n%d takes what n%d sends and has another history", k, at)
			}
		}
	}
	living, held := false, false
	for i := range nodes {
		n := &s.nodes[i]
		owner := r.owner == int8(i)
		if !owner && r.inSync&bit(i) == 0 {
			continue
		}
		has := n.whole && all&^n.data.set() == 0
		held = held || has
		living = living || s.lost&bit(i) == 0
		if !owner && n.whole && !has {
			return fmt.Sprintf("n%d may follow and misses an acknowledged write", i)
		}
	}
	if living && !held {
		return "nobody has all acknowledged writes, although one that had is alive"
	}
	return ""
}
