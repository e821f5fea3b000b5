package command

import (
	"maps"
	"time"
)

// Network are the counters of the server, whose they are.
type Network struct {
	InputBytes, OutputBytes int64 // bytes received and sent
	Reads, Writes           int64 // system calls
	// Clients closed for a limit: output buffer, query buffer, idle time.
	OutputLimitClosed, QueryLimitClosed, IdleClosed int64
	// Largest buffers now, in bytes.
	LargestInput, LargestOutput int64
}

// Snapshot is the state of the executor's counters at one time, for export.
type Snapshot struct {
	Commands []CommandSnapshot // those called or rejected at least once
	Errors   map[string]uint64 // replies by error code

	ConnectedClients   int
	BlockedClients     int
	MaxClients         int
	TrackingClients    int
	MonitorClients     int
	PubSubClients      int
	ConnectionsTotal   uint64 // accepted, refused ones included
	ConnectionsRefused uint64 // for there being too many
	RequestsRefused    uint64 // for the limit on requests per second

	Channels, Patterns, ShardChannels int

	TrackedKeys, TrackedItems, TrackedPrefixes int

	SlowLogEntries     int
	SlowBatches        uint64 // pipelines that were slow as a whole
	AuthFailures       uint64
	ErrorReplies       uint64
	CommandsPerSecond  float64
	UptimeMilliseconds int64

	// In a cluster:
	Forwarded      uint64 // requests of clients handed to other nodes; one that is split counts for each
	Relayed        uint64 // of those, the ones that a third node has handed on
	ForwardErrors  uint64 // attempts to forward that brought no reply
	ForwardRetries uint64 // requests forwarded once more
	ForwardServed  uint64 // requests executed for other nodes
	RepliesLost    uint64 // clients, and requests of other nodes, whose replies were held when this node lost the ownership
	RefusedFew     uint64 // writes that fewer nodes than Options.MinInSync would have had
	RefusedBehind  uint64 // writes while copies were behind by more than Options.MaxLag
	Cluster        ClusterSnapshot
}

// CommandSnapshot are the counters of one command.
type CommandSnapshot struct {
	Name     string // "get", "config|get"
	Calls    uint64
	Time     time.Duration // in all calls
	Rejected uint64        // did not run
	Failed   uint64        // ran and answered an error
	// Latency has all calls, the fast commands extrapolated from a sample.
	Latency Histogram
}

// CounterInfo describes a number of [Snapshot] for exporters.
type CounterInfo struct {
	Name, Unit, Help string
	Gauge            bool // may fall
	// Value reads it, nil for those with labels: commands and errors.
	Value func(*Snapshot) float64
}

// Counters lists the numbers of [Snapshot] that have no labels.
func Counters() []CounterInfo {
	return append(append(clusterCounters(), nearInfos()...), []CounterInfo{
		{"connected_clients", "clients", "Clients connected now.", true, func(s *Snapshot) float64 { return float64(s.ConnectedClients) }},
		{"blocked_clients", "clients", "Clients whose request waits: for a source, a pause or WAIT.", true, func(s *Snapshot) float64 { return float64(s.BlockedClients) }},
		{"max_clients", "clients", "Clients that may be connected at once.", true, func(s *Snapshot) float64 { return float64(s.MaxClients) }},
		{"tracking_clients", "clients", "Clients told of changes of keys they have read.", true, func(s *Snapshot) float64 { return float64(s.TrackingClients) }},
		{"monitor_clients", "clients", "Clients that watch all requests.", true, func(s *Snapshot) float64 { return float64(s.MonitorClients) }},
		{"pubsub_clients", "clients", "Clients with at least one subscription.", true, func(s *Snapshot) float64 { return float64(s.PubSubClients) }},
		{"connections_total", "connections", "Connections accepted, refused ones included.", false, func(s *Snapshot) float64 { return float64(s.ConnectionsTotal) }},
		{"connections_refused_total", "connections", "Connections refused since there were too many clients.", false, func(s *Snapshot) float64 { return float64(s.ConnectionsRefused) }},
		{"requests_refused_total", "requests", "Requests refused since their user, or address, had sent more than limits.requests_per_second.", false, func(s *Snapshot) float64 { return float64(s.RequestsRefused) }},
		{"pubsub_channels", "channels", "Channels with subscribers.", true, func(s *Snapshot) float64 { return float64(s.Channels) }},
		{"pubsub_patterns", "patterns", "Patterns with subscribers.", true, func(s *Snapshot) float64 { return float64(s.Patterns) }},
		{"pubsub_shard_channels", "channels", "Shard channels with subscribers.", true, func(s *Snapshot) float64 { return float64(s.ShardChannels) }},
		{"tracked_keys", "keys", "Keys remembered for clients that track.", true, func(s *Snapshot) float64 { return float64(s.TrackedKeys) }},
		{"tracked_prefixes", "prefixes", "Prefixes broadcast to clients that track.", true, func(s *Snapshot) float64 { return float64(s.TrackedPrefixes) }},
		{"slow_log_entries", "entries", "Entries in the slow log.", true, func(s *Snapshot) float64 { return float64(s.SlowLogEntries) }},
		{"slow_batches_total", "batches", "Pipelines of fast commands that as a whole exceeded a threshold.", false, func(s *Snapshot) float64 { return float64(s.SlowBatches) }},
		{"auth_failures_total", "requests", "Wrong passwords.", false, func(s *Snapshot) float64 { return float64(s.AuthFailures) }},
		{"forwarded_requests_total", "requests", "Requests handed to the owner of their keys, another node.", false, func(s *Snapshot) float64 { return float64(s.Forwarded) }},
		{"relayed_requests_total", "requests", "Of the forwarded requests those that a third node has handed on, since the link to the owner was down.", false, func(s *Snapshot) float64 { return float64(s.Relayed) }},
		{"forward_errors_total", "requests", "Attempts to forward a request that brought no reply.", false, func(s *Snapshot) float64 { return float64(s.ForwardErrors) }},
		{"forward_retries_total", "requests", "Requests that were forwarded once more.", false, func(s *Snapshot) float64 { return float64(s.ForwardRetries) }},
		{"forward_served_total", "requests", "Requests executed for other nodes.", false, func(s *Snapshot) float64 { return float64(s.ForwardServed) }},
		{"replies_lost_by_fencing_total", "replies", "Clients closed, and requests of other nodes answered as lost, since this node lost the ownership before copies had acknowledged.", false, func(s *Snapshot) float64 { return float64(s.RepliesLost) }},
		{"writes_refused_few_replicas_total", "requests", "Writes refused since fewer nodes than replication.min_in_sync would have had them.", false, func(s *Snapshot) float64 { return float64(s.RefusedFew) }},
		{"writes_refused_lag_total", "requests", "Writes to keys with ack: none refused since copies were behind by more than replication.max_lag.", false, func(s *Snapshot) float64 { return float64(s.RefusedBehind) }},
		{"error_replies_total", "replies", "Requests answered by an error.", false, func(s *Snapshot) float64 { return float64(s.ErrorReplies) }},
	}...)
}

