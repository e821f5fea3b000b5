package loadgen

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const hasEpoll = true

// poller is a worker's view of its connections through epoll: raw non-blocking
// system calls on descriptors of its own, so that a request passes neither the
// scheduler nor a lock. It belongs to the worker's goroutine.
//
// epoll is level-triggered: a reply that is longer than the buffer is reported
// again, and no read is needed just to learn that nothing is left.
type poller struct {
	epoll  int
	events []unix.EpollEvent // Fd holds the index of the session
	fds    []int             // by index of the session; -1 when broken
	waits  []bool            // by index: registered for writing
	buf    []byte
	iov    []unix.Iovec
	pieces [][]byte
	turn   int   // open loop: the session to look at first
	dirty  []int // open loop: sessions that have got something to send
	active int   // requests in flight on all sessions
}

// newPoller takes over the connections of sessions: it works on duplicates of
// their descriptors, and closes the originals.
func newPoller(sessions []*session) (*poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll descriptor: %w", err)
	}
	p := &poller{
		epoll: epoll, events: make([]unix.EpollEvent, min(len(sessions), 128)),
		waits: make([]bool, len(sessions)), buf: make([]byte, readBufferBytes),
		iov: make([]unix.Iovec, 0, maxPieces), pieces: make([][]byte, 0, maxPieces),
	}
	for i, s := range sessions {
		fd, err := takeDescriptor(s.conn)
		if err == nil {
			p.fds = append(p.fds, fd)
			err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)})
		}
		if err != nil {
			p.close()
			return nil, fmt.Errorf("watch connection %d: %w", i, err)
		}
		s.conn = nil
	}
	return p, nil
}

// takeDescriptor duplicates the descriptor of c, which stays non-blocking, and
// closes c.
func takeDescriptor(c net.Conn) (int, error) {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return -1, err
	}
	var fd int
	var dupErr error
	if err := raw.Control(func(orig uintptr) {
		fd, dupErr = unix.FcntlInt(orig, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return -1, err
	}
	if dupErr != nil {
		return -1, dupErr
	}
	return fd, c.Close()
}

func (p *poller) close() {
	for _, fd := range p.fds {
		if fd >= 0 {
			_ = unix.Close(fd) // the run is over, nothing was buffered
		}
	}
	_ = unix.Close(p.epoll)
}

// drivePolling runs a phase over all sessions of w.
func drivePolling(w *worker, ph *phase) error {
	p := w.poll
	if ph.rate > 0 {
		// The kernel may lengthen a sleep by the thread's timer slack, 50 us by
		// default, which an open loop would take for latency.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // a refusal costs precision only
		defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }()
	}
	p.active = 0
	now := ph.clock.now()
	if ph.rate == 0 {
		for i := range w.sessions {
			w.refill(i, ph, now)
		}
	}
	heard := now // when something was last received
	for {
		now = ph.clock.now()
		w.maybeDrain(ph, now)
		w.gen.elapse(time.Duration(now - ph.begin))
		if ph.rate > 0 && !w.draining {
			w.issueDue(ph, now)
		}
		w.publish()
		if p.active == 0 && w.draining {
			return nil
		}
		if w.alive() == 0 {
			w.giveUp(ph, now)
			return errNoConnection
		}
		if p.active > 0 && now-heard > ph.timeout {
			w.giveUp(ph, now)
			return errStalled
		}
		n, err := p.wait(w.timeToWait(ph, now))
		if err != nil {
			return fmt.Errorf("wait for replies: %w", err)
		}
		for _, ev := range p.events[:n] {
			w.serve(int(ev.Fd), ev.Events, ph)
		}
		if n > 0 || p.active == 0 {
			heard = ph.clock.now()
		}
	}
}

// timeToWait returns for how many nanoseconds there is nothing to send.
func (w *worker) timeToWait(ph *phase, now int64) int64 {
	wait := int64(maxWaitNs)
	if !w.draining {
		wait = min(wait, ph.deadline-now)
	}
	if ph.rate > 0 && !w.draining && w.poll.active < w.capacity(ph) {
		wait = min(wait, int64(w.due)-now)
	}
	return max(wait, 0)
}

// capacity is how many requests may be in flight on all sessions together.
func (w *worker) capacity(ph *phase) int { return w.alive() * ph.pipeline }

// refill sends the next batch of a closed loop on session i.
func (w *worker) refill(i int, ph *phase, now int64) {
	s := w.sessions[i]
	n := int(min(uint64(ph.pipeline), w.budget))
	if s.broken || n == 0 || w.draining {
		return
	}
	s.fill(n, now, w.gen)
	w.budget -= uint64(n)
	w.poll.active += n
	w.send(i, ph)
}

