package peer

import (
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// fakeClock is a clock that tests move.
type fakeClock struct {
	mu     sync.Mutex
	now    time.Time
	timers []fakeTimer
}

type fakeTimer struct {
	at time.Time
	c  chan time.Time
}

func newFakeClock() *fakeClock { return &fakeClock{now: time.Unix(1000, 0)} }

func (f *fakeClock) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fakeClock) After(d time.Duration) <-chan time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := make(chan time.Time, 1)
	f.timers = append(f.timers, fakeTimer{f.now.Add(d), c})
	return c
}

// advance moves the clock and rings what is due.
func (f *fakeClock) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	var later []fakeTimer
	for _, t := range f.timers {
		if t.at.After(f.now) {
			later = append(later, t)
		} else {
			t.c <- f.now
		}
	}
	f.timers = later
}

// advanceUntil moves the clock in small steps until a condition holds. A step is
// made only while somebody waits for it.
func (f *fakeClock) advanceUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	eventually(t, what, func() bool {
		f.mu.Lock()
		waiting := len(f.timers) > 0
		f.mu.Unlock()
		if waiting {
			f.advance(10 * time.Millisecond)
		}
		return holds()
	})
}

func TestHeartbeatKeepsIdleLinksAlive(t *testing.T) {
	clock := newFakeClock()
	c := newTestCluster(t, withTLS)
	a := c.config("a")
	a.Clock, a.DeadAfter = clock, 0
	na, nb, l := c.pair(a, c.config("b"))
	l.Watch(true)
	start := clock.Now()
	for range 5 {
		before := l.LastHeard()
		clock.advanceUntil(t, "another answer", func() bool { return l.LastHeard().After(before) })
	}
	if took := clock.Now().Sub(start); took > 3*time.Second {
		t.Errorf("five heartbeats took %v", took)
	}
	if late := na.Overdue(200 * time.Millisecond); len(late) > 0 {
		t.Errorf("overdue: %v", late)
	}
	if s := na.Stats(); s.Failures[FailedSilent] != 0 || s.LinksUp != 1 {
		t.Errorf("stats %+v", s)
	}
	if na.LastHeard("b") != l.LastHeard() || nb.LastHeard("a").IsZero() || !na.LastHeard("c").IsZero() {
		t.Error("what was heard of the nodes is wrong")
	}
	eventually(t, "round trip measured", func() bool { return l.Stats().RoundTrip > 0 })
}

// TestWatchedInTurn has a link that is only watched not asked for a sign of life
// while its node gives some elsewhere, and asked all the same after a while.
func TestWatchedInTurn(t *testing.T) {
	for _, row := range []struct {
		name             string
		silent, heard    time.Duration // of the link, and since when the node was heard
		watched, pending bool
		want             bool
	}{
		{"silent everywhere", 100 * time.Millisecond, 100 * time.Millisecond, true, false, true},
		{"the node is heard elsewhere", 300 * time.Millisecond, 20 * time.Millisecond, true, false, false},
		{"and was", 300 * time.Millisecond, 90 * time.Millisecond, true, false, true},
		{"the link itself is silent for long", time.Second, 20 * time.Millisecond, true, false, true},
		{"a request is outstanding", 100 * time.Millisecond, 20 * time.Millisecond, true, true, true},
		{"nobody watches", 300 * time.Millisecond, 300 * time.Millisecond, false, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newTestCluster(t, plain)
			a := c.config("a")
			a.Clock, a.DeadAfter = newFakeClock(), 0 // it stands still: nobody else looks
			_, _, l := c.pair(a, c.config("b"))
			l.Watch(row.watched)
			o := l.conn.Load()
			if row.pending {
				o.out.mu.Lock()
				o.pending.add(waiting{sink: newCollector()})
				o.out.mu.Unlock()
			}
			now := o.sock.heard.Load() + int64(row.silent)
			o.beat(now, 0, map[string]int64{"b": now - int64(row.heard)})
			o.out.mu.Lock()
			asked := o.watch.asked != 0
			o.out.mu.Unlock()
			if asked != row.want {
				t.Errorf("asked: %v", asked)
			}
		})
	}
}

