package replication

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/hashing"
)

// replica is a pair whose copy has caught up and is required.
func replica(t *testing.T, lease time.Duration) (*pair, *Log, *Copy) {
	t.Helper()
	var changed <-chan struct{}
	p := newPair(t, func(c *SenderConfig) {
		c.Logs.lease = lease
		changed = told(c)
	})
	c := p.copy(t, 968, 1)
	await(t, c, changed, CaughtUp)
	g := p.logs.Log(968)
	g.Require([]string{"b"})
	return p, g, c
}

func need(p *pair) *Need {
	n := &Need{}
	p.logs.Add(n, 968)
	return n
}

func TestWriteIsNeededUntilAcknowledged(t *testing.T) {
	p, _, _ := replica(t, 0)
	if n := need(p); n.Any() {
		t.Error("there is a need before any write")
	}
	hold := make(chan struct{})
	p.broken = func([]byte) error { <-hold; return nil }
	set(p.from, 0, "{a}1", "x", 0)
	n := need(p)
	if !n.Any() || n.State() != Open {
		t.Errorf("after a write the need is %v", n.State())
	}
	close(hold)
	if got := p.logs.Wait(n, nil); got != Met {
		t.Errorf("acknowledged, the need is %v", got)
	}
	if got := contents(p.to, 968); len(got) != 1 {
		t.Errorf("acknowledged, the copy has %v", got)
	}
}

func TestNeedWithoutTheNode(t *testing.T) {
	p, g, _ := replica(t, 0)
	hold := make(chan struct{})
	defer close(hold)
	p.broken = func([]byte) error { <-hold; return nil }
	set(p.from, 0, "{a}1", "x", 0)
	n := need(p)
	g.Require(nil)
	if got := p.logs.Wait(n, nil); got != Met {
		t.Errorf("when the node is not required any more the need is %v", got)
	}
	g.Require([]string{"c"})
	if n := need(p); n.State() != Open {
		t.Errorf("of a node that has no copy the need is %v", n.State())
	}
}

// TestMissedNodes: what a node that this one is cut off from has to acknowledge is
// lost, and what others have to is not.
func TestMissedNodes(t *testing.T) {
	p, g, _ := replica(t, 0)
	hold := make(chan struct{})
	p.broken = func([]byte) error { <-hold; return nil }
	set(p.from, 0, "{a}1", "x", 0)
	n, other := need(p), need(p)
	p.logs.Miss([]string{"c"})
	if other.State() != Open {
		t.Errorf("without a node that need not acknowledge the need is %v", other.State())
	}
	waited := make(chan NeedState)
	go func() { waited <- p.logs.Wait(n, nil) }()
	p.logs.Miss(g.Required())
	if got := <-waited; got != Lost {
		t.Errorf("cut off from the copy the need is %v", got)
	}
	p.logs.Miss(nil)
	close(hold)
	if got := p.logs.Wait(other, nil); got != Met {
		t.Errorf("when the copy is heard again the need is %v", got)
	}
}

func TestFencedNeedIsLost(t *testing.T) {
	p, g, _ := replica(t, 0)
	hold := make(chan struct{})
	p.broken = func([]byte) error { <-hold; return nil }
	set(p.from, 0, "{a}1", "x", 0)
	n := need(p)
	if seq, whole := p.receiver.Promise(968, 2); seq != 0 || !whole {
		t.Errorf("the copy has effect %d", seq)
	}
	close(hold)
	if got := p.logs.Wait(n, nil); got != Lost {
		t.Errorf("after a promise to another owner the need is %v", got)
	}
	if g.fenced.Load() {
		t.Error("by the word of one copy the log is fenced for good")
	}
	if got := contents(p.to, 968); len(got) != 0 {
		t.Errorf("the copy has taken %v", got)
	}
	later := need(p)
	if later.State() != Lost {
		t.Errorf("a later need is %v", later.State())
	}
	// The failover came to nothing: the view keeps the owner, without that copy.
	g.Require(nil)
	if later.State() != Met || need(p).State() != Met {
		t.Error("nobody is required and something is not met")
	}
}

