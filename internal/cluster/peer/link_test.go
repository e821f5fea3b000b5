package peer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func both(t *testing.T, run func(t *testing.T, s secured)) {
	for _, s := range []secured{plain, withTLS} {
		t.Run(fmt.Sprintf("tls=%v", s), func(t *testing.T) { run(t, s) })
	}
}

func TestRepliesComeInOrderOfRequests(t *testing.T) {
	both(t, func(t *testing.T, s secured) {
		c := newTestCluster(t, s)
		_, _, l := c.pair(c.config("a"), c.config("b"))
		sink := newCollector()
		const n = 5000
		for i := range uint64(n) {
			check(t, l.Queue(kindEcho, Payload{Head: []byte("<"), Body: fmt.Append(nil, i)}, sink, i))
		}
		l.Flush()
		sink.wait(t, n)
		for i := range uint64(n) {
			if sink.order[i] != i || sink.data[i] != fmt.Sprintf("<%d", i) || sink.errs[i] != nil {
				t.Fatalf("outcome %d is of %d: %q, %v", i, sink.order[i], sink.data[i], sink.errs[i])
			}
		}
		if sink.flushed > n/10 {
			t.Errorf("%d flushes for %d replies", sink.flushed, n)
		}
	})
}

func TestRepliesOutOfOrder(t *testing.T) {
	both(t, func(t *testing.T, s secured) {
		c := newTestCluster(t, s)
		cfg := c.config("b")
		h := cfg.Handler.(*toy)
		_, _, l := c.pair(c.config("a"), cfg)
		sink := newCollector()
		for i := range uint64(3) {
			check(t, l.Submit(kindHold, Payload{Body: fmt.Append(nil, i)}, sink, i))
		}
		waiting := h.waitHeld(t, 3)
		for i := 2; i >= 0; i-- {
			check(t, waiting[i].r.Queue(waiting[i].id, 9, Payload{Head: waiting[i].data}))
		}
		waiting[0].r.Flush()
		sink.wait(t, 3)
		if fmt.Sprint(sink.order) != "[2 1 0]" || sink.data[1] != "1" {
			t.Errorf("order %v, data %v", sink.order, sink.data)
		}
	})
}

// TestManyCallers guards that every caller gets its own reply, under load.
func TestManyCallers(t *testing.T) {
	both(t, func(t *testing.T, s secured) {
		c := newTestCluster(t, s)
		na, nb, l := c.pair(c.config("a"), c.config("b"))
		const callers, each = 50, 2000
		kinds := []uint8{kindEcho, kindEcho, kindEcho, kindLate, kindRetain}
		var wg sync.WaitGroup
		for caller := range callers {
			wg.Go(func() {
				var body [12]byte
				for i := range each {
					binary.LittleEndian.PutUint32(body[:], uint32(caller))
					binary.LittleEndian.PutUint64(body[4:], uint64(i))
					r, err := l.Call(context.Background(), kinds[i%len(kinds)], Payload{Head: body[:4], Body: body[4:]})
					if err != nil || !bytes.Equal(r.Data, body[:]) {
						t.Errorf("caller %d, call %d: %x, %v", caller, i, r.Data, err)
						return
					}
					r.Release()
				}
			})
		}
		wg.Wait()
		out, served := na.Stats().Outbound, nb.Stats().Served
		if out.FramesOut < callers*each || served.FramesIn < callers*each {
			t.Errorf("counted %+v, %+v", out, served)
		}
		if out.Writes > callers*each/2 {
			t.Errorf("%d writes for %d requests", out.Writes, callers*each)
		}
		if st := l.Stats(); st.Outstanding != 0 || st.OutstandingBytes != 0 || st.RoundTrip == 0 || st.LastHeard.IsZero() {
			t.Errorf("link: %+v", st)
		}
	})
}

