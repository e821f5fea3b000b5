package config

import (
	"math"
	"slices"

	"github.com/larder-cache/larder/internal/command"
	"github.com/larder-cache/larder/internal/eviction"
	"github.com/larder-cache/larder/internal/server"
)

// sectionDocs introduces the sections in the reference.
var sectionDocs = map[string]string{
	"server":            "Where and how Redis clients are served.",
	"http":              "Health, metrics and the status page.",
	"memory":            "The engine: how much it holds, and what leaves when it is full.",
	"auth":              "Who may connect.",
	"limits":            "What clients may use. A client that exceeds a limit gets Redis's error, and the event is counted.",
	"limits.output":     "Replies that a client has not read yet. At the hard limit it is closed at once, over the soft one when it stays there for soft_for. In bytes; 0 does not limit.",
	"monitoring":        "What is measured while commands run.",
	"slowlog":           "Slow commands, as SLOWLOG GET shows them.",
	"log":               "What the node writes to standard error.",
	"cluster":           "The node as one of several. Each of them has the same data for clients, whichever they ask.",
	"cluster.tls":       "Certificates for the traffic between nodes. None: the cluster makes its own.",
	"cluster.etcd":      "The configuration service: what all nodes have to agree on.",
	"cluster.rebalance": "What moving partitions may cost.",
	"replication":       "What a write waits for, and when it is refused, in a cluster that keeps copies: see cluster.replicas.",
	"sources":           "Databases that missed keys are loaded from, each under a name of your choice. Cluster.",
	"namespaces":        "Keys with a prefix of their own, each set under a name of your choice, which metrics show. Cluster.",
}

// settings is the file but for sources and namespaces, in its order.
var settings = slices.Concat(nodeSettings, clusterSettings, replicationSettings)

