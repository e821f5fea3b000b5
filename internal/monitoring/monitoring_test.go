package monitoring

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/hotkeys"
	"github.com/larder-cache/larder/internal/monitoring/status"
	"github.com/larder-cache/larder/internal/replication"
	"github.com/larder-cache/larder/internal/server"
	"github.com/larder-cache/larder/internal/source"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// bench is a node without a network: one client of an executor, whose sourced
// namespace user: answers everything until it is told to fail.
type bench struct {
	*Monitor
	t       *testing.T
	session *command.Session
	failing atomic.Bool
	network server.Stats
	now     time.Time
}

func (b *bench) Load(context.Context, source.Params) (source.Value, error) {
	if b.failing.Load() {
		return source.Value{}, source.ErrUnavailable
	}
	return source.Value{Data: []byte("Ann")}, nil
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, now: time.Unix(1_800_000_000, 0)}
	pattern, err := source.ParsePattern("user:{id:int}")
	if err != nil {
		t.Fatal(err)
	}
	gate := source.NewGate("people", source.Config{}.WithDefaults())
	users := &cache.Namespace{Name: "users", Loader: source.NewLoader(pattern, b, gate)}
	users.Read.Prefix, users.Read.TTL = "user:", time.Hour
	var service *cache.Cache
	store, err := memory.Open(memory.Config{Shards: 16, Voided: func(db int, key []byte) { service.Voided(db, key) }})
	if err != nil {
		t.Fatal(err)
	}
	service = cache.New(store, []*cache.Namespace{users})
	hot := hotkeys.New(nil)
	options := command.DefaultOptions()
	options.LatencySample = 1
	x := command.New(command.Config{Cache: service, Options: options, Hooks: command.Hooks{
		Sampled: hot.Sampled, Sections: func() []command.Section { return b.Sections() },
	}})
	b.Monitor = New(Config{
		Executor: x, Cache: service, Server: func() server.Stats { return b.network },
		Addresses: func() []string { return []string{"127.0.0.1:6379"} }, HotKeys: hot,
		Build: Build{Version: "v1", Commit: "abc"}, Sources: []Source{{Name: "people", Kind: "sqlite", Gate: gate}},
	})
	b.session = x.NewSession(nowhere{})
	b.session.MayBlock = true
	t.Cleanup(func() {
		x.EndSession(b.session)
		b.Stop()
		service.Close()
		store.Close()
	})
	return b
}

type nowhere struct{}

func (nowhere) Push([]byte)              {}
func (nowhere) Kill(bool)                {}
func (nowhere) RemoteAddr() string       { return "127.0.0.1:1" }
func (nowhere) LocalAddr() string        { return "127.0.0.1:2" }
func (nowhere) Buffers() (int, int, int) { return 0, 0, 0 }
func (nowhere) FD() int                  { return 3 }

// do runs requests, written as words.
func (b *bench) do(times int, request string) {
	words := strings.Fields(request)
	args := make([][]byte, len(words))
	for range times {
		for i, w := range words {
			args[i] = []byte(w)
		}
		b.cfg.Executor.Begin(b.session)
		if b.cfg.Executor.Execute(b.session, args) != command.Continue {
			b.t.Fatalf("%s: not executed", request)
		}
		b.cfg.Executor.End(b.session)
		b.session.Out.Reset()
	}
}

// after takes a frame some time after the last.
func (b *bench) after(d time.Duration) {
	b.now = b.now.Add(d)
	b.sample(b.now)
}

