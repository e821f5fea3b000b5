package membership

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
	"github.com/larder-cache/larder/internal/hashing"
	"github.com/larder-cache/larder/internal/replication"
	"github.com/larder-cache/larder/internal/storage/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a cluster in one process: real members and engines, a configuration
// service in memory, and calls instead of links.
type world struct {
	t     testing.TB
	conf  *service
	mu    sync.Mutex
	nodes map[cluster.NodeID]*testNode
	log   *slog.Logger
}

// testNode is a node with a request path of its own: a lock in place of batches.
type testNode struct {
	w      *world
	member *Member
	store  *memory.Store
	id     cluster.NodeID

	batch  sync.RWMutex // held as a reader by requests, as the writer to reroute
	routes atomic.Pointer[cluster.Routes]
	queue  map[cluster.NodeID]chan func()
	done   sync.WaitGroup
	dead   atomic.Bool
	killed chan struct{} // closed when it is killed
	// abandoned are the nodes that it has given up, deaf those that it does not hear:
	// true, or for how long.
	abandoned, deaf sync.Map
	asked           atomic.Int64 // how often it has asked who hears the controller
	doubts          atomic.Int32 // questions whether a node is reached
	trusts          atomic.Bool  // it takes nobody for dead
	hangs           sync.RWMutex // held as the writer: its reports do not arrive
	stuck           atomic.Bool  // batches to it stay where they are, though it lives
	offline         atomic.Bool  // the configuration service does not answer it
}

func newWorld(t testing.TB) *world {
	return &world{t: t, conf: newService(), nodes: map[cluster.NodeID]*testNode{}, log: slog.New(slog.DiscardHandler)}
}

func (w *world) node(id cluster.NodeID) *testNode {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.nodes[id]; n != nil && !n.dead.Load() && n.member != nil {
		return n
	}
	return nil
}

