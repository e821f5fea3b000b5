package cluster

import (
	"net"
	"strconv"
	"testing"
)

// anyAddress returns an address on all interfaces whose port, and the two behind
// it, were free when it looked.
func anyAddress(t *testing.T) string { return "0.0.0.0:" + strconv.Itoa(freePorts(t, 3)) }

// freePorts returns the first of count ports in a row that were free.
func freePorts(t *testing.T, count int) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		first := l.Addr().(*net.TCPAddr).Port
		list, ok := []net.Listener{l}, first+count < 1<<16
		for i := 1; i < count && ok; i++ {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(first+i)))
			if ok = err == nil; ok {
				list = append(list, l)
			}
		}
		for _, l := range list {
			_ = l.Close() // nothing was accepted
		}
		if ok {
			return first
		}
	}
	t.Fatal("no free ports in a row")
	return 0
}
