package server

import (
	"errors"
	"sync/atomic"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/resp"
)

// Sizes that shape a turn, which is the work done for one connection before
// another one is looked at.
const (
	// turnBytes is the most that one turn reads: the size of a loop's buffer.
	turnBytes = 64 << 10
	// turnRequests is the most that one turn executes: some 100 us of work.
	turnRequests = 1024
	// flushBytes is the output from which on a turn writes before its end.
	flushBytes = 256 << 10
	// maxAttached is the output, in bytes of values that are pinned in the engine,
	// from which on a client has to read before its next request is executed.
	// Copied replies do not count: a client may send a pipeline of any length
	// before it reads, as with Redis, within its output limit.
	maxAttached = 32 << 20
	// keptInput is the room for input, in bytes, that a connection keeps while
	// it is at work. An idle one keeps none.
	keptInput = 16 << 10
)

// conn is what a connection is, whoever serves it. It belongs to one goroutine
// at a time, its owner; mail, peer and sizes are for others as well.
//
// It implements [command.Link].
type conn struct {
	srv     *Server
	line    line
	session *command.Session
	parser  *resp.Parser
	counts  *counters
	peer    ends

	in     []byte // input not executed yet, in memory of its own
	intake intake // the large argument being received
	large  bool   // the last request had one
	parked int    // bytes of the request that has asked to be parked
	// heldBytes are those of the request at the start of in when it has been
	// parsed already, and was held.
	heldBytes int
	ready     bool // a whole request may be at the start of in

	limits  *command.Limits // those the parser was given
	trusted bool            // the parser has the limits of an authenticated client

	// Large arguments of the request under construction, or at work, that have
	// arrived.
	lent      [][]byte // those in pooled memory
	lentBytes int      // their length
	staged    bool     // one is in memory of the engine, which has room for one
	holds     bool     // any of the above

	end  CloseReason // not open: no further request; to be closed when output is sent
	drop bool        // with end: what has not been sent is dropped

	softSince int64 // when the output passed the soft limit, Unix ms; 0: it is below

	// known is session for other goroutines. The executor may make the client
	// known to them before NewSession has returned: nil until then.
	known atomic.Pointer[command.Session]
	mail  mailbox
	sizes struct {
		query, free, output atomic.Int64
	}
}

// line is what the common part of a connection needs of the part that knows
// the socket.
type line interface {
	// wake makes the owner look into the mailbox. Called from any goroutine.
	wake()
	// flush sends what the socket takes at once. Called by the owner.
	flush()
	// pending returns the bytes of output that are not sent yet. Called by the owner.
	pending() int
	// attached returns how much of that are values pinned in the engine.
	attached() int
	// tired tells whether so much has been sent that it is the turn of others.
	tired() bool
	// fd returns the number of the socket.
	fd() int
}

func (c *conn) init(srv *Server, l line, counts *counters, p ends) {
	c.srv, c.line, c.counts, c.peer = srv, l, counts, p
	c.parser = resp.NewParser(resp.Unauthenticated)
	c.session = srv.exec.NewSession(c)
	c.known.Store(c.session)
	c.learnLimits()
}

// learnLimits gives the parser the limits that the client deserves.
func (c *conn) learnLimits() {
	c.limits = c.srv.exec.Limits()
	if c.trusted = c.session.Authenticated; c.trusted {
		c.parser.SetLimits(resp.Limits{MaxBulk: c.limits.MaxValue})
	} else {
		c.parser.SetLimits(resp.Unauthenticated)
	}
}

// stop says why the execution of requests has stopped.
type stop uint8

const (
	running stop = iota // it has not
	starved             // the next request has not arrived whole
	spent               // the turn's share of work is used up
	choked              // the client has to read first
	held                // replies of other nodes have to come first
	parks               // the next request may wait
	ended               // the connection is to be closed
)

