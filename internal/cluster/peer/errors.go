package peer

import "errors"

var (
	// ErrBusy says that a link has as many requests or bytes outstanding as it
	// may. The request was not sent; the caller answers its client with an error
	// or tries later.
	ErrBusy = errors.New("peer: link is full")

	// ErrUnreachable says that there is no connection. The request was not sent
	// and can be sent elsewhere or again.
	ErrUnreachable = errors.New("peer: node is unreachable")

	// ErrLost says that the connection broke between request and reply: the
	// request may have been executed, or not.
	ErrLost = errors.New("peer: connection lost before the reply")

	// ErrTooLarge says that a frame would be longer than [Config].MaxFrame.
	ErrTooLarge = errors.New("peer: frame is too large")

	// ErrClosed says that the network or the link was closed by its owner.
	ErrClosed = errors.New("peer: closed")
)

// Causes of the end of a connection; they are counted by [Reason].
var (
	errProtocol = errors.New("peer: the other side does not keep to the protocol")
	errSilent   = errors.New("peer: nothing heard and no answer to a heartbeat")
	errSlow     = errors.New("peer: the other side does not read its replies")
	errIdle     = errors.New("peer: nothing heard for the idle time-out")
	errReplaced = errors.New("peer: a newer process of this node has connected")
	errStranger = errors.New("peer: not a node of a cluster")
	errIdentity = errors.New("peer: certificate names nobody")
)

// Refusal says why a node does not speak with another.
type Refusal uint8

const (
	// RefusedCluster: the nodes belong to different clusters.
	RefusedCluster Refusal = 1 + iota
	// RefusedSelf: the node has connected to itself, or shares its id with another.
	RefusedSelf
	// RefusedVersion: no version of the protocol is spoken by both.
	RefusedVersion
	// RefusedIdentity: the certificate names another node than the greeting, or
	// another node answers than was called.
	RefusedIdentity
	// RefusedIncarnation: a newer process with the same node id is connected.
	RefusedIncarnation
	// RefusedLane: the handler opens no session for this lane.
	RefusedLane
	// RefusedClosing: the node is shutting down.
	RefusedClosing
)

// String returns the reason in a word.
func (r Refusal) String() string {
	names := [...]string{"", "cluster", "self", "version", "identity", "incarnation", "lane", "closing"}
	if int(r) < len(names) && r > 0 {
		return names[r]
	}
	return "unknown"
}

// RefusedError is the failure of a connection that one of the two nodes refused.
type RefusedError struct {
	Code   Refusal
	Reason string // in words, for the log of an operator
	Remote bool   // the other node refused
}

func (e *RefusedError) Error() string {
	if e.Remote {
		return "peer: refused by the other node: " + e.Reason
	}
	return "peer: refused: " + e.Reason
}
