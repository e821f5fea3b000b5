package server_test

import (
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/server"
)

// BenchmarkForward is a GET through its owner and through another node: time,
// and processor time of clients, nodes and kernel together.
func BenchmarkForward(b *testing.B) {
	c := newNodes(b, server.ModeAuto, 2)
	owner, via := c.list[0], c.list[1]
	key := c.keyOf(owner, "k")
	value := strings.Repeat("x", 64)
	first := owner.any.dial()
	first.send(request("SET", key, value))
	first.expect("+OK\r\n")
	for _, depth := range []int{1, 16, 64} {
		for name, d := range map[string]*node{"direct": owner, "forwarded": via} {
			b.Run(fmt.Sprintf("%s/%d", name, depth), func(b *testing.B) {
				cl := d.any.dial()
				batch := strings.Repeat(request("GET", key), depth)
				replies := make([]byte, depth*len(bulk(value)))
				begun := processorTime()
				b.ResetTimer()
				for i := 0; i < b.N; i += depth {
					cl.SetDeadline(time.Now().Add(patience))
					cl.send(batch)
					if _, err := io.ReadFull(cl.r, replies); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(processorTime()-begun)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

func processorTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
