package peer

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestResendSoon: both ends of a link send again in even intervals.
func TestResendSoon(t *testing.T) {
	both(t, func(t *testing.T, s secured) {
		c := newTestCluster(t, s)
		_, nb, l := c.pair(c.config("a"), c.config("b"))
		waitUp(t, l)
		ends := []*socket{l.conn.Load().sock}
		for _, in := range nb.inbounds() {
			ends = append(ends, in.sock)
		}
		if len(ends) != 2 {
			t.Fatalf("%d connections", len(ends)-1)
		}
		for _, end := range ends {
			err := end.raw.Control(func(fd uintptr) {
				if v, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_THIN_LINEAR_TIMEOUTS); v != 1 || err != nil {
					t.Errorf("linear time-outs: %d, %v", v, err)
				}
				want := int(resendAfter.Microseconds())
				if v, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_RTO_MIN_US); err == nil && (v < want || v > want+10_000) { // in ticks of the kernel; an error before Linux 6.16
					t.Errorf("sent again after %d us at the least, want %d", v, want)
				}
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}
