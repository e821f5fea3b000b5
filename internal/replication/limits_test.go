package replication

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// slowNode acknowledges when the test says so. It is a [Transport].
type slowNode struct {
	*pair
	clock atomic.Int64
	sent  chan func([]Refusal, error)
	epoch uint64
}

// newSlowNode returns a node by whose clock no time passes.
func newSlowNode(t *testing.T) *slowNode {
	n := &slowNode{sent: make(chan func([]Refusal, error), 16)}
	n.clock.Store(int64(time.Hour))
	n.pair = newPair(t, func(c *SenderConfig) {
		c.Transport = n
		c.Logs.now = func() time.Duration { return time.Duration(n.clock.Load()) }
	})
	n.sender.Close()
	return n
}

// begin begins a stream with a copy of partition 968.
func (n *slowNode) begin(t *testing.T) *Sender {
	s := NewSender(n.sender.cfg)
	t.Cleanup(s.Close)
	n.epoch++
	c, err := s.Copy(n.logs.Open(968, 0), n.epoch)
	if err != nil {
		t.Fatal(err)
	}
	for c.State() != CaughtUp {
		select {
		case done := <-n.sent:
			done(nil, nil)
		case <-time.After(time.Millisecond):
		}
	}
	return s
}

// require makes the acknowledgements of the node count.
func (n *slowNode) require() { n.logs.Log(968).Require([]string{"b"}) }

// Send implements [Transport].
func (n *slowNode) Send(_ []byte, done func([]Refusal, error)) { n.sent <- done }

// write makes an effect and waits until it is under way.
func (n *slowNode) write() (acknowledge func()) {
	set(n.from, 0, "{a}1", "x", 0)
	done := <-n.sent
	return func() { done(nil, nil) }
}

func (n *slowNode) pass(d time.Duration) { n.clock.Add(int64(d)) }

// Whatever the rhythm of writes: a node that acknowledges in time stays, one that
// stops is given up after the time-out, one that is always late after a while.
func TestJudge(t *testing.T) {
	const (
		step    = 10 * time.Millisecond
		timeout = 300 * time.Millisecond
	)
	n := newSlowNode(t)
	rapid.Check(t, func(r *rapid.T) {
		given := n.out.Late.Load()
		s := n.begin(t)
		defer s.Close()
		n.logs.Log(968).Require(nil)
		n.require()
		most := timeout
		if rapid.Bool().Draw(r, "late") {
			most *= 2
		}
		stops := step * time.Duration(rapid.IntRange(0, 400).Draw(r, "stops"))
		type batch struct {
			sent, due   time.Duration
			acknowledge func()
		}
		var flight []batch
		var delay, moved, inTime time.Duration
		for now := time.Duration(0); ; now += step {
			for len(flight) > 0 && flight[0].due <= now && now < stops {
				flight[0].acknowledge()
				flight, moved = flight[1:], now
			}
			if len(flight) == 0 || len(flight) < maxInFlight && rapid.IntRange(0, 3).Draw(r, "writes") > 0 {
				delay = min(most, delay+step*time.Duration(rapid.IntRange(0, 10).Draw(r, "slower")))
				flight = append(flight, batch{now, now + delay, n.write()})
			}
			if now-flight[0].sent <= timeout {
				inTime = now
			}
			silent := now - max(moved, flight[0].sent)
			wanted := silent > timeout || now-inTime > lateFor*timeout
			switch err := s.Judge(0); {
			case err != nil && (!errors.Is(err, ErrLate) || !wanted):
				r.Fatalf("%v after an acknowledgement and late for %v: %v", silent, now-inTime, err)
			case err != nil:
				if n.out.Late.Load() != given+1 {
					r.Fatal("it is not counted")
				}
				return
			case silent > timeout+step, now-inTime > lateFor*timeout+step:
				r.Fatalf("%v after an acknowledgement and late for %v it stays", silent, now-inTime)
			}
			n.pass(step)
		}
	})
}

