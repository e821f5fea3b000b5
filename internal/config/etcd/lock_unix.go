//go:build unix

package etcd

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockFile takes f for this process; the lock goes with the last descriptor.
func lockFile(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
