package peer

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// cpu returns the processor time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCall measures synchronous requests by so many goroutines. cpu-ns/op is
// that of both nodes together.
func BenchmarkCall(b *testing.B) {
	for _, s := range []secured{plain, withTLS} {
		for _, callers := range []int{1, 50, 1000} {
			b.Run(fmt.Sprintf("tls=%v/outstanding=%d", s, callers), func(b *testing.B) {
				c := newTestCluster(b, s)
				na, nb, l := c.pair(c.config("a"), c.config("b"))
				body := make([]byte, 64)
				var left atomic.Int64
				left.Store(int64(b.N))
				var wg sync.WaitGroup
				begin(b)
				start := cpu()
				for range callers {
					wg.Go(func() {
						for left.Add(-1) >= 0 {
							r, err := l.Call(context.Background(), kindEcho, Payload{Body: body})
							if err != nil {
								b.Error(err)
								return
							}
							r.Release()
						}
					})
				}
				wg.Wait()
				report(b, start, na, nb)
			})
		}
	}
}

// loop is an event loop in small: it submits a batch, and the next when all of
// it has been answered.
type loop struct {
	open int
	done chan struct{}
}

func (s *loop) Complete(_ uint64, r Reply, _ error) {
	r.Release()
	s.open--
}

func (s *loop) Flush() {
	if s.open == 0 {
		s.done <- struct{}{}
	}
}

// BenchmarkQueue measures batches of requests as event loops make them.
func BenchmarkQueue(b *testing.B) {
	for _, s := range []secured{plain, withTLS} {
		for _, size := range []int{1, 16, 64, 1000} {
			b.Run(fmt.Sprintf("tls=%v/batch=%d", s, size), func(b *testing.B) {
				c := newTestCluster(b, s)
				na, nb, l := c.pair(c.config("a"), c.config("b"))
				body := make([]byte, 64)
				sink := &loop{done: make(chan struct{}, 1)}
				begin(b)
				start := cpu()
				for n := 0; n < b.N; n += size {
					sink.open = size
					for i := range size {
						if err := l.Queue(kindEcho, Payload{Body: body}, sink, uint64(i)); err != nil {
							b.Fatal(err)
						}
					}
					l.Flush()
					<-sink.done
				}
				report(b, start, na, nb)
			})
		}
	}
}

// BenchmarkRest measures three nodes that do nothing, for a millisecond per
// operation: each has a watched lane and three others to each of the other two.
func BenchmarkRest(b *testing.B) {
	for _, s := range []secured{plain, withTLS} {
		b.Run(fmt.Sprintf("tls=%v", s), func(b *testing.B) {
			c := newTestCluster(b, s)
			names := []string{"a", "b", "c"}
			nodes := map[string]*Network{}
			for _, name := range names {
				nodes[name] = c.node(c.config(name))
			}
			for _, from := range names {
				for _, to := range names {
					for lane := range 4 {
						if from == to {
							continue
						}
						l, err := nodes[from].Link(to, nodes[to].Addr().String(), fmt.Sprint("lane ", lane))
						check(b, err)
						l.Watch(lane == 0)
						waitUp(b, l)
					}
				}
			}
			begin(b)
			start := cpu()
			rest := time.Duration(b.N) * time.Millisecond
			<-time.After(rest)
			b.StopTimer()
			b.ReportMetric(100*float64(cpu()-start)/float64(rest), "%core")
		})
	}
}

// BenchmarkLarge measures replies of 1 MB that are sent from where they lie.
func BenchmarkLarge(b *testing.B) {
	for _, s := range []secured{plain, withTLS} {
		b.Run(fmt.Sprintf("tls=%v", s), func(b *testing.B) {
			c := newTestCluster(b, s)
			cfg := c.config("b")
			cfg.Handler = largeHandler{make([]byte, 1<<20)}
			na, nb, l := c.pair(c.config("a"), cfg)
			b.SetBytes(1 << 20)
			begin(b)
			start := cpu()
			for range b.N {
				r, err := l.Call(context.Background(), kindEcho, Payload{})
				check(b, err)
				r.Release()
			}
			report(b, start, na, nb)
		})
	}
}

// largeHandler answers everything with one value.
type largeHandler struct{ value []byte }

func (h largeHandler) Open(Info, string, *Responder) (Session, error) { return h, nil }
func (h largeHandler) EndBatch(*Batch)                                {}
func (h largeHandler) Close(error)                                    {}
func (h largeHandler) Serve(r Request, out *Batch) {
	_ = out.Reply(r.ID, 0, Payload{Attach: Attachment{Parts: [][]byte{h.value}}})
}

func begin(b *testing.B) {
	runtime.GC()
	b.ReportAllocs()
	b.ResetTimer()
}

func report(b *testing.B, start time.Duration, na, nb *Network) {
	b.StopTimer()
	used := cpu() - start
	ops := float64(b.N)
	b.ReportMetric(float64(used.Nanoseconds())/ops, "cpu-ns/op")
	b.ReportMetric(float64(na.Stats().Outbound.Writes)/ops, "writes/op")
	b.ReportMetric(float64(nb.Stats().Served.Writes)/ops, "srv-writes/op")
	b.ReportMetric(ops/b.Elapsed().Seconds(), "ops/s")
}
