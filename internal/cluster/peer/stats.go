package peer

import (
	"errors"
	"sync/atomic"
	"time"
)

// Reason is why a connection failed, for counting.
type Reason uint8

const (
	// FailedDial: no TCP connection came about.
	FailedDial Reason = iota
	// FailedHandshake: TLS or the greeting went wrong, or took too long.
	FailedHandshake
	// FailedRefused: one of the nodes refused the other.
	FailedRefused
	// FailedLost: the connection ended or broke.
	FailedLost
	// FailedSilent: no sign of life within the heartbeat's limit, or the idle time-out.
	FailedSilent
	// FailedProtocol: the other side sent what cannot be.
	FailedProtocol
	// FailedSlow: the other side does not read its replies.
	FailedSlow
	// FailedReplaced: a newer process of the same node has connected.
	FailedReplaced

	// Reasons is the number of reasons.
	Reasons
)

// String returns the reason in a word.
func (r Reason) String() string {
	names := [Reasons]string{"dial", "handshake", "refused", "lost", "silent", "protocol", "slow", "replaced"}
	if r < Reasons {
		return names[r]
	}
	return "unknown"
}

// reasonOf sorts the error that ended a connection which was up.
func reasonOf(err error) Reason {
	switch {
	case errors.Is(err, errProtocol):
		return FailedProtocol
	case errors.Is(err, errSilent), errors.Is(err, errIdle):
		return FailedSilent
	case errors.Is(err, errSlow):
		return FailedSlow
	case errors.Is(err, errReplaced):
		return FailedReplaced
	}
	return FailedLost
}

// Traffic counts what went over connections.
type Traffic struct {
	FramesIn, FramesOut uint64 // requests, replies and heartbeats
	BytesIn, BytesOut   uint64 // as the network saw them
	Reads, Writes       uint64 // system calls that moved bytes
}

// traffic is Traffic while it grows; safe for concurrent use.
type traffic struct {
	framesIn, framesOut, bytesIn, bytesOut, reads, writes atomic.Uint64
}

func (t *traffic) snapshot() Traffic {
	return Traffic{
		FramesIn: t.framesIn.Load(), FramesOut: t.framesOut.Load(),
		BytesIn: t.bytesIn.Load(), BytesOut: t.bytesOut.Load(),
		Reads: t.reads.Load(), Writes: t.writes.Load(),
	}
}

func (t *Traffic) add(o Traffic) {
	t.FramesIn += o.FramesIn
	t.FramesOut += o.FramesOut
	t.BytesIn += o.BytesIn
	t.BytesOut += o.BytesOut
	t.Reads += o.Reads
	t.Writes += o.Writes
}

// counters are the network's own; safe for concurrent use.
type counters struct {
	connects, accepts, strangers, crowded atomic.Uint64
	failures                              [Reasons]atomic.Uint64
}

// Stats is a snapshot of a network's counters since its start.
type Stats struct {
	Links     int    // links that are kept
	LinksUp   int    // those with a connection
	Inbound   int    // accepted connections that are served
	Connects  uint64 // connections of links that came up
	Accepts   uint64 // accepted connections that came up
	Strangers uint64 // accepted connections that did not prove to be a node
	Crowded   uint64 // accepted connections closed for too many handshakes at a time
	Busy      uint64 // requests refused with ErrBusy
	Down      uint64 // requests refused with ErrUnreachable
	Lost      uint64 // requests that ended with ErrLost
	Failures  [Reasons]uint64
	Outbound  Traffic // of links
	Served    Traffic // of accepted connections
}

// LinkStats is a snapshot of one link.
type LinkStats struct {
	Node, Lane, Addr string
	Up               bool
	Outstanding      int
	OutstandingBytes int
	LastHeard        time.Time     // zero: never
	RoundTrip        time.Duration // moving average; zero: not measured yet
	Busy, Down, Lost uint64
	Traffic          Traffic
}
