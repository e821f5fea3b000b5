package server_test

import (
	"io"
	"strings"
	"testing"
)

// Once under way, requests cost no allocation, whole or in pieces.
func TestNoAllocations(t *testing.T) {
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) {
			h := newHarness(t, mode)
			h.cfg.Loops = 1
			h.start()
			c := h.dial()
			exchange := func(pieces []string, replies int) func() {
				want := strings.Repeat("+PONG\r\n", replies)
				got := make([]byte, len(want))
				input := make([][]byte, len(pieces))
				for i, p := range pieces {
					input[i] = []byte(p)
				}
				return func() {
					for _, p := range input {
						c.Conn.Write(p)
					}
					if _, err := io.ReadFull(c.Conn, got); err != nil || string(got) != want {
						t.Fatalf("%q, %v", got, err)
					}
				}
			}
			ping := request("PING")
			for name, run := range map[string]func(){
				"one":      exchange([]string{ping}, 1),
				"pipeline": exchange([]string{strings.Repeat(ping, 64)}, 64),
				"pieces":   exchange([]string{ping[:5], ping[5:] + ping[:7], ping[7:]}, 2),
			} {
				for range 100 {
					run()
				}
				if n := testing.AllocsPerRun(500, run); n != 0 {
					t.Errorf("%s: %v allocations", name, n)
				}
			}
		})
	}
}

func BenchmarkPing(b *testing.B) {
	for _, mode := range modes() {
		for _, depth := range []int{1, 16, 64} {
			b.Run(string(mode)+"/"+itoa(depth), func(b *testing.B) {
				h := newHarness(b, mode)
				h.start()
				c := h.dial()
				input := []byte(strings.Repeat(request("PING"), depth))
				got := make([]byte, depth*len("+PONG\r\n"))
				b.ReportAllocs()
				for b.Loop() {
					c.Conn.Write(input)
					if _, err := io.ReadFull(c.Conn, got); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(h.Stats().Total.Reads)/float64(b.N), "reads/op")
			})
		}
	}
}