// TestPipelines submits from many goroutines without waiting for replies.
func TestPipelines(t *testing.T) {
	both(t, func(t *testing.T, s secured) {
		c := newTestCluster(t, s)
		a := c.config("a")
		a.MaxOutstanding = 1 << 17
		na, _, l := c.pair(a, c.config("b"))
		const goroutines, each = 50, 2000
		sinks := make([]*collector, goroutines)
		var wg sync.WaitGroup
		for g := range goroutines {
			sinks[g] = newCollector()
			wg.Go(func() {
				for i := range uint64(each) {
					if err := l.Submit(kindEcho, Payload{Body: fmt.Appendf(nil, "%d/%d", g, i)}, sinks[g], i); err != nil {
						t.Errorf("submit: %v (failures %v)", err, na.Stats().Failures)
						return
					}
				}
			})
		}
		wg.Wait()
		for g, sink := range sinks {
			sink.wait(t, each)
			for i := range uint64(each) {
				if sink.seen[i] != 1 || sink.order[i] != i || sink.data[i] != fmt.Sprintf("%d/%d", g, i) {
					t.Fatalf("goroutine %d request %d: %d outcomes, order %d, %q", g, i, sink.seen[i], sink.order[i], sink.data[i])
				}
			}
		}
	})
}

func TestLargeFrames(t *testing.T) {
	both(t, func(t *testing.T, s secured) {
		c := newTestCluster(t, s)
		_, _, l := c.pair(c.config("a"), c.config("b"))
		for _, kib := range []int{1, 16, 31, 32, 33, 64, 1024, 5000, 20000} {
			r, err := l.Call(context.Background(), kindBig, Payload{Body: []byte{byte(kib), byte(kib >> 8)}})
			check(t, err)
			if len(r.Data) != kib<<10+6 || string(r.Data[:4]) != "big:" || r.Status != 2 || r.Data[4+1000] != byte(1000*7%256) {
				t.Fatalf("%d KiB: %d bytes", kib, len(r.Data))
			}
			// What came may be sent on from where it lies.
			copied := bytes.Clone(r.Data)
			check(t, err)
			p := Payload{Head: []byte("x"), Attach: Attachment{Parts: [][]byte{r.Data}, Owner: r.Owner()}}
			back, err := l.Call(context.Background(), kindRetain, p)
			check(t, err)
			if back.Data[0] != 'x' || !bytes.Equal(back.Data[1:], copied) {
				t.Fatalf("%d KiB came back changed", kib)
			}
			back.Release()
		}
	})
}

func TestFrameTooLarge(t *testing.T) {
	c := newTestCluster(t, plain)
	a, b := c.config("a"), c.config("b")
	a.MaxFrame, b.MaxFrame = 1000, 1000
	_, _, l := c.pair(a, b)
	if err := l.Submit(kindEcho, Payload{Body: make([]byte, 1001)}, newCollector(), 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if _, err := l.Call(context.Background(), kindEcho, Payload{Body: make([]byte, 1000)}); err != nil {
		t.Errorf("at the limit: %v", err)
	}
}

func TestBusy(t *testing.T) {
	for name, limit := range map[string]func(*Config){
		"requests": func(c *Config) { c.MaxOutstanding = 10 },
		"bytes":    func(c *Config) { c.MaxOutstandingBytes = 10 * (headerSize + 100) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newTestCluster(t, plain)
			a, b := c.config("a"), c.config("b")
			limit(&a)
			h := b.Handler.(*toy)
			na, _, l := c.pair(a, b)
			sink := newCollector()
			for i := range uint64(10) {
				check(t, l.Submit(kindHold, Payload{Body: make([]byte, 100)}, sink, i))
			}
			if err := l.Submit(kindHold, Payload{}, sink, 10); !errors.Is(err, ErrBusy) {
				t.Fatalf("got %v", err)
			}
			for _, w := range h.waitHeld(t, 10) {
				check(t, w.r.Reply(w.id, 0, Payload{}))
			}
			sink.wait(t, 10)
			check(t, l.Submit(kindEcho, Payload{}, sink, 11))
			sink.wait(t, 11)
			if sink.seen[10] != 0 || na.Stats().Busy != 1 {
				t.Errorf("seen %v, stats %+v", sink.seen, na.Stats())
			}
		})
	}
}

