package monitoring

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/larder-cache/larder/internal/cache"
	"github.com/larder-cache/larder/internal/monitoring/bigkeys"
	"github.com/larder-cache/larder/internal/monitoring/status"
	"github.com/larder-cache/larder/internal/source"
)

// shownKeys is how many hot and big keys a status has.
const shownKeys = 20

// Status returns the state of the node. Counters and rates are those of the
// last frame; hot and big keys are those of now.
func (m *Monitor) Status() status.Status {
	m.mu.Lock()
	if len(m.frames.last) == 0 {
		m.frames.add(m.frame(time.Now()))
	}
	s, curve := m.frames.span(), slices.Clone(m.frames.curve)
	m.mu.Unlock()
	d := status.Status{
		Node: m.describe(), UnixMilliseconds: s.to.at.UnixMilli(), WindowSeconds: s.seconds(),
		Traffic: s.traffic(), Latency: s.latencies(), Load: s.load(), History: history(curve),
		Clients: s.to.clients(), Memory: m.memory(s.to), Databases: m.databases(),
		Namespaces: s.namespaces(), Sources: m.sources(s.to), Commands: s.commands(), Errors: s.errors(),
		HotKeys: m.hotKeys(shownKeys), BigKeys: m.bigKeys(shownKeys),
	}
	if m.cfg.Cluster != nil {
		c := m.cfg.Cluster()
		d.Cluster = &c
	}
	d.Health = m.health(s, d)
	return d
}

func (m *Monitor) describe() status.Node {
	addresses := m.cfg.Addresses()
	if addresses == nil {
		addresses = []string{}
	}
	return status.Node{
		Version: m.cfg.Build.Version, Commit: m.cfg.Build.Commit, GoVersion: runtime.Version(), PID: m.pid,
		UptimeSeconds: time.Since(m.started).Seconds(), Addresses: addresses, Ready: m.Ready(),
	}
}

// health says in words what clients may notice.
func (m *Monitor) health(s span, d status.Status) status.Health {
	h := status.Health{State: status.OK, Reasons: []string{}}
	complain := func(format string, args ...any) { h.Reasons = append(h.Reasons, fmt.Sprintf(format, args...)) }
	for _, src := range d.Sources {
		if src.Breaker != source.BreakerState(0).String() {
			complain("source %s is failing: its circuit breaker is %s", src.Name, src.Breaker)
		}
	}
	for _, n := range d.Namespaces {
		if n.FailedPerSecond > 0 {
			complain("reads of namespace %s fail: its source answers with errors", n.Name)
		}
	}
	if d.Cluster != nil && m.phase.Load() == serving {
		complainOfCluster(d.Cluster, complain)
	}
	refused := func(f *frame) uint64 { return f.server.RefusedClients + f.server.RefusedDescriptors }
	if s.rate(refused(s.from), refused(s.to)) > 0 {
		complain("clients are refused: too many are connected, or no file descriptor is left")
	}
	if s.rate(s.from.executor.Errors["OOM"], s.to.executor.Errors["OOM"]) > 0 {
		complain("writes are refused: the memory is full and the policy %s evicts nothing", d.Memory.Policy)
	}
	if len(h.Reasons) > 0 {
		h.State = status.Degraded
	}
	switch m.phase.Load() {
	case starting:
		h.State = status.Degraded
		complain("the node is starting")
	case stopping:
		h.State = status.Stopping
		complain("the node is stopping")
	}
	return h
}

func (s span) traffic() status.Traffic {
	hits, misses := s.reads()
	hitsTotal, missesTotal := s.to.reads()
	from, to := s.from, s.to
	return status.Traffic{
		RequestsTotal: to.calls(), RequestsPerSecond: s.rate(from.calls(), to.calls()),
		HitsTotal: hitsTotal, MissesTotal: missesTotal, ReadsPerSecond: s.rate(0, hits+misses),
		HitRatio: ratio(hits, hits+misses), HitRatioTotal: ratio(hitsTotal, hitsTotal+missesTotal),
		BytesInPerSecond:  s.rate(from.server.Total.BytesIn, to.server.Total.BytesIn),
		BytesOutPerSecond: s.rate(from.server.Total.BytesOut, to.server.Total.BytesOut),
		ErrorsTotal:       to.executor.ErrorReplies, ErrorsPerSecond: s.rate(from.executor.ErrorReplies, to.executor.ErrorReplies),
		EvictedTotal: to.memory.Evicted, EvictedPerSecond: s.rate(from.memory.Evicted, to.memory.Evicted),
		ExpiredTotal: to.memory.Expired, ExpiredPerSecond: s.rate(from.memory.Expired, to.memory.Expired),
		ConnectionsTotal:     to.executor.ConnectionsTotal,
		ConnectionsPerSecond: s.rate(from.executor.ConnectionsTotal, to.executor.ConnectionsTotal),
	}
}

