//go:build !linux

package peer

import "syscall"

// resendSoon leaves the times at which TCP sends again to the system.
func resendSoon(syscall.RawConn) {}
