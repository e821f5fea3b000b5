package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
)

// NodeID names a node for ever: 40 hexadecimal digits, as in Redis Cluster. It
// is made once and kept in the node's data directory.
type NodeID string

// NewNodeID returns an id that no other node has.
func NewNodeID() NodeID {
	var b [20]byte
	rand.Read(b[:]) // never fails: crypto/rand
	return NodeID(hex.EncodeToString(b[:]))
}

// ParseNodeID checks the form of an id.
func ParseNodeID(s string) (NodeID, error) {
	if b, err := hex.DecodeString(s); err != nil || len(b) != 20 || s != strings.ToLower(s) {
		return "", fmt.Errorf("node id %q: want 40 hexadecimal digits in lower case", s)
	}
	return NodeID(s), nil
}

// Short returns the first eight digits, which tell the nodes of a cluster apart
// for people.
func (id NodeID) Short() string { return string(id[:min(8, len(id))]) }

// State says what is to become of a node. It is set by operators and by the
// node itself, never by a failure: that a node cannot be reached is no state.
type State string

// The states.
const (
	// Active nodes own partitions according to their weight.
	Active State = "active"
	// Draining nodes hand over what they own and get nothing new, but serve.
	Draining State = "draining"
	// Left nodes own nothing and have been told to go; their id never returns.
	Left State = "left"
)

// Node is what the cluster knows of a node. Addresses are «host:port», as the
// other nodes and the clients reach it; empty: the node has no such listener.
type Node struct {
	ID          NodeID `json:"id"`
	Name        string `json:"name,omitempty"` // for people; default: the host's name
	Zone        string `json:"zone,omitempty"` // copies of a partition are put into different zones
	Weight      uint32 `json:"weight"`         // share of partitions: 100 is one part; 0 owns nothing
	State       State  `json:"state"`
	Leaving     bool   `json:"leaving,omitempty"`     // a draining node that has left once it is empty
	Coordinator bool   `json:"coordinator,omitempty"` // runs a member of the configuration service

	Peer        string `json:"peer"`                   // for other nodes
	RESP        string `json:"resp,omitempty"`         // any node, any key
	RESPCluster string `json:"resp_cluster,omitempty"` // the protocol of Redis Cluster
	HTTP        string `json:"http,omitempty"`

	Version string `json:"version,omitempty"` // of larder
}

// DefaultWeight is the weight of a node that was given none.
const DefaultWeight = 100

// MaxReplicas is the most copies of a partition that are kept beside its owner's.
const MaxReplicas = 5
