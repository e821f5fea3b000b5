package simulate

import "time"

// network carries messages between places: a node's place is its number, the
// store's is storePlace. A message arrives once, late, or never; two messages
// may overtake each other.
type network struct {
	w     *World
	cuts  map[[2]int]bool // from, to
	loss  float64
	delay time.Duration // added to every message, at random up to this
	bytes uint64        // of what was sent between nodes and store for control
}

const storePlace = -1

// shortest is how long a message takes at least.
const shortest = 200 * time.Microsecond

// send brings a message of so many bytes to another place, where deliver runs.
func (n *network) send(from, to, bytes int, deliver func()) {
	n.bytes += uint64(bytes)
	if n.cuts[[2]int{from, to}] || n.loss > 0 && n.w.rng.Float64() < n.loss {
		return
	}
	d := shortest + time.Duration(n.w.rng.ExpFloat64()*float64(300*time.Microsecond))
	if n.delay > 0 {
		d += time.Duration(n.w.rng.Int64N(int64(n.delay)))
	}
	n.w.after(d, func() {
		switch {
		case n.cuts[[2]int{from, to}]:
		case to == storePlace:
			deliver()
		default:
			n.w.nodes[to].awake(deliver)
		}
	})
}

// cut stops all messages from one place to another.
func (n *network) cut(from, to int) { n.cuts[[2]int{from, to}] = true }

// join lets them pass again.
func (n *network) join(from, to int) { delete(n.cuts, [2]int{from, to}) }

// heal takes all faults away.
func (n *network) heal() {
	clear(n.cuts)
	n.loss, n.delay = 0, 0
}
