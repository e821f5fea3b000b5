package command

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/source"
)

// nearClient is a client on an event loop whose every key is another node's, with
// a clock for copies that the test moves.
type nearClient struct {
	*loopClient
	n   *nearCopies
	now time.Duration
}

// Complete implements [peer.Sink]: what is told to the client arrives at once.
func (c *nearClient) Complete(tag uint64, r peer.Reply, err error) {
	c.w.x.Arrived(c.s, tag, r.Data, nil, OutcomeOf(r, err))
}

// Flush implements [peer.Sink].
func (c *nearClient) Flush() {}

func newNearClient(t *testing.T, staleness time.Duration) *nearClient {
	w := newWorldOf(t, []*cache.Namespace{{Name: "hot", Read: source.NamespaceConfig{Prefix: "hot", MaxStaleness: staleness}}})
	l := &loopClient{lane: &scriptedLane{}, client: w.connect("2"), tag: 5 << TagBits}
	w.x.ForwardBy(l.lane)
	w.x.Reroute(routesTo(func(int) bool { return false }))
	c := &nearClient{loopClient: l, n: &w.x.near, now: time.Hour}
	c.n.now = func() time.Duration { return c.now }
	l.s.AnswerTo(c, l.tag, 0)
	return c
}

// read counts reads of a key that were n.
func (c *nearClient) read(key string, n float64) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.n.sketch.Add(c.now, 0, []byte(key), n, false)
}

// heat makes a key hot.
func (c *nearClient) heat(key string) {
	c.read(key, 10_000)
	c.n.judge()
}

// reply answers the i-th request that was sent as the owner does.
func (c *nearClient) reply(i int, reply string) {
	sent := c.lane.sent[i]
	sent.sink.Complete(sent.tag, peer.Reply{Data: []byte(reply)}, nil)
}

// copied is the reply to a fill, of an entry that does not expire.
func copied(value string) string {
	return fmt.Sprintf("*2\r\n:-1\r\n$%d\r\n%s\r\n", len(value), value)
}

func (c *nearClient) sent(want int) {
	c.w.t.Helper()
	if got := len(c.lane.sent); got != want {
		c.w.t.Errorf("%d requests were sent, want %d", got, want)
	}
}

func TestWhichKeysAreHot(t *testing.T) {
	c := newNearClient(t, 50*time.Millisecond) // so 200 reads a second at least
	second := func(reads map[string]float64) int {
		for range 100 { // evenly
			c.now += 10 * time.Millisecond
			for key, n := range reads {
				c.read(key, n/100)
			}
		}
		return c.w.x.nearSnapshot().HotKeys
	}
	steady := func(reads map[string]float64) (hot int) {
		for range 8 {
			hot = second(reads)
		}
		return hot
	}
	many := func(n, each float64) map[string]float64 {
		reads := map[string]float64{}
		for i := range int(n) {
			reads[fmt.Sprint("hot", i)] = each
		}
		return reads
	}
	for _, tt := range []struct {
		name  string
		reads map[string]float64
		want  int
	}{
		{"nothing", nil, 0},
		{"one below what an owner bears", many(1, 150), 0},
		{"one above", many(1, 300), 1},
		{"cooling, still above the half", many(1, 150), 1},
		{"cold", many(1, 50), 0},
		{"many alike: none is above the rest", many(200, 1000), 0},
		{"a few", many(10, 1000), 10},
	} {
		if got := steady(tt.reads); got != tt.want {
			t.Errorf("%s: %d keys are hot, want %d", tt.name, got, tt.want)
		}
	}
	steady(nil)
	rest := many(100, 400)
	rest["hot-one"] = 10_000
	if got := steady(rest); got != 1 {
		t.Errorf("%d keys are hot of one that is far above the rest", got)
	}
}

// TestVoidedFillIsNotKept replays, for each way of a change to be known: 1. a
// fill is sent, 2. its key changes, 3. the reply comes, which may be older. Who
// waited for it is answered, the next read asks anew.
func TestVoidedFillIsNotKept(t *testing.T) {
	for name, change := range map[string]func(c *nearClient){
		"news":    func(c *nearClient) { c.n.changedKey([]byte("hot1")) },
		"lost":    func(c *nearClient) { c.w.x.mayHaveChanged() },
		"restart": func(c *nearClient) { c.w.x.forgetOwned("x") },
		"write": func(c *nearClient) {
			c.run("SET hot1 new") // is sent
			c.sent(2)
		},
		"write that is overtaken": func(c *nearClient) {
			other := newLoopOf(c)
			other.run("SET hot1 new")
			c.reply(0, copied("old")) // before the reply to the write: kept, and voided with that
			c.lane.sent[0].sink = nowhereSink{}
			c.w.x.Arrived(other.s, c.lane.sent[1].tag, []byte("+OK\r\n"), nil, nil)
		},
		"flush": func(c *nearClient) { c.n.dropAll(dropWritten) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newNearClient(t, time.Second)
			c.heat("hot1")
			c.run("GET hot1")
			c.sent(1)
			change(c)
			before := len(c.lane.sent)
			c.reply(0, copied("old"))
			if got := c.n.fills.Load(); got != 0 && name != "write that is overtaken" {
				t.Error("the fill was kept")
			}
			c.output("$3 old")
			if name == "write" {
				c.arrive(1, "+OK\r\n", nil)
				c.output("+OK")
			}
			c.run("GET hot1")
			c.sent(before + 1)
			c.reply(before, copied("new"))
			c.output("$3 new")
			c.run("GET hot1")
			c.sent(before + 1)
			c.output("$3 new")
		})
	}
}

