package replication

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// Log is one partition at its owner, for as long as it is the owner under one
// epoch: it numbers the effects and gives them to every copy of the partition,
// learners and others. It implements [memory.Tap], and the store has it from
// [Logs.Open] to [Logs.Drop]. Safe for concurrent use.
//
// Invariant: the number of an effect is higher than that of every effect before
// it, also of those under former owners.
// Invariant: an effect is in the stream of every copy attached before anybody
// who asks for what is unacknowledged can have seen what it did.
type Log struct {
	logs      *Logs
	partition int

	// Lock order: a shard, then mu, then that of an outbox.
	mu     sync.Mutex
	seq    uint64  // GUARDED_BY(mu), as the next: of the last effect
	copies []*Copy // attached

	required atomic.Pointer[[]*Copy] // whose acknowledgement counts; may contain copies that have ended
	fenced   atomic.Bool             // another node is, or is about to be, the owner
	retired  atomic.Bool             // it is not the tap of its partition any more, or is about to be
}

// Logs are the partitions that this node owns and that have copies elsewhere, or
// are to have them. Safe for concurrent use.
type Logs struct {
	store *memory.Store
	lease time.Duration
	now   func() time.Duration

	limits atomic.Pointer[Limits]
	missed atomic.Pointer[map[string]bool] // see Miss; nil: none

	turns   turns
	senders atomic.Pointer[[]*Sender] // of this node; replaced under mu

	list [maxPartitions]atomic.Pointer[Log]

	mu      sync.Mutex
	changed *sync.Cond // on mu: something may have been acknowledged
	wakers  []Waker    // GUARDED_BY(mu)
}

// maxPartitions bounds the numbers of partitions.
const maxPartitions = 1024

// Waker is told when something may have been acknowledged, or lost. It must not
// block.
type Waker interface{ Acknowledged() }

// NewLogs returns the logs of a node, none yet. lease is for how long the answer
// of a copy says that nobody else is the owner; zero: it says nothing, and is
// not asked for.
func NewLogs(store *memory.Store, lease time.Duration) *Logs {
	began := time.Now()
	l := &Logs{store: store, lease: lease, now: func() time.Duration { return time.Since(began) }}
	l.changed = sync.NewCond(&l.mu)
	l.SetLimits(DefaultLimits())
	return l
}

// Wake adds a waker, for good.
func (l *Logs) Wake(w Waker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wakers = append(l.wakers, w)
}

// progress tells those who wait.
func (l *Logs) progress() {
	l.mu.Lock()
	wakers := l.wakers
	l.changed.Broadcast()
	l.mu.Unlock()
	for _, w := range wakers {
		w.Acknowledged()
	}
}

// Miss names the nodes that this one is cut off from, in place of those named
// before. What they have not acknowledged counts as lost: who waits for it is better
// told now that the outcome is not known. They go on to be given the effects.
func (l *Logs) Miss(nodes []string) {
	set := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		set[n] = true
	}
	l.missed.Store(&set)
	l.progress()
}

func (l *Logs) misses(c *Copy) bool {
	set := l.missed.Load()
	return set != nil && c != nil && (*set)[c.Node()]
}

// Open returns the log of a partition, and begins one behind the effect seq when
// there is none. A log that goes on keeps its own number.
func (l *Logs) Open(partition int, seq uint64) *Log {
	if g := l.list[partition].Load(); g != nil {
		return g
	}
	g := &Log{logs: l, partition: partition, seq: seq}
	g.required.Store(&[]*Copy{})
	l.list[partition].Store(g)
	l.store.Tap(partition, g)
	return g
}

// Log returns the log of a partition, nil when there is none.
func (l *Logs) Log(partition int) *Log { return l.list[partition].Load() }

// Retire ends the log of a partition that this node owns and that has no copies
// any more, or whose last effect has been made: effects are not numbered from
// then on. What waits still gets its acknowledgement.
func (l *Logs) Retire(partition int) {
	if g := l.list[partition].Load(); g != nil {
		g.retired.Store(true)
		l.store.Untap(partition)
		l.list[partition].Store(nil)
	}
}

// Drop ends the log of a partition that this node does not own any more. What
// has not been acknowledged by then never is: see [Lost]. Neither Open nor Drop is
// called by two goroutines at once.
func (l *Logs) Drop(partition int) {
	if g := l.list[partition].Load(); g != nil {
		l.Retire(partition)
		g.Fence()
	}
}

// Seq returns the number of the last effect.
func (g *Log) Seq() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seq
}

// Require says whose acknowledgements count from now on: those of the nodes, as
// [SenderConfig] names them. A node without a copy counts as one that does not
// acknowledge.
func (g *Log) Require(nodes []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	former := *g.required.Load()
	list := make([]*Copy, 0, len(nodes))
	for _, node := range nodes {
		of := func(c *Copy) bool { return c.Node() == node }
		switch i := slices.IndexFunc(g.copies, of); {
		case i >= 0:
			list = append(list, g.copies[i])
		default:
			if i = slices.IndexFunc(former, of); i >= 0 {
				list = append(list, former[i])
			} else {
				list = append(list, missing(g.partition, node))
			}
		}
	}
	if slices.Equal(list, former) {
		return
	}
	g.required.Store(&list)
	go g.logs.progress() // not under mu
}