func (s span) latencies() status.Latency {
	h := s.latency()
	return status.Latency{
		P50Seconds: h.Percentile(50).Seconds(), P90Seconds: h.Percentile(90).Seconds(),
		P99Seconds: h.Percentile(99).Seconds(), P999Seconds: h.Percentile(99.9).Seconds(),
	}
}

// saved returns, of all namespaces with a source, the queries and the reads
// that needed none.
func (f *frame) saved() (queries, saved uint64, sourced bool) {
	for _, n := range f.namespaces {
		if n.Loader != nil {
			sourced = true
			queries += n.Loader.Loads
			saved += n.Hits + n.Loader.Collapsed
		}
	}
	return queries, saved, sourced
}

func (s span) load() status.Load {
	q0, s0, _ := s.from.saved()
	q1, s1, sourced := s.to.saved()
	queries, saved := grown(q0, q1), grown(s0, s1)
	return status.Load{
		Sourced: sourced, QueriesTotal: q1, QueriesPerSecond: s.rate(q0, q1),
		SavedTotal: s1, SavedPerSecond: s.rate(s0, s1), SavedRatio: ratio(saved, saved+queries),
	}
}

func history(curve []point) status.History {
	h := status.History{
		IntervalSeconds: frameInterval.Seconds(), RequestsPerSecond: make([]float64, len(curve)),
		HitRatio: make([]float64, len(curve)), P99Seconds: make([]float64, len(curve)),
	}
	for i, p := range curve {
		h.RequestsPerSecond[i], h.HitRatio[i], h.P99Seconds[i] = p.requests, p.hitRatio, p.p99.Seconds()
	}
	return h
}

func (f *frame) clients() status.Clients {
	x := &f.executor
	return status.Clients{
		Connected: x.ConnectedClients, Blocked: x.BlockedClients, Max: x.MaxClients,
		PubSub: x.PubSubClients, Tracking: x.TrackingClients, Refused: x.ConnectionsRefused,
	}
}

func (m *Monitor) memory(f *frame) status.Memory {
	s, store := f.memory, m.cfg.Cache.Store()
	return status.Memory{
		UsedBytes: s.Used, MaxBytes: store.MaxBytes(), PeakBytes: s.Peak, EntriesBytes: s.Blocks,
		IndexBytes: s.Index, HolesBytes: s.Holes, FreeBytes: s.FreePages, RuntimeBytes: s.Overhead,
		ResidentBytes: s.Resident, Fragmentation: fragmentation(s.Resident, s.Blocks+s.Index),
		Entries: s.Entries, Negatives: s.Negatives, Policy: string(store.Policy()),
	}
}

// fragmentation returns how many bytes are resident for each that is in use, 1
// for an empty store.
func fragmentation(resident, used uint64) float64 {
	if used == 0 {
		return 1
	}
	return float64(resident) / float64(used)
}

func (m *Monitor) databases() []status.Database {
	store, list := m.cfg.Cache.Store(), []status.Database{}
	for db := range store.Databases() {
		if keys := store.Len(db); keys > 0 {
			list = append(list, status.Database{DB: db, Keys: keys, Expires: store.Expires(db)})
		}
	}
	return list
}

func (s span) namespaces() []status.Namespace {
	list := make([]status.Namespace, len(s.to.namespaces))
	for i := range list {
		// The namespaces of a node and their order are fixed.
		list[i] = s.namespace(&s.from.namespaces[i], &s.to.namespaces[i])
	}
	return list
}