func TestWhatWasAcknowledgedStaysSo(t *testing.T) {
	p, _, c := replica(t, 0)
	set(p.from, 0, "{a}1", "x", 0)
	n := need(p)
	if err := c.HandOver(2); err != nil {
		t.Fatal(err)
	}
	p.logs.Drop(968)
	if got := n.State(); got != Met {
		t.Errorf("after the hand-over the need is %v", got)
	}
}

func TestBrokenStreamLeavesTheNeedOpen(t *testing.T) {
	p, g, c := replica(t, 0)
	p.broken = func([]byte) error { return fmt.Errorf("cut") }
	set(p.from, 0, "{a}1", "x", 0)
	n := need(p)
	<-c.Done()
	set(p.from, 0, "{a}2", "x", 0)
	if m := need(p); n.State() != Open || m.State() != Open {
		t.Errorf("the needs are %v and %v", n.State(), m.State())
	}
	g.Require(nil)
	if got := p.logs.Wait(n, nil); got != Met {
		t.Errorf("without the node the need is %v", got)
	}
}

func TestReadsAreConfirmed(t *testing.T) {
	p, _, _ := replica(t, time.Second)
	now := time.Duration(0)
	p.logs.now = func() time.Duration { return now }
	set(p.from, 0, "{a}1", "x", 0)
	if got := p.logs.Wait(need(p), nil); got != Met {
		t.Fatal(got)
	}
	if n := need(p); n.Any() {
		t.Error("within the lease a read has to be confirmed")
	}
	now += 2 * time.Second
	n := need(p)
	if !n.Any() {
		t.Fatal("beyond the lease a read need not be confirmed")
	}
	if got := p.logs.Wait(n, nil); got != Met {
		t.Errorf("confirmed, the need is %v", got)
	}
	now += 2 * time.Second
	p.receiver.Promise(968, 2)
	if got := p.logs.Wait(need(p), nil); got != Lost {
		t.Errorf("when another is the owner a read is %v", got)
	}
}

// With `ack: none` a write waits for nothing, a read for the word that this node is
// the owner still; when another is, nothing is told.
func TestUnheld(t *testing.T) {
	p, g, _ := replica(t, time.Second)
	now := atomic.Int64{}
	p.logs.now = func() time.Duration { return time.Duration(now.Load()) }
	set(p.from, 0, "{a}1", "x", 0)
	p.logs.Wait(need(p), nil)
	unheld := func() (read, write *Need) {
		read, write = &Need{}, &Need{}
		p.logs.Confirm(read, 968)
		p.logs.Own(write, 968)
		return read, write
	}
	hold := make(chan struct{})
	p.broken = func([]byte) error { <-hold; return nil }
	set(p.from, 0, "{a}1", "y", 0)
	if read, write := unheld(); read.Any() || write.Any() || need(p).State() != Open {
		t.Error("what is not acknowledged holds what need not be")
	}
	now.Store(int64(2 * time.Second))
	read, write := unheld()
	if read.State() != Open || write.Any() {
		t.Errorf("beyond the lease a read is %v, a write %v", read.State(), write.State())
	}
	close(hold)
	if got := p.logs.Wait(read, nil); got != Met {
		t.Errorf("confirmed, a read is %v", got)
	}
	now.Store(int64(4 * time.Second))
	p.receiver.Promise(968, 2)
	if read, _ = unheld(); p.logs.Wait(read, nil) != Lost {
		t.Errorf("when another is promised to be the owner a read is %v", read.State())
	}
	if _, write = unheld(); write.State() != Lost {
		t.Errorf("and a write %v", write.State())
	}
	g.Require(nil) // the failover came to nothing
	if read.State() != Met || write.State() != Met {
		t.Error("nobody is required and something is not met")
	}
	g.Fence()
	if read, write = unheld(); read.State() != Lost || write.State() != Lost {
		t.Errorf("when another is the owner a read is %v, a write %v", read.State(), write.State())
	}
}

