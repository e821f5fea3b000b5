package membership

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
	"github.com/larder-cache/larder/internal/replication"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// Config is what a member is made of.
type Config struct {
	// Self is the node as it wants to be known. Its State is that of the record
	// in the configuration service, when there is one.
	Self        cluster.Node
	Incarnation uint64

	Configuration Configuration
	Peers         Peers
	Store         *memory.Store

	// Reroute puts routes in force: it returns when no request is executed under
	// older ones any more.
	Reroute func(*cluster.Routes)
	// Changed is told of every view after it is in force. May be nil.
	Changed func(*cluster.View)
	// Moved is told of partitions that have another owner, and again when they have
	// arrived there: this node will not hear of changes that clients who cache want
	// to know. May be nil.
	Moved func(partitions []int)

	// Ready is called before anything is asked of other nodes: from then on their
	// calls can be answered. May be nil.
	Ready func(*Member)

	// Last is the view that was in force when this node stopped: with it the node
	// serves when the configuration service is away for longer than Patience
	// (zero: 3 s). Nil: Start fails then.
	Last     *cluster.View
	Patience time.Duration
	// Keep stores a view for the next start. It is called in a goroutine of its
	// own, not more than once in a while. May be nil.
	Keep func(view []byte) error
	// Twin reports whether a process with this node's own key answers at a peer
	// address: another one, with a copy of the data directory. May be nil.
	Twin func(ctx context.Context, address string) bool
	// Expelled is told when a node that has begun to serve without the
	// configuration service is refused once that is back. May be nil.
	Expelled func(error)
	// Leads reports whether a node runs the leader of the configuration service, as
	// far as this node's own part in it knows. Nil: it never has one.
	Leads func(id cluster.NodeID) bool
	// Succeed has that part stand for leader in place of a node that nobody hears;
	// it is called again and again, by one goroutine. Needed with Leads.
	Succeed func(ctx context.Context, id cluster.NodeID)
	// Restart makes this node end in order and start again, as a new process, or
	// says why it cannot. It does not wait for that. Nil: nobody can.
	Restart func() error

	// Moves bounds what the controller does at a time. Zero fields:
	// [controller.DefaultSettings].
	Moves controller.Settings
	// Lease is for how long the answer of a copy in sync says that this node is
	// the owner of a partition. Zero: for ever, which is for clusters without
	// copies.
	Lease time.Duration
	// SyncInterval is how often a two-hundredth of what this node owns is compared
	// with its copies. Zero: never.
	SyncInterval time.Duration
	// Limits say when a node is given up that does not keep up. Zero:
	// [replication.DefaultLimits].
	Limits replication.Limits
	// BytesPerSecond throttles what this node copies. Zero: no limit.
	BytesPerSecond int
	// AliveTTL is for how long a process that is silent counts as alive. Zero: 5 s.
	AliveTTL time.Duration
	Log      *slog.Logger
}

// Peers are the other nodes, as a member talks to them.
type Peers interface {
	// Call asks a node for something on the control lane.
	Call(ctx context.Context, node *cluster.Node, kind uint8, payload []byte) ([]byte, error)
	// Stream returns what carries batches to a node.
	Stream(node *cluster.Node) replication.Transport
	// Hear tells what is noticed of a node, from the first time it is asked on.
	Hear(node *cluster.Node) Hearing
	// Overdue returns the nodes that have owed an answer for so long, and have sent
	// nothing meanwhile.
	Overdue(least time.Duration) []cluster.NodeID
	// Abandon gives up what waits for the answer of a node that others have
	// followed, or hear, if the node is silent.
	Abandon(node *cluster.Node)
}

// Kinds of calls on the control lane; [Member.Answer] answers them.
const (
	CallReport  uint8 = 1 // to the controller: progress of moves
	CallKick    uint8 = 2 // to the controller: look at what has been asked for
	CallVitals  uint8 = 3 // to anybody: what only the node itself knows
	CallView    uint8 = 4 // to anybody: the newest view, for a node that starts without the service
	CallPrepare uint8 = 5 // from the controller: see [controller.Preparation]
	CallHears   uint8 = 6 // to anybody: do you hear this node, the controller?
	CallRestart uint8 = 7 // to anybody: see [Config.Restart]
	CallReaches uint8 = 8 // to anybody: have you just heard this node?
	CallNews    uint8 = 9 // to anybody: what the configuration service has told it
	// CallUnseat is from the controller, to anybody: depose me.
	CallUnseat uint8 = 10
)