// exports compares metrics, named with the values of their labels behind them.
func (b *bench) exports(numbers map[string]float64) {
	b.t.Helper()
	families, err := b.Registry().Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			got[name] = m.Gauge.GetValue() + m.Counter.GetValue()
		}
	}
	for name, want := range numbers {
		if got[name] != want {
			b.t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

func (b *bench) busy() {
	b.do(100, "PING") // the sample begins within the first hundred
	b.after(0)
	b.do(30, "SET a 1")
	b.do(60, "GET a")
	b.do(40, "GET absent")
	b.do(10, "GET user:7")
	b.do(5, "INCR word")
	b.do(1, "SET word x")
	b.do(5, "INCR word")
	b.do(1, "NOSUCH")
	b.do(1, "SETRANGE big 5000 x")
	for b.big.Step(time.Now()) {
	}
	b.network.Total.BytesIn, b.network.RefusedClients = 4000, 0
	b.after(2 * time.Second)
}

func TestStatus(t *testing.T) {
	b := newBench(t)
	b.Serving()
	b.busy()
	s := b.Status()
	tr := s.Traffic
	want := map[string][2]float64{
		"window":          {s.WindowSeconds, 2},
		"requests/s":      {tr.RequestsPerSecond, 152.0 / 2},
		"hit ratio":       {tr.HitRatio, 69.0 / 110},
		"hit ratio total": {tr.HitRatioTotal, 69.0 / 110},
		"reads/s":         {tr.ReadsPerSecond, 110.0 / 2},
		"bytes in":        {tr.BytesInPerSecond, 2000},
		"errors":          {float64(tr.ErrorsTotal), 6},
		"queries":         {float64(s.Load.QueriesTotal), 1},
		"saved":           {float64(s.Load.SavedTotal), 9},
		"saved ratio":     {s.Load.SavedRatio, 0.9},
	}
	for what, v := range want {
		if diff := v[0] - v[1]; diff > 1e-9 || diff < -1e-9 {
			t.Errorf("%s: got %v, want %v", what, v[0], v[1])
		}
	}
	if s.Health.State != status.OK || !s.Node.Ready {
		t.Errorf("health: got %+v, ready %v", s.Health, s.Node.Ready)
	}
	if len(s.Commands) == 0 || s.Commands[0].Name != "get" || s.Commands[0].CallsPerSecond != 55 || s.Commands[0].P99Seconds <= 0 {
		t.Errorf("commands: got %+v, want get first with 55 calls per second", s.Commands)
	}
	if len(s.HotKeys) == 0 || s.HotKeys[0].Key != "a" || s.HotKeys[0].Writes < 0.3 || s.HotKeys[0].Writes > 0.4 {
		t.Errorf("hot keys: got %+v, want a first, a third of it writes", s.HotKeys)
	}
	if len(s.BigKeys) != 1 || s.BigKeys[0].Key != "big" || s.BigKeys[0].Bytes < 5000 {
		t.Errorf("big keys: got %+v, want big alone", s.BigKeys)
	}
	if h := s.History; len(h.RequestsPerSecond) != 1 || h.RequestsPerSecond[0] != 76 || h.P99Seconds[0] <= 0 {
		t.Errorf("history: got %+v", h)
	}
}

func TestStatusHasNoNull(t *testing.T) {
	b := newBench(t)
	text, err := json.Marshal(b.Status())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "null") {
		t.Errorf("a list is null: %s", text)
	}
}

func TestRatesSurviveAReset(t *testing.T) {
	b := newBench(t)
	b.busy()
	b.do(1, "CONFIG RESETSTAT")
	b.do(8, "GET a")
	b.after(time.Second)
	if got := b.Status().Traffic.RequestsPerSecond; got < 0 || got > 20 {
		t.Errorf("got %v requests per second after a reset, want those since", got)
	}
}

func TestWindowMoves(t *testing.T) {
	b := newBench(t)
	b.busy()
	for range historyLength + 10 {
		b.after(time.Second)
	}
	s := b.Status()
	if s.Traffic.RequestsPerSecond != 0 || s.WindowSeconds != window || s.Traffic.RequestsTotal == 0 {
		t.Errorf("got %v requests per second over %v s, want none over %d s", s.Traffic.RequestsPerSecond, s.WindowSeconds, window)
	}
	if n := len(s.History.HitRatio); n != historyLength || s.History.HitRatio[n-1] != -1 {
		t.Errorf("history of %d, ends with %v; want %d, unknown at the end", n, s.History.HitRatio[n-1], historyLength)
	}
}

func TestHealthSaysWhatIsWrong(t *testing.T) {
	b := newBench(t)
	if h := b.Status().Health; h.State != status.Degraded || !strings.Contains(h.Reasons[0], "starting") {
		t.Errorf("before serving: got %+v", h)
	}
	b.Serving()
	b.after(time.Second)
	b.failing.Store(true)
	for i := range 6 {
		b.do(1, "GET user:"+string(rune('1'+i)))
	}
	b.network.RefusedClients = 3
	b.after(time.Second)
	h := b.Status().Health
	all := strings.Join(h.Reasons, "; ")
	for _, want := range []string{"people is failing", "namespace users fail", "clients are refused"} {
		if !strings.Contains(all, want) {
			t.Errorf("got %q, want something with %q", all, want)
		}
	}
	if h.State != status.Degraded {
		t.Errorf("got %s, want degraded", h.State)
	}
	b.Stopping()
	if h := b.Status().Health; h.State != status.Stopping || b.Ready() {
		t.Errorf("at the end: got %+v, ready %v", h, b.Ready())
	}
}

func TestMetricsFollowConventions(t *testing.T) {
	b := newBench(t)
	b.busy()
	families, err := b.Registry().Gather()
	if err != nil {
		t.Fatal(err) // a duplicate, or labels that do not fit
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "larder_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
	}
	for _, want := range []string{
		"go_gc_duration_seconds", "larder_build_info", "larder_command_duration_seconds", "larder_commands_total",
		"larder_connected_clients", "larder_errors_total", "larder_server_input_bytes_total", "larder_memory_used_bytes",
		"larder_entries_evicted_total", "larder_database_keys", "larder_namespace_hits_total", "larder_namespace_voided_fills_total",
		source.LatencyMetric, "larder_source_errors_total", "larder_source_breaker_state", "larder_hot_key_share_ratio",
		"larder_largest_entry_bytes", "larder_server_limit_hits_total",
	} {
		if !names[want] {
			t.Errorf("no metric %s", want)
		}
	}
}

// TestCollectorsDescribeDistinctMetrics refuses two declarations of one name.
func TestCollectorsDescribeDistinctMetrics(t *testing.T) {
	b := newBench(t)
	owner := map[string]int{}
	for i, c := range b.collectors() {
		ch := make(chan *prometheus.Desc, 256)
		c.Describe(ch)
		close(ch)
		for d := range ch {
			if prev, taken := owner[d.String()]; taken && prev != i {
				t.Errorf("two collectors declare %s", d)
			}
			owner[d.String()] = i
		}
	}
}

func TestMetricsHaveNoKeyNames(t *testing.T) {
	b := newBench(t)
	b.do(100, "SET secret-session-id 1")
	b.after(time.Second)
	families, err := b.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.Contains(f.String(), "secret-session-id") {
			t.Errorf("%s shows a key", f.GetName())
		}
	}
}

