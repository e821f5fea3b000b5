package controller

import "github.com/larder-cache/larder/internal/cluster"

// Tally sums up a rebalance for people: how many of its moves are done. Every
// node can keep one, by following the views. The zero value is ready; it is a
// value, not safe for concurrent use.
type Tally struct {
	// Done counts the partitions that have arrived since the rebalance began,
	// Moving those under way, Waiting those that have not begun.
	Done, Moving, Waiting int
	// Bytes have been sent of about Total, for the moves under way.
	Bytes, Total uint64
}

// All is the number of moves, done or not. It grows when more become necessary.
func (t Tally) All() int { return t.Done + t.Moving + t.Waiting }

// Resting reports whether nothing moves or is about to.
func (t Tally) Resting() bool { return t.Moving == 0 && t.Waiting == 0 }

// After returns the tally after the view has changed from prev (nil: unknown)
// to next, when waiting moves have not begun ([Output.Remaining], or of
// [Plan] those not begun). The first move after a rest begins a new tally.
func (t Tally) After(prev, next *cluster.View, waiting int) Tally {
	moving := len(next.Moving())
	if t.Resting() && moving+waiting > 0 {
		t.Done = 0
	}
	if prev != nil {
		for p := range prev.Rows {
			to := prev.Target(p)
			if to != "" && next.Target(p) == "" && next.Owner(p) == to {
				t.Done++
			}
		}
	}
	t.Moving, t.Waiting = moving, waiting
	t.Bytes, t.Total = 0, 0
	return t
}

// Heard adds to the tally what sources report of the moves in the view.
func (t Tally) Heard(view *cluster.View, reports map[cluster.NodeID]Report) Tally {
	t.Bytes, t.Total = 0, 0
	for id, r := range reports {
		for _, l := range r.Leaving {
			if l.Partition < 0 || l.Partition >= cluster.Partitions {
				continue
			}
			if view.Owner(l.Partition) == id && view.Rows[l.Partition].Epoch == l.Epoch && view.Target(l.Partition) == l.Target {
				t.Bytes += l.Bytes
				t.Total += l.Total
			}
		}
	}
	return t
}