// TestSilentNodeIsDead has a node that accepts, greets, and then says nothing.
func TestSilentNodeIsDead(t *testing.T) {
	clock := newFakeClock()
	c := newTestCluster(t, plain)
	a := c.config("a")
	a.Clock, a.DeadAfter = clock, 0
	n := c.node(a)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	var accepted sync.WaitGroup
	accepted.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			if _, err := readEnvelope(conn); err != nil {
				continue
			}
			mute := answer{Identity: Identity{Cluster: "c1", Node: "b"}, version: 1}
			_, _ = conn.Write(mute.encode())
		}
	})
	t.Cleanup(func() { listener.Close(); accepted.Wait() })
	l, err := n.Link("b", listener.Addr().String(), "requests")
	check(t, err)
	waitUp(t, l)
	sink := newCollector()
	check(t, l.Submit(kindEcho, Payload{}, sink, 1))
	clock.advanceUntil(t, "overdue", func() bool { return slices.Equal(n.Overdue(150*time.Millisecond), []string{"b"}) })
	if late := n.Overdue(10 * time.Second); len(late) > 0 || n.Stats().Failures[FailedSilent] > 0 {
		t.Errorf("overdue for 10 s: %v", late)
	}
	clock.advanceUntil(t, "declared dead", func() bool { return n.Stats().Failures[FailedSilent] >= 1 })
	sink.wait(t, 1)
	if !errors.Is(sink.errs[1], ErrLost) {
		t.Errorf("got %v", sink.errs[1])
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	clock := newFakeClock()
	c := newTestCluster(t, plain)
	b := c.config("b")
	b.Clock = clock
	nb := c.node(b)
	rawHello(t, nb, "a", 1)
	start := clock.Now()
	clock.advanceUntil(t, "closed", func() bool { return nb.Stats().Failures[FailedSilent] == 1 })
	if took := clock.Now().Sub(start); took < 10*time.Second {
		t.Errorf("closed after %v", took)
	}
}

// TestPulse walks through the life of a heartbeat; times in milliseconds.
func TestPulse(t *testing.T) {
	type step struct {
		now, late int64
		v         vitals
		want      verdict
	}
	for name, steps := range map[string][]step{
		"heard in time": {
			{now: 100, v: vitals{heard: 50}, want: alive},
		},
		"answered": {
			{now: 200, v: vitals{heard: 100}, want: ask},
			{now: 250, v: vitals{heard: 100, sent: 10, completed: 10}, want: alive},
			{now: 300, v: vitals{heard: 260, sent: 10, completed: 10}, want: alive},
		},
		"dead after three silences": {
			{now: 200, v: vitals{heard: 100}, want: ask},
			{now: 399, v: vitals{heard: 100, sent: 10, completed: 10}, want: alive},
			{now: 400, v: vitals{heard: 100, sent: 10, completed: 10}, want: dead},
		},
		"more that is sent behind the ping does not help": {
			{now: 200, v: vitals{heard: 100}, want: ask},
			{now: 300, v: vitals{heard: 100, sent: 90, completed: 90}, want: alive},
			{now: 400, v: vitals{heard: 100, sent: 900, completed: 900}, want: dead},
		},
		"a ping behind flowing bytes has not left": {
			{now: 200, v: vitals{heard: 100}, want: ask},
			{now: 400, v: vitals{heard: 100, sent: 5, completed: 5}, want: alive},
			{now: 550, v: vitals{heard: 100, sent: 7, completed: 7}, want: alive},
			{now: 750, v: vitals{heard: 100, sent: 7, completed: 7}, want: dead},
		},
		"the process itself stood still": {
			{now: 200, v: vitals{heard: 100}, want: ask},
			{now: 5200, late: 5000, v: vitals{heard: 100, sent: 10, completed: 10}, want: alive},
			{now: 5300, v: vitals{heard: 5210, sent: 10, completed: 10}, want: alive},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var p pulse
			for i, s := range steps {
				got := p.look(s.now, s.late, 100, 200, s.v)
				if got != s.want {
					t.Fatalf("step %d: %d, not %d (%+v)", i, got, s.want, p)
				}
				if got == ask {
					p.asked, p.position, p.sent = s.now, s.v.completed+10, s.v.sent
				}
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	b := backoff{shortest: 20 * time.Millisecond, longest: time.Second}
	expect := func(what string, least, most time.Duration) {
		t.Helper()
		if d := b.next(); d < least || d > most {
			t.Errorf("%s: %v", what, d)
		}
	}
	expect("first failure", 10*time.Millisecond, 20*time.Millisecond)
	expect("second", 20*time.Millisecond, 40*time.Millisecond)
	for range 10 {
		b.next()
	}
	expect("many", 500*time.Millisecond, time.Second)
	b.lived(time.Millisecond)
	expect("after a short life", 500*time.Millisecond, time.Second)
	b.lived(time.Minute)
	expect("after a long life", 0, 0)
	expect("and a failure", 10*time.Millisecond, 20*time.Millisecond)
}
