package command

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// Two accounts keep their sum, whoever looks: what a transaction has done is
// seen as a whole or not at all. Half of the clients are off their event loop.
func TestTransactionsAreAtomic(t *testing.T) {
	w := newWorld(t)
	w.connect("2").do("MSET a 1000 b 1000")
	const rounds = 400
	var work sync.WaitGroup
	var looked atomic.Int64
	for n := range 8 {
		c := w.connect("2")
		c.s.MayBlock = n%2 == 1
		work.Go(func() {
			for i := range rounds {
				switch n / 2 {
				case 0, 1:
					c.batch("MULTI", "DECRBY a "+strconv.Itoa(i), "INCRBY b "+strconv.Itoa(i), "EXEC")
				case 2:
					// Two requests of a pipeline are two looks, one MGET is one.
					reply := c.batch("MULTI", "GET a", "GET b", "EXEC")
					v, _ := decode(t, reply[len("+OK\r\n+QUEUED\r\n+QUEUED\r\n"):])
					sum(t, v)
					looked.Add(1)
				case 3:
					v, _ := decode(t, c.batch("MGET a b"))
					sum(t, v)
					looked.Add(1)
				}
			}
		})
	}
	work.Wait()
	if looked.Load() != 4*rounds {
		t.Errorf("%d looks", looked.Load())
	}
}

func sum(t *testing.T, v any) {
	t.Helper()
	list := v.([]any)
	a, _ := strconv.Atoi(list[0].(string))
	b, _ := strconv.Atoi(list[1].(string))
	if a+b != 2000 {
		t.Errorf("%d and %d", a, b)
	}
}

// batch runs requests as one batch, as an event loop does, and returns their
// replies. A request that parks goes on in a goroutine's way.
func (c *client) batch(requests ...string) string {
	off := c.s.MayBlock
	c.w.x.Begin(c.s)
	for _, request := range requests {
		args := make([][]byte, 0, 4)
		for _, word := range words(c.w.t, request) {
			args = append(args, []byte(word))
		}
		if c.w.x.Execute(c.s, args) == Park {
			c.w.x.End(c.s)
			c.s.MayBlock = true
			c.w.x.Begin(c.s)
			c.w.x.Execute(c.s, args)
		}
	}
	c.w.x.End(c.s)
	c.s.MayBlock = off
	out := string(flatten(&c.s.Out))
	c.s.Out.Reset()
	return out
}

// A counter that every client raises by WATCH, GET, SET in a transaction, and
// tries again when EXEC says that it has changed, misses nothing.
func TestWatchLosesNoUpdate(t *testing.T) {
	w := newWorld(t)
	w.connect("2").do("SET n 0")
	const clients, rounds = 6, 100
	var work sync.WaitGroup
	for i := range clients {
		c := w.connect("2")
		c.s.MayBlock = i%2 == 1
		work.Go(func() {
			for range rounds {
				for {
					c.batch("WATCH n")
					v, _ := decode(t, c.batch("GET n"))
					n, _ := strconv.Atoi(v.(string))
					if got := c.batch("MULTI", "SET n "+strconv.Itoa(n+1), "EXEC"); got == "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n" {
						break
					}
				}
			}
		})
	}
	work.Wait()
	w.connect("2").expect(step{"GET n", "$3 " + strconv.Itoa(clients*rounds)})
}

// While a batch of another client is at work EXEC does not run on an event
// loop; and it runs once that has ended.
func TestExecWaitsForOthers(t *testing.T) {
	for _, raised := range []bool{false, true} {
		w := newWorld(t)
		a, b := w.connect("2"), w.connect("2")
		if raised {
			a.batch("MULTI", "EXEC")
			b.s.MayBlock = true // in a lane of its own: such a batch may be long
		}
		w.x.Begin(b.s)
		a.do("MULTI")
		args := [][]byte{[]byte("EXEC")}
		w.x.Begin(a.s)
		if out := w.x.Execute(a.s, args); out != Park {
			t.Errorf("raised %v: outcome %d", raised, out)
		}
		w.x.End(a.s)
		w.x.End(b.s)
		a.s.MayBlock = true
		w.x.Begin(a.s)
		if out := w.x.Execute(a.s, args); out != Continue {
			t.Errorf("raised %v, alone: outcome %d", raised, out)
		}
		w.x.End(a.s)
	}
}

// BenchmarkBatch is what it costs to begin and end a batch.
func BenchmarkBatch(b *testing.B) {
	for _, mode := range []string{"quiet", "raised"} {
		b.Run(mode, func(b *testing.B) {
			w := newWorld(b)
			c := w.connect("2")
			w.x.isolation.raised.Store(mode == "raised")
			for b.Loop() {
				w.x.Begin(c.s)
				w.x.End(c.s)
			}
		})
	}
}

// BenchmarkIsolation is the part of that which is isolation's: enter and leave,
// beside the store of the time that a batch ends with in any case.
func BenchmarkIsolation(b *testing.B) {
	w := newWorld(b)
	s := w.connect("2").s
	b.Run("enter and leave", func(b *testing.B) {
		for b.Loop() {
			w.x.isolation.enter(s)
			w.x.isolation.leave(s, 1)
		}
	})
	b.Run("store", func(b *testing.B) {
		for b.Loop() {
			s.shared.active.Store(2)
		}
	})
}
