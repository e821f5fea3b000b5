package replication

import (
	"slices"
	"strings"
	"time"
)

// InSync returns how many nodes have to acknowledge what is written to a
// partition, and are given it: one whose stream has broken does not count, though
// it holds replies back until the view is without it.
func (l *Logs) InSync(partition int) (n int) {
	g := l.list[partition].Load()
	if g == nil {
		return 0
	}
	for _, c := range *g.required.Load() {
		if c.State() != Ended {
			n++
		}
	}
	return n
}

// Offset returns how many effects the partitions of this node have had, under
// former owners as well.
func (l *Logs) Offset() (sum uint64) {
	for p := range l.list {
		if g := l.list[p].Load(); g != nil {
			sum += g.Seq()
		}
	}
	return sum
}

// ReplicaStats is what a node has of the partitions of this one.
type ReplicaStats struct {
	Node     string        // as [SenderConfig] has it
	Copies   int           // partitions of which it has, or is getting, a copy
	InSync   int           // of them those whose acknowledgement is required
	Broken   int           // of the required ones those that have no stream
	Unacked  uint64        // bytes under way to it
	Lag      time.Duration // since something is not acknowledged; see [Logs.Lag]
	Scanning int           // copies that have not caught up
}

// Stats returns those of all nodes, by name. It looks at every partition.
func (l *Logs) Stats() []ReplicaStats {
	byNode := map[string]*ReplicaStats{}
	of := func(c *Copy) *ReplicaStats {
		n := byNode[c.Node()]
		if n == nil {
			n = &ReplicaStats{Node: c.Node()}
			byNode[c.Node()] = n
		}
		return n
	}
	now := l.now()
	for p := range l.list {
		g := l.list[p].Load()
		if g == nil {
			continue
		}
		for _, c := range *g.required.Load() {
			n := of(c)
			n.InSync++
			n.Lag = max(n.Lag, c.lag(now))
			if c.State() == Ended {
				n.Broken++
			}
		}
		for _, c := range g.attached() {
			n := of(c)
			n.Copies++
			if c.State() < CaughtUp {
				n.Scanning++
			}
			if c.sender != nil {
				n.Unacked = c.sender.unacked()
			}
		}
	}
	list := make([]ReplicaStats, 0, len(byNode))
	for _, n := range byNode {
		list = append(list, *n)
	}
	slices.SortFunc(list, func(a, b ReplicaStats) int { return strings.Compare(a.Node, b.Node) })
	return list
}

// attached returns the copies that are given effects.
func (g *Log) attached() []*Copy {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.copies)
}

// unacked returns the bytes that are queued or under way, digests that nothing
// follows not counted.
func (s *Sender) unacked() uint64 {
	end := s.out.urgentEnd()
	return end - min(end, s.ackedTo.Load())
}

// Written are writes of which is asked how many copies have them. The zero value
// is none. It belongs to one goroutine.
type Written struct {
	marks  []mark
	ranges []int // of each partition where its marks end
}

// Mark adds what has been written to a partition so far.
func (l *Logs) Mark(w *Written, partition int) {
	if g := l.list[partition].Load(); g != nil {
		for _, c := range *g.required.Load() {
			w.marks = append(w.marks, mark{g, c, c.last.Load()})
		}
	}
	w.ranges = append(w.ranges, len(w.marks))
}

// Copies returns how many copies have all of it: those of the partition that has
// the fewest. Without any partition it is zero.
func (w *Written) Copies() int {
	fewest := -1
	from := 0
	for _, to := range w.ranges {
		n := 0
		for _, m := range w.marks[from:to] {
			if m.copy.ackedTo() >= m.at {
				n++
			}
		}
		if from = to; fewest < 0 || n < fewest {
			fewest = n
		}
	}
	return max(0, fewest)
}
