package command

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// allowances are what identities may still send under [Limits.RequestsPerSecond].
// Safe for concurrent use.
//
// An identity is the user that has given a password, or the address that a client
// comes from when none is asked for: all clients of a machine together, and all of
// a Unix socket. In a cluster each node counts what its own clients send.
type allowances struct {
	refused atomic.Uint64 // requests

	mu     sync.Mutex
	all    map[string]*allowance // GUARDED_BY(mu)
	unused int                   // GUARDED_BY(mu): of all, at most so many have no clients
}

// allowance is a bucket that holds the requests of one second and is filled
// evenly. What is kept of it is the time at which it will be full, which takes one
// word (the generic cell rate algorithm, ITU-T I.371).
type allowance struct {
	identity string
	full     atomic.Int64 // Unix nanoseconds; earlier than now: it is full
	clients  int          // GUARDED_BY(allowances.mu)
}

// burst is what a bucket holds, as the time that it takes to fill.
const burst = int64(time.Second)

// take takes one of perSecond requests out of the bucket. Otherwise it reports
// false, and after how long there will be one.
func (a *allowance) take(perSecond int, now int64) (wait time.Duration, ok bool) {
	each := max(burst/int64(perSecond), 1)
	for {
		full := a.full.Load()
		from := max(full, now)
		if full > now+burst {
			from = now // the clock was set back
		}
		next := from + each
		if next > now+burst {
			return time.Duration(next - now - burst), false
		}
		if a.full.CompareAndSwap(full, next) {
			return 0, true
		}
	}
}

// maxUnused is how many buckets without clients are kept before they are looked
// through for those that are full.
const maxUnused = 1024

// join returns the bucket of an identity for one more client of it.
func (l *allowances) join(identity string, now int64) *allowance {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.all[identity]
	if a == nil {
		if l.all == nil {
			l.all = map[string]*allowance{}
		}
		if l.unused > maxUnused {
			l.sweep(now)
		}
		a = &allowance{identity: identity}
		l.all[identity] = a
	}
	a.clients++
	return a
}

// sweep forgets the buckets without clients that are full, as new ones are.
//
// REQUIRES: l.mu held.
func (l *allowances) sweep(now int64) {
	l.unused = 0
	for identity, a := range l.all {
		switch {
		case a.clients > 0:
		case a.full.Load() <= now:
			delete(l.all, identity)
		default:
			l.unused++
		}
	}
}

// leave is told of a client that is gone or somebody else now.
func (l *allowances) leave(a *allowance) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.clients--; a.clients == 0 {
		l.unused++
	}
}

// identity returns whose requests a client's are.
func (s *Session) identity() string {
	if s.knownUser {
		return "user " + s.User
	}
	if s.has(flagUnixSocket) {
		return "the Unix socket"
	}
	addr := s.Link.RemoteAddr()
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr
}

// leaveAllowance makes the session look for its bucket anew.
func (x *Executor) leaveAllowance(s *Session) {
	if s.allowance != nil {
		x.allowances.leave(s.allowance)
		s.allowance = nil
	}
}

// exceeds takes a request out of the bucket of the client's identity, and returns
// the error that it gets when there is none left, or "". A request that was parked
// or held comes here again, and is counted once.
//
// What tells a client from another, what keeps a connection, and what an operator
// needs to see and change the limit is never refused: see [limited].
func (x *Executor) exceeds(s *Session, cmd *Command) string {
	perSecond := x.Limits().RequestsPerSecond
	if perSecond == 0 || s.internal || s.admitted || !limited(cmd) {
		return ""
	}
	now := s.ctx.Now * int64(time.Millisecond)
	if s.allowance == nil {
		s.allowance = x.allowances.join(s.identity(), now)
	}
	wait, ok := s.allowance.take(perSecond, now)
	if ok {
		s.admitted = true
		return ""
	}
	x.allowances.refused.Add(1)
	return fmt.Sprintf("BUSY max requests per second reached: %s may send %d (limits.requests_per_second); try again in %d ms or raise the limit",
		s.allowance.identity, perSecond, (wait + time.Millisecond - 1).Milliseconds())
}

// limited reports whether a command counts as a request under the limit. AUTH,
// HELLO, QUIT, RESET and PING do not, nor do administrative commands. EXEC and
// DISCARD do not either: what a transaction consists of was counted before.
func limited(cmd *Command) bool {
	if cmd.Flags&(NoAuth|Admin) != 0 {
		return false
	}
	switch cmd.full {
	case "ping", "exec", "discard":
		return false
	}
	return true
}