func TestCallGivesUp(t *testing.T) {
	c := newTestCluster(t, plain)
	b := c.config("b")
	h := b.Handler.(*toy)
	_, _, l := c.pair(c.config("a"), b)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := l.Call(ctx, kindHold, Payload{})
		done <- err
	}()
	w := h.waitHeld(t, 1)[0]
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	check(t, w.r.Reply(w.id, 0, Payload{Head: []byte("too late")}))
	for range 100 {
		r, err := l.Call(context.Background(), kindEcho, Payload{Body: []byte("own")})
		if err != nil || string(r.Data) != "own" {
			t.Fatalf("got %q, %v", r.Data, err)
		}
		r.Release()
	}
}

func TestUnreachable(t *testing.T) {
	c := newTestCluster(t, plain)
	n := c.node(c.config("a"))
	other := c.config("b")
	other.Handler = newToy()
	gone, err := Open(other)
	check(t, err)
	addr := gone.Addr().String()
	check(t, gone.Close())
	l, err := n.Link("b", addr, "requests")
	check(t, err)
	if err := l.Submit(kindEcho, Payload{}, newCollector(), 0); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	eventually(t, "failures of dialing counted", func() bool { return n.Stats().Failures[FailedDial] >= 2 && l.Err() != nil })
	if _, err := n.Link("a", addr, "requests"); err == nil {
		t.Error("a link to the node itself")
	}
	l.Close()
	l.Close()
	if err := l.WaitUp(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("closed link: %v", err)
	}
}

// TestAllocations guards that requests and replies take no memory.
func TestAllocations(t *testing.T) {
	c := newTestCluster(t, plain)
	_, _, l := c.pair(c.config("a"), c.config("b"))
	sink := &loop{done: make(chan struct{}, 1)}
	body := make([]byte, 64)
	round := func() {
		sink.open = 100
		for i := range 100 {
			if l.Queue(kindEcho, Payload{Body: body}, sink, uint64(i)) != nil {
				t.Error("refused")
			}
		}
		l.Flush()
		<-sink.done
	}
	for range 10 {
		round()
	}
	if n := testing.AllocsPerRun(100, round); n > 5 {
		t.Errorf("%v allocations for 100 requests", n)
	}
}

// rude is a listener that hangs up on the first who calls.
type rude struct {
	net.Listener
	called atomic.Bool
}

func (l *rude) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil && !l.called.Swap(true) {
		c.Close()
		return l.Listener.Accept()
	}
	return c, err
}

// TestRetriedAtOnce: a link that would try again in an hour is up as soon as its
// node has called, or has another address.
func TestRetriedAtOnce(t *testing.T) {
	both(t, func(t *testing.T, s secured) {
		c := newTestCluster(t, s)
		first, err := net.Listen("tcp", "127.0.0.1:0")
		check(t, err)
		b := c.config("b")
		b.Listen, b.Listener = "", &rude{Listener: first}
		nb := c.node(b)
		a := c.config("a")
		a.BackoffMin, a.BackoffMax = time.Hour, time.Hour
		na := c.node(a)
		l := linkTo(t, na, nb, "b")
		eventually(t, "the first attempt has failed", func() bool { return l.Err() != nil })
		linkTo(t, nb, na, "a")
		waitUp(t, l)

		other, err := na.Link("b", "127.0.0.1:1", "control")
		check(t, err)
		eventually(t, "nobody listens there", func() bool { return other.Err() != nil })
		_, err = na.Link("b", nb.Addr().String(), "control")
		check(t, err)
		waitUp(t, other)
	})
}