// execute runs the requests in buf, at most share of them, and returns the
// bytes they had. After parks those of the request that parks follow.
func (c *conn) execute(buf []byte, share int) (used int, why stop) {
	exec := c.srv.exec
	if c.limits != exec.Limits() {
		c.learnLimits()
	}
	if !c.begin() {
		return 0, held
	}
	ahead := lookahead{exec: c.srv.keys}
	for range share {
		ahead.look(c.session, buf, used)
		args, n, err := c.next(buf[used:])
		if err != nil {
			why = c.refuse(err)
			exec.End(c.session)
			return used, why
		}
		if len(args) == 0 {
			used += n
			continue
		}
		switch exec.Execute(c.session, args) {
		case command.Hold:
			return used, c.hold(n)
		case command.Park:
			if c.session.InFlight() > 0 {
				c.session.HoldAll()
				return used, c.hold(n)
			}
			if c.mayPark() {
				c.parked = n
				exec.End(c.session)
				return used, parks
			}
		case command.Close:
			c.close(ClosedByCommand)
		}
		used += n
		if c.end != open || c.holds || c.mail.waiting.Load() ||
			c.session.Authenticated != c.trusted || c.session.Out.Size() >= flushBytes {
			if c.holds {
				exec.End(c.session) // which still reads the arguments
				c.settleLoans()
				if !c.begin() {
					if c.end != open {
						return used, ended
					}
					return used, held
				}
			}
			if why = c.between(); why != running {
				exec.End(c.session)
				return used, why
			}
		}
	}
	exec.End(c.session)
	return used, spent
}

// begin begins a batch. It reports false, having ended it, when the table of
// routes is another one than that by which requests are still under way, which
// have to be done before anything else is executed, or when too much is held.
func (c *conn) begin() bool {
	c.srv.exec.Begin(c.session)
	behind := c.session.IsBehind()
	if !behind && !c.session.IsFull() {
		return true
	}
	c.srv.exec.End(c.session)
	if behind {
		c.session.HoldAll()
	}
	return false
}

// next returns the first request in buf: the one that was held before, or else
// one that has to be parsed.
func (c *conn) next(buf []byte) (args [][]byte, n int, err error) {
	if n = c.heldBytes; n > 0 {
		c.heldBytes = 0
		return c.parser.Moved(buf[:n]), n, nil
	}
	return c.parser.Next(buf)
}

// hold ends a batch whose next request, of n bytes, has been parsed but has to
// wait for replies of other nodes.
func (c *conn) hold(n int) stop {
	c.heldBytes = n
	c.srv.exec.End(c.session)
	return held
}

// between does what is due between two requests. It returns running to go on.
func (c *conn) between() stop {
	c.attend()
	if c.end != open {
		return ended
	}
	if c.session.Authenticated != c.trusted {
		c.learnLimits()
	}
	if c.session.Out.Size() >= flushBytes {
		if c.session.IsUnacknowledged() {
			return spent // what there is has to wait, but not inside of a batch
		}
		c.line.flush()
		c.judgeOutput()
		if c.end != open {
			return ended
		}
		if c.line.attached() >= maxAttached {
			return choked
		}
		if c.line.tired() {
			return spent
		}
	}
	return running
}

// refuse handles an error of the parser.
func (c *conn) refuse(err error) stop {
	if errors.Is(err, resp.ErrIncomplete) {
		return starved
	}
	c.session.Out.Error("ERR " + err.Error())
	c.close(ClosedProtocol)
	return ended
}

// mayPark takes one of the places for commands that wait. When there is none
// the request is answered with an error.
func (c *conn) mayPark() bool {
	if c.srv.parked.Add(1) <= int64(c.srv.cfg.MaxParked) {
		return true
	}
	c.srv.parked.Add(-1)
	c.counts.busy.Add(1)
	c.session.Out.Error("BUSY too many clients are waiting for their commands, try again later")
	return false
}

