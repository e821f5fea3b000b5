package command

import (
	"time"

	"github.com/larder-cache/larder/internal/resp"
)

// NewSession registers a client. The link's addresses must be known.
func (x *Executor) NewSession(link Link) *Session {
	s := &Session{Link: link, Created: time.Now(), User: defaultUser}
	s.user = defaultUser
	s.wait.init()
	s.Out.Version = resp.RESP2
	s.shared.version.Store(int32(resp.RESP2))
	s.shared.active.Store(s.Created.UnixMilli() << 1)
	s.set(flagUnixSocket, isUnix(link.RemoteAddr()))
	s.ctx = Context{Session: s, Exec: x, Cache: x.cache}
	s.local.init()
	s.Authenticated = x.Options().Password == ""
	s.gate(gateAuth, !s.Authenticated)
	x.sessions.add(s)
	x.stats.connections.Add(1)
	return s
}

// EndSession forgets a client whose connection is closed or about to be. It is
// called once, by the goroutine that executes the client's commands.
func (x *Executor) EndSession(s *Session) {
	s.Interrupt()
	x.flush(s)
	x.sessions.remove(s)
	x.pubsub.removeAll(s)
	x.tracker.stop(s)
	x.monitors.remove(x, s)
	x.discard(s)
	x.dropStage(s)
	x.leaveAllowance(s)
	s.Out.Reset()
}

// Admit is asked before a connection becomes a client. It returns the error
// line to send before closing when there are too many, "" to go on; the
// refusal is counted.
func (x *Executor) Admit() (refusal string) {
	if x.sessions.len() < x.Limits().MaxClients {
		return ""
	}
	x.stats.connections.Add(1)
	x.stats.refused.Add(1)
	return "-ERR max number of clients reached\r\n"
}
