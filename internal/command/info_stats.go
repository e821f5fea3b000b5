package command

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
)

// baseline is what counters that only grow had reached at the last CONFIG
// RESETSTAT.
type baseline struct {
	expired, evicted   atomic.Uint64
	input, output      atomic.Int64
	reads, writes      atomic.Int64
	outputLimit, query atomic.Int64
}

// ResetCounters sets the counters that INFO shows to zero. Safe for concurrent
// use.
func (x *Executor) ResetCounters() {
	x.stats.reset()
	x.cache.ResetCounters()
	st, n := x.store.Stats(), x.network()
	x.base.expired.Store(st.Expired)
	x.base.evicted.Store(st.Evicted)
	x.base.input.Store(n.InputBytes)
	x.base.output.Store(n.OutputBytes)
	x.base.reads.Store(n.Reads)
	x.base.writes.Store(n.Writes)
	x.base.outputLimit.Store(n.OutputLimitClosed)
	x.base.query.Store(n.QueryLimitClosed)
}

func (x *Executor) infoStats(w *infoWriter) {
	st, n, base := x.store.Stats(), x.network(), &x.base
	hits, misses := x.cache.HitsAndMisses()
	tracking, pubsub := x.tracker.totals(), x.pubsub.totals()
	x.rates.mu.Lock()
	ops, input, output := x.rates.commands.mean(), x.rates.input.mean(), x.rates.output.mean()
	x.rates.mu.Unlock()

	w.field("total_connections_received", x.stats.connections.Load())
	w.field("total_commands_processed", x.stats.totalCalls())
	w.field("instantaneous_ops_per_sec", int64(ops))
	w.field("total_net_input_bytes", n.InputBytes-base.input.Load())
	w.field("total_net_output_bytes", n.OutputBytes-base.output.Load())
	w.zeros("total_net_repl_input_bytes", "total_net_repl_output_bytes")
	w.field("instantaneous_input_kbps", input/1024)
	w.field("instantaneous_output_kbps", output/1024)
	w.field("instantaneous_input_repl_kbps", "0.00")
	w.field("instantaneous_output_repl_kbps", "0.00")
	w.field("rejected_connections", x.stats.refused.Load())
	w.field("rejected_requests", x.allowances.refused.Load())
	w.zeros("sync_full", "sync_partial_ok", "sync_partial_err")
	w.field("expired_keys", st.Expired-base.expired.Load())
	w.field("expired_stale_perc", "0.00")
	w.zeros("expired_time_cap_reached_count", "expire_cycle_cpu_milliseconds")
	w.field("evicted_keys", st.Evicted-base.evicted.Load())
	w.zeros("evicted_clients", "total_eviction_exceeded_time", "current_eviction_exceeded_time")
	w.field("keyspace_hits", hits)
	w.field("keyspace_misses", misses)
	w.field("pubsub_channels", pubsub.channels)
	w.field("pubsub_patterns", pubsub.patterns)
	w.field("pubsubshard_channels", pubsub.shards)
	w.zeros("latest_fork_usec", "total_forks", "migrate_cached_sockets", "slave_expires_tracked_keys",
		"active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses",
		"total_active_defrag_time", "current_active_defrag_time")
	w.field("tracking_total_keys", tracking.keys)
	w.field("tracking_total_items", tracking.items)
	w.field("tracking_total_prefixes", tracking.prefixes)
	w.field("unexpected_error_replies", 0)
	w.field("total_error_replies", x.stats.errorsTotal.Load())
	w.field("dump_payload_sanitizations", 0)
	w.field("total_reads_processed", n.Reads-base.reads.Load())
	w.field("total_writes_processed", n.Writes-base.writes.Load())
	w.zeros("io_threaded_reads_processed", "io_threaded_writes_processed", "reply_buffer_shrinks", "reply_buffer_expands",
		"eventloop_cycles", "eventloop_duration_sum", "eventloop_duration_cmd_sum", "instantaneous_eventloop_cycles_per_sec",
		"instantaneous_eventloop_duration_usec")
	w.field("forwarded_requests", x.forwarding.sent.Load())
	w.field("forward_errors", x.forwarding.errors.Load())
	w.field("forward_retries", x.forwarding.retries.Load())
	w.field("relayed_requests", x.forwarding.relayed.Load())
	w.field("forward_served", x.forwarding.served.Load())
	w.field("acl_access_denied_auth", x.stats.authFailed.Load())
	w.zeros("acl_access_denied_cmd", "acl_access_denied_key", "acl_access_denied_channel")
	w.field("client_query_buffer_limit_disconnections", n.QueryLimitClosed-base.query.Load())
	w.field("client_output_buffer_limit_disconnections", n.OutputLimitClosed-base.outputLimit.Load())
}

func (x *Executor) infoCommands(w *infoWriter) {
	for _, c := range x.Snapshot().Commands {
		perCall := 0.0
		if c.Calls > 0 {
			perCall = float64(c.Time.Nanoseconds()) / 1000 / float64(c.Calls)
		}
		w.field("cmdstat_"+c.Name, fmt.Sprintf("calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d",
			c.Calls, c.Time.Microseconds(), perCall, c.Rejected, c.Failed))
	}
}

func (x *Executor) infoErrors(w *infoWriter) {
	x.stats.mu.Lock()
	errors := maps.Clone(x.stats.errors)
	x.stats.mu.Unlock()
	for _, code := range slices.Sorted(maps.Keys(errors)) {
		w.field("errorstat_"+code, fmt.Sprintf("count=%d", errors[code]))
	}
}

func (x *Executor) infoLatency(w *infoWriter) {
	o := x.Options()
	if !o.LatencyTracking {
		return
	}
	for _, c := range x.Snapshot().Commands {
		if c.Latency.Total == 0 {
			continue
		}
		parts := make([]string, 0, len(o.LatencyPercentiles))
		for _, p := range o.LatencyPercentiles {
			micros := float64(c.Latency.Percentile(p).Nanoseconds()) / 1000
			parts = append(parts, fmt.Sprintf("p%s=%.3f", formatPercentiles([]float64{p}), micros))
		}
		w.field("latency_percentiles_usec_"+c.Name, strings.Join(parts, ","))
	}
}