// keep stores input that has not been executed. When it ends in the middle of
// a large argument that argument gets a place of its own.
func (c *conn) keep(rest []byte, why stop) {
	c.ready = why == spent || why == choked || why == held
	if why == ended {
		c.in = nil
		return
	}
	if why == starved {
		rest = c.receive(rest)
	}
	switch {
	case len(rest) == 0 && cap(c.in) > keptInput:
		c.in = nil
	case cap(c.in) > keptInput && cap(c.in) > 4*len(rest):
		c.in = append(make([]byte, 0, len(rest)), rest...)
	default: // rest may alias c.in
		c.in = append(c.in[:0], rest...)
	}
	c.measureInput()
}

// measureInput tells others how much input there is and enforces its limit.
func (c *conn) measureInput() {
	n := len(c.in) + c.intake.got + c.lentBytes
	if n == 0 && c.sizes.query.Load() == 0 {
		return
	}
	c.sizes.query.Store(int64(n))
	c.sizes.free.Store(int64(cap(c.in) - len(c.in)))
	if limit := c.limits.QueryBuffer; limit > 0 && n > limit {
		c.cut(ClosedQueryLimit)
	}
}

// judgeOutput enforces the limits of output that the client has not read, and
// tells others how much there is.
func (c *conn) judgeOutput() {
	n := c.line.pending()
	if n == 0 {
		if c.sizes.output.Load() != 0 {
			c.sizes.output.Store(0)
			c.softSince = 0
		}
		return
	}
	c.sizes.output.Store(int64(n))
	limit := c.limits.Output[c.session.Class()]
	if limit.Hard > 0 && n > limit.Hard {
		c.cut(ClosedOutputHard)
		return
	}
	switch now := c.srv.now(); {
	case limit.Soft == 0 || n <= limit.Soft:
		c.softSince = 0
	case c.softSince == 0:
		c.softSince = now
	case now-c.softSince >= limit.SoftFor.Milliseconds():
		c.cut(ClosedOutputSoft)
	}
}

// attend delivers the mail: messages become output, a kill ends the connection.
func (c *conn) attend() {
	if !c.mail.waiting.Load() {
		return
	}
	pushed, kill, reason := c.mail.take()
	c.session.Out.Raw(pushed)
	c.mail.giveBack(pushed)
	switch kill {
	case killAfterReply:
		c.close(reason)
	case killNow:
		c.cut(reason)
	}
}

// close ends the connection once its output has been sent. When it is to be
// killed, whatever else has ended it is a consequence of that.
func (c *conn) close(reason CloseReason) {
	if c.end != open {
		return
	}
	if killed := c.mail.why(); killed != open {
		reason = killed
	}
	c.end = reason
}

// cut ends the connection without sending what is left. Limits that were hit
// are logged.
func (c *conn) cut(reason CloseReason) {
	if c.drop {
		return
	}
	c.close(reason)
	c.drop = true
	switch reason {
	case ClosedQueryLimit, ClosedOutputHard, ClosedOutputSoft:
		c.srv.log.Warn("client closed: limit exceeded", "limit", reason.String(), "client", c.peer.remote(),
			"class", c.session.Class().String(), "query", len(c.in)+c.intake.got+c.lentBytes, "output", c.line.pending())
	}
}

// mayGoOn tells whether a request that has arrived may be executed: the client
// has read enough, and no reply of another node has to come first.
func (c *conn) mayGoOn() bool { return c.line.attached() < maxAttached && !c.session.Holding() }

// idle tells whether nothing of the client is under way.
func (c *conn) idle() bool {
	return len(c.in) == 0 && !c.intake.active() && c.session.InFlight() == 0 && c.line.pending() == 0 && !c.mail.waiting.Load()
}

// release gives back everything. The connection is of no use afterwards.
//
// REQUIRES: called once, by the owner.
func (c *conn) release() {
	c.mail.shut()
	c.srv.exec.EndSession(c.session)
	c.settleLoans()
	c.intake.abandon(&c.srv.pool)
	c.in = nil
	c.counts.closed[c.end].Add(1)
	c.counts.live.Add(-1)
}
