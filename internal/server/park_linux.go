package server

import (
	"golang.org/x/sys/unix"

	"github.com/larder-cache/larder/internal/command"
)

// park hands a connection whose next request may wait to a goroutine, which
// executes what is buffered and brings it back. One place of the limit on
// parked commands has been taken.
//
// Who owns it: the loop until the go statement, the goroutine until it sends
// noteReturn, the loop again. Meanwhile the loop touches only what loopConn
// says; events are remembered.
func (l *loop) park(c *loopConn) { l.leave(c, c.work) }

// leave hands a connection to a goroutine that does the given work.
func (l *loop) leave(c *loopConn, work func()) {
	l.counts.parks.Add(1)
	c.flush()
	if out := &c.session.Out; out.Size() == 0 {
		l.reclaim(out.Compact(nil))
	} else {
		l.keepOutput(c)
	}
	c.away = true
	if c.hungUp {
		l.leftWhileAway(c, false)
	}
	l.all.parked.Add(1)
	go work()
}

// work executes the request that had to leave the loop and all that are
// buffered behind it.
func (c *loopConn) work() {
	defer c.loop.all.parked.Done()
	s, exec := c.session, c.srv.exec
	s.MayBlock = true
	c.wrote = 0
	buf := c.in
	args := c.parser.Moved(buf[:c.parked])
	exec.Begin(s)
	if exec.Execute(s, args) == command.Close {
		c.close(ClosedByCommand)
	}
	exec.End(s)
	c.settleLoans()
	used, why := c.parked, c.between()
	for why == running || why == spent {
		var n int
		n, why = c.execute(buf[used:], turnRequests)
		used += n
	}
	s.MayBlock = false
	c.srv.parked.Add(-1)
	c.keep(buf[used:], why)
	c.flush()
	c.loop.send(note{noteReturn, c})
}

// takeBack makes the loop the owner again. Events that came meanwhile have
// been dropped, so the connection is served in any case.
func (l *loop) takeBack(c *loopConn) {
	c.away, c.active, c.wrote = false, l.ticks, 0
	c.attend()
	l.later(c)
	l.settle(c)
}

// leftWhileAway notes that the client of a parked connection has closed its
// side, or, with surely, that nobody is there any more.
func (l *loop) leftWhileAway(c *loopConn, surely bool) {
	switch {
	case c.reported:
	case surely:
		l.interrupt(c)
	case c.leftAt == 0:
		c.leftAt = l.ticks + 1
		l.hung = append(l.hung, c)
	}
}

// interrupt ends the waiting of a parked client that is gone.
func (l *loop) interrupt(c *loopConn) {
	c.reported = true
	l.counts.gone.Add(1)
	c.mail.close(killNow, ClosedByClient)
	l.srv.exec.Interrupt(c.session)
}

// letGoIfKilled ends the waiting of a parked client that is to be closed.
func (c *loopConn) letGoIfKilled() {
	if c.mail.killed() {
		c.srv.exec.Interrupt(c.session)
		// What the command still writes goes nowhere; the client is told now.
		unix.Shutdown(c.sock, unix.SHUT_RDWR)
	}
}