func TestHistogramBucketsAreExact(t *testing.T) {
	b := newBench(t)
	b.busy()
	for _, c := range b.cfg.Executor.Snapshot().Commands {
		out := buckets(c.Latency)
		last := out[(time.Duration(1) << lastBucket).Seconds()]
		if last != c.Latency.Total {
			t.Errorf("%s: %d of %d durations have a bucket", c.Name, last, c.Latency.Total)
		}
		for power := firstBucket; power <= lastBucket; power++ {
			bound, want := time.Duration(1)<<power, uint64(0)
			for i, n := range c.Latency.Counts {
				if c.Latency.Bound(i) < bound {
					want += n
				}
			}
			if got := out[bound.Seconds()]; got != want {
				t.Errorf("%s up to %v: got %d, want %d", c.Name, bound, got, want)
			}
		}
	}
}

func TestInfoSections(t *testing.T) {
	b := newBench(t)
	b.busy()
	info := b.cfg.Executor.Info("hotkeys", "bigkeys")
	for _, want := range []string{"# Hotkeys\r\nhotkeys_sampled:", "hotkey_0:db=0,requests_per_sec=", ",key=a\r\n",
		"# Bigkeys\r\nbigkeys_scanned:", "bigkey_0:db=0,bytes=", ",key=big\r\n", "entries_of_up_to_64_bytes:"} {
		if !strings.Contains(info, want) {
			t.Errorf("INFO lacks %q:\n%s", want, info)
		}
	}
	if strings.Contains(b.cfg.Executor.Info(), "Hotkeys") {
		t.Error("INFO without arguments shows keys")
	}
}