// nodeSettings are those that a node has on its own, too.
var nodeSettings = []setting[Config]{
	{
		path: "server.listen",
		doc:  "Addresses for Redis clients, each host:port. An empty host is every address of the machine, port 0 a free one. More than loopback needs auth.password.",
		zero: "An empty list: no TCP, only the Unix socket.",
		at:   func(c *Config) value { return texts{&c.Server.Listen} },
	},
	{
		path: "server.unix",
		doc:  "Path of a Unix socket for Redis clients.",
		zero: "Empty: none.",
		at:   func(c *Config) value { return textOf(&c.Server.Unix) },
	},
	{
		path: "server.unix_mode",
		doc:  "Permission bits of the Unix socket, octal.",
		zero: "0 leaves them to the umask.",
		at:   func(c *Config) value { return permission{&c.Server.UnixMode} },
	},
	{
		path: "server.mode",
		doc:  "Who serves connections: loops (event loops, Linux only), goroutines (one for each connection), or auto: loops where there are any.",
		at: func(c *Config) value {
			return wordOf(&c.Server.Mode, server.ModeAuto, server.ModeLoops, server.ModeGoroutines)
		},
	},
	{
		path: "server.loops",
		doc:  "Number of event loops.",
		zero: "0: one for each processor the process may use.",
		at:   func(c *Config) value { return intOf(&c.Server.Loops, 0, 1024) },
	},
	{
		path: "server.max_parked",
		doc:  "Clients whose command may wait at once, for a source for instance. A further one is answered with BUSY.",
		zero: "0: no command may wait.",
		at:   func(c *Config) value { return intOf(&c.Server.MaxParked, 0, math.MaxInt32) },
	},
	{
		path: "http.listen",
		doc:  "Address for HTTP, host:port. More than loopback needs auth.password.",
		zero: "Empty: no HTTP.",
		at:   func(c *Config) value { return textOf(&c.HTTP.Listen) },
	},
	{
		path:  "memory.maxmemory",
		scope: ScopeCluster,
		doc:   "Memory the process may take: a size (512mb, 2gb) or a share of the machine's or the container's memory. kb, mb and gb are powers of 1024, k, m and g of 1000. At least 32mb.",
		zero:  "0: no limit. Then nothing is evicted, and the system ends the process when its memory is used up.",
		shown: "75%",
		redis: "maxmemory",
		at:    func(c *Config) value { return memoryLimit{&c.Memory.MaxBytes} },
	},
	{
		path:  "memory.policy",
		scope: ScopeCluster,
		doc:   "What leaves when memory is full: " + policyList() + ". The volatile ones choose among keys with an expiry, the others among all; with noeviction writes fail instead.",
		redis: "maxmemory-policy",
		at:    func(c *Config) value { return policy{wordOf(&c.Memory.Policy, eviction.Names()...), &c.Memory.Policy} },
	},
	{
		path:  "memory.databases",
		scope: ScopeCluster,
		doc:   "Numbered databases that SELECT chooses from.",
		at:    func(c *Config) value { return intOf(&c.Memory.Databases, 1, 10000) },
	},
	{
		path: "memory.shards",
		doc:  "Independently locked parts of the engine, a power of two.",
		zero: "0: four for each processor, at least 16.",
		at:   func(c *Config) value { return intOf(&c.Memory.Shards, 0, 1<<16) },
	},
	{
		path:    "auth.password",
		scope:   ScopeCluster,
		doc:     "What clients must give with AUTH or HELLO, as the user default or without a user.",
		zero:    "Empty: nothing is asked for.",
		redis:   "requirepass",
		secrecy: secret,
		at:      func(c *Config) value { return textOf(&c.Command.Password) },
	},
	{
		path: "auth.insecure",
		doc:  "Allows to listen on more than loopback without a password: whoever reaches the port may read, write and delete everything.",
		at:   func(c *Config) value { return truth{&c.Auth.Insecure} },
	},
	{
		path: "auth.debug",
		doc:  "Who may use the DEBUG command: no (nobody), local (clients of this machine) or yes (everybody).",
		at:   func(c *Config) value { return wordOf(&c.Command.Debug, "no", "local", "yes") },
	},
	{
		path:  "limits.clients",
		scope: ScopeCluster,
		doc:   "Clients served at once.",
		redis: "maxclients",
		at:    func(c *Config) value { return intOf(&c.Command.MaxClients, 1, math.MaxInt32) },
	},
	{
		path:  "limits.requests_per_second",
		scope: ScopeCluster,
		doc:   "Requests that one user may send to a node in a second, all of its clients together, and those of one second at once; without auth.password, one address. More are refused with BUSY. AUTH, HELLO, QUIT, RESET, PING and administrative commands do not count. A production node that serves many should have one, such as 5000.",
		zero:  "0: no limit.",
		redis: "requests-per-second",
		at:    func(c *Config) value { return intOf(&c.Command.RequestsPerSecond, 0, math.MaxInt32) },
	},
	{
		path:  "limits.idle_timeout",
		scope: ScopeCluster,
		doc:   "Closes a client that has sent nothing for so long, subscribers excepted.",
		zero:  "0: never.",
		redis: "timeout",
		at:    func(c *Config) value { return durationOf(&c.Command.IdleTimeout) },
	},
	{
		path:  "limits.keepalive",
		scope: ScopeCluster,
		doc:   "Time between TCP's probes of whether a silent client is still there.",
		zero:  "0: no probes.",
		redis: "tcp-keepalive",
		at:    func(c *Config) value { return durationOf(&c.Command.KeepAlive) },
	},
	{
		path:  "limits.query_buffer",
		scope: ScopeCluster,
		doc:   "Bytes of a request that has not arrived whole. Not below max_value_bytes.",
		zero:  "0: no limit.",
		redis: "client-query-buffer-limit",
		at:    func(c *Config) value { return bytesOf(&c.Command.QueryBuffer, 1<<20, math.MaxInt64, true) },
	},
	{
		path:  "limits.max_value_bytes",
		scope: ScopeCluster,
		doc:   "Bytes of the longest value, and of the longest word of a request.",
		redis: "proto-max-bulk-len",
		at:    func(c *Config) value { return bytesOf(&c.Command.MaxValue, 1<<20, 512<<20, false) },
	},
	{
		path:  "limits.tracking_keys",
		scope: ScopeCluster,
		doc:   "Keys remembered for clients that cache themselves (CLIENT TRACKING). Beyond, such clients are told to forget keys early.",
		zero:  "0: no limit.",
		redis: "tracking-table-max-keys",
		at:    func(c *Config) value { return intOf(&c.Command.TrackingKeys, 0, math.MaxInt) },
	},
	outputHard("normal", "Clients that only call commands.", command.ClassNormal),
	outputSoft("normal", command.ClassNormal),
	outputTime("normal", command.ClassNormal),
	outputHard("replica", "Replicas.", command.ClassReplica),
	outputSoft("replica", command.ClassReplica),
	outputTime("replica", command.ClassReplica),
	outputHard("pubsub", "Clients that are subscribed to channels.", command.ClassPubSub),
	outputSoft("pubsub", command.ClassPubSub),
	outputTime("pubsub", command.ClassPubSub),
	{
		path:  "monitoring.latency_sample",
		scope: ScopeCluster,
		live:  true,
		doc:   "Share of fast commands that are timed, from 0 to 1. Slow ones always are. Counters are exact at any share.",
		zero:  "0: fast commands are not timed.",
		at:    func(c *Config) value { return &fraction{&c.Command.LatencySample, 0, 1} },
	},
	{
		path:  "monitoring.latency_histograms",
		scope: ScopeCluster,
		doc:   "Keeps a histogram of the latency of each command.",
		redis: "latency-tracking",
		at:    func(c *Config) value { return truth{&c.Command.LatencyTracking} },
	},
	{
		path:  "monitoring.latency_percentiles",
		scope: ScopeCluster,
		doc:   "Percentiles of these histograms that INFO latencystats shows.",
		redis: "latency-tracking-info-percentiles",
		at:    func(c *Config) value { return percentiles{&c.Command.LatencyPercentiles} },
	},
	{
		path:  "monitoring.latency_events",
		scope: ScopeCluster,
		doc:   "Duration from which on an event is remembered for LATENCY LATEST.",
		zero:  "0: none is.",
		redis: "latency-monitor-threshold",
		at:    func(c *Config) value { return durationOf(&c.Command.LatencyThreshold) },
	},
	{
		path:  "monitoring.keyspace_events",
		scope: ScopeCluster,
		doc:   "Changes of keys that are published to subscribers, in Redis's letters: K and E choose the channels, the others the events; KEA is everything.",
		zero:  "Empty: none.",
		redis: "notify-keyspace-events",
		at:    func(c *Config) value { return events{&c.Command.Notify} },
	},
	{
		path:  "slowlog.slower_than",
		scope: ScopeCluster,
		doc:   "Duration from which on a command is logged, or off.",
		zero:  "0: every command is.",
		redis: "slowlog-log-slower-than",
		at:    func(c *Config) value { return &duration{&c.Command.SlowLogSlower, "off"} },
	},
	{
		path:  "slowlog.length",
		scope: ScopeCluster,
		doc:   "Entries that are kept.",
		redis: "slowlog-max-len",
		at:    func(c *Config) value { return intOf(&c.Command.SlowLogLen, 0, math.MaxInt32) },
	},
	{
		path: "log.level",
		doc:  "The lowest level that is written: debug, info, warn or error.",
		at:   func(c *Config) value { return level{&c.Log.Level} },
	},
	{
		path: "log.format",
		doc:  "text for people, json (an object per line) for collectors.",
		at:   func(c *Config) value { return wordOf(&c.Log.Format, LogText, LogJSON) },
	},
}

