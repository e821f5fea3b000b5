package server

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// acceptor accepts the connections of one listener, in the first loop.
type acceptor struct {
	loop   *loop
	sock   int
	slot   int32
	path   string    // of a Unix socket
	paused bool      // not watched until the next tick
	warned time.Time // of a failure
}

// acceptTurn is the most connections accepted before others are served.
const acceptTurn = 64

// noDescriptor is what a client is told that can not be served.
const noDescriptor = "-ERR no file descriptor left for another client\r\n"

// newAcceptor takes a descriptor of its own of the listener, which may then be
// closed.
func newAcceptor(l *loop, ln net.Listener, slot int32) (*acceptor, error) {
	raw, err := ln.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	a := &acceptor{loop: l, slot: slot}
	if u, ok := ln.(*net.UnixListener); ok {
		a.path = u.Addr().String()
	}
	cerr := raw.Control(func(fd uintptr) {
		a.sock, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	})
	if cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, err
	}
	if err := l.poll.add(a.sock, unix.EPOLLIN, slot, 0); err != nil {
		unix.Close(a.sock)
		return nil, err
	}
	return a, nil
}

// stopListening closes the loop's listeners, if it has any.
func (l *loop) stopListening() {
	for _, a := range l.listen {
		if !a.paused {
			l.poll.remove(a.sock)
		}
		unix.Close(a.sock)
		if a.path != "" {
			os.Remove(a.path)
		}
	}
	l.listen = nil
}

// ready accepts what is in the queue.
func (a *acceptor) ready() {
	if a.paused {
		return
	}
	for range acceptTurn {
		sock, from, err := unix.Accept4(a.sock, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			a.welcome(sock, from)
		case unix.EAGAIN:
			return
		case unix.EINTR, unix.ECONNABORTED:
		case unix.EMFILE, unix.ENFILE:
			if !a.turnAway() {
				a.pause(err)
				return
			}
		default:
			a.loop.srv.refused.errors.Add(1)
			a.pause(err)
			return
		}
	}
}

// welcome makes a socket a connection and deals it to a loop.
func (a *acceptor) welcome(sock int, from unix.Sockaddr) {
	srv := a.loop.srv
	if refusal := srv.exec.Admit(); refusal != "" {
		srv.refused.clients.Add(1)
		rawWrite(sock, []byte(refusal))
		unix.Close(sock)
		return
	}
	l := a.loop.all.deal()
	l.counts.live.Add(1)
	l.counts.accepted.Add(1)
	c := &loopConn{loop: l, sock: sock, slot: -1}
	c.init(srv, c, &l.counts, a.peer(sock, from))
	if a.path == "" {
		setTCPOptions(sock, c.limits.KeepAlive)
	}
	if l == a.loop {
		l.adopt(c)
		return
	}
	l.send(note{noteAdopt, c})
}

func (a *acceptor) peer(sock int, from unix.Sockaddr) ends {
	if a.path != "" {
		return ends{path: a.path}
	}
	to, err := unix.Getsockname(sock)
	if err != nil {
		to = nil
	}
	return ends{from: addrPort(from), to: addrPort(to)}
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// setTCPOptions has replies leave at once and dead peers found: the first probe
// after keepAlive without traffic, then three more a third of it apart. An
// option the system refuses is not missed.
func setTCPOptions(sock int, keepAlive time.Duration) {
	unix.SetsockoptInt(sock, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if keepAlive <= 0 {
		return
	}
	seconds := max(1, int(keepAlive/time.Second))
	unix.SetsockoptInt(sock, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	unix.SetsockoptInt(sock, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds)
	unix.SetsockoptInt(sock, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, max(1, seconds/3))
	unix.SetsockoptInt(sock, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3)
}

// turnAway accepts a client with the descriptor kept for that, tells it that
// there is none for it, and closes it. It reports false when that failed too.
func (a *acceptor) turnAway() bool {
	r := &a.loop.all.reserve
	if r.fd < 0 {
		return false
	}
	r.free()
	sock, _, err := unix.Accept4(a.sock, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err == nil {
		rawWrite(sock, []byte(noDescriptor))
		unix.Close(sock)
		a.loop.srv.refused.descriptors.Add(1)
		a.warn(unix.EMFILE)
	}
	r.take()
	return err == nil || err == unix.EAGAIN || err == unix.ECONNABORTED
}

// pause stops watching the listener until the next tick.
func (a *acceptor) pause(err error) {
	a.paused = a.loop.poll.remove(a.sock) == nil
	if a.paused {
		a.loop.paused.Store(true)
	}
	a.warn(err)
}

// resume ends a pause.
func (a *acceptor) resume() {
	if !a.paused {
		return
	}
	if r := &a.loop.all.reserve; r.fd < 0 {
		r.take()
	}
	if a.paused = a.loop.poll.add(a.sock, unix.EPOLLIN, a.slot, 0) != nil; a.paused {
		a.loop.paused.Store(true)
	}
}

// warn logs a failure to accept, once a second at most.
func (a *acceptor) warn(err error) {
	if now := time.Now(); now.Sub(a.warned) >= time.Second {
		a.warned = now
		a.loop.srv.log.Warn("connection not accepted", "error", err)
	}
}
