package settings

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/replication"
	"github.com/larder-cache/larder/internal/storage/memory"
)

// live is a node with an executor and an engine that settings are applied to.
type live struct {
	*node
	executor *command.Executor
	engine   *memory.Store
	logs     *replication.Logs
	own      *command.Parameters
	*Parameters
}

func startLive(t *testing.T, store Store, flags ...config.Override) *live {
	t.Helper()
	n := &live{node: openNode(t, "", config.NewOwn(config.Default(), flags...))}
	_ = n.Connect(within(t), store)
	cfg, err := n.Start()
	if err != nil {
		t.Fatal(err)
	}
	if n.engine, err = memory.Open(memory.Config{Shards: 16, MaxBytes: cfg.Memory.MaxBytes, Policy: cfg.Memory.Policy}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.engine.Close)
	n.logs = replication.NewLogs(n.engine, 0)
	n.executor = command.New(command.Config{Cache: cache.New(n.engine, nil), Options: cfg.Command,
		Settings: func(own *command.Parameters) command.Settings {
			n.own, n.Parameters = own, NewParameters(own, n.Service)
			return n.Parameters
		}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Run(ctx, Live(n.executor, n.engine, n.logs))
	}()
	t.Cleanup(func() { cancel(); <-done })
	return n
}

func (n *live) parameter(name string) string {
	n.t.Helper()
	found := n.Parameters.Get([]string{name})
	if len(found) != 1 {
		n.t.Fatalf("%s: %v", name, found)
	}
	return found[0].Value
}

// configSet changes parameters, given as name, value, name, value.
func (n *live) configSet(words ...string) error {
	var changes []command.Parameter
	for i := 0; i < len(words); i += 2 {
		changes = append(changes, command.Parameter{Name: words[i], Value: words[i+1]})
	}
	return n.SetAs(within(n.t), "default@127.0.0.1:5", changes)
}

func TestConfigSetIsForAllNodes(t *testing.T) {
	store := newMemoryStore()
	a, b := startLive(t, store), startLive(t, store)
	if err := a.configSet("MAXMEMORY", "100mb", "maxmemory-policy", "allkeys-lfu", "timeout", "90", "client-output-buffer-limit", "pubsub 100 50 3", "hz", "50"); err != nil {
		t.Fatal(err)
	}
	if err := b.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*live{a, b} {
		if n.engine.MaxBytes() != 100<<20 || n.engine.Policy() != "allkeys-lfu" || n.executor.Options().IdleTimeout != 90*time.Second {
			t.Errorf("in force: %d %s %v", n.engine.MaxBytes(), n.engine.Policy(), n.executor.Options().IdleTimeout)
		}
		if got := n.parameter("client-output-buffer-limit"); got != "normal 0 0 0 slave 268435456 67108864 60 pubsub 100 50 3" {
			t.Errorf("limits of output: %s", got)
		}
	}
	if a.parameter("hz") != "50" || b.parameter("hz") != "10" {
		t.Errorf("what has no effect is %s and %s", a.parameter("hz"), b.parameter("hz"))
	}
	now, err := a.Current(within(t))
	if err != nil || now.Author != "default@127.0.0.1:5" || now.Comment != "CONFIG SET maxmemory maxmemory-policy timeout client-output-buffer-limit hz" {
		t.Errorf("%v %+v", err, now)
	}
	want := []string{"memory.maxmemory", "memory.policy", "limits.idle_timeout", "limits.output.pubsub.hard", "limits.output.pubsub.soft", "limits.output.pubsub.soft_for"}
	if !reflect.DeepEqual(now.Paths, want) {
		t.Errorf("changed %v", now.Paths)
	}
	// The other node changes a part of the same parameter.
	if err := b.configSet("client-output-buffer-limit", "normal 7 0 0"); err != nil {
		t.Fatal(err)
	}
	if got := b.parameter("client-output-buffer-limit"); got != "normal 7 0 0 slave 268435456 67108864 60 pubsub 100 50 3" {
		t.Errorf("limits of output: %s", got)
	}
}

func TestConfigSetErrors(t *testing.T) {
	store := newMemoryStore()
	n := startLive(t, store, config.Override{Flag: "--clients", Path: "limits.clients", Values: []string{"11"}})
	for _, test := range []struct{ name, value, want string }{
		{"nosuch", "1", "Unknown option or number of arguments for CONFIG SET - 'nosuch'"},
		{"timeout", "x", "CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer"},
		{"databases", "5", "CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config"},
		{"maxclients", "5", "CONFIG SET failed (possibly related to argument 'maxclients') - this node goes by its own limits.clients, --clients: change it there and restart the node, or take it out there; for the other nodes: larder config set"},
		{"maxmemory", "1mb", "CONFIG SET failed - memory.maxmemory: 1mb is too little to run in; write 32mb or more, or 0 for no limit"},
		{"client-query-buffer-limit", "1mb", "CONFIG SET failed - limits.query_buffer: a value of max_value_bytes (512mb) does not fit into query_buffer (1mb); raise query_buffer, or lower max_value_bytes"},
	} {
		if err := n.configSet(test.name, test.value); err == nil || err.Error() != test.want {
			t.Errorf("%s %s: got %v\nwant %s", test.name, test.value, err, test.want)
		}
	}
	if err := n.Rewrite(); err == nil || !strings.Contains(err.Error(), "kept by the cluster") {
		t.Errorf("CONFIG REWRITE: %v", err)
	}
	if err := n.Parameters.Set([]command.Parameter{{Name: "slowlog-log-slower-than", Value: "-1"}}); err != nil || n.parameter("slowlog-log-slower-than") != "-1" {
		t.Errorf("%v, %s", err, n.parameter("slowlog-log-slower-than"))
	}
	store.down(true)
	if err := n.configSet("timeout", "1"); err == nil || err.Error() != "CONFIG SET failed - the configuration store has lost its quorum" {
		t.Errorf("without the store: %v", err)
	}
	if err := n.configSet("hz", "20"); err != nil || n.parameter("hz") != "20" {
		t.Errorf("what is changed here alone needs the store: %v", err)
	}
}

func TestLiveChangesEverythingItCan(t *testing.T) {
	store := newMemoryStore()
	n := startLive(t, store)
	n.must("monitoring.latency_sample=0.5", "auth.password=geheim", "slowlog.slower_than=1500us", "memory.databases=3")
	o := n.executor.Options()
	if o.LatencySample != 0.5 || o.Password != "geheim" || o.SlowLogSlower != 1500*time.Microsecond {
		t.Errorf("got %+v", o)
	}
	if st := n.State(); !reflect.DeepEqual(st.Restart, []string{"memory.databases"}) {
		t.Errorf("after a restart: %v", st.Restart)
	}
}

func TestReplicationIsLive(t *testing.T) {
	store := newMemoryStore()
	a, b := startLive(t, store), startLive(t, store)
	want := "CONFIG SET failed - replication.min_in_sync: 3 nodes never have a key when cluster.replicas is 1: every write would be refused; write 2 or less, or cluster.replicas: 2"
	if err := a.configSet("min-replicas-to-write", "2"); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	a.must("cluster.replicas=2", "namespaces.logs.prefix=log:", "namespaces.logs.ack=none", "replication.backlog=2mb")
	if err := a.configSet("min-slaves-to-write", "1", "min-replicas-max-lag", "3"); err != nil {
		t.Fatal(err)
	}
	if err := b.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	if o := b.executor.Options(); o.MinInSync != 2 || o.MaxLag != 3*time.Second {
		t.Errorf("in force: %d, %v", o.MinInSync, o.MaxLag)
	}
	if got := b.parameter("min-replicas-to-write") + " " + b.parameter("min-replicas-max-lag"); got != "1 3" {
		t.Errorf("CONFIG GET tells %s", got)
	}
	a.must("replication.max_lag=1500ms")
	if got := a.parameter("min-replicas-max-lag"); got != "2" {
		t.Errorf("1.5 s are %s", got)
	}
	if got := b.logs.Limits(); got != (replication.Limits{Timeout: 300 * time.Millisecond, Backlog: 2 << 20}) {
		t.Errorf("limits %+v", got)
	}
	if st := b.State(); !reflect.DeepEqual(st.Restart, []string{"cluster.replicas", "namespaces.logs.prefix"}) {
		t.Errorf("after a restart: %v", st.Restart)
	}
	if _, err := a.set("cluster.replicas=0"); err == nil || !strings.Contains(err.Error(), "replication.min_in_sync: 2 nodes never have a key") {
		t.Errorf("copies are taken away that writes need: %v", err)
	}
}

func TestSingleTellsWhatIsChangedRunning(t *testing.T) {
	cfg, err := config.Load("", config.Override{Flag: "--clients", Path: "limits.clients", Values: []string{"11"}})
	if err != nil {
		t.Fatal(err)
	}
	now := cfg
	now.Command.IdleTimeout = time.Minute
	single, err := NewSingle(cfg, func() config.Config { return now })
	if err != nil {
		t.Fatal(err)
	}
	got, err := single.Values([]string{"limits.clients", "limits.idle_timeout", "http"})
	want := []command.SettingValue{
		{Path: "limits.clients", Value: "11", Layer: "node", Place: "--clients", Scope: "cluster", Live: true},
		{Path: "limits.idle_timeout", Value: "1m", Layer: "node", Place: "CONFIG SET", Scope: "cluster", Live: true},
		{Path: "http.listen", Value: "127.0.0.1:8080", Layer: "default", Scope: "node"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n%+v\n%+v", err, got, want)
	}
	if _, err := single.Values([]string{"limts"}); err == nil || err.Error() != "limts: there is no such setting; did you mean limits?" {
		t.Errorf("got %v", err)
	}
}
