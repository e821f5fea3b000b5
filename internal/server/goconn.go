package server

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/larder-cache/larder/internal/command"
)

// goConn is a connection with a goroutine of its own, which reads, executes
// and writes, and may wait in a command. What the socket does not take at once
// is left to a backlog with a goroutine, so that a client may go on sending
// before it reads.
//
// The mailbox's owner may be blocked in a read: it is woken by a deadline in
// the past.
type goConn struct {
	conn
	nc      net.Conn
	raw     syscall.RawConn // nil: output goes through nc alone
	number  int
	heard   int64  // when something was read or sent last, Server.now; only with an idle time-out
	buf     []byte // read into
	filled  bool   // the last read filled it
	backlog backlog

	sendTo func(fd uintptr) bool // sendOn, made once
	chunk  [1][]byte             // for sendOn
	sent   error                 // of sendOn

	expired  bool        // the deadline has struck and must be set anew
	deadline bool        // one is set
	last     bool        // draining was noticed before the last read
	poked    atomic.Bool // somebody has set the deadline to the past
	draining atomic.Bool

	// busy is when the batch at work began, Server.now; 0 between batches.
	busy     atomic.Int64
	reported atomic.Bool // the session has been interrupted since the client left
}

// past is a deadline that has struck.
var past = time.Unix(1, 0)

// Sizes of the buffer a goConn reads into.
const (
	goBufMin = 4 << 10
	goBufMax = turnBytes
)

func newGoConn(b *goroutines, nc net.Conn) *goConn {
	c := &goConn{nc: nc, buf: make([]byte, goBufMin), number: -1}
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			c.raw = raw
			raw.Control(func(fd uintptr) { c.number = int(fd) })
		}
	}
	c.sendTo = c.sendOn
	c.backlog.init(c)
	c.init(b.srv, c, &b.counts, peerOf(nc))
	c.session.MayBlock = true
	c.session.AnswerTo(nil, 0, int(c.session.ID))
	c.heard = b.srv.now()
	setKeepAlive(nc, c.limits.KeepAlive)
	return c
}

// wake implements [line].
func (c *goConn) wake() {
	c.poked.Store(true)
	c.nc.SetReadDeadline(past)
	c.backlog.signal()
	if s := c.known.Load(); s != nil && c.mail.killed() {
		c.srv.exec.Interrupt(s)
		c.backlog.stop()
	}
}

// fd implements [line].
func (c *goConn) fd() int { return c.number }

// pending implements [line].
func (c *goConn) pending() int { return c.session.Out.Size() + c.backlog.size() }

// tired implements [line]: nobody else waits for this goroutine.
func (c *goConn) tired() bool { return false }

// flush implements [line].
func (c *goConn) flush() {
	out := &c.session.Out
	if out.Size() == 0 || c.drop {
		return
	}
	if c.raw != nil && c.backlog.size() == 0 {
		if err := c.send(); err != nil {
			c.cut(ClosedByError)
			return
		}
	}
	if out.Size() > 0 {
		c.backlog.add(out)
	}
	if c.backlog.failed() {
		c.cut(ClosedByError)
	}
}

// send writes what the socket takes at once.
func (c *goConn) send() error {
	c.sent = nil
	if err := c.raw.Write(c.sendTo); err != nil {
		return err
	}
	if c.sent == syscall.EAGAIN {
		return nil
	}
	return c.sent
}

// sendOn is what send has the runtime do with the descriptor. It is always
// done: waiting is the backlog's.
func (c *goConn) sendOn(fd uintptr) bool {
	for out := &c.session.Out; out.Ready() && c.sent == nil; {
		var n int
		c.counts.writes.Add(1)
		n, c.sent = writeOnce(fd, out.Chunks(c.chunk[:0], 1)[0])
		if n > 0 {
			c.counts.bytesOut.Add(uint64(n))
			out.Sent(n)
			if c.limits.IdleTimeout > 0 {
				c.heard = c.srv.now()
			}
		}
	}
	return true
}

// serve is the life of the connection.
func (c *goConn) serve() {
	for {
		c.attend()
		if c.session.IsUnacknowledged() {
			c.awaitAcknowledged()
		}
		c.flush()
		c.judgeOutput()
		switch {
		case c.drop || c.end != open && c.pending() == 0:
			c.shut()
			return
		case c.end != open || c.ready && c.attached() >= maxAttached:
			c.backlog.await()
			continue
		}
		buf, length := c.input()
		if !c.ready {
			var ok bool
			if length, ok = c.fill(buf, length); !ok {
				continue
			}
		}
		c.busy.Store(c.srv.now())
		used, why := c.execute(buf[:length], turnRequests)
		c.busy.Store(0)
		c.keep(buf[used:length], why)
	}
}

