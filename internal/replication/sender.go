package replication

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// Transport carries batches to one node.
type Transport interface {
	// Send queues a batch and returns at once: it is called by event loops. done is
	// called once, from any goroutine, when the node has applied the batch or when
	// that can not be known any more; batches are applied in the order of their
	// sending. The batch is the caller's again when Send returns. refused are the
	// partitions that the node takes no more; all others have been applied.
	Send(batch []byte, done func(refused []Refusal, err error))
}

// SenderConfig says what a sender needs to know.
type SenderConfig struct {
	Store       *memory.Store
	Logs        *Logs // of this node
	Transport   Transport
	Incarnation uint64 // of this node
	// Version is of the view that this node goes by. A target that knows a newer
	// one need not wait to know whether a copy is wanted. Nil: 0.
	Version func() uint64
	Node    string // the target, for messages
	// Limiter throttles scans, in bytes, beside what they rest anyway; changes are
	// never throttled. Nil: none.
	Limiter *rate.Limiter
	// Changed is called, from any goroutine, when a copy has caught up or ended;
	// it must not block. May be nil.
	Changed func()
	// Counters are added to. Required.
	Counters *Counters
}

// Counters of the streams of a node. They only grow.
type Counters struct {
	Begun, Finished, Failed atomic.Uint64 // copies
	BytesOut, BytesIn       atomic.Uint64 // of batches
	Puts, Deletes           atomic.Uint64 // applied
	Refused                 atomic.Uint64 // batches of streams that are over, or damaged
	Late, Overrun           atomic.Uint64 // streams given up: see [ErrLate], [ErrOverrun]

	SyncCounters
}

// streams numbers the streams of this process.
var streams atomic.Uint64

// Errors of a copy.
var (
	// ErrBroken is returned when the stream to the node has broken: everything
	// has to be copied again.
	ErrBroken = errors.New("replication: the stream has broken")
	// ErrOverrun is returned when changes came faster than the node took them:
	// see [Limits].Backlog.
	ErrOverrun = errors.New("replication: changes come faster than they can be sent")
	// ErrLate is returned when a node whose acknowledgements count did not give
	// them in time: see [Limits].Timeout.
	ErrLate = errors.New("replication: the node does not acknowledge in time")
	// ErrAborted is returned for a copy that was given up on purpose.
	ErrAborted = errors.New("replication: the copy was given up")
	// ErrRefused is returned when the node does not take the partition any more.
	ErrRefused = errors.New("replication: the node does not take the partition")
	// ErrDiffers is returned when the node has found that its copy is not what the
	// owner has: it is copied anew.
	ErrDiffers = errors.New("replication: the copy differs from what its owner has")
	// ErrBehind is returned for a hand-over before the copy has caught up.
	ErrBehind = errors.New("replication: the copy has not caught up yet")
)

// Sender is the stream to one node. It carries any number of copies and ends at
// the first error of the transport; then a new one has to be made. Safe for
// concurrent use.
type Sender struct {
	cfg    SenderConfig
	number uint64 // of the stream
	out    *outbox

	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu       sync.Mutex
	copies   map[int]*Copy          // GUARDED_BY(mu), by partition; as all below
	scans    []*Copy                // to be scanned, in order
	sent     uint64                 // batches
	acked    uint64                 // batches: this one and all before it are applied
	flight   [maxInFlight]batchSent // those that are not applied, by number
	early    map[uint64]batchSent   // batches applied before one of lower number
	moved    time.Duration          // when acked has risen last, by Logs.now
	isOver   bool                   // too much is queued: it is about to end
	err      error                  // why the sender has ended
	pumping  bool                   // a goroutine is inside pump
	more     bool                   // it is to look again
	progress *sync.Cond             // a batch is applied, or the sender has ended
	queued   *sync.Cond             // there are copies to scan, or the sender has ended

	spare []byte // of the goroutine inside pump: memory for what is queued next

	ackedTo atomic.Uint64 // place in the stream up to which everything is applied; written under mu
	heard   atomic.Int64  // when the last batch was sent that is applied, by Logs.now
	oldest  atomic.Int64  // when the first batch was sent that is not, and 1 more; 0: there is none. Written under mu

	punctual time.Duration // of the goroutine that calls Judge: when nothing was late
}

// batchSent is a batch on its way.
type batchSent struct {
	bytes int
	sent  time.Duration // when, by Logs.now
}