// What nobody waits for reaches the copies before the logs are left.
func TestFlush(t *testing.T) {
	p, _, _ := replica(t, 0)
	hold := make(chan struct{})
	p.broken = func([]byte) error { <-hold; return nil }
	set(p.from, 0, "{a}1", "x", 0)
	p.logs.Flush(time.Millisecond)
	if got := contents(p.to, 968); len(got) != 0 {
		t.Errorf("the copy has %v", got)
	}
	close(hold)
	p.logs.Flush(time.Minute)
	same(t, contents(p.from, 968), contents(p.to, 968))
}

func TestNumbersGoOn(t *testing.T) {
	p, g, c := replica(t, 0)
	for i := range 10 {
		set(p.from, 0, fmt.Sprintf("{a}%d", i), "x", 0)
	}
	if got := p.logs.Wait(need(p), nil); got != Met {
		t.Fatal(got)
	}
	if g.Seq() != 10 || p.receiver.Seq(968) != 10 {
		t.Errorf("the owner has %d effects, the copy %d", g.Seq(), p.receiver.Seq(968))
	}
	if err := c.HandOver(2); err != nil {
		t.Fatal(err)
	}
	next := NewLogs(p.to, 0).Open(968, p.receiver.Seq(968))
	set(p.to, 0, "{a}x", "x", 0)
	if next.Seq() != 11 {
		t.Errorf("the next effect has number %d", next.Seq())
	}
}

func TestResume(t *testing.T) {
	p, g, c := replica(t, 0)
	set(p.from, 0, "{a}1", "x", 0)
	if got := p.logs.Wait(need(p), nil); got != Met {
		t.Fatal(got)
	}
	c.Abort()
	again, err := p.sender.Resume(g, 2)
	if err != nil {
		t.Fatal(err)
	}
	g.Require([]string{"b"})
	set(p.from, 0, "{a}2", "y", 0)
	if got := p.logs.Wait(need(p), nil); got != Met {
		t.Fatal(got)
	}
	same(t, contents(p.from, 968), contents(p.to, 968))
	if scanned, _, _ := again.Progress(); scanned != 0 {
		t.Errorf("%d entries were scanned", scanned)
	}
	again.Abort()
	set(p.from, 0, "{a}3", "z", 0) // which the copy has not
	late, err := p.sender.Resume(g, 3)
	if err != nil {
		t.Fatal(err)
	}
	if <-late.Done(); late.Err() != ErrRefused {
		t.Errorf("a copy that is behind resumes: %v", late.Err())
	}
}

func TestHalfACopyIsNotWhole(t *testing.T) {
	p := newPair(t, nil)
	apply := func(b []byte) (seq uint64, whole bool) {
		t.Helper()
		if refused, err := p.receiver.Apply("a", b); err != nil || len(refused) > 0 {
			t.Fatal(refused, err)
		}
		return p.receiver.Promise(968, 0)
	}
	b := appendMark(appendHead(nil, 1, 1, 0), effectBegin, 968, 7, 1)
	if seq, whole := apply(appendDelete(b, 968, 9, 0, []byte("k"))); seq != 9 || whole {
		t.Errorf("in the middle: %d %v", seq, whole)
	}
	if seq, whole := apply(appendRecord(appendHead(nil, 1, 1, 0), effectComplete, 968, 0)); seq != 9 || !whole {
		t.Errorf("at the end: %d %v", seq, whole)
	}
	if _, whole := apply(b[:len(b):len(b)]); whole {
		t.Error("begun again it is whole")
	}
	p.receiver.Has(968, 12)
	if seq, whole := p.receiver.Promise(968, 0); seq != 12 || !whole {
		t.Errorf("of a former owner: %d %v", seq, whole)
	}
	p.receiver.Drop(968)
	if _, whole := p.receiver.Promise(968, 0); whole {
		t.Error("dropped it is whole")
	}
}

// TestNothingIsNotHandedOver: a process that was started while the copy went to its
// predecessor does not become the owner by the last word of the former one.
func TestNothingIsNotHandedOver(t *testing.T) {
	p, _, c := replica(t, 0)
	set(p.from, 0, "{a}1", "x", 0)
	if got := p.logs.Wait(need(p), nil); got != Met {
		t.Fatal(got)
	}
	p.queue <- func() { p.receiver = NewReceiver(p.to, p.guard, hashing.Partitions, &p.in) }
	if err := c.HandOver(2); !errors.Is(err, ErrRefused) {
		t.Errorf("handed over to a process that has nothing: %v", err)
	}
	if _, whole := p.receiver.Promise(968, 0); whole {
		t.Error("it believes to have all")
	}
}