// Member is this node's part in the cluster. Safe for concurrent use.
type Member struct {
	cfg      Config
	log      *slog.Logger
	id       cluster.NodeID
	began    time.Time
	limiter  *rate.Limiter
	counters replication.Counters
	receiver *replication.Receiver
	told     *rate.Limiter // messages about copies that differ
	logs     *replication.Logs
	has      holdings
	// arriving is held as a reader while a record of a copy is applied, and as
	// the writer to make a partition active.
	arriving sync.RWMutex
	// dropping are held, by partition, while what the node had of it is dropped.
	dropping [cluster.Partitions]sync.Mutex

	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
	kick   chan struct{} // to the agent: something has changed

	lead     lead
	settings atomic.Int64 // revision that is applied
	// coordinator: this node runs a member of the configuration service.
	coordinator atomic.Bool

	mu        sync.Mutex
	alive     Registration // GUARDED_BY(mu), as all up to wishes; nil: not registered
	away      bool         // serves by the last view, without the configuration service
	registry  registry
	view      *cluster.View
	viewNews  chan struct{} // closed and replaced at every view that is learned
	routeNews chan struct{} // and at every view that is put in force
	leader    cluster.NodeID
	leaderAt  int64 // revision of the configuration service at which leader was it
	apart     apart
	moves     moves
	wishes    wishes
	sounds    map[cluster.NodeID]sound // of those that cannot be heard
	missed    []cluster.NodeID         // by id: who this node is cut off from; nil: it is not
	promised  promised
	// firstVersion is of the first view that this process has known.
	firstVersion uint64
	serves       [cluster.Partitions]cluster.Epoch // of the agent: the epoch for which it has made each partition ready

	// registryChanged: a process has come or gone since supply has looked.
	registryChanged atomic.Bool
	supplied        supplied // of the agent

	stored       stored // of the controller's goroutine
	toldSettings int64  // of the agent

	routed struct { // written by the agent
		view     *cluster.View
		arrivals int
		missed   []cluster.NodeID
	}
	// lonelySince is of the watchdog: since when this node has been lonely; 0: it is
	// not.
	lonelySince time.Duration

	delivery *delivery // of the agent, as the next; nil: none is under way
	reported struct {
		text string
		to   cluster.NodeID
		at   time.Time
		view uint64
	}
}

// Start registers the node and returns when it has routes: those of the last
// view, when the configuration service is away and Config.Last is given. ctx
// bounds the start only.
func Start(ctx context.Context, cfg Config) (*Member, error) {
	if cfg.Moves == (controller.Settings{}) {
		cfg.Moves = controller.DefaultSettings()
	}
	if cfg.AliveTTL == 0 {
		cfg.AliveTTL = 5 * time.Second
	}
	if cfg.Patience == 0 {
		cfg.Patience = 3 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	m := &Member{
		cfg: cfg, log: cfg.Log, id: cfg.Self.ID, began: time.Now(), kick: make(chan struct{}, 1),
		registry: newRegistry(), sounds: map[cluster.NodeID]sound{}, viewNews: make(chan struct{}), routeNews: make(chan struct{}),
	}
	m.apart.doubted = map[cluster.NodeID]bool{}
	m.coordinator.Store(cfg.Self.Coordinator)
	m.told = rate.NewLimiter(1, 10)
	m.moves.init()
	m.lead.init()
	if cfg.BytesPerSecond > 0 {
		m.limiter = rate.NewLimiter(rate.Limit(cfg.BytesPerSecond), max(64<<10, cfg.BytesPerSecond/100))
	}
	m.logs = replication.NewLogs(cfg.Store, cfg.Lease)
	if cfg.Limits != (replication.Limits{}) {
		m.logs.SetLimits(cfg.Limits)
	}
	m.receiver = replication.NewReceiver(cfg.Store, m, cluster.Partitions, &m.counters)
	m.ctx, m.cancel = context.WithCancel(context.Background())
	if cfg.Ready != nil {
		cfg.Ready(m)
	}
	if err := m.start(ctx); err != nil {
		_ = m.Stop(ctx)
		return nil, err
	}
	return m, nil
}

// goes runs a part of the member until it stops.
func (m *Member) goes(f func()) {
	m.done.Add(1)
	go func() {
		defer m.done.Done()
		f()
	}()
}

// now is the time of this member: it only rises.
func (m *Member) now() time.Duration { return time.Since(m.began) }

// nudge makes the agent look.
func (m *Member) nudge() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

func (m *Member) nodesChanged(d Delivery) {
	m.mu.Lock()
	err := m.registry.applyNodes(d)
	m.mu.Unlock()
	if err != nil {
		m.log.Error("a node's record cannot be read", "reason", err)
	}
	m.nudge()
	m.lead.nudge()
}

func (m *Member) aliveChanged(d Delivery) {
	m.mu.Lock()
	came, went := m.registry.applyAlive(d, m.now())
	m.mu.Unlock()
	for _, id := range came {
		if id != m.id {
			m.log.Info("node is up", "node", id.Short())
		}
	}
	for _, id := range went {
		m.log.Warn("node is down", "node", id.Short())
	}
	if len(came)+len(went) > 0 {
		m.registryChanged.Store(true)
		m.nudge()
		m.lead.nudge()
	}
}

func (m *Member) viewChanged(d Delivery) {
	for _, it := range d.Items {
		if it.Key != keyView {
			continue
		}
		v, err := cluster.DecodeView(it.Data)
		if err != nil {
			m.log.Error("the view cannot be read; the last one stays in force", "reason", err)
			continue
		}
		m.learn(v)
	}
}

// learn takes a view, unless a newer one is known.
func (m *Member) learn(v *cluster.View) {
	m.mu.Lock()
	if m.view != nil && m.view.Version >= v.Version {
		m.mu.Unlock()
		return
	}
	if m.view == nil {
		m.firstVersion = v.Version
	}
	m.view = v
	close(m.viewNews)
	m.viewNews = make(chan struct{})
	m.mu.Unlock()
	m.nudge()
}

func (m *Member) leaderChanged(d Delivery) {
	defer m.nudge() // whoever it is knows nothing yet
	m.mu.Lock()
	defer m.mu.Unlock()
	if d.Resync {
		m.leader, m.leaderAt = "", 0
	}
	// What is older than what another node has told is known. Who is elected in the
	// end is among the items.
	for _, it := range d.Items {
		if it.Key == keyController && it.Revision > m.leaderAt {
			m.leader, m.leaderAt = cluster.NodeID(it.Data), it.Revision
			return
		}
	}
	if slices.Contains(d.Removed, keyController) && d.Revision > m.leaderAt {
		m.leader, m.leaderAt = "", d.Revision
	}
}

// View returns the newest view that is known, nil before the first.
func (m *Member) View() *cluster.View {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.view
}

// AwaitView waits until a view of at least that version is in force, or ctx ends.
func (m *Member) AwaitView(ctx context.Context, version uint64) error {
	for {
		m.mu.Lock()
		v, news := m.routed.view, m.routeNews
		m.mu.Unlock()
		if v != nil && v.Version >= version {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("view %d: %w", version, ctx.Err())
		}
	}
}

// Alive reports whether a process of the node is known to run. Without the
// configuration service all are believed to.
func (m *Member) Alive(id cluster.NodeID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return true
	}
	_, ok := m.registry.alive[id]
	return ok
}

