package membership

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// presence is what a running process registers of itself.
type presence struct {
	Incarnation uint64    `json:"incarnation"`
	Since       time.Time `json:"since"`          // for people
	Settings    int64     `json:"settings"`       // revision that the process has applied
	Peer        string    `json:"peer,omitempty"` // where the process answers
}

// registry is what the configuration service says of the nodes. It belongs to
// whoever holds the member's lock.
type registry struct {
	nodes map[cluster.NodeID]known
	alive map[cluster.NodeID]lively
	dead  map[cluster.NodeID]lively // the last process of those that are not alive
}

type known struct {
	cluster.Node
	revision int64
}

type lively struct {
	presence
	since time.Duration // member time at which we learned of it
}

func newRegistry() registry {
	return registry{nodes: map[cluster.NodeID]known{}, alive: map[cluster.NodeID]lively{}, dead: map[cluster.NodeID]lively{}}
}

// applyNodes takes a delivery of the watch on nodes.
func (r *registry) applyNodes(d Delivery) error {
	if d.Resync {
		clear(r.nodes)
	}
	for _, it := range d.Items {
		var n cluster.Node
		if err := json.Unmarshal(it.Data, &n); err != nil {
			return fmt.Errorf("membership: record %s is damaged: %w", it.Key, err)
		}
		r.nodes[n.ID] = known{n, it.Revision}
	}
	for _, key := range d.Removed {
		delete(r.nodes, cluster.NodeID(strings.TrimPrefix(key, prefixNodes)))
	}
	return nil
}

// applyAlive takes a delivery of the watch on running processes and returns
// those that have come and gone.
func (r *registry) applyAlive(d Delivery, now time.Duration) (came, went []cluster.NodeID) {
	before := maps.Clone(r.alive)
	if d.Resync {
		clear(r.alive)
	}
	for _, it := range d.Items {
		var p presence
		if json.Unmarshal(it.Data, &p) != nil {
			continue // of a release that says more than we know: alive it is not
		}
		id := cluster.NodeID(strings.TrimPrefix(it.Key, prefixAlive))
		since := now
		if was, ok := before[id]; ok && was.Incarnation == p.Incarnation {
			since = was.since
		}
		r.alive[id] = lively{p, since}
	}
	for _, key := range d.Removed {
		delete(r.alive, cluster.NodeID(strings.TrimPrefix(key, prefixAlive)))
	}
	for id, l := range r.alive {
		if was, ok := before[id]; !ok || was.Incarnation != l.Incarnation {
			came = append(came, id)
		}
	}
	for id, l := range before {
		if _, ok := r.alive[id]; !ok {
			l.since = now
			r.dead[id] = l
			went = append(went, id)
		}
	}
	slices.Sort(came)
	slices.Sort(went)
	return came, went
}

// list returns the known nodes, by id.
func (r *registry) list() []cluster.Node {
	out := make([]cluster.Node, 0, len(r.nodes))
	for _, n := range r.nodes {
		out = append(out, n.Node)
	}
	slices.SortFunc(out, func(a, b cluster.Node) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return out
}