func TestPromiseIsToldWithTheNextAnswer(t *testing.T) {
	p, _, c := replica(t, 0)
	other := p.copy(t, 5, 1)
	p.receiver.Promise(968, 2)
	if !p.sender.flushed() {
		t.Fatal(p.sender.Err())
	}
	other.confirm()
	if !p.sender.flushed() {
		t.Fatal(p.sender.Err())
	}
	if !c.Pledged() {
		t.Error("an answer about another partition came without word of the promise")
	}
	if ago, ok := p.receiver.Answered("a"); !ok || ago < 0 {
		t.Errorf("answered %v ago, %v", ago, ok)
	}
}

// Requests for one partition, one after the other, need no more than one does.
func TestNeedOfOnePartitionIsShort(t *testing.T) {
	p, g, _ := replica(t, 0)
	g.Require([]string{"b", "c", "d"})
	n := &Need{}
	for i := range 100 {
		set(p.from, 0, "{a}1", fmt.Sprint(i), 0)
		p.logs.Add(n, 968)
	}
	if len(n.marks) > 3 {
		t.Errorf("%d marks", len(n.marks))
	}
	g.Require([]string{"b"})
	if got := p.logs.Wait(n, nil); got != Met {
		t.Error(got)
	}
}

// TestLagOfABusyStream: what was seen between two batches long ago is no lag of
// what is between two batches now.
func TestLagOfABusyStream(t *testing.T) {
	var now time.Duration
	c := &Copy{sender: &Sender{}}
	c.last.Store(10)
	for range 20 {
		now += time.Second
		c.sender.oldest.Store(0)
		if lag := c.lag(now); lag != 0 {
			t.Fatalf("at %v, between two batches, the lag is %v", now, lag)
		}
		c.sender.oldest.Store(int64(now) + 1)
		if lag := c.lag(now + time.Millisecond); lag != time.Millisecond {
			t.Fatalf("at %v the lag of a batch is %v", now, lag)
		}
	}
}

func TestLagAndStats(t *testing.T) {
	p, g, _ := replica(t, 0)
	if lag := p.logs.Lag(968); lag != 0 || p.logs.Lag(5) != 0 {
		t.Errorf("lag %v before any write", lag)
	}
	hold := make(chan struct{})
	p.broken = func([]byte) error { <-hold; return nil }
	set(p.from, 0, "{a}1", "x", 0)
	for p.logs.Lag(968) < 2*time.Millisecond {
		<-time.After(time.Millisecond)
	}
	var w Written
	p.logs.Mark(&w, 968)
	if w.Copies() != 0 {
		t.Error("a copy has what it has not acknowledged")
	}
	list := p.logs.Stats()
	if len(list) != 1 || list[0].Node != "b" || list[0].InSync != 1 || list[0].Copies != 1 || list[0].Unacked == 0 || list[0].Lag == 0 || list[0].Broken != 0 {
		t.Errorf("stats %+v", list)
	}
	n := need(p)
	close(hold)
	p.logs.Wait(n, nil)
	if w.Copies() != 1 || p.logs.Lag(968) != 0 || p.logs.Offset() != 1 || p.logs.InSync(968) != 1 {
		t.Errorf("%d copies, lag %v, offset %d", w.Copies(), p.logs.Lag(968), p.logs.Offset())
	}
	g.Require([]string{"c"}) // has no copy
	for p.logs.Lag(968) == 0 {
		<-time.After(time.Millisecond)
	}
	if n := p.logs.InSync(968); n != 0 {
		t.Errorf("%d in sync, the only one has no copy", n)
	}
	if list = p.logs.Stats(); len(list) != 2 || list[1].Broken != 1 {
		t.Errorf("stats %+v", list)
	}
}
