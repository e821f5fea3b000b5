//go:build unix

package identity

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// peek shows what has arrived on a connection, without taking it, to enough,
// which says whether it has seen what it needs. It is called again with more
// whenever more has arrived, until it returns true, the connection ends, its
// read deadline passes, or buf is full. buf is the largest amount shown.
func peek(conn net.Conn, buf []byte, enough func(seen []byte) bool) error {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return fmt.Errorf("peek: a %T has no socket", conn)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return fmt.Errorf("peek: %w", err)
	}
	var failed error
	err = raw.Read(func(fd uintptr) (done bool) {
		n, _, err := unix.Recvfrom(int(fd), buf, unix.MSG_PEEK)
		for errors.Is(err, unix.EINTR) {
			n, _, err = unix.Recvfrom(int(fd), buf, unix.MSG_PEEK)
		}
		switch {
		case errors.Is(err, unix.EAGAIN):
			return false // the poller wakes us when there is more
		case err != nil:
			failed = fmt.Errorf("peek: %w", err)
			return true
		case n == 0:
			failed = io.EOF
			return true
		case enough(buf[:n]):
			return true
		case n == len(buf):
			failed = errors.New("peek: more than a handshake begins with")
			return true
		}
		return false
	})
	if err != nil {
		return fmt.Errorf("peek: %w", err)
	}
	return failed
}
