// Package monitoring shows what a node is doing: as metrics for Prometheus, as
// sections of INFO, and as the document that the status page and larder top
// read.
//
// Everything is read from counters that the parts of the node keep anyway, when
// somebody asks, so a request costs nothing more for being watched. A [Monitor]
// itself only takes a frame of the counters once a second, of which the last
// ones are kept: the difference between two is what happened meanwhile.
//
//	executor, cache, engine, server, sources ──▶ frame (1/s) ──▶ Status, rates
//	                     ╰──────────────────────▶ Registry (at scrape)
//	executor's latency sample ──▶ hotkeys ──╮
//	engine ──▶ bigkeys (background walk) ───┴──▶ INFO, Status, Registry
package monitoring

import (
	"crypto/subtle"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/hotkeys"
	"github.com/larder-cache/larder/internal/monitoring/bigkeys"
	"github.com/larder-cache/larder/internal/monitoring/status"
	"github.com/larder-cache/larder/internal/server"
	"github.com/larder-cache/larder/internal/source"
	"github.com/larder-cache/larder/internal/ticks"
)

// Config is what a monitor looks at. All fields but Sources and those
// of a cluster are required.
type Config struct {
	Executor *command.Executor
	Cache    *cache.Cache
	// Server returns the counters of connections.
	Server func() server.Stats
	// Addresses returns the addresses RESP is served on.
	Addresses func() []string
	Sources   []Source
	// HotKeys is fed by the executor: see [command.Hooks].Sampled.
	HotKeys *hotkeys.Tracker
	Build   Build
	// Cluster returns the node's part in its cluster, Peers its connections to
	// other nodes, Replication its copies. Nil: the node is alone.
	Cluster     func() status.Cluster
	Peers       func() peer.Stats
	Replication func() Replication
}

// Source is a database behind the cache, as it is configured.
type Source struct {
	Name, Kind string
	Gate       *source.Gate
}

// Build identifies the program.
type Build struct{ Version, Commit, Date string }

// Monitor watches one node. It is safe for concurrent use.
type Monitor struct {
	cfg      Config
	big      *bigkeys.Scanner
	registry *prometheus.Registry
	started  time.Time
	pid      int
	phase    atomic.Int32

	stop chan struct{}
	once sync.Once
	done sync.WaitGroup

	mu     sync.Mutex
	frames frames // GUARDED_BY(mu)
}

// The phases of a node. A monitor begins in starting.
const (
	starting int32 = iota
	serving
	stopping
)

// frameInterval is how often the counters are looked at.
const frameInterval = time.Second

// New returns a monitor that has not begun; see [Monitor.Start].
func New(cfg Config) *Monitor {
	m := &Monitor{
		cfg: cfg, big: bigkeys.New(cfg.Cache.Store()), started: time.Now(), pid: os.Getpid(),
		stop: make(chan struct{}),
	}
	m.registry = m.newRegistry()
	return m
}

// Start begins to watch. To be called at most once.
func (m *Monitor) Start() {
	m.sample(time.Now())
	m.big.Start()
	m.done.Go(m.run)
}

// Stop ends the watching and waits for it. It may be called without Start, and
// again.
func (m *Monitor) Stop() {
	m.once.Do(func() { close(m.stop) })
	m.done.Wait()
	m.big.Stop()
}

func (m *Monitor) run() {
	for now := range ticks.Every(m.stop, frameInterval) {
		m.cfg.HotKeys.Pace()
		m.sample(now)
	}
}

// Serving tells that the node serves its clients from now on.
func (m *Monitor) Serving() { m.phase.Store(serving) }

// Stopping tells that the node takes no new clients any more.
func (m *Monitor) Stopping() { m.phase.Store(stopping) }

// Ready tells whether the node serves clients: in a cluster it must know which
// node owns what, and not be cut off.
func (m *Monitor) Ready() bool {
	if m.phase.Load() != serving {
		return false
	}
	if m.cfg.Cluster == nil {
		return true
	}
	c := m.cfg.Cluster()
	return c.Routed && !c.CutOff
}

// Authorized tells whether a password is that of the node; any is when it has
// none.
func (m *Monitor) Authorized(password string) bool {
	want := m.cfg.Executor.Options().Password
	return want == "" || subtle.ConstantTimeCompare([]byte(password), []byte(want)) == 1
}

// Registry has the metrics of the node and of the process. It is no global one.
func (m *Monitor) Registry() *prometheus.Registry { return m.registry }
