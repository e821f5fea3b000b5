package node

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/hotkeys"
	"github.com/larder-cache/larder/internal/monitoring"
	"github.com/larder-cache/larder/internal/monitoring/web"
	"github.com/larder-cache/larder/internal/server"
	"github.com/larder-cache/larder/internal/source"
)

// watch is what looks at the node: the monitor, its HTTP listener, and the
// numbers per second of INFO.
type watch struct {
	hot     *hotkeys.Tracker
	monitor *monitoring.Monitor
	http    *web.Server // nil without HTTP
	cancel  context.CancelFunc
	rates   *sync.WaitGroup
}

func newWatch() watch { return watch{hot: hotkeys.New(nil), rates: new(sync.WaitGroup)} }

// startWatch begins to look at the node. It needs all parts but need not wait
// for the server to serve: until then the node is alive, but not ready.
func (n *Node) startWatch(cfg config.Config, build Build, gates map[string]*source.Gate) error {
	w := &n.watch
	watched := monitoring.Config{
		Executor: n.executor, Cache: n.cache, Server: n.server.Stats, Addresses: n.addresses,
		HotKeys: w.hot, Build: monitoring.Build(build), Sources: monitored(cfg, gates),
	}
	if n.cluster != nil {
		watched.Cluster, watched.Peers, watched.Replication = n.cluster.shown, n.cluster.peers, n.cluster.copies
	}
	w.monitor = monitoring.New(watched)
	w.monitor.Start()
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	w.rates.Go(func() { n.executor.Run(ctx) })
	if cfg.HTTP.Listen == "" {
		return nil
	}
	var err error
	w.http, err = web.Listen(cfg.HTTP.Listen, w.monitor, n.log)
	return err
}

func monitored(cfg config.Config, gates map[string]*source.Gate) []monitoring.Source {
	var list []monitoring.Source
	for _, name := range slices.Sorted(maps.Keys(gates)) {
		list = append(list, monitoring.Source{Name: name, Kind: string(cfg.Sources[name].Kind), Gate: gates[name]})
	}
	return list
}

// stopping tells those who ask that the node takes no clients any more.
func (w *watch) stopping() {
	if w.monitor != nil {
		w.monitor.Stopping()
	}
}

// stop ends the looking; before the engine closes, which it looks at.
func (w *watch) stop(ctx context.Context) (err error) {
	if w.http != nil {
		err = w.http.Shutdown(ctx)
	}
	if w.cancel != nil {
		w.cancel()
		w.rates.Wait()
	}
	if w.monitor != nil {
		w.monitor.Stop()
	}
	return err
}

// HTTPAddr returns the address HTTP is served on, "host:port", empty for none.
func (n *Node) HTTPAddr() string {
	if n.watch.http == nil {
		return ""
	}
	return n.watch.http.Addr().String()
}

func (n *Node) addresses() []string {
	var list []string
	for _, a := range n.Addrs() {
		list = append(list, a.String())
	}
	return list
}

func (n *Node) sections() []command.Section {
	sections := n.watch.monitor.Sections()
	if n.cluster != nil {
		sections = append(sections, n.cluster.settings.Section())
	}
	return sections
}

// network returns what INFO shows of the server.
func (n *Node) network() command.Network {
	t := n.server.Stats().Total
	return command.Network{
		InputBytes: int64(t.BytesIn), OutputBytes: int64(t.BytesOut),
		Reads: int64(t.Reads), Writes: int64(t.Writes),
		OutputLimitClosed: int64(t.Closed[server.ClosedOutputHard] + t.Closed[server.ClosedOutputSoft]),
		QueryLimitClosed:  int64(t.Closed[server.ClosedQueryLimit]),
		IdleClosed:        int64(t.Closed[server.ClosedIdle]),
	}
}