// awaitAcknowledged waits until what has been answered may be told.
func (c *goConn) awaitAcknowledged() {
	c.busy.Store(c.srv.now()) // a client that leaves meanwhile is noticed
	told := c.srv.hold.AwaitAcknowledged(c.session)
	c.busy.Store(0)
	if !told {
		c.cut(ClosedFenced)
	}
}

// attached implements [line].
func (c *goConn) attached() int { return c.session.Out.Attached() + c.backlog.attached() }

// shut closes the connection.
func (c *goConn) shut() {
	c.nc.Close()
	c.backlog.close()
	c.release()
}

// input returns where to read to and how much input is at its start already.
func (c *goConn) input() (buf []byte, have int) {
	need := len(c.in) + goBufMin
	if len(c.buf) < need || c.filled && len(c.buf) < goBufMax {
		c.buf, c.filled = make([]byte, max(2*len(c.buf), need)), false
	} else if len(c.buf) > 2*goBufMax && need < goBufMax {
		c.buf = make([]byte, goBufMax)
	}
	return c.buf, copy(c.buf, c.in)
}

// fill waits for input and reads once. It returns the bytes in buf and whether
// a request may have become complete.
func (c *goConn) fill(buf []byte, have int) (length int, ok bool) {
	room := buf[have:]
	direct := c.intake.active() && c.intake.got < c.intake.want
	if direct {
		room = c.intake.target(&c.srv.pool)
	}
	n, err := c.read(room)
	c.counts.bytesIn.Add(uint64(n))
	if n == 0 {
		c.readFailed(err)
		return have, false
	}
	c.filled = !direct && have+n == len(buf)
	switch {
	case direct:
		c.intake.got += n
		c.measureInput()
		return have, false
	case c.intake.active():
		return c.finish(buf, have, n)
	}
	return have + n, true
}

// read reads once, until the idle time-out or until there is mail.
func (c *goConn) read(room []byte) (int, error) {
	idle := c.limits.IdleTimeout
	c.last = c.draining.Load()
	if c.poked.Swap(false) || c.expired || c.deadline || c.last || idle > 0 {
		var until time.Time
		switch {
		case c.last:
			until = time.Now().Add(lastLook)
		case idle > 0:
			until = time.Now().Add(idle)
		}
		c.nc.SetReadDeadline(until)
		c.expired, c.deadline = false, !until.IsZero()
	}
	if c.mail.waiting.Load() {
		return 0, os.ErrDeadlineExceeded
	}
	c.counts.reads.Add(1)
	n, err := c.nc.Read(room)
	if n > 0 && idle > 0 {
		c.heard = c.srv.now()
	}
	return n, err
}

// lastLook is for how long a connection waits for requests that may be on
// their way when the server stops.
const lastLook = 10 * time.Millisecond

// readFailed handles a read that brought nothing.
func (c *goConn) readFailed(err error) {
	switch {
	case err == nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.woken()
	case errors.Is(err, errEOF):
		c.close(ClosedByClient)
	default:
		c.cut(ClosedByError)
	}
}

// woken finds out why the deadline has struck.
func (c *goConn) woken() {
	c.expired = true
	c.counts.wakeups.Add(1)
	switch {
	case c.mail.waiting.Load():
	case c.last && c.idle():
		c.close(ClosedShutdown)
	case c.draining.Load():
	case c.limits.IdleTimeout == 0 || c.srv.now()-c.heard < c.limits.IdleTimeout.Milliseconds():
	case c.session.Class() != command.ClassPubSub:
		c.cut(ClosedIdle)
	}
}

// tick looks after a connection from outside.
func (c *goConn) tick() {
	if c.backlog.size() > 0 {
		c.wake() // the owner judges how long its output has been too much
	}
	since := c.busy.Load()
	if since == 0 || c.srv.now()-since < leaveAfter.Milliseconds() || c.raw == nil || c.reported.Load() {
		return
	}
	var gone bool
	c.raw.Control(func(fd uintptr) { gone = hasLeft(fd) })
	if gone && !c.reported.Swap(true) {
		c.counts.gone.Add(1)
		c.mail.close(killNow, ClosedByClient)
		c.srv.exec.Interrupt(c.session)
	}
}
