package command

import (
	"os"
	"runtime"
	"strings"
	"time"
)

func (x *Executor) infoServer(w *infoWriter) {
	now := time.Now()
	uptime := int64(now.Sub(x.started) / time.Second)
	w.field("redis_version", RedisVersion)
	w.field("redis_git_sha1", "00000000")
	w.field("redis_git_dirty", 0)
	w.field("redis_build_id", buildID(x.server.Load().Commit))
	w.field("redis_mode", mode(w.redirects))
	w.field("os", operatingSystem())
	w.field("arch_bits", 32<<(^uint(0)>>63))
	w.field("monotonic_clock", "POSIX clock_gettime")
	w.field("multiplexing_api", x.server.Load().Multiplex)
	w.field("atomicvar_api", "go")
	w.field("gcc_version", "0.0.0")
	w.field("process_id", os.Getpid())
	w.field("process_supervised", "no")
	w.field("run_id", x.server.Load().RunID)
	w.field("tcp_port", x.server.Load().Port)
	w.field("server_time_usec", now.UnixMicro())
	w.field("uptime_in_seconds", uptime)
	w.field("uptime_in_days", uptime/(24*3600))
	w.field("hz", 10)
	w.field("configured_hz", 10)
	w.field("lru_clock", now.Unix()&(1<<24-1))
	w.field("executable", x.server.Load().Executable)
	w.field("config_file", x.server.Load().ConfigFile)
	w.field("io_threads_active", x.server.Load().EventLoops > 1)
	x.infoListeners(w)
}

// infoListeners writes a line for each kind of listener.
func (x *Executor) infoListeners(w *infoWriter) {
	n := int64(0)
	listener := func(s string) {
		w.field("listener"+decimal(n), s)
		n++
	}
	bind := ""
	for _, addr := range x.server.Load().Bind {
		bind += ",bind=" + addr
	}
	if x.server.Load().Port != 0 {
		listener("name=tcp" + bind + ",port=" + decimal(int64(x.server.Load().Port)))
	}
	if x.server.Load().UnixSocket != "" {
		listener("name=unix,bind=" + x.server.Load().UnixSocket)
	}
	if x.server.Load().TLSPort != 0 {
		listener("name=tls" + bind + ",port=" + decimal(int64(x.server.Load().TLSPort)))
	}
}

// buildID shows the commit where Redis shows a checksum of its build.
func buildID(commit string) string {
	if commit == "" {
		return "0"
	}
	return commit[:min(16, len(commit))]
}

// operatingSystem returns system, release and machine as uname -srm does.
func operatingSystem() string {
	name := strings.ToUpper(runtime.GOOS[:1]) + runtime.GOOS[1:]
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return name + " " + runtime.GOARCH
	}
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	if machine == "" {
		machine = runtime.GOARCH
	}
	return name + " " + strings.TrimSpace(string(release)) + " " + machine
}

func (x *Executor) infoClients(w *infoWriter) {
	n := x.network()
	tracking := x.tracker.totals()
	pubsub := x.pubsub.totals()
	w.field("connected_clients", x.sessions.len())
	w.field("cluster_connections", 0)
	w.field("maxclients", x.Limits().MaxClients)
	w.field("client_recent_max_input_buffer", n.LargestInput)
	w.field("client_recent_max_output_buffer", n.LargestOutput)
	w.field("blocked_clients", x.blocked.Load())
	w.field("tracking_clients", tracking.clients)
	w.field("pubsub_clients", pubsub.clients)
	w.field("watching_clients", x.watchers.Load())
	w.field("clients_in_timeout_table", 0)
	w.field("total_watched_keys", x.watchedKeys.Load())
	w.field("total_blocking_keys", 0)
	w.field("total_blocking_keys_on_nokey", 0)
	reason, actions, left := x.pause.state()
	w.field("paused_reason", reason)
	w.field("paused_actions", actions)
	w.field("paused_timeout_milliseconds", left.Milliseconds())
}

func (x *Executor) infoPersistence(w *infoWriter) {
	w.zeros("loading", "async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age")
	w.field("current_fork_perc", "0.00")
	w.zeros("current_save_keys_processed", "current_save_keys_total", "rdb_bgsave_in_progress")
	w.field("rdb_changes_since_last_save", x.store.Stats().Writes)
	w.field("rdb_last_save_time", x.started.Unix())
	w.field("rdb_last_bgsave_status", "ok")
	w.field("rdb_last_bgsave_time_sec", -1)
	w.field("rdb_current_bgsave_time_sec", -1)
	w.zeros("rdb_saves", "rdb_last_cow_size", "rdb_last_load_keys_expired", "rdb_last_load_keys_loaded",
		"aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled")
	w.field("aof_last_rewrite_time_sec", -1)
	w.field("aof_current_rewrite_time_sec", -1)
	w.field("aof_last_bgrewrite_status", "ok")
	w.zeros("aof_rewrites", "aof_rewrites_consecutive_failures")
	w.field("aof_last_write_status", "ok")
	w.zeros("aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size")
}

func (x *Executor) infoReplication(w *infoWriter) {
	w.field("role", "master")
	offset := x.infoReplicas(w)
	w.field("master_failover_state", "no-failover")
	w.field("master_replid", x.replicationID())
	w.field("master_replid2", strings.Repeat("0", 40))
	w.field("master_repl_offset", offset)
	w.field("second_repl_offset", -1)
	w.field("repl_backlog_active", 0)
	w.field("repl_backlog_size", 1<<20)
	w.zeros("repl_backlog_first_byte_offset", "repl_backlog_histlen")
	x.infoSync(w)
}

func (x *Executor) infoKeyspace(w *infoWriter) {
	now := time.Now().UnixMilli()
	for db := range x.store.Databases() {
		if keys := x.store.Len(db); keys > 0 {
			w.field("db"+decimal(int64(db)), "keys="+decimal(int64(keys))+
				",expires="+decimal(int64(x.store.Expires(db)))+
				",avg_ttl="+decimal(x.store.AverageTTL(db, now)))
		}
	}
}

// infoLarder shows what Redis has no names for.
func (x *Executor) infoLarder(w *infoWriter) {
	s := x.Snapshot()
	w.field("larder_version", x.server.Load().Version)
	w.field("larder_commit", x.server.Load().Commit)
	w.field("go_version", runtime.Version())
	w.field("event_loops", x.server.Load().EventLoops)
	w.field("eviction_policy", x.store.Policy())
	w.field("slow_batches", s.SlowBatches)
	w.field("auth_failures", s.AuthFailures)
	st := x.store.Stats()
	w.field("entries", st.Entries)
	w.field("remembered_absences", st.Negatives)
	w.field("entries_moved", st.Moved)
	for _, n := range x.cache.Namespaces() {
		w.field("namespace_"+n.Name, "hits="+count(n.Hits)+",misses="+count(n.Misses)+",negative_hits="+count(n.Negative)+
			",stale_served="+count(n.Stale)+",fills="+count(n.Fills)+",voided_fills="+count(n.Voided)+",failed_loads="+count(n.Failed))
	}
}

func count(n uint64) string { return decimal(int64(n)) }
