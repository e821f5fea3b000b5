package server_test

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
)

// Held replies cost no allocation, once under way.
func TestHeldAllocations(t *testing.T) {
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) {
			c := newNodesWith(t, mode, 1, (*node).replicate)
			d := c.list[0]
			cl := d.any.dial()
			measure := func() float64 {
				const depth = 200
				input := []byte(strings.Repeat(request("SET", "k", "v"), depth))
				got := make([]byte, depth*len("+OK\r\n"))
				run := func() {
					cl.Conn.Write(input)
					if _, err := io.ReadFull(cl.Conn, got); err != nil {
						t.Fatal(err)
					}
				}
				for range 100 {
					run()
				}
				return testing.AllocsPerRun(100, run)
			}
			without := measure()
			d.copyTo("copy")
			// A batch to the copy, and the wait of a goroutine, cost some; commands none.
			if with := measure(); with-without > 40 {
				t.Errorf("%v allocations for 200 commands, %v without copies", with, without)
			}
		})
	}
}

// BenchmarkHeldSet compares SET with and without a copy that acknowledges at once.
func BenchmarkHeldSet(b *testing.B) {
	for _, with := range []string{"alone", "copy"} {
		for _, depth := range []int{1, 16, 64} {
			b.Run(with+"/"+itoa(depth), func(b *testing.B) {
				c := newNodesWith(b, modes()[0], 1, (*node).replicate)
				d := c.list[0]
				if with == "copy" {
					d.copyTo("copy")
				}
				const clients = 8
				var done sync.WaitGroup
				per := b.N/(clients*depth) + 1
				b.ReportAllocs()
				b.ResetTimer()
				for i := range clients {
					cl := d.any.dial()
					input := ""
					for k := range depth {
						input += request("SET", fmt.Sprint("key:", i, ":", k), strings.Repeat("v", 64))
					}
					done.Go(func() {
						got := make([]byte, depth*len("+OK\r\n"))
						for range per {
							io.WriteString(cl.Conn, input)
							if _, err := io.ReadFull(cl.Conn, got); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				done.Wait()
				b.ReportMetric(float64(per*clients*depth)/b.Elapsed().Seconds(), "ops/s")
			})
		}
	}
}
