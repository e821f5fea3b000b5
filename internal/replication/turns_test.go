package replication

import (
	"strconv"
	"sync"
	"testing"
	"time"
)

// wakes is a [Waker] that keeps one word.
type wakes chan struct{}

func (w wakes) Acknowledged() {
	select {
	case w <- struct{}{}:
	default:
	}
}

// TestTurnsLeaveNothing: whoever writes while event loops begin and end their turns,
// all of it is sent without anybody's asking.
func TestTurnsLeaveNothing(t *testing.T) {
	p, _, _ := replica(t, 0)
	woken := make(wakes, 1)
	p.logs.Wake(woken)
	for round := range 300 {
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Go(func() {
				if w%2 == 0 {
					p.logs.BeginTurn()
					defer p.logs.EndTurn()
				}
				set(p.from, 0, "{a}"+strconv.Itoa(w), strconv.Itoa(round), 0)
			})
		}
		writers.Wait()
		limit := time.After(10 * time.Second)
		for n := need(p); n.State() != Met; {
			select {
			case <-woken:
			case <-limit:
				t.Fatalf("round %d: %d bytes were never acknowledged", round, p.sender.unacked())
			}
		}
	}
	same(t, contents(p.from, 968), contents(p.to, 968))
}

// TestTurnIsOneBatch: what is written in a turn leaves when it ends, together.
func TestTurnIsOneBatch(t *testing.T) {
	p, _, _ := replica(t, 0)
	before := p.sender.batches()
	p.logs.BeginTurn()
	for i := range 10 {
		set(p.from, 0, "{a}"+strconv.Itoa(i), "x", 0)
	}
	p.logs.EndTurn()
	// One more when the sender's own goroutine was still to look for what came before.
	if n := p.sender.batches() - before; n < 1 || n > 2 {
		t.Errorf("%d batches of one turn", n)
	}
	if !p.logs.waitFor(need(p), 10*time.Second) {
		t.Error("it was not acknowledged")
	}
}

func (s *Sender) batches() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

func TestQuickBatches(t *testing.T) {
	p, _, _ := replica(t, 0)
	sent := make(chan bool, 100)
	p.broken = func(batch []byte) error {
		sent <- IsQuick(batch)
		return nil
	}
	p.logs.BeginTurn()
	set(p.from, 0, "{a}1", "x", 0)
	p.logs.EndTurn()
	if !<-sent {
		t.Error("a change of a key is not quick")
	}
	p.copy(t, 12, 1)
	if <-sent {
		t.Error("the begin of a copy, which drops a partition, is quick")
	}
}
