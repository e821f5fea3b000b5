package replication

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/storage/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a store of partitions whose clock is ahead.
func open(t *testing.T, ahead time.Duration) *memory.Store {
	t.Helper()
	clock := func() int64 { return time.Now().Add(ahead).UnixMilli() }
	s, err := memory.Open(memory.Config{Partitions: true, Seed: []byte("seed of the cluster"), Databases: 2, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// pair is a sender and a receiver with nothing but a queue between them.
type pair struct {
	from, to *memory.Store
	logs     *Logs
	sender   *Sender
	receiver *Receiver
	guard    *guard
	out, in  Counters

	queue  chan func()
	broken func(batch []byte) error // may be nil
}

type guard struct {
	mu     sync.Mutex
	refuse bool
	owner  map[int]uint64

	differences []Difference
}

func (g *guard) Incoming(int, string, uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.refuse
}

func (g *guard) Applied() {}

func (g *guard) Differs(d Difference) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.differences = append(g.differences, d)
}

func (g *guard) HandedOver(p int, _ string, _, epoch uint64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.owner[p] = epoch
	return nil
}

func newPair(t *testing.T, change func(*SenderConfig)) *pair {
	t.Helper()
	p := &pair{from: open(t, 0), to: open(t, 3*time.Second), guard: &guard{owner: map[int]uint64{}}, queue: make(chan func(), 1024)}
	p.receiver = NewReceiver(p.to, p.guard, hashing.Partitions, &p.in)
	p.logs = NewLogs(p.from, 0)
	cfg := SenderConfig{Store: p.from, Logs: p.logs, Transport: p, Incarnation: 1, Node: "b", Counters: &p.out}
	if change != nil {
		change(&cfg)
	}
	var done sync.WaitGroup
	done.Add(1)
	go func() {
		defer done.Done()
		for f := range p.queue {
			f()
		}
	}()
	p.sender = NewSender(cfg)
	t.Cleanup(func() {
		p.sender.Close()
		close(p.queue)
		done.Wait()
	})
	return p
}

// Send implements [Transport].
func (p *pair) Send(batch []byte, done func([]Refusal, error)) {
	batch = bytes.Clone(batch)
	p.queue <- func() {
		if p.broken != nil {
			if err := p.broken(batch); err != nil {
				done(nil, err)
				return
			}
		}
		done(p.receiver.Apply("a", batch))
	}
}

// copy begins a copy.
func (p *pair) copy(t *testing.T, partition int, epoch uint64) *Copy {
	t.Helper()
	c, err := p.sender.Copy(p.logs.Open(partition, 0), epoch)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func set(s *memory.Store, db int, key, value string, expireAt int64) {
	h := s.Lock(db, []byte(key), s.Now())
	h.Set([]byte(value), expireAt)
	h.Release()
}

func del(s *memory.Store, db int, key string) {
	h := s.Lock(db, []byte(key), s.Now())
	h.Delete()
	h.Release()
}

// contents returns what a partition has, with expiry and flags.
func contents(s *memory.Store, p int) map[string]string {
	all := map[string]string{}
	for db := range s.Databases() {
		for cursor, done := uint32(0), false; !done; {
			cursor, done = s.ScanPartition(db, p, cursor, 100, 0, func(e memory.Entry) {
				all[fmt.Sprintf("%d/%s", db, e.Key())] = fmt.Sprintf("%s %d %d %d", e.Value(), e.ExpireAt(), e.Kind(), e.Flags())
			})
		}
	}
	return all
}

func same(t *testing.T, a, b map[string]string) {
	t.Helper()
	if len(a) != len(b) {
		t.Errorf("%d entries became %d", len(a), len(b))
	}
	for key, value := range a {
		if b[key] != value {
			t.Fatalf("%s: %.60q became %.60q", key, value, b[key])
		}
	}
}

// told returns a channel that says when one of the sender's copies has changed.
func told(c *SenderConfig) <-chan struct{} {
	changed := make(chan struct{}, 1)
	c.Changed = func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	return changed
}

// await returns when a copy has reached a state.
func await(t *testing.T, c *Copy, changed <-chan struct{}, want CopyState) {
	t.Helper()
	for c.State() < want {
		<-changed
	}
	if c.State() != want {
		t.Fatalf("the copy is %v, want %v: %v", c.State(), want, c.Err())
	}
}

// No more than a chunk of a scan is in the way of changes.
func TestScanGoesChunkByChunk(t *testing.T) {
	var changed <-chan struct{}
	p := newPair(t, func(c *SenderConfig) { changed = told(c) })
	const partition = 15495 / hashing.SlotsPerPartition // slot of "a"
	for i := range 1000 {
		set(p.from, 0, fmt.Sprintf("{a}%d", i), strings.Repeat("x", 1000), 0)
	}
	var most uint64
	p.broken = func([]byte) error { // called before a batch is applied
		most = max(most, p.sender.out.end()-p.sender.ackedTo.Load())
		return nil
	}
	await(t, p.copy(t, partition, 1), changed, CaughtUp)
	if limit := uint64(chunkBytes + 4<<10); most > limit {
		t.Errorf("%d bytes were queued or under way, want %d at most", most, limit)
	}
	same(t, contents(p.from, partition), contents(p.to, partition))
}

func TestCopyUnderWrites(t *testing.T) {
	var changed <-chan struct{}
	p := newPair(t, func(c *SenderConfig) { changed = told(c) })
	const tag, partition = "{a}", 15495 / hashing.SlotsPerPartition // slot of "a"
	for i := range 3000 {
		set(p.from, i%2, tag+fmt.Sprint(i), strings.Repeat("x", rand.IntN(200)), 0)
	}
	set(p.from, 0, tag+"large", strings.Repeat("large", 100_000), 0)
	set(p.to, 0, tag+"left over from an earlier time", "x", 0)

	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Add(1)
		go func() {
			defer writers.Done()
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for {
				select {
				case <-stop:
					return
				default:
				}
				key, db := tag+fmt.Sprint(r.IntN(5000)), r.IntN(2)
				switch r.IntN(10) {
				case 0, 1:
					del(p.from, db, key)
				case 2:
					set(p.from, db, key, "expires", p.from.Now()+1_000_000)
				case 3:
					h := p.from.Lock(db, []byte(key), p.from.Now())
					copy(h.Resize(100), "in place")
					h.Modified()
					h.Release()
				case 4:
					h := p.from.Lock(db, []byte(key), p.from.Now())
					h.FillNegative(p.from.Now() + 1_000_000)
					h.Release()
				default:
					set(p.from, db, key, fmt.Sprint(r.Uint64()), 0)
				}
			}
		}()
	}
	c := p.copy(t, partition, 7)
	await(t, c, changed, CaughtUp)
	if again, err := p.sender.Copy(p.logs.Log(partition), 7); err != nil || again != c {
		t.Errorf("the same copy again: %v %v", again, err)
	}
	close(stop)
	writers.Wait()
	if err := c.HandOver(8); err != nil {
		t.Fatal(err)
	}
	if p.guard.owner[partition] != 8 {
		t.Error("the node was not told that it is the owner")
	}
	want := contents(p.from, partition)
	if len(want) < 3000 {
		t.Fatalf("only %d entries to compare", len(want))
	}
	same(t, want, contents(p.to, partition))
	set(p.from, 0, tag+"afterwards", "not to be sent", 0)
	if h := p.to.Lock(0, []byte(tag+"afterwards"), 0); true {
		if _, ok := h.Peek(); ok {
			t.Error("a change after the hand-over was sent")
		}
		h.Release()
	}
}

func TestBrokenStreamEndsItsCopies(t *testing.T) {
	p := newPair(t, nil)
	cut := errors.New("cut")
	p.broken = func([]byte) error { return cut }
	set(p.from, 0, "{a}1", "x", 0)
	c := p.copy(t, 968, 1)
	<-c.Done()
	if !errors.Is(c.Err(), ErrBroken) || !errors.Is(c.Err(), cut) {
		t.Errorf("the copy ended with %v", c.Err())
	}
	if _, err := p.sender.Copy(p.logs.Log(968), 2); !errors.Is(err, ErrBroken) {
		t.Errorf("another copy on the broken stream: %v", err)
	}
	if err := c.HandOver(2); !errors.Is(err, ErrBroken) {
		t.Errorf("a hand-over on the broken stream: %v", err)
	}
}

func TestChangesThatOutrunTheLinkEndTheStream(t *testing.T) {
	hold := make(chan struct{})
	p := newPair(t, func(c *SenderConfig) { c.Logs.SetLimits(Limits{Timeout: time.Second, Backlog: 100_000}) })
	p.broken = func([]byte) error { <-hold; return nil }
	c := p.copy(t, 968, 1)
	for i := 0; ; i++ {
		set(p.from, 0, fmt.Sprintf("{a}%d", i), strings.Repeat("x", 1000), 0)
		select {
		case <-c.Done():
		default:
			continue
		}
		break
	}
	if !errors.Is(c.Err(), ErrOverrun) {
		t.Errorf("the copy ended with %v", c.Err())
	}
	close(hold)
}

func TestAbortedCopyIsReplacedByTheNext(t *testing.T) {
	p := newPair(t, nil)
	caughtUp := func(epoch uint64) *Copy {
		c := p.copy(t, 968, epoch)
		for c.State() != CaughtUp {
			if !p.sender.flushed() {
				t.Fatal(p.sender.Err())
			}
		}
		return c
	}
	set(p.from, 0, "{a}1", "x", 0)
	c := caughtUp(1)
	c.Abort()
	if <-c.Done(); !errors.Is(c.Err(), ErrAborted) {
		t.Errorf("the copy ended with %v", c.Err())
	}
	if err := c.HandOver(2); !errors.Is(err, ErrAborted) {
		t.Errorf("it was handed over nevertheless: %v", err)
	}
	del(p.from, 0, "{a}1")
	set(p.from, 0, "{a}2", "y", 0)
	p.guard.mu.Lock()
	p.guard.refuse = true
	p.guard.mu.Unlock()
	refused, err := p.receiver.Apply("a", appendDelete(appendHead(nil, 1, p.sender.number, 0), 968, 9, 0, []byte("{a}1")))
	if err != nil || !slices.Equal(refused, []Refusal{{968, NotTaken}}) {
		t.Errorf("what is on its way when a move is given up: %v %v", refused, err)
	}
	p.guard.mu.Lock()
	p.guard.refuse = false
	p.guard.mu.Unlock()
	caughtUp(2)
	same(t, contents(p.from, 968), contents(p.to, 968))
}

func TestReceiverRefuses(t *testing.T) {
	p := newPair(t, nil)
	head := func(incarnation, stream uint64) []byte { return appendHead(nil, incarnation, stream, 0) }
	begin := func(b []byte) []byte { return appendMark(b, effectBegin, 968, 1, 1) }
	if _, err := p.receiver.Apply("a", begin(head(5, 5))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		batch []byte
		want  error
	}{
		"an earlier stream":      {begin(head(5, 4)), ErrOver},
		"an earlier incarnation": {begin(head(4, 9)), ErrOver},
		"nothing":                {nil, ErrBatch},
		"another form":           {[]byte{99}, ErrBatch},
		"half a head":            {head(5, 5)[:2], ErrBatch},
		"an unknown record":      {append(head(5, 5), 'X', 0, 0), ErrBatch},
		"a partition beyond":     {append(head(5, 5), 'B', 0xff, 0xff, 0x7f), ErrBatch},
		"half a record":          {appendDelete(head(5, 5), 968, 2, 0, []byte("key"))[:8], ErrBatch},
		"half a digest":          {appendDigest(head(5, 5), memory.HashRange{Partition: 968, After: 1}, memory.Digest{})[:9], ErrBatch},
		"a digest backwards":     {appendDigest(head(5, 5), memory.HashRange{Partition: 968, From: 2, Last: 1}, memory.Digest{}), ErrBatch},
		"a digest beyond":        {appendDigest(head(5, 5), memory.HashRange{Partition: 968, DB: 2}, memory.Digest{}), ErrBatch},
		"a digest of too much":   {appendDigest(head(5, 5), memory.HashRange{Partition: 968}, memory.Digest{Entries: 1 << 40}), ErrBatch},
		"a digest of no time":    {appendDigest(head(5, 5), memory.HashRange{Partition: 968, After: -1}, memory.Digest{}), ErrBatch},
	} {
		if _, err := p.receiver.Apply("a", c.batch); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		refuse bool
		floor  uint64
		batch  []byte
		want   []Refusal
	}{
		"a change before its begin":        {false, 0, appendDelete(head(5, 5), 1, 1, 0, []byte("k")), []Refusal{{1, NotTaken}}},
		"a change":                         {false, 0, appendDelete(head(5, 5), 968, 2, 0, []byte("k")), nil},
		"a change of a promised partition": {false, 2, appendDelete(head(5, 5), 968, 3, 0, []byte("k")), []Refusal{{968, Promised}}},
		"a partition that is not taken":    {true, 0, begin(head(5, 6)), []Refusal{{968, NotTaken}}},
	} {
		if got := func() []Refusal {
			if _, err := p.receiver.Apply("a", begin(head(5, 5))); err != nil && name != "a partition that is not taken" {
				t.Fatal(err)
			}
			p.receiver.Promise(968, c.floor)
			defer func() { p.receiver.copies[968].floor, p.guard.refuse = 0, false }()
			p.guard.refuse = c.refuse
			got, err := p.receiver.Apply("a", c.batch)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if c.refuse {
				p.receiver.sources["a"].stream = 5
			}
			return got
		}(); !slices.Equal(got, c.want) {
			t.Errorf("%s: refused %v, want %v", name, got, c.want)
		}
	}
}
