package membership

import (
	"sync"

	"github.com/larder-cache/larder/internal/cluster"
)

// holding is what this process has of a partition.
type holding uint8

const (
	// nothing: the engine holds no entry of the partition that counts.
	nothing holding = iota
	// incoming: a copy is arriving, in any state.
	incoming
	// complete: this process has been the owner, or has been handed over to.
	complete
)

// holdings is what this process has of every partition. Unlike the view it dies
// with the process: a node that starts again has nothing, whatever it owned.
// Safe for concurrent use.
type holdings struct {
	mu   sync.Mutex
	what [cluster.Partitions]holding       // GUARDED_BY(mu), as the next
	upTo [cluster.Partitions]cluster.Epoch // epoch that the copy was handed over for
}

func (h *holdings) get(p int) holding {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.what[p]
}

func (h *holdings) set(p int, what holding) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.what[p] = what
}

// handedOver notes that a copy is complete for an epoch.
func (h *holdings) handedOver(p int, epoch cluster.Epoch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.what[p], h.upTo[p] = complete, max(h.upTo[p], epoch)
}

// arrived reports whether a partition has been handed over for an epoch.
func (h *holdings) arrived(p int, epoch cluster.Epoch) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.what[p] == complete && h.upTo[p] >= epoch
}
