//go:build unix

package identity

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// tryLock takes the lock of an open file; false: another process has it. It is
// given up when the file is closed, also by the death of the process.
func tryLock(f *os.File) (bool, error) {
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, err
		}
	}
}

// foreign reports whether a file belongs to another user than the one this
// process runs as, and the numbers of both.
func foreign(info os.FileInfo) (yes bool, owner, self int) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false, 0, 0
	}
	owner, self = int(stat.Uid), os.Geteuid()
	return owner != self, owner, self
}