func TestPrintable(t *testing.T) {
	for key, want := range map[string]string{
		"user:7":                   "user:7",
		"naïve 鍵":                  "naïve 鍵",
		"a\r\nb\x00\xff\\":         `a\r\nb\x00\xff\\`,
		"\x1b[31m":                 `\x1b[31m`,
		strings.Repeat("x", 10000): strings.Repeat("x", maxPrinted) + "…",
	} {
		if got := printable(key); got != want {
			t.Errorf("%q: got %q, want %q", key, got, want)
		}
	}
}

func TestMonitorStartsAndStops(t *testing.T) {
	b := newBench(t)
	b.Start()
	if got := b.Status(); len(got.Commands) != 0 {
		t.Errorf("got %+v before any request", got.Commands)
	}
	b.Stop()
	b.Stop()
}

func TestShift(t *testing.T) {
	var list []int
	for i := range 10 {
		list = shift(list, 4, i)
	}
	if !slices.Equal(list, []int{6, 7, 8, 9}) {
		t.Errorf("got %v", list)
	}
}

func TestCluster(t *testing.T) {
	b := newBench(t)
	if b.Status().Cluster != nil {
		t.Error("a node that is alone has a cluster")
	}
	c := status.Cluster{ID: "c", Name: "n1", NodesUp: 3, Owned: 341, Service: true}
	b.cfg.Cluster = func() status.Cluster { return c }
	b.Serving()
	if h := b.Status().Health; b.Ready() || h.State != status.Degraded || !strings.Contains(h.Reasons[0], "which node owns what") {
		t.Errorf("without routes: ready %v, %+v", b.Ready(), h)
	}
	c.Routed, c.View = true, 7
	if s := b.Status(); !b.Ready() || s.Health.State != status.OK || s.Cluster.View != 7 {
		t.Errorf("with routes: ready %v, %+v", b.Ready(), s.Health)
	}
	c.CutOff = true
	if h := b.Status().Health; b.Ready() || h.State != status.Degraded || !strings.Contains(h.Reasons[0], "hears less than half") {
		t.Errorf("cut off: ready %v, %+v", b.Ready(), h)
	}
	c.CutOff = false
	for _, wrong := range []struct {
		change func()
		words  string
	}{
		{func() { c.Coordinator = true }, "coordinator on this node does not work"},
		{func() { c.Service = false }, "takes no changes"},
		{func() { c.Away = true }, "known last"},
		{func() { c = status.Cluster{Routed: true, Service: true, NodesUp: 2, NodesDown: 1} }, "1 of 3 nodes are down"},
		{func() { c.Unserved = 9 }, "9 partitions are not served"},
	} {
		wrong.change()
		if h := b.Status().Health; !b.Ready() || h.State != status.Degraded || len(h.Reasons) != 1 || !strings.Contains(h.Reasons[0], wrong.words) {
			t.Errorf("%s: %+v", wrong.words, h)
		}
	}
	b.exports(map[string]float64{
		"larder_cluster_nodes_up": 2, "larder_cluster_nodes_down": 1, "larder_cluster_partitions_down": 9, "larder_cluster_service_up": 1,
	})
}

// TestPeersAndCopies reads what a node of a cluster counts of the others.
func TestPeersAndCopies(t *testing.T) {
	var counters replication.Counters
	counters.Failed.Store(3)
	counters.SyncDifferences.Store(8)
	b := newBench(t)
	b.cfg.Peers = func() peer.Stats {
		s := peer.Stats{LinksUp: 2, Outbound: peer.Traffic{BytesIn: 5}, Served: peer.Traffic{BytesIn: 6}}
		s.Failures[peer.FailedSilent] = 7
		return s
	}
	b.cfg.Replication = func() Replication {
		return Replication{[]replication.ReplicaStats{{Node: "n2", InSync: 4, Lag: 1500 * time.Millisecond}}, &counters}
	}
	b.exports(map[string]float64{
		"larder_peer_links_up": 2, "larder_peer_bytes_total in": 11, "larder_peer_failures_total silent": 7,
		"larder_replication_copies_in_sync n2": 4, "larder_replication_lag_seconds n2": 1.5, "larder_replication_copies_failed_total": 3,
		"larder_replication_sync_differences_total": 8,
	})
}
