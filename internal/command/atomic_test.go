package command

import (
	"strconv"
	"sync"
	"testing"
)

// Nobody sees a part of what a command does to several keys.
func TestSeveralKeysAreAtomic(t *testing.T) {
	first := newTester(t)
	first.do("MSET", "a", "0", "b", "0", "c", "0", "ball:0:0", "x", "ball:1:0", "x")
	client := func() *tester {
		return &tester{t: t, x: first.x, s: first.x.NewSession(deadLink{}), now: first.now}
	}
	const rounds = 2000
	var writers, readers sync.WaitGroup
	for w := range 2 {
		writer := client()
		writers.Go(func() {
			for i := range rounds {
				v := strconv.Itoa(w*rounds + i)
				switch i % 3 {
				case 0:
					writer.do("MSET", "a", v, "b", v, "c", v)
				case 1:
					writer.do("MSET", "c", v, "b", v, "a", v)
				case 2:
					writer.do("MSETEX", "3", "b", v, "c", v, "a", v, "KEEPTTL")
				}
				// A ball that is always in exactly one place.
				writer.do("RENAMENX", "ball:"+strconv.Itoa(w)+":0", "ball:"+strconv.Itoa(w)+":1")
				writer.do("RENAMENX", "ball:"+strconv.Itoa(w)+":1", "ball:"+strconv.Itoa(w)+":0")
			}
		})
	}
	done := make(chan struct{})
	for range 2 {
		reader := client()
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				got := bulks(t, reader.do("MGET", "a", "b", "c"))
				if got[0] != got[1] || got[1] != got[2] {
					t.Errorf("MGET saw %v", got)
					return
				}
				v, _ := decode(t, reader.do("MGET", "ball:0:0", "ball:0:1"))
				if ball := v.([]any); (ball[0] == nil) == (ball[1] == nil) {
					t.Errorf("RENAME shows %v", ball)
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}