// Snapshot returns the counters of the executor. Safe for concurrent use.
func (x *Executor) Snapshot() Snapshot {
	tracking := x.tracker.totals()
	pubsub := x.pubsub.totals()
	x.rates.mu.Lock()
	perSecond := x.rates.commands.mean()
	x.rates.mu.Unlock()
	s := Snapshot{
		ConnectedClients: x.sessions.len(), BlockedClients: int(x.blocked.Load()), MaxClients: x.Limits().MaxClients,
		TrackingClients: tracking.clients, TrackedKeys: tracking.keys, TrackedItems: tracking.items, TrackedPrefixes: tracking.prefixes,
		MonitorClients: x.monitors.len(), PubSubClients: pubsub.clients,
		Channels: pubsub.channels, Patterns: pubsub.patterns, ShardChannels: pubsub.shards,
		ConnectionsTotal: x.stats.connections.Load(), ConnectionsRefused: x.stats.refused.Load(),
		RequestsRefused: x.allowances.refused.Load(),
		SlowLogEntries:  x.slowLog.len(), SlowBatches: x.stats.slowBatches.Load(),
		AuthFailures: x.stats.authFailed.Load(), ErrorReplies: x.stats.errorsTotal.Load(),
		Forwarded: x.forwarding.sent.Load(), ForwardErrors: x.forwarding.errors.Load(),
		ForwardRetries: x.forwarding.retries.Load(), ForwardServed: x.forwarding.served.Load(), Relayed: x.forwarding.relayed.Load(), RepliesLost: x.replicated.lost.Load(),
		RefusedFew: x.replicated.few.Load(), RefusedBehind: x.replicated.behind.Load(), Cluster: x.clusterSnapshot(),
		CommandsPerSecond: perSecond, UptimeMilliseconds: time.Since(x.started).Milliseconds(),
	}
	x.stats.mu.Lock()
	s.Errors = maps.Clone(x.stats.errors)
	x.stats.mu.Unlock()
	for _, cmd := range x.table.All() {
		c := CommandSnapshot{Name: cmd.full}
		for i := range x.stats.counters {
			n := &x.stats.counters[i][cmd.id]
			c.Calls += n.calls.Load()
			c.Time += time.Duration(n.nanos.Load())
			c.Rejected += n.rejected.Load()
			c.Failed += n.failed.Load()
		}
		if c.Calls+c.Rejected == 0 {
			continue
		}
		if h := x.stats.histograms[cmd.id].Load(); h != nil {
			c.Latency = h.copy()
		}
		s.Commands = append(s.Commands, c)
	}
	return s
}

// pubsubTotals are the sizes INFO shows.
type pubsubTotals struct{ channels, patterns, shards, clients int }

func (p *pubsub) totals() pubsubTotals {
	p.mu.RLock()
	defer p.mu.RUnlock()
	clients := map[*Session]struct{}{}
	for _, kind := range []subscribers{p.channels, p.patterns, p.shards} {
		for _, list := range kind {
			for s := range list {
				clients[s] = struct{}{}
			}
		}
	}
	return pubsubTotals{len(p.channels), len(p.patterns), len(p.shards), len(clients)}
}

func (x *Executor) network() Network {
	if x.hooks.Network == nil {
		return Network{}
	}
	return x.hooks.Network()
}