// NewSender starts a stream.
func NewSender(cfg SenderConfig) *Sender {
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	s := &Sender{cfg: cfg, out: newOutbox(&cfg.Logs.turns), copies: map[int]*Copy{}, early: map[uint64]batchSent{}, punctual: cfg.Logs.now()}
	s.number = streams.Add(1)
	if cfg.Version == nil {
		s.cfg.Version = func() uint64 { return 0 }
	}
	s.progress, s.queued = sync.NewCond(&s.mu), sync.NewCond(&s.mu)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	cfg.Logs.changeSenders(func(list []*Sender) []*Sender { return append(list, s) })
	s.done.Add(2)
	go s.send()
	go s.scan()
	return s
}

// Close ends the stream and its copies. It may be called twice.
func (s *Sender) Close() {
	s.fail(ErrBroken)
	s.done.Wait()
}

// Err returns why the sender has ended, nil while it works.
func (s *Sender) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// fail ends everything.
func (s *Sender) fail(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.err = err
	copies := s.copies
	s.copies, s.scans = map[int]*Copy{}, nil
	s.progress.Broadcast()
	s.queued.Broadcast()
	s.mu.Unlock()
	s.cancel()
	s.cfg.Logs.changeSenders(func(list []*Sender) []*Sender {
		return slices.DeleteFunc(list, func(o *Sender) bool { return o == s })
	})
	s.out.close()
	for _, c := range copies {
		c.finish(err)
	}
	s.cfg.Logs.progress()
}

// maxInFlight is how many batches are under way at once: one being applied,
// others on the wire.
const maxInFlight = 4

// inlineBytes is the most that is made a batch of by whoever must not wait: an
// event loop, or who takes the replies of a node.
const inlineBytes = 64 << 10

// send is the goroutine that sends what nobody else does.
func (s *Sender) send() {
	defer s.done.Done()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.out.ready:
		}
		s.pump()
	}
}

// flush sends what is queued, or leaves it to the goroutine send when it is much.
func (s *Sender) flush() {
	switch n := s.out.waiting(); {
	case n == 0:
	case n > inlineBytes:
		s.out.wake()
	default:
		s.pump()
	}
}

// pump sends what is queued. One goroutine does so at a time: who comes meanwhile
// leaves it to that one. When too many batches are under way it is left to who
// hears of the next that is applied.
func (s *Sender) pump() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.more = true
	if s.pumping {
		return
	}
	s.pumping = true
	for s.more && s.err == nil && s.sent-s.acked < maxInFlight {
		s.more = false
		s.mu.Unlock()
		s.sendBatch()
		s.mu.Lock()
	}
	s.pumping = false
}

// sendBatch makes a batch of what is queued and sends it.
func (s *Sender) sendBatch() {
	l := s.out.take(s.spare)
	if s.spare = l.records; cap(s.spare) > 4<<20 {
		s.spare = nil
	}
	if l.bytes == 0 {
		return
	}
	head := appendHead(make([]byte, 0, maxHead), s.cfg.Incarnation, s.number, s.cfg.Version())
	if !l.slow {
		head[0] |= quickBit
	}
	batch := l.batch(head)
	number, b := s.note(l.bytes)
	s.cfg.Counters.BytesOut.Add(uint64(len(batch)))
	s.cfg.Transport.Send(batch, func(refused []Refusal, err error) { s.applied(number, b, refused, err) })
}

// note numbers a batch of so many bytes that is about to be sent.
func (s *Sender) note(bytes int) (number uint64, b batchSent) {
	b = batchSent{bytes, s.cfg.Logs.now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	s.flight[s.sent%maxInFlight] = b
	s.age()
	return s.sent, b
}

// age sets oldest.
//
// REQUIRES: s.mu held.
func (s *Sender) age() {
	if s.sent == s.acked {
		s.oldest.Store(0)
		return
	}
	s.oldest.Store(int64(s.flight[(s.acked+1)%maxInFlight].sent) + 1)
}

// changeSenders replaces the list of senders.
func (l *Logs) changeSenders(f func([]*Sender) []*Sender) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []*Sender
	if now := l.senders.Load(); now != nil {
		list = slices.Clone(*now)
	}
	list = f(list)
	l.senders.Store(&list)
}