// newLoopOf returns another client of the same node.
func newLoopOf(c *nearClient) *loopClient {
	l := &loopClient{lane: c.lane, client: c.w.connect("2"), tag: 6 << TagBits}
	l.s.AnswerTo(nowhereSink{}, l.tag, 0)
	return l
}

// Reads share a fill, but not one that was asked for too long ago; who waits for
// an older one may be told what is newer than the copy.
func TestReadsShareFills(t *testing.T) {
	c := newNearClient(t, time.Second)
	c.heat("hot1")
	c.run("GET hot1", "GET hot1", "SET hot1 mine", "GET hot1")
	c.sent(3) // a fill, the write, and the read behind it
	if c.lane.sent[0].kind != KindNear || c.lane.sent[2].kind != KindRequest {
		t.Errorf("kinds %x and %x", c.lane.sent[0].kind, c.lane.sent[2].kind)
	}
	c.reply(0, copied("a"))
	c.output("$1 a $1 a")
	c.arrive(1, "+OK\r\n", nil)
	c.arrive(2, "$4\r\nmine\r\n", nil)
	c.output("+OK $4 mine")

	c.run("GET hot1")
	c.now += time.Second
	c.run("GET hot1")
	c.sent(5)
	c.reply(4, copied("old"))
	c.reply(3, copied("new")) // executed behind the other
	c.output("$3 new $3 old")
	c.run("GET hot1")
	c.sent(6)
	c.reply(5, copied("newest"))
	c.output("$6 newest")
}

// What comes instead of a value goes to all who wait, and is not kept.
func TestFillsThatFail(t *testing.T) {
	c := newNearClient(t, time.Second)
	c.heat("hot1")
	for i, reply := range []string{"-LOADING wait\r\n", "$5\r\nvalue\r\n", "*2\r\n:-1\r\n$3\r\nabc", "*1\r\n:1\r\n"} {
		c.run("GET hot1", "GET hot1")
		c.reply(i, reply)
		c.output(flat(reply + reply))
	}
	c.run("GET hot1", "GET hot1")
	sent := c.lane.sent[4]
	sent.sink.Complete(sent.tag, peer.Reply{}, peer.ErrLost)
	if c.s.flights.failed != 2 {
		t.Errorf("%d requests are to be repaired, want 2", c.s.flights.failed)
	}
	c.w.x.Repair(c.s)
	c.output("+again +again")
	c.lane.fails = peer.ErrBusy
	if out := c.run("GET hot1"); out != Continue {
		t.Errorf("outcome %v", out)
	}
	c.output("-" + errLinkFull)
	c.lane.fails = peer.ErrUnreachable
	if out := c.run("GET hot1"); out != Park {
		t.Errorf("outcome %v, want to wait for the owner", out)
	}
	if n := c.n.fills.Load(); n != 0 {
		t.Errorf("%d fills were kept", n)
	}
}

func TestHoldersAreBounded(t *testing.T) {
	r, o := withOther(t, &interest{boot: 1, version: 1})
	h, now := &r.x.holders, time.Duration(0)
	h.now = func() time.Duration { return now }
	h.sweeper = true // the test sweeps
	node := r.x.neighbours.find(o.id)
	for i := range maxNearHolders + 10 {
		h.note([]byte(fmt.Sprint("k", i)), node, time.Hour)
	}
	h.note([]byte("k0"), node, time.Second) // is known
	if h.copies != maxNearHolders || h.unnoted.Load() != 10 || !h.any.Load() {
		t.Errorf("%d copies, %d not noted", h.copies, h.unnoted.Load())
	}
	h.changed([]byte("k1"))
	if f := o.next(t); f.kind != KindNews || string(f.data[len(f.data)-4:]) != "\x01\x02k1" {
		t.Errorf("sent %q", f.data)
	}
	h.changed([]byte("k1"))
	if h.told.Load() != 1 || h.copies != maxNearHolders-1 {
		t.Errorf("told %d times, %d copies", h.told.Load(), h.copies)
	}
	h.note([]byte("later"), node, maxNearLifetime+time.Hour)
	now = maxNearLifetime
	h.note([]byte("k2"), node, time.Second)
	h.forget()
	if h.copies != 1 || len(h.keys) != 1 {
		t.Errorf("%d copies of %d keys are left", h.copies, len(h.keys))
	}
	r.x.sweepHere(r.s, &sweep{op: sweepFlush}, &swept{}) // its part of a flush
	if h.copies != 0 {
		t.Errorf("%d copies are left", h.copies)
	}
	if f := o.next(t); f.data[len(f.data)-1] != newsFlushed {
		t.Errorf("sent %q", f.data)
	}
	h.forget()
	if h.any.Load() {
		t.Error("changes are still observed")
	}
}

// A frame that asks for a copy and is no GET of one key is refused.
func TestNearFramesAreChecked(t *testing.T) {
	r := newTester(t)
	r.x.Reroute(routesTo(all))
	for _, n := range []int{1, 3, 4} {
		q := remoteRequest{view: 1, holder: cluster.NodeID("x"), words: slices.Repeat([][]byte{[]byte("get")}, n)}
		p := r.x.forwarding.proxies.take(r.x)
		r.x.perform(p, KindNear, q.appendNear(nil), origin{view: 1})
		if got := string(takeOutput(&p.Out)); got != "-ERR "+errFrame.Error()+"\r\n" {
			t.Errorf("%d words: answered %q", n, got)
		}
		r.x.forwarding.proxies.giveBack(r.x, p)
	}
}