// issueDue sends the requests of an open loop whose intended start has come, to
// connections in turn, idle ones or those with room in their pipeline; several
// to one connection leave in one write. What finds no room stays due.
func (w *worker) issueDue(ph *phase, now int64) {
	p := w.poll
	full := 0
	for w.budget > 0 && int64(w.due) <= now && full < len(w.sessions) {
		i := p.turn
		if p.turn++; p.turn == len(w.sessions) {
			p.turn = 0
		}
		s := w.sessions[i]
		if s.broken || s.inflight >= ph.pipeline {
			full++
			continue
		}
		full = 0
		if s.out.empty() {
			p.dirty = append(p.dirty, i)
		}
		s.fill(1, int64(w.due), w.gen)
		w.budget--
		p.active++
		w.advance(ph)
	}
	for _, i := range p.dirty {
		w.send(i, ph)
	}
	p.dirty = p.dirty[:0]
}

// serve handles what epoll reported of session i.
func (w *worker) serve(i int, events uint32, ph *phase) {
	s, p := w.sessions[i], w.poll
	if s.broken {
		return
	}
	if events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR|unix.EPOLLRDHUP) != 0 {
		n, err := rawRead(p.fds[i], p.buf)
		if err == unix.EAGAIN {
			return
		}
		now := ph.clock.now()
		if err == nil && n == 0 {
			w.fail(i, errClosed, now)
			return
		}
		if err != nil {
			w.fail(i, fmt.Errorf("read: %w", err), now)
			return
		}
		before := s.inflight
		if err := s.feed(p.buf[:n], now, w.tally); err != nil {
			p.active -= before - s.inflight
			w.fail(i, err, now)
			return
		}
		p.active -= before - s.inflight
		if s.inflight == 0 && ph.rate == 0 {
			w.maybeDrain(ph, now)
			w.refill(i, ph, now)
		}
	}
	if events&unix.EPOLLOUT != 0 && !s.broken {
		w.send(i, ph)
	}
}

// send writes what session i has to send, as far as the socket takes it; the
// rest goes when epoll reports room.
func (w *worker) send(i int, ph *phase) {
	s, p := w.sessions[i], w.poll
	for !s.out.empty() {
		n, err := p.write(p.fds[i], &s.out)
		if err == unix.EAGAIN {
			break
		}
		if err != nil {
			w.fail(i, fmt.Errorf("write: %w", err), ph.clock.now())
			return
		}
		w.tally.bytesOut += uint64(n)
		s.out.advance(n)
	}
	if wait := !s.out.empty(); wait != p.waits[i] {
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if wait {
			ev.Events |= unix.EPOLLOUT
		}
		if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, p.fds[i], &ev); err != nil {
			w.fail(i, fmt.Errorf("watch connection: %w", err), ph.clock.now())
			return
		}
		p.waits[i] = wait
	}
}

// fail drops session i.
func (w *worker) fail(i int, err error, now int64) {
	p := w.poll
	p.active -= w.sessions[i].inflight
	w.drop(w.sessions[i], err, now)
	_ = unix.Close(p.fds[i]) // broken already
	p.fds[i] = -1
}

// write sends the first pieces of out with one system call.
func (p *poller) write(fd int, out *outbox) (int, error) {
	if len(out.bigs) == 0 {
		return rawWrite(fd, out.buf[out.at:])
	}
	p.pieces = out.pieces(p.pieces[:0])
	p.iov = p.iov[:0]
	for _, b := range p.pieces {
		v := unix.Iovec{Base: unsafe.SliceData(b)}
		v.SetLen(len(b))
		p.iov = append(p.iov, v)
	}
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p.iov))), uintptr(len(p.iov)))
		if errno != unix.EINTR {
			return result(n, errno)
		}
	}
}

// The raw calls do not tell the scheduler: they never block, since the
// descriptors are non-blocking.

func rawRead(fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno != unix.EINTR {
			return result(n, errno)
		}
	}
}

func rawWrite(fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno != unix.EINTR {
			return result(n, errno)
		}
	}
}

func result(n uintptr, errno syscall.Errno) (int, error) {
	if errno == 0 {
		return int(n), nil
	}
	if errno == unix.EAGAIN {
		return 0, unix.EAGAIN // a constant: no allocation
	}
	return 0, errno
}

// wait collects events into p.events, for at most ns nanoseconds.
//
// It blocks without telling the scheduler. Telling it makes the runtime's
// monitor take the processor away and look again every 20 us, which at 5 000
// requests per second costs more than the requests. Nothing starves: [Run] has
// processors to spare, and to stop this thread the runtime sends it a signal,
// which ends the wait.
func (p *poller) wait(ns int64) (int, error) {
	// The kernel's own timespec, 64 bits wide on every architecture.
	ts := [2]int64{ns / 1e9, ns % 1e9}
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.epoll),
		uintptr(unsafe.Pointer(unsafe.SliceData(p.events))), uintptr(len(p.events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	case unix.ENOSYS: // Linux before 5.11: milliseconds must do, rounded up
		n, err := unix.EpollWait(p.epoll, p.events, int((ns+999_999)/1_000_000))
		if errors.Is(err, unix.EINTR) {
			return 0, nil
		}
		return n, err
	}
	return 0, errno
}
