package server

import (
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/replication"
)

// Executor is what the server needs of the commands. Begin, Execute and End of
// one session are called by one goroutine at a time; the other methods are safe
// for concurrent use. See [command.Executor] for what each does.
type Executor interface {
	// Admit returns the error line for a client that is too many, "" to go on.
	Admit() (refusal string)
	NewSession(link command.Link) *command.Session
	EndSession(s *command.Session)

	Begin(s *command.Session)
	Execute(s *command.Session, args [][]byte) command.Outcome
	End(s *command.Session)

	// Receive returns memory for an argument of n bytes that has not arrived
	// yet, given those before it; nil when it has no place of its own. It stays
	// the executor's, also when the request is never completed.
	Receive(s *command.Session, before [][]byte, n int) []byte
	// Interrupt ends the waiting of a client that is gone.
	Interrupt(s *command.Session)
	// Limits returns the limits in force; they are not modified.
	Limits() *command.Limits
}

// Forwarder is an [Executor] that has other nodes execute requests whose replies
// come later. See [command.Executor] for what each method does.
type Forwarder interface {
	// Arrived takes a reply, or the error that came instead.
	Arrived(s *command.Session, tag uint64, data []byte, release func(), err error)
	// Repair tries again what has failed and may be tried again, and waits.
	Repair(s *command.Session)
	// GiveUp answers what has failed with errors.
	GiveUp(s *command.Session)
}

// Holder is an [Executor] that holds replies back until they may be told. See
// [command.Executor] for what each method does.
type Holder interface {
	// WakeOnAcknowledged has w told when LetGo may have something to do.
	WakeOnAcknowledged(w replication.Waker) (stop func())
	// LetGo lets replies go that may be told by now; false when some never may.
	LetGo(s *command.Session) bool
	// AwaitAcknowledged waits until all may be told; false when some never may.
	AwaitAcknowledged(s *command.Session) bool
	// BeginTurn and EndTurn enclose what an event loop executes before it looks for
	// events again: what copies have to get of it leaves at the end.
	BeginTurn()
	EndTurn()
}

// Commands makes an [Executor] of the command package's.
type Commands struct {
	*command.Executor
	// Redirects tells that the clients speak the protocol of Redis Cluster; see
	// [command.Session]. Default: they do not.
	Redirects bool
}

// NewSession implements [Executor].
func (c Commands) NewSession(link command.Link) *command.Session {
	s := c.Executor.NewSession(link)
	s.Redirects = c.Redirects
	return s
}

// Receive implements [Executor].
func (c Commands) Receive(s *command.Session, before [][]byte, n int) []byte {
	if staged := c.Stage(s, before, n); staged != nil {
		return staged.Bytes()
	}
	return nil
}

// Interrupt implements [Executor].
func (Commands) Interrupt(s *command.Session) { s.Interrupt() }
