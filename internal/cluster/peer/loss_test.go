package peer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

// TestDisconnects breaks connections under load: every request that was accepted
// has exactly one outcome, and every attachment is released exactly once.
func TestDisconnects(t *testing.T) {
	both(t, func(t *testing.T, s secured) {
		c := newTestCluster(t, s)
		na, nb, l := c.pair(c.config("a"), c.config("b"))
		stop := make(chan struct{})
		var wg sync.WaitGroup
		var answered, lost atomic.Int64
		for range 8 {
			wg.Go(func() {
				sink, accepted := newCollector(), 0
				var released []*releases
				for i := uint64(0); ; i++ {
					select {
					case <-stop:
						sink.wait(t, accepted)
						for tag, n := range sink.seen {
							switch err := sink.errs[tag]; {
							case n != 1:
								t.Errorf("request %d has %d outcomes", tag, n)
							case err == nil:
								answered.Add(1)
							case errors.Is(err, ErrLost), errors.Is(err, ErrUnreachable):
								lost.Add(1)
							default:
								t.Errorf("request %d: %v", tag, err)
							}
						}
						for _, r := range released {
							eventually(t, "attachment released", func() bool { return r.n.Load() == 1 })
						}
						return
					default:
					}
					p := Payload{Body: []byte("hello")}
					var r *releases
					if i%16 == 0 {
						r = &releases{}
						p.Attach = Attachment{Parts: [][]byte{make([]byte, 20<<10)}, Owner: r}
					}
					if l.Submit(kindEcho, p, sink, i) == nil {
						accepted++
						if r != nil {
							released = append(released, r)
						}
					}
					if i%64 == 0 {
						sink.wait(t, accepted)
					}
				}
			})
		}
		for range 10 {
			waitUp(t, l)
			before := na.Stats().Outbound.FramesIn
			eventually(t, "traffic", func() bool { return na.Stats().Outbound.FramesIn > before+200 })
			for _, in := range nb.inbounds() {
				in.sock.Conn.Close()
			}
			before = na.Stats().Connects
			eventually(t, "reconnected", func() bool { return l.conn.Load() == nil || na.Stats().Connects > before })
		}
		close(stop)
		wg.Wait()
		if answered.Load() == 0 {
			t.Error("nothing was answered")
		}
		t.Logf("%d answered, %d lost", answered.Load(), lost.Load())
	})
}

type releases struct{ n atomic.Int32 }

func (r *releases) Release() { r.n.Add(1) }

func TestLostAndNeverSent(t *testing.T) {
	c := newTestCluster(t, plain)
	b := c.config("b")
	h := b.Handler.(*toy)
	na, nb, l := c.pair(c.config("a"), b)
	sink := newCollector()
	check(t, l.Submit(kindHold, Payload{}, sink, 1))
	w := h.waitHeld(t, 1)[0]
	check(t, l.Queue(kindHold, Payload{}, sink, 2)) // and no flush
	nb.Drop("a")
	sink.wait(t, 2)
	if !errors.Is(sink.errs[1], ErrLost) || !errors.Is(sink.errs[2], ErrUnreachable) {
		t.Errorf("outcomes %v", sink.errs)
	}
	waitUp(t, l)
	if s := na.Stats(); s.Lost != 1 || s.Failures[FailedLost] == 0 {
		t.Errorf("stats %+v", s)
	}
	eventually(t, "responder refuses", func() bool {
		return errors.Is(w.r.Reply(w.id, 0, Payload{}), ErrUnreachable)
	})
	r, err := l.Call(context.Background(), kindEcho, Payload{Body: []byte("again")})
	check(t, err)
	r.Release()
}

func TestCloseCompletesWhatIsOutstanding(t *testing.T) {
	c := newTestCluster(t, withTLS)
	b := c.config("b")
	h := b.Handler.(*toy)
	na, _, l := c.pair(c.config("a"), b)
	sink := newCollector()
	check(t, l.Submit(kindHold, Payload{}, sink, 1))
	h.waitHeld(t, 1)
	check(t, na.Close())
	sink.wait(t, 1)
	if !errors.Is(sink.errs[1], ErrClosed) {
		t.Errorf("got %v", sink.errs[1])
	}
	if err := l.Submit(kindEcho, Payload{}, sink, 2); !errors.Is(err, ErrUnreachable) {
		t.Errorf("after close: %v", err)
	}
	if _, err := na.Link("b", "127.0.0.1:1", "x"); !errors.Is(err, ErrClosed) {
		t.Errorf("link of a closed network: %v", err)
	}
	eventually(t, "session closed", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.closed) == 1
	})
}

// TestSlowReader has a node that asks and does not read.
func TestSlowReader(t *testing.T) {
	t.Run("late replies", func(t *testing.T) {
		c := newTestCluster(t, plain)
		b := c.config("b")
		b.MaxOutput = 1 << 20
		h := b.Handler.(*toy)
		nb := c.node(b)
		raw := rawHello(t, nb, "a", 1)
		_, err := raw.Write(header{typ: frameRequest, kind: kindHold, id: 7}.append(nil))
		check(t, err)
		w := h.waitHeld(t, 1)[0]
		big := make([]byte, 64<<10)
		for {
			if err = w.r.Reply(w.id, 0, Payload{Body: big}); err != nil {
				break
			}
		}
		if !errors.Is(err, ErrBusy) {
			t.Errorf("got %v", err)
		}
		eventually(t, "closed and counted", func() bool {
			s := nb.Stats()
			return s.Failures[FailedSlow] == 1 && s.Inbound == 0
		})
	})
	t.Run("replies in place", func(t *testing.T) {
		clock := newFakeClock()
		c := newTestCluster(t, plain)
		b := c.config("b")
		b.MaxOutput, b.Clock = 1<<20, clock
		h := b.Handler.(*toy)
		nb := c.node(b)
		raw := rawHello(t, nb, "a", 1)
		request := append(header{typ: frameRequest, kind: kindBig, length: 2}.append(nil), 0, 16) // 4 MiB
		var all []byte
		for range 500 {
			all = append(all, request...)
		}
		_, err := raw.Write(all)
		check(t, err)
		clock.advanceUntil(t, "closed and counted", func() bool {
			s := nb.Stats()
			return s.Failures[FailedSlow] == 1 && s.Inbound == 0
		})
		if out := nb.Stats().Served.FramesOut; out > 100 {
			t.Errorf("%d replies were made for a node that reads none", out)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.closed) != 1 || !errors.Is(h.closed[0], errSlow) {
			t.Errorf("session closed with %v", h.closed)
		}
	})
}

// TestBreak: what waits for a node that is given up is lost, and the link comes
// back; a node that was heard is not given up.
func TestBreak(t *testing.T) {
	c := newTestCluster(t, plain)
	b := c.config("b")
	toy := b.Handler.(*toy)
	na, _, l := c.pair(c.config("a"), b)
	sink := newCollector()
	check(t, l.Submit(kindHold, Payload{Body: []byte("x")}, sink, 7))
	toy.waitHeld(t, 1)
	na.Break("b", patience)
	na.Break("c", 0)
	if l.conn.Load() == nil {
		t.Error("a node that was heard was given up")
	}
	na.Break("b", 0)
	sink.wait(t, 1)
	if err := sink.errs[7]; !errors.Is(err, ErrLost) {
		t.Errorf("the request ends with %v", err)
	}
	eventually(t, "the link is up again", func() bool { return na.Stats().Connects == 2 && l.conn.Load() != nil })
}
