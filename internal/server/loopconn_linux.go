package server

import (
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// loopConn is a connection of an event loop, its owner except while away.
type loopConn struct {
	conn
	loop *loop
	sock int

	slot, gen int32  // where the loop has it; slot -1: not adopted yet
	active    uint32 // tick of the last turn
	queued    bool   // in loop.again
	touched   bool   // in loop.touched
	slow      bool   // in loop.slow
	held      bool   // in loop.holds.conns
	closed    bool   // gone from the loop
	hungUp    bool   // the other side has closed or failed

	wrote int // bytes sent in this turn

	// While away a goroutine is the owner, of all but these and the above.
	away     bool
	leftAt   uint32 // tick at which the client was seen to be gone
	reported bool   // the session has been interrupted for it

	// full: the socket takes no more until it says so. Set by the owner before it
	// asks for the event, cleared by the loop at the event.
	full  atomic.Bool
	noted atomic.Bool // a noteMail is on its way
}

// Events a connection is always watched for.
const connEvents = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

// wake implements [line].
func (c *loopConn) wake() {
	if !c.noted.Swap(true) {
		c.loop.send(note{noteMail, c})
	}
}

// fd implements [line].
func (c *loopConn) fd() int { return c.sock }

// pending implements [line].
func (c *loopConn) pending() int { return c.session.Out.Size() }

// attached implements [line].
func (c *loopConn) attached() int { return c.session.Out.Attached() }

// tired implements [line].
func (c *loopConn) tired() bool { return c.wrote >= turnOutput }

// read reads once, into direct first, then into room.
func (c *loopConn) read(direct, room []byte) (n int, errno syscall.Errno) {
	for {
		c.counts.reads.Add(1)
		if len(direct) == 0 {
			n, errno = rawRead(c.sock, room)
		} else {
			n, errno = rawReadv(c.sock, direct, room)
		}
		if errno != syscall.EINTR {
			return n, errno
		}
	}
}

// readFailed handles a read that brought nothing; 0 is the end of the stream.
func (c *loopConn) readFailed(errno syscall.Errno) {
	switch errno {
	case syscall.EAGAIN:
	case 0:
		c.close(ClosedByClient)
	default:
		c.cut(ClosedByError)
	}
}

// flush implements [line].
func (c *loopConn) flush() {
	out := &c.session.Out
	for out.Ready() && !c.full.Load() && !c.drop && !c.tired() {
		n, errno := c.write()
		switch errno {
		case 0:
			c.counts.bytesOut.Add(uint64(n))
			out.Sent(n)
			c.wrote += n
		case syscall.EINTR:
		case syscall.EAGAIN:
			c.arm()
		default:
			c.cut(ClosedByError)
		}
	}
}

func (c *loopConn) write() (int, syscall.Errno) {
	c.counts.writes.Add(1)
	var room [writevChunks][]byte
	chunks := c.session.Out.Chunks(room[:0], writevChunks)
	if len(chunks) == 1 {
		return rawWrite(c.sock, chunks[0])
	}
	return rawWritev(c.sock, chunks)
}

// arm asks for an event when the socket takes output again. The event comes at
// once if it does so already.
func (c *loopConn) arm() {
	c.full.Store(true)
	if err := c.loop.poll.change(c.sock, connEvents|unix.EPOLLOUT, c.slot, c.gen); err != nil {
		c.cut(ClosedByError)
	}
}

func (c *loopConn) disarm() {
	if err := c.loop.poll.change(c.sock, connEvents, c.slot, c.gen); err != nil {
		c.cut(ClosedByError)
	}
}