// applied is told of a batch's end.
func (s *Sender) applied(number uint64, b batchSent, refused []Refusal, err error) {
	if err != nil {
		s.fail(fmt.Errorf("%w: %w", ErrBroken, err))
		return
	}
	for _, r := range refused { // before it counts as acknowledged
		s.refused(r)
	}
	s.mu.Lock()
	s.early[number] = b
	for {
		next, ok := s.early[s.acked+1]
		if !ok {
			break
		}
		s.acked++
		s.moved = s.cfg.Logs.now()
		delete(s.early, s.acked)
		s.ackedTo.Add(uint64(next.bytes))
		s.heard.Store(int64(next.sent))
	}
	s.age()
	s.progress.Broadcast()
	s.mu.Unlock()
	s.cfg.Logs.progress()
	s.flush()
}

// refused ends the copy of a partition that the node does not take.
func (s *Sender) refused(r Refusal) {
	s.mu.Lock()
	c := s.copies[r.Partition]
	s.mu.Unlock()
	if c == nil {
		return
	}
	c.void.Store(true)
	c.pledged.Store(r.Reason == Promised)
	if r.Reason == Differs {
		s.cfg.Counters.SyncRepairs.Add(1)
		c.finish(ErrDiffers)
		return
	}
	c.finish(ErrRefused)
}

// await waits until cond is true; false when the sender has ended.
func (s *Sender) await(cond func() bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock() // cond may lock the outbox: s.mu before out.mu
	for s.err == nil && !cond() {
		s.progress.Wait()
	}
	return s.err == nil
}

// flushed waits until everything that is queued now has been applied.
func (s *Sender) flushed() bool {
	end := s.out.end()
	s.out.wake()
	return s.await(func() bool { return s.ackedTo.Load() >= end })
}

// rest lets others have the processors and the stream, after a piece of a scan that
// has taken so long from the look at the first entry to the acknowledgement, and was
// that much of a chunk.
func (s *Sender) rest(took time.Duration, full float64) {
	timer := time.NewTimer(min(time.Duration(restShare*full*float64(took)), longestRest))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
}

// Copies returns the copies under way.
func (s *Sender) Copies() []*Copy {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Copy, 0, len(s.copies))
	for _, c := range s.copies {
		list = append(list, c)
	}
	return list
}

// Copy begins to copy the partition of a log, or returns the copy of that epoch that is
// under way. It is called by one goroutine.
func (s *Sender) Copy(log *Log, epoch uint64) (*Copy, error) { return s.copy(log, epoch, false) }

// Resume is Copy for a node that has every effect of the log up to now: nothing
// is scanned. When the node has not, it refuses and the copy fails. It is
// attached when Resume returns.
func (s *Sender) Resume(log *Log, epoch uint64) (*Copy, error) { return s.copy(log, epoch, true) }

func (s *Sender) copy(log *Log, epoch uint64, resumes bool) (*Copy, error) {
	partition := log.partition
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return nil, s.err
	}
	former := s.copies[partition]
	if former != nil && former.epoch == epoch {
		s.mu.Unlock()
		return former, nil
	}
	s.mu.Unlock()
	if former != nil {
		former.finish(ErrAborted)
	}
	c := &Copy{sender: s, log: log, partition: partition, epoch: epoch, resumes: resumes, ended: make(chan struct{})}
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return nil, s.err
	}
	s.copies[partition] = c
	s.mu.Unlock()
	if resumes && !c.begin() {
		return nil, ErrBroken
	}
	s.mu.Lock()
	s.scans = append(s.scans, c)
	s.queued.Signal()
	s.mu.Unlock()
	s.cfg.Counters.Begun.Add(1)
	return c, nil
}

// scan is the goroutine that scans one copy after the other.
func (s *Sender) scan() {
	defer s.done.Done()
	for {
		c := s.nextScan()
		if c == nil {
			return
		}
		c.scan()
	}
}

// nextScan waits for a copy to scan; nil when the sender has ended.
func (s *Sender) nextScan() (c *Copy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.err == nil && len(s.scans) == 0 {
		s.queued.Wait()
	}
	if s.err != nil {
		return nil
	}
	c, s.scans = s.scans[0], s.scans[1:]
	return c
}

// forget takes a copy out of the list.
func (s *Sender) forget(c *Copy) {
	s.mu.Lock()
	if s.copies[c.partition] == c {
		delete(s.copies, c.partition)
	}
	s.mu.Unlock()
}