// Required returns the nodes whose acknowledgements count.
func (g *Log) Required() []string {
	list := *g.required.Load()
	nodes := make([]string, len(list))
	for i, c := range list {
		nodes[i] = c.Node()
	}
	return nodes
}

// Flushed waits until every effect of the log is acknowledged by all who are
// required, for at most d, and reports whether it is.
func (g *Log) Flushed(d time.Duration) bool {
	var n Need
	for _, c := range *g.required.Load() {
		n.marks = append(n.marks, mark{g, c, c.last.Load()})
	}
	return g.logs.waitFor(&n, d)
}

// Flush waits until every effect of every log is acknowledged by those who are
// required and can be reached, for at most d.
func (l *Logs) Flush(d time.Duration) {
	var n Need
	for p := range l.list {
		if g := l.list[p].Load(); g != nil {
			for _, c := range *g.required.Load() {
				if c.State() != Ended {
					n.marks = append(n.marks, mark{g, c, c.last.Load()})
				}
			}
		}
	}
	l.waitFor(&n, d)
}

// waitFor is Wait for at most d, and reports whether the need is met.
func (l *Logs) waitFor(n *Need, d time.Duration) bool {
	if n.State() == Met {
		return true
	}
	stop := make(chan struct{})
	defer time.AfterFunc(d, func() { close(stop) }).Stop()
	return l.Wait(n, stop) == Met
}

// Fence notes that this node is not the owner any more, or will not be: nothing
// that waits for this log is acknowledged from now on.
func (g *Log) Fence() {
	if !g.fenced.Swap(true) {
		g.logs.progress()
	}
}

// seqLocked is Seq for those who hold the shard's lock, under which alone it
// changes.
func (g *Log) seqLocked() uint64 { return g.seq }

// attach begins to give effects to a copy: mark is written first.
func (g *Log) attach(c *Copy) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !c.begins(g.seq) {
		return false
	}
	g.copies = append(g.copies, c)
	return true
}

// detach ends that. What is executed from here on the copy never has: as long as
// it is required nothing of it is acknowledged.
func (g *Log) detach(c *Copy) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.last.Store(never)
	g.copies = slices.DeleteFunc(g.copies, func(o *Copy) bool { return o == c })
}

// Put implements [memory.Tap].
func (g *Log) Put(db int, e memory.Entry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seq++
	for _, c := range g.copies {
		c.put(db, g.seq, e)
	}
}

// Delete implements [memory.Tap].
func (g *Log) Delete(db int, key []byte, _ memory.Change) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seq++
	for _, c := range g.copies {
		c.delete(db, g.seq, key)
	}
}

// Clear implements [memory.Tap].
func (g *Log) Clear(db int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seq++
	for _, c := range g.copies {
		c.clear(db, g.seq)
	}
}

// Need is what has to be acknowledged before something may be told: the zero
// value is nothing. It belongs to one goroutine.
type Need struct{ marks []mark }

// mark is a place in the stream to a node.
type mark struct {
	log  *Log
	copy *Copy
	at   uint64
}

// NeedState is what has become of a need.
type NeedState uint8

// The states.
const (
	Met  NeedState = iota // everything has been acknowledged, or need not be any more
	Open                  // something has not
	Lost                  // something will hardly ever be: another node is, or is to be, the owner
)

// Any reports whether there is anything in the need.
func (n *Need) Any() bool { return len(n.marks) > 0 }

// Reset makes the need one of nothing, and keeps its memory.
func (n *Need) Reset() {
	clear(n.marks)
	n.marks = n.marks[:0]
}

// Take returns the need and leaves one of nothing.
func (n *Need) Take() Need {
	taken := *n
	n.marks = nil
	return taken
}

// State returns what has become of a need. Once it is Met it stays so.
func (n *Need) State() NeedState {
	for len(n.marks) > 0 {
		switch m := &n.marks[len(n.marks)-1]; m.state() {
		case Open:
			return Open
		case Lost:
			return Lost
		}
		n.marks = n.marks[:len(n.marks)-1]
	}
	return Met
}

func (m *mark) state() NeedState {
	switch {
	case m.copy != nil && m.copy.ackedTo() >= m.at:
		return Met // it has been acknowledged in time
	case m.log.fenced.Load():
		return Lost
	case !slices.Contains(*m.log.required.Load(), m.copy):
		return Met // whom the view does not name any more need not acknowledge
	case m.copy.Pledged():
		return Lost // another owner is about to come
	case m.log.logs.misses(m.copy):
		return Lost // who would have to acknowledge is not heard
	}
	return Open
}

// urge has sent what the need waits for. Who waits may be whom the turn under way
// waits for.
func (n *Need) urge() {
	for _, m := range n.marks {
		if m.copy.sender != nil {
			m.copy.sender.out.wake()
		}
	}
}

// Wait waits until a need is not open, or stop is closed.
func (l *Logs) Wait(n *Need, stop <-chan struct{}) NeedState {
	n.urge()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-stop:
			l.mu.Lock()
			l.changed.Broadcast()
			l.mu.Unlock()
		case <-ended:
		}
	}()
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		state := n.State()
		if state != Open {
			return state
		}
		select {
		case <-stop:
			return Open
		default:
		}
		l.changed.Wait()
	}
}