// What this process is late with itself, and what a large batch takes on the
// wire, is forgiven.
func TestJudgeIsPatient(t *testing.T) {
	n := newSlowNode(t)
	s := n.begin(t)
	n.require()
	n.write()
	n.pass(time.Second)
	if err := s.Judge(time.Second); err != nil {
		t.Errorf("when this process is late, too: %v", err)
	}
	if err := s.Judge(0); !errors.Is(err, ErrLate) {
		t.Errorf("when it is not: %v", err)
	}
	s = n.begin(t)
	n.logs.Log(968).Require(nil)
	n.require()
	set(n.from, 0, "{a}1", strings.Repeat("x", slowestLink/4), 0)
	<-n.sent
	n.pass(500 * time.Millisecond)
	if err := s.Judge(0); err != nil {
		t.Errorf("16 MiB after half a second: %v", err)
	}
	n.pass(100 * time.Millisecond)
	if err := s.Judge(0); !errors.Is(err, ErrLate) {
		t.Errorf("16 MiB after 600 ms: %v", err)
	}
}

// Nobody waits for a learner, so it is never late.
func TestLearnerIsNeverLate(t *testing.T) {
	n := newSlowNode(t)
	s := n.begin(t)
	n.write()
	n.pass(time.Minute)
	if err := s.Judge(0); err != nil {
		t.Error(err)
	}
	n.require()
	if err := s.Judge(0); !errors.Is(err, ErrLate) {
		t.Errorf("once it is required: %v", err)
	}
	if got := n.logs.InSync(968); got != 0 {
		t.Errorf("%d nodes are in sync whose stream has ended", got)
	}
}

// Replies wait for a node that is late until the view is without it.
func TestLateNodeIsLetGo(t *testing.T) {
	n := newSlowNode(t)
	s := n.begin(t)
	n.require()
	n.write()
	held := need(n.pair)
	n.pass(time.Second)
	if err := s.Judge(0); !errors.Is(err, ErrLate) || held.State() != Open {
		t.Errorf("given up with %v, the need is %v", err, held.State())
	}
	n.logs.Log(968).Require(nil)
	if held.State() != Met {
		t.Errorf("without the node the need is %v", held.State())
	}
}

// stalled takes a batch and does not return.
type stalled chan struct{}

// Send implements [Transport].
func (s stalled) Send(_ []byte, done func([]Refusal, error)) {
	<-s
	done(nil, nil)
}

// The backlog is bounded even while the transport is busy with a batch.
func TestBacklogIsBounded(t *testing.T) {
	hold := make(stalled)
	p := newPair(t, func(c *SenderConfig) {
		c.Transport = hold
		c.Logs.SetLimits(Limits{Timeout: time.Hour, Backlog: 100_000})
	})
	defer close(hold)
	c := p.copy(t, 968, 1)
	g := p.logs.Log(968)
	g.Require([]string{"b"})
	for c.State() == Waiting {
		<-time.After(time.Millisecond)
	}
	over := 0
	for most := uint64(0); ; over++ {
		set(p.from, 0, "{a}1", strings.Repeat("x", 1000), 0)
		if most = max(most, p.sender.unacked()); most > 3*100_000 {
			t.Fatalf("%d bytes are queued", most)
		}
		select {
		case <-c.Done():
		default:
			<-time.After(100 * time.Microsecond)
			continue
		}
		break
	}
	if !errors.Is(c.Err(), ErrOverrun) || p.out.Overrun.Load() != 1 || over < 90 {
		t.Errorf("after %d writes the copy ended with %v, counted %d times", over, c.Err(), p.out.Overrun.Load())
	}
	for range 1000 { // the owner goes on, and keeps nothing for the node
		set(p.from, 0, "{a}2", strings.Repeat("x", 1000), 0)
	}
	p.sender.out.mu.Lock()
	defer p.sender.out.mu.Unlock()
	if n := len(p.sender.out.buf); n > 0 {
		t.Errorf("%d bytes are queued for a node that was given up", n)
	}
}
