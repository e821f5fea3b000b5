package server

import "sync/atomic"

// CloseReason says why a connection was closed.
type CloseReason uint8

// The reasons.
const (
	open             CloseReason = iota
	ClosedByClient               // the client closed its side
	ClosedByCommand              // QUIT and the like
	ClosedByKill                 // CLIENT KILL
	ClosedByError                // the socket failed: reset, time-out of keep-alive
	ClosedProtocol               // a request could not be understood
	ClosedIdle                   // nothing heard for the idle time-out
	ClosedQueryLimit             // an incomplete request outgrew the query buffer
	ClosedOutputHard             // unread output beyond the hard limit
	ClosedOutputSoft             // unread output beyond the soft limit for too long
	ClosedShutdown               // the server stops
	ClosedFenced                 // what was held can not be told: the node is not the owner any more
	closeReasons     = iota      // how many there are
)

var reasonNames = [closeReasons]string{
	"open", "client", "command", "kill", "error", "protocol", "idle", "query_limit",
	"output_hard_limit", "output_soft_limit", "shutdown", "fenced",
}

// String returns the reason as a metric's label: client, idle, output_hard_limit ...
func (r CloseReason) String() string { return reasonNames[r] }

// counters are those of one loop, or of all connections served by goroutines.
// All only grow, but live.
type counters struct {
	live     atomic.Int64
	accepted atomic.Uint64
	closed   [closeReasons]atomic.Uint64
	bytesIn  atomic.Uint64
	bytesOut atomic.Uint64
	reads    atomic.Uint64
	writes   atomic.Uint64
	wakeups  atomic.Uint64
	parks    atomic.Uint64
	busy     atomic.Uint64
	pushes   atomic.Uint64
	gone     atomic.Uint64
	staged   atomic.Uint64
	_        [64]byte // the next loop's begin on another cache line
}

// LoopStats are the exact counts of one event loop; in mode goroutines there is
// one for all connections.
type LoopStats struct {
	Connections int64                // served now
	Accepted    uint64               // connections taken over
	Closed      [closeReasons]uint64 // connections closed, by [CloseReason]
	BytesIn     uint64               // read from sockets
	BytesOut    uint64               // written to sockets
	Reads       uint64               // system calls that read
	Writes      uint64               // system calls that wrote
	Wakeups     uint64               // times the loop had slept and was woken
	Parks       uint64               // commands that left the loop since they may wait
	ParkRefused uint64               // commands answered with -BUSY since too many wait
	ParkedGone  uint64               // clients that went away while their command waited
	Pushes      uint64               // messages pushed to clients
	Received    uint64               // large arguments read straight into engine memory
}

func (c *counters) snapshot() LoopStats {
	s := LoopStats{
		Connections: c.live.Load(),
		Accepted:    c.accepted.Load(),
		BytesIn:     c.bytesIn.Load(),
		BytesOut:    c.bytesOut.Load(),
		Reads:       c.reads.Load(),
		Writes:      c.writes.Load(),
		Wakeups:     c.wakeups.Load(),
		Parks:       c.parks.Load(),
		ParkRefused: c.busy.Load(),
		ParkedGone:  c.gone.Load(),
		Pushes:      c.pushes.Load(),
		Received:    c.staged.Load(),
	}
	for i := range s.Closed {
		s.Closed[i] = c.closed[i].Load()
	}
	return s
}

// Stats are the counts of the whole server.
type Stats struct {
	// Total is the sum over Loops.
	Total LoopStats
	Loops []LoopStats
	// Parked is the number of clients whose command waits now.
	Parked int64
	// RefusedClients counts connections refused since there were too many clients.
	RefusedClients uint64
	// RefusedDescriptors counts connections refused since the process had no
	// file descriptor left.
	RefusedDescriptors uint64
	// AcceptErrors counts other failures to accept a connection.
	AcceptErrors uint64
}

// acceptCounters are those of connections that never came to a loop.
type acceptCounters struct {
	clients, descriptors, errors atomic.Uint64
}

func (t *LoopStats) add(s LoopStats) {
	t.Connections += s.Connections
	t.Accepted += s.Accepted
	for i, n := range s.Closed {
		t.Closed[i] += n
	}
	t.BytesIn += s.BytesIn
	t.BytesOut += s.BytesOut
	t.Reads += s.Reads
	t.Writes += s.Writes
	t.Wakeups += s.Wakeups
	t.Parks += s.Parks
	t.ParkRefused += s.ParkRefused
	t.ParkedGone += s.ParkedGone
	t.Pushes += s.Pushes
	t.Received += s.Received
}