func outputHard(class, doc string, k command.Class) setting[Config] {
	return outputSetting(class+".hard", doc+" Bytes at which the client is closed at once.",
		func(c *Config) value { return bytesOf(&c.Command.Output[k].Hard, 0, math.MaxInt64, true) })
}

func outputSoft(class string, k command.Class) setting[Config] {
	return outputSetting(class+".soft", "Bytes at which it is closed after soft_for. Below hard.",
		func(c *Config) value { return bytesOf(&c.Command.Output[k].Soft, 0, math.MaxInt64, true) })
}

func outputTime(class string, k command.Class) setting[Config] {
	return outputSetting(class+".soft_for", "How long it may stay above soft.",
		func(c *Config) value { return durationOf(&c.Command.Output[k].SoftFor) })
}

func outputSetting(name, doc string, at func(*Config) value) setting[Config] {
	return setting[Config]{path: "limits.output." + name, doc: doc, scope: ScopeCluster, redis: "client-output-buffer-limit", at: at}
}

// policy is a word with the other spellings that [eviction.ParseName] knows.
type policy struct {
	value
	p *eviction.Name
}

func (v policy) set(text string) *fault {
	if name, err := eviction.ParseName(text); err == nil {
		*v.p = name
		return nil
	}
	return v.value.set(text)
}

func policyList() (list string) {
	for i, name := range eviction.Names() {
		if i > 0 {
			list += ", "
		}
		list += name.String()
	}
	return list
}