// incarnationOf returns which process of a node is registered: 0, which no process
// has, when none is.
func (m *Member) incarnationOf(id cluster.NodeID) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.registry.alive[id].Incarnation
}

// SettingsApplied notes which revision of the settings is in force on this node,
// for others to see.
func (m *Member) SettingsApplied(revision int64) {
	if m.settings.Swap(revision) != revision {
		m.nudge()
	}
}

// SetLimits replaces those of the configuration.
func (m *Member) SetLimits(l replication.Limits) { m.logs.SetLimits(l) }

// Logs returns what this node's partitions with copies have not acknowledged.
func (m *Member) Logs() *replication.Logs { return m.logs }

// Counters returns the counters of this node's streams.
func (m *Member) Counters() *replication.Counters { return &m.counters }

// Answer answers a call of another node on the control lane.
func (m *Member) Answer(from cluster.NodeID, kind uint8, payload []byte) ([]byte, error) {
	switch kind {
	case CallReport:
		var r controller.Report
		if err := json.Unmarshal(payload, &r); err != nil {
			return nil, fmt.Errorf("report of %s: %w", from.Short(), err)
		}
		m.lead.take(from, r)
		return nil, nil
	case CallPrepare:
		return m.promise(payload)
	case CallKick:
		m.lead.nudge()
		return nil, nil
	case CallRestart:
		return nil, m.restart()
	case CallVitals:
		return json.Marshal(m.vitals())
	case CallHears:
		return m.hears(cluster.NodeID(payload)), nil
	case CallReaches:
		return m.reaches(cluster.NodeID(payload)), nil
	case CallNews:
		return m.tellNews(payload)
	case CallUnseat:
		return nil, m.unseat(from)
	case CallView:
		v := m.View()
		if v == nil {
			return nil, ErrNoView
		}
		return v.Encode(), nil
	}
	return nil, errors.New("unknown call " + strconv.Itoa(int(kind)) + ": the nodes' releases are too far apart")
}

// Apply applies a batch of another node; see [replication.Receiver].
func (m *Member) Apply(from cluster.NodeID, batch []byte) (refused []replication.Refusal, err error) {
	return m.receiver.Apply(string(from), batch)
}

// Stop ends this node's part, once the copies have what nobody has waited for.
// It says that the node is gone, so that others need not find out. To be called
// once, when clients are not served any more.
func (m *Member) Stop(ctx context.Context) error {
	m.logs.Flush(handPatience)
	m.cancel()
	m.moves.close()
	m.done.Wait()
	if r := m.registration(); r != nil {
		return r.Close(ctx)
	}
	return nil
}