func (s span) namespace(from, to *cache.NamespaceStats) status.Namespace {
	hits, misses := grown(from.Hits, to.Hits), grown(from.Misses, to.Misses)
	n := status.Namespace{
		Name: to.Name, Prefix: to.Prefix, HitsTotal: to.Hits, MissesTotal: to.Misses,
		ReadsPerSecond: s.rate(0, hits+misses), HitRatio: ratio(hits, hits+misses), HitRatioTotal: to.HitRatio(),
		NegativeTotal: to.Negative, StaleTotal: to.Stale, FillsTotal: to.Fills, VoidedTotal: to.Voided, FailedTotal: to.Failed,
		StalePerSecond: s.rate(from.Stale, to.Stale), FailedPerSecond: s.rate(from.Failed, to.Failed),
	}
	if l := to.Loader; l != nil {
		n.Sourced, n.LoadsTotal, n.CollapsedTotal, n.InFlight = true, l.Loads, l.Collapsed, l.InFlight
		n.LoadsPerSecond = s.rate(from.Loader.Loads, l.Loads)
		n.LoadP50Seconds, n.LoadP99Seconds = l.Latency.Quantile(0.5).Seconds(), l.Latency.Quantile(0.99).Seconds()
	}
	return n
}

func (m *Monitor) sources(f *frame) []status.Source {
	list := make([]status.Source, len(m.cfg.Sources))
	for i, s := range m.cfg.Sources {
		g := f.sources[i]
		list[i] = status.Source{
			Name: s.Name, Kind: s.Kind, Breaker: g.Breaker.String(), Running: g.Running, Waiting: g.Waiting, Slots: g.Slots,
			OpenedTotal: g.Opened, RefusedTotal: g.Refused, RejectedTotal: g.Rejected,
		}
	}
	return list
}

// commands are those called, the busiest now first.
func (s span) commands() []status.Command {
	list := make([]status.Command, 0, len(s.to.executor.Commands))
	for i := range s.to.executor.Commands {
		to := &s.to.executor.Commands[i]
		from := s.from.command(to.Name)
		h := between(from.Latency, to.Latency)
		c := status.Command{
			Name: to.Name, CallsTotal: to.Calls, CallsPerSecond: s.rate(from.Calls, to.Calls),
			FailedTotal: to.Failed, RejectedTotal: to.Rejected,
			P50Seconds: h.Percentile(50).Seconds(), P99Seconds: h.Percentile(99).Seconds(),
		}
		if to.Calls > 0 {
			c.MeanSeconds = to.Time.Seconds() / float64(to.Calls)
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b status.Command) int {
		return cmp.Or(cmp.Compare(b.CallsPerSecond, a.CallsPerSecond), cmp.Compare(b.CallsTotal, a.CallsTotal), cmp.Compare(a.Name, b.Name))
	})
	return list
}

func (s span) errors() []status.Error {
	list := []status.Error{}
	for code, n := range s.to.executor.Errors {
		list = append(list, status.Error{Code: code, Total: n, PerSecond: s.rate(s.from.executor.Errors[code], n)})
	}
	slices.SortFunc(list, func(a, b status.Error) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Code, b.Code))
	})
	return list
}

func (m *Monitor) hotKeys(n int) []status.HotKey {
	list := []status.HotKey{}
	for _, k := range m.cfg.HotKeys.Top(n) {
		list = append(list, status.HotKey{
			DB: k.DB, Key: printable(k.Key), RequestsPerSecond: k.PerSecond, Share: k.Share, Writes: k.Writes,
		})
	}
	return list
}

func (m *Monitor) bigKeys(n int) []status.BigKey { return remarkable(m.big.Report(n).Largest) }

// bigFrom is how many bytes an entry takes before it is called big.
const bigFrom = 1 << 10

// remarkable returns those of the largest entries, the largest first, that are
// big at all.
func remarkable(largest []bigkeys.Entry) []status.BigKey {
	list := []status.BigKey{}
	for _, e := range largest {
		if e.Bytes >= bigFrom {
			list = append(list, status.BigKey{DB: e.DB, Key: printable(e.Key), Bytes: e.Bytes})
		}
	}
	return list
}
