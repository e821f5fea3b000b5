package loadgen

import (
	"bytes"
	"testing"
)

// loop is the part of a request that is the client's own: choose, encode,
// parse the reply, count.
func loop(c Config, answer string, depth int) func() {
	ops, err := compileOps(&c)
	if err != nil {
		panic(err)
	}
	g := newGenerator(&c, ops, newBlock(1, c.Values.Max()), 0, 1)
	s := newSession(nil, c.Protocol, depth)
	t := newTally(ops)
	replies := bytes.Repeat([]byte(answer), depth)
	now := int64(0)
	return func() {
		s.fill(depth, now, g)
		s.out.advance(len(s.out.buf))
		now += 1000
		if err := s.feed(replies, now, t); err != nil {
			panic(err)
		}
	}
}

func loopConfig() Config {
	c := DefaultConfig()
	c.Distribution = Zipf
	return c
}

var sixtyFour = "$64\r\n" + string(bytes.Repeat([]byte("x"), 64)) + "\r\n"

func TestRequestsDoNotAllocate(t *testing.T) {
	c := loopConfig()
	c.TTL = TTL{1e9, 9e9}
	c.Values, _ = ParseSizes("lognormal:100,1")
	for protocol, answer := range map[Protocol]string{RESP3: sixtyFour, Memcached: "VALUE k 0 2\r\nab\r\nEND\r\n"} {
		c.Protocol = protocol
		f := loop(c, answer, 16)
		for range 2000 {
			f() // buffers reach their size
		}
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s: %.1f allocations per batch", protocol, n)
		}
	}
}

func BenchmarkLoop(b *testing.B) {
	for _, row := range []struct {
		name         string
		distribution Distribution
	}{{"uniform", Uniform}, {"zipf", Zipf}} {
		b.Run(row.name, func(b *testing.B) {
			c := loopConfig()
			c.Distribution = row.distribution
			f := loop(c, sixtyFour, 16)
			b.ReportAllocs()
			for i := 0; i < b.N; i += 16 {
				f()
			}
		})
	}
}
