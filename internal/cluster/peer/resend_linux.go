package peer

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What is lost between nodes is to be sent again within the patience of those who
// wait for it: 300 ms to be missed. By itself TCP sends again after 200 ms, and then
// after twice as long each time, so that three losses in a row take 1.4 s.
const (
	// resendAfter is the least time to the first attempt, beside the round trip.
	resendAfter = 50 * time.Millisecond
	// confirmWithin is how long an acknowledgement is kept back: shorter than the
	// other side waits for it.
	confirmWithin = 20 * time.Millisecond
)

// resendSoon has what is lost on a connection sent again soon: in the same interval
// each time, as long as little is under way (Documentation/networking/tcp-thin.rst of
// Linux). What a kernel does not know, the times before 6.16, stays as it is.
func resendSoon(raw syscall.RawConn) {
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_THIN_LINEAR_TIMEOUTS, 1)
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_RTO_MIN_US, int(resendAfter.Microseconds()))
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_DELACK_MAX_US, int(confirmWithin.Microseconds()))
	})
}
