//go:build unix

package command

import (
	"time"

	"golang.org/x/sys/unix"
)

// processorTime returns what the process has used of processors.
func processorTime() (user, system time.Duration) {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0, 0
	}
	return time.Duration(u.Utime.Nano()), time.Duration(u.Stime.Nano())
}
