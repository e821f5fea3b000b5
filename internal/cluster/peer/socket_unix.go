//go:build unix

package peer

import (
	"errors"
	"syscall"
)

// canTryWrite says whether this system can write without waiting.
const canTryWrite = true

// tryWriteFD writes what the kernel takes at once.
func tryWriteFD(fd uintptr, b []byte) (int, error) {
	for {
		n, err := syscall.Write(int(fd), b)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return 0, nil
		default:
			return 0, err
		}
	}
}