// start starts a node; number decides its id.
func (w *world) start(number int, incarnation uint64, change ...func(*Config)) *testNode {
	w.t.Helper()
	n, err := w.try(number, incarnation, change...)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// try is start that may fail; then the node has stopped.
func (w *world) try(number int, incarnation uint64, change ...func(*Config)) (*testNode, error) {
	id := cluster.NodeID(fmt.Sprintf("%040x", number))
	n := &testNode{w: w, id: id, queue: map[cluster.NodeID]chan func(){}, killed: make(chan struct{})}
	var err error
	n.store, err = memory.Open(memory.Config{Partitions: true, Seed: []byte("seed"), Databases: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.nodes[id] = n
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	moves := controller.DefaultSettings()
	moves.Moves, moves.MovesPerSource, moves.MovesPerTarget, moves.RebalanceDelay = 1024, 512, 512, 100*time.Millisecond
	cfg := Config{
		Self:        cluster.Node{ID: id, Name: fmt.Sprintf("n%d", number), Weight: 100, Peer: fmt.Sprintf("n%d:1", number)},
		Incarnation: incarnation, Configuration: &connection{w.conf, n}, Peers: n, Store: n.store, Reroute: n.reroute, Moves: moves, Log: w.log,
	}
	for _, c := range change {
		c(&cfg)
	}
	cfg.Ready = func(m *Member) {
		w.mu.Lock()
		n.member = m
		w.mu.Unlock()
	}
	if _, err := Start(ctx, cfg); err != nil {
		n.dead.Store(true)
		n.store.Close()
		return nil, err
	}
	return n, nil
}

func (n *testNode) stop() {
	n.dead.Store(true)
	n.w.conf.drop(n.id)
	_ = n.member.Stop(context.Background())
	for _, q := range n.queue {
		close(q)
	}
	n.done.Wait()
	n.store.Close()
}

func (n *testNode) reroute(r *cluster.Routes) {
	n.batch.Lock()
	n.routes.Store(r)
	n.batch.Unlock()
}

// Call implements [Peers].
func (n *testNode) Call(_ context.Context, to *cluster.Node, kind uint8, payload []byte) ([]byte, error) {
	other := n.w.node(to.ID)
	if _, deaf := n.deaf.Load(to.ID); deaf || other == nil || n.dead.Load() {
		return nil, errors.New("unreachable")
	}
	switch kind {
	case CallHears:
		n.asked.Add(1)
	case CallReaches:
		n.doubts.Add(1)
	case CallReport:
		n.hangs.RLock()
		defer n.hangs.RUnlock()
	}
	return other.member.Answer(n.id, kind, payload)
}

// Hear implements [Peers].
func (n *testNode) Hear(to *cluster.Node) Hearing {
	if silence, deaf := n.deaf.Load(to.ID); deaf {
		if d, ok := silence.(time.Duration); ok {
			return Hearing{Silent: d}
		}
		return Hearing{Silent: time.Hour}
	}
	if n.trusts.Load() {
		return Hearing{}
	}
	return Hearing{Gone: n.w.node(to.ID) == nil}
}

// Overdue implements [Peers]: who is not heard owes an answer.
func (n *testNode) Overdue(time.Duration) (list []cluster.NodeID) {
	n.deaf.Range(func(id, _ any) bool {
		list = append(list, id.(cluster.NodeID))
		return true
	})
	return list
}

// Abandon implements [Peers].
func (n *testNode) Abandon(to *cluster.Node) { n.abandoned.Store(to.ID, true) }

// Stream implements [Peers].
func (n *testNode) Stream(to *cluster.Node) replication.Transport {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if n.queue[to.ID] == nil {
		q := make(chan func(), 1024)
		n.queue[to.ID] = q
		n.done.Add(1)
		go func() {
			defer n.done.Done()
			for f := range q {
				f()
			}
		}()
	}
	return &line{n, to.ID}
}

type line struct {
	from *testNode
	to   cluster.NodeID
}

// Send implements [replication.Transport].
func (l *line) Send(batch []byte, done func([]replication.Refusal, error)) {
	batch = bytes.Clone(batch)
	l.from.w.mu.Lock()
	q := l.from.queue[l.to]
	l.from.w.mu.Unlock()
	q <- func() {
		other := l.from.w.node(l.to)
		if other == nil || l.from.dead.Load() {
			done(nil, errors.New("unreachable"))
			return
		}
		for other.stuck.Load() && !other.dead.Load() && !l.from.dead.Load() {
			<-time.After(time.Millisecond)
		}
		done(other.member.Apply(l.from.id, batch))
	}
}

// increment executes a request on a node that owns the key.
func (n *testNode) increment(key []byte) (value uint64) {
	h := n.store.Lock(0, key, n.store.Now())
	defer h.Release()
	if e, ok := h.Find(); ok {
		value = binary.BigEndian.Uint64(e.Value())
	}
	value++
	h.Set(binary.BigEndian.AppendUint64(nil, value), 0)
	return value
}

// incr is a request that came to this node: it is executed by whoever owns the
// key, exactly once. What is held, or passed on and on, waits for news as requests of
// clients do: four clients that spin leave a partition no time to move.
func (n *testNode) incr(key []byte) (value uint64, hops int) {
	p := hashing.PartitionOf(key)
	for at := n; ; {
		at.batch.RLock()
		switch place := at.routes.Load().At(p); place.Kind {
		case cluster.Here:
			value = at.increment(key)
			at.batch.RUnlock()
			return value, hops
		case cluster.There:
			to := at.routes.Load().Node(place.Owner).ID
			at.batch.RUnlock()
			if next := n.w.node(to); next != nil {
				at, hops = next, hops+1
			}
			if hops%8 == 7 {
				<-n.w.conf.changed()
			}
		default:
			at.batch.RUnlock()
			<-n.w.conf.changed()
		}
	}
}

// settled waits until nothing moves or is about to, and every node that is up has an owner's
// share.
func (w *world) settled(owners int) *cluster.View {
	w.t.Helper()
	deadline := time.Now().Add(comesWithin)
	for {
		w.mu.Lock()
		var views []*cluster.View
		planned := cluster.Partitions // moves, as the node sees it that knows most
		for _, n := range w.nodes {
			if !n.dead.Load() && n.member != nil {
				views = append(views, n.member.View())
				planned = min(planned, len(n.member.Plan().Moves))
			}
		}
		w.mu.Unlock()
		same := planned == 0 && !slices.ContainsFunc(views, func(v *cluster.View) bool {
			return v == nil || v.Version != views[0].Version || len(v.Moving()) > 0
		})
		if same {
			n := 0
			for _, owned := range views[0].Owned() {
				if owned > 0 {
					n++
				}
			}
			if n == owners {
				return views[0]
			}
		}
		if time.Now().After(deadline) {
			for _, n := range w.nodes {
				if !n.dead.Load() {
					w.t.Logf("%s: %+v", n.id.Short(), n.member.Status())
				}
			}
			w.t.Fatalf("after %v %d nodes do not share the partitions", comesWithin, owners)
		}
		<-w.conf.changed()
	}
}

// load increments counters through random nodes until it is stopped.
type load struct {
	w       *world
	stop    chan struct{}
	done    sync.WaitGroup
	want    []map[string]uint64
	longest atomic.Int64
	hops    atomic.Int64
}

func (w *world) load(name string, clients, keys int, through ...*testNode) *load {
	l := &load{w: w, stop: make(chan struct{})}
	for c := range clients {
		want := map[string]uint64{}
		l.want = append(l.want, want)
		l.done.Add(1)
		go func() {
			defer l.done.Done()
			r := rand.New(rand.NewPCG(uint64(c), 0))
			for {
				select {
				case <-l.stop:
					return
				default:
				}
				key := fmt.Sprintf("%s client %d key %d", name, c, r.IntN(keys))
				began := time.Now()
				got, hops := through[r.IntN(len(through))].incr([]byte(key))
				if took := int64(time.Since(began)); took > l.longest.Load() {
					l.longest.Store(took)
				}
				if int64(hops) > l.hops.Load() {
					l.hops.Store(int64(hops))
				}
				if want[key]++; got != want[key] {
					w.t.Errorf("%s is %d after %d increments", key, got, want[key])
					return
				}
			}
		}()
	}
	return l
}

// finish stops the load and checks every counter.
func (l *load) finish(through *testNode) {
	l.w.t.Helper()
	close(l.stop)
	l.done.Wait()
	keys := 0
	for _, want := range l.want {
		for key, n := range want {
			keys++
			if got, _ := through.incr([]byte(key)); got != n+1 {
				l.w.t.Errorf("%s is %d, want %d", key, got, n+1)
			}
		}
	}
	l.w.t.Logf("%d keys, the longest request took %v, at most %d hops", keys, time.Duration(l.longest.Load()), l.hops.Load())
}

func TestJoinAndDrainUnderLoad(t *testing.T) {
	w := newWorld(t)
	a := w.start(1, 1)
	w.settled(1)
	l := w.load("first", 4, 3000, a)
	b := w.start(2, 1)
	w.settled(2)
	c := w.start(3, 1)
	v := w.settled(3)
	for at, owned := range v.Owned() {
		if owned < 1024/3-1 || owned > 1024/3+2 {
			t.Errorf("node %d owns %d partitions", at, owned)
		}
	}
	l.finish(a)
	l = w.load("second", 4, 3000, a, c)
	if err := a.member.SetState(context.Background(), b.id, cluster.Draining, true); err != nil {
		t.Fatal(err)
	}
	w.settled(2)
	for gone := false; !gone; {
		_, err := a.member.Find(string(b.id))
		if gone = err != nil; !gone {
			<-w.conf.changed()
		}
	}
	b.stop()
	l.finish(c)
	if got := a.store.Len(0) + c.store.Len(0); got > 4*3000*2 {
		t.Errorf("%d entries are left of 24000 at most: copies were not dropped", got)
	}
	c.stop()
	a.stop()
}

// asksToMove has an operator, x, at a node ask that another one get a partition.
func (n *testNode) asksToMove(p int, to *testNode) {
	n.w.t.Helper()
	if _, err := n.member.Ask(context.Background(), controller.Request{Kind: controller.Move, By: "x", Partitions: []int{p}, Node: to.id}); err != nil {
		n.w.t.Fatal(err)
	}
}

func TestMoveByHand(t *testing.T) {
	w := newWorld(t)
	a, b := w.start(1, 1), w.start(2, 1)
	v := w.settled(2)
	mine := slices.IndexFunc(v.Rows[:], func(r cluster.Row) bool { return v.Nodes[r.Owner].ID == a.id })
	b.asksToMove(mine, b)
	for b.member.View().Owner(mine) != b.id || len(b.member.View().Moving()) > 0 {
		<-w.conf.changed()
	}
	if _, err := a.member.Ask(context.Background(), controller.Request{Kind: controller.Move, By: "y", Partitions: []int{mine}, Node: a.id}); err == nil || !strings.Contains(err.Error(), "by x") {
		t.Errorf("two operators: %v", err)
	}
	a.stop()
	b.stop()
}

func TestNodeThatDiesIsFollowed(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.start(1, 1), w.start(2, 1), w.start(3, 1)
	w.settled(3)
	b.stop()
	w.settled(2)
	again := w.start(2, 2)
	w.settled(3)
	again.stop()
	c.stop()
	a.stop()
}

func TestRemovedNodeStaysOut(t *testing.T) {
	w := newWorld(t)
	a, b := w.start(1, 1), w.start(2, 1)
	w.settled(2)
	if err := a.member.SetState(context.Background(), b.id, cluster.Draining, true); err != nil {
		t.Fatal(err)
	}
	w.settled(1)
	for gone := false; !gone; {
		_, err := a.member.Find(string(b.id))
		if gone = err != nil; !gone {
			<-w.conf.changed()
		}
	}
	b.stop()
	_, err := Start(context.Background(), Config{
		Self: cluster.Node{ID: b.id, Weight: 100}, Incarnation: 2, Configuration: &connection{w.conf, &testNode{id: b.id}}, Peers: b, Store: a.store, Reroute: b.reroute,
	})
	if !errors.Is(err, ErrLeft) {
		t.Errorf("a removed node starts: %v", err)
	}
	if err := a.member.SetState(context.Background(), a.id, cluster.Draining, false); err == nil {
		t.Error("the last node was drained")
	}
	a.stop()
}
