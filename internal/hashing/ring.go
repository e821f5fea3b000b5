package hashing

import (
	"encoding/binary"
	"slices"

	"github.com/zeebo/xxh3"
)

// RingNode is a node as the ring knows it.
type RingNode struct {
	// ID tells nodes apart and decides their points on the ring.
	ID string
	// Zone is where the node stands; copies of a partition go to different
	// ones. Nodes without a zone share the zone «».
	Zone string
	// Weight is the node's share in proportion to the others'; a node of zero
	// gets nothing.
	Weight uint32
}

// pointsPerNode is how often the heaviest node stands on the ring. It decides
// how evenly a node takes from and gives to the others, not how much: that is
// bounded to the partition (see [Ring.Place]).
const pointsPerNode = 64

// Ring is a consistent-hash ring: nodes stand on a circle of 2^64 points, each
// as often as its weight says, and partitions between them. A partition prefers
// the nodes in the order in which they follow it clockwise.
//
// It is immutable. Nothing about it depends on the order of the nodes given.
type Ring struct {
	nodes      []RingNode // by ID, those with weight
	input      []int      // place in the caller's nodes, by place here
	place      []int      // and back, -1 for nodes without weight
	zone       []int      // number of the zone, by place
	zones      int
	partitions int
	distance   []uint64 // from partition p clockwise to node n, at p*len(nodes)+n
}

// NewRing puts nodes and partitions on a ring. It panics on two nodes with the
// same ID, which is a mistake of the caller.
func NewRing(nodes []RingNode, partitions int) *Ring {
	r := &Ring{partitions: partitions, place: make([]int, len(nodes))}
	for i := range nodes {
		r.place[i] = -1
		if nodes[i].Weight > 0 {
			r.input = append(r.input, i)
		}
	}
	slices.SortFunc(r.input, func(a, b int) int {
		switch {
		case nodes[a].ID < nodes[b].ID:
			return -1
		case nodes[a].ID > nodes[b].ID:
			return 1
		}
		return 0
	})
	numbers := make(map[string]int)
	for at, i := range r.input {
		if at > 0 && r.nodes[at-1].ID == nodes[i].ID {
			panic("hashing: node " + nodes[i].ID + " is twice on the ring")
		}
		r.place[i] = at
		r.nodes = append(r.nodes, nodes[i])
		number, known := numbers[nodes[i].Zone]
		if !known {
			number = len(numbers)
			numbers[nodes[i].Zone] = number
		}
		r.zone = append(r.zone, number)
	}
	r.zones = len(numbers)
	r.measure()
	return r
}

// measure fills in the distances: one walk around the ring for each node.
func (r *Ring) measure() {
	type place struct {
		point     uint64
		partition int
	}
	partitions := make([]place, r.partitions)
	for p := range partitions {
		partitions[p] = place{xxh3.Hash(binary.BigEndian.AppendUint32([]byte("partition "), uint32(p))), p}
	}
	slices.SortFunc(partitions, func(a, b place) int {
		switch {
		case a.point < b.point:
			return -1
		case a.point > b.point:
			return 1
		}
		return a.partition - b.partition
	})
	var heaviest uint32
	for i := range r.nodes {
		heaviest = max(heaviest, r.nodes[i].Weight)
	}
	r.distance = make([]uint64, r.partitions*len(r.nodes))
	for n := range r.nodes {
		count := max(1, int(uint64(r.nodes[n].Weight)*pointsPerNode/uint64(heaviest)))
		points := nodePoints(r.nodes[n].ID, count)
		next := 0
		for _, p := range partitions {
			for next < len(points) && points[next] < p.point {
				next++
			}
			// Past the last point the circle begins again; the difference wraps.
			r.distance[p.partition*len(r.nodes)+n] = points[next%len(points)] - p.point
		}
	}
}

// nodePoints returns where a node stands on the ring, ascending. A node that
// gets heavier keeps the points it had.
func nodePoints(id string, count int) []uint64 {
	points := make([]uint64, count)
	key := append([]byte("node "), id...)
	for i := range points {
		points[i] = xxh3.Hash(binary.BigEndian.AppendUint32(key[:len(key):len(key)], uint32(i)))
	}
	slices.Sort(points)
	return points
}

// far returns how far node n is from partition p on the ring.
func (r *Ring) far(p, n int) uint64 { return r.distance[p*len(r.nodes)+n] }
