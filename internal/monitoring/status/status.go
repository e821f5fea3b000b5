// Package status is what a node says about itself: the document that
// /api/status answers with, and that the status page and larder top show.
//
// Numbers bear their unit in the name; rates and percentiles are of the last
// seconds, given as window_seconds. Lists are never null. The document grows by
// new fields only.
package status

// Status is the state of one node at one time.
type Status struct {
	Node Node `json:"node"`
	// UnixMilliseconds is when the document was made; the rates are at most a
	// second older.
	UnixMilliseconds int64 `json:"unix_ms"`
	// WindowSeconds is over how long rates and percentiles are taken.
	WindowSeconds float64     `json:"window_seconds"`
	Health        Health      `json:"health"`
	Traffic       Traffic     `json:"traffic"`
	Latency       Latency     `json:"latency"`
	Load          Load        `json:"load"`
	History       History     `json:"history"`
	Clients       Clients     `json:"clients"`
	Memory        Memory      `json:"memory"`
	Databases     []Database  `json:"databases"`
	Namespaces    []Namespace `json:"namespaces"`
	Sources       []Source    `json:"sources"`
	Commands      []Command   `json:"commands"`
	Errors        []Error     `json:"errors"`
	HotKeys       []HotKey    `json:"hot_keys"`
	BigKeys       []BigKey    `json:"big_keys"`
	// Cluster is what the node knows of its cluster; a node that is alone has
	// none.
	Cluster *Cluster `json:"cluster,omitempty"`
}

// Node identifies the process.
type Node struct {
	Version       string   `json:"version"`
	Commit        string   `json:"commit"`
	GoVersion     string   `json:"go_version"`
	PID           int      `json:"pid"`
	UptimeSeconds float64  `json:"uptime_seconds"`
	Addresses     []string `json:"addresses"` // of RESP
	Ready         bool     `json:"ready"`
}

// Health is the answer to the first question.
type Health struct {
	// State is «ok», «degraded» when something is wrong that clients may
	// notice, or «stopping».
	State string `json:"state"`
	// Reasons say what is wrong, in words.
	Reasons []string `json:"reasons"`
}

// The states of [Health].
const (
	OK       = "ok"
	Degraded = "degraded"
	Stopping = "stopping"
)

// Traffic is what goes through the node.
type Traffic struct {
	RequestsTotal     uint64  `json:"requests_total"`
	RequestsPerSecond float64 `json:"requests_per_second"`
	// HitsTotal and MissesTotal count reads of keys; HitRatio is of the
	// window, 0 to 1, and HitRatioTotal since the start.
	HitsTotal            uint64  `json:"hits_total"`
	MissesTotal          uint64  `json:"misses_total"`
	ReadsPerSecond       float64 `json:"reads_per_second"`
	HitRatio             float64 `json:"hit_ratio"`
	HitRatioTotal        float64 `json:"hit_ratio_total"`
	BytesInPerSecond     float64 `json:"bytes_in_per_second"`
	BytesOutPerSecond    float64 `json:"bytes_out_per_second"`
	ErrorsTotal          uint64  `json:"errors_total"`
	ErrorsPerSecond      float64 `json:"errors_per_second"`
	EvictedTotal         uint64  `json:"evicted_total"`
	EvictedPerSecond     float64 `json:"evicted_per_second"`
	ExpiredTotal         uint64  `json:"expired_total"`
	ExpiredPerSecond     float64 `json:"expired_per_second"`
	ConnectionsTotal     uint64  `json:"connections_total"`
	ConnectionsPerSecond float64 `json:"connections_per_second"`
}

// Latency has percentiles of the time requests took within the node, waiting
// for a source excluded: what that takes stands at the namespaces.
type Latency struct {
	P50Seconds  float64 `json:"p50_seconds"`
	P90Seconds  float64 `json:"p90_seconds"`
	P99Seconds  float64 `json:"p99_seconds"`
	P999Seconds float64 `json:"p999_seconds"`
}

// Load is what the cache keeps away from the sources behind it.
type Load struct {
	// Sourced tells whether a namespace has a source; otherwise all is zero.
	Sourced bool `json:"sourced"`
	// QueriesTotal are loads from sources; SavedTotal are reads that needed
	// none: hits, and misses that shared a load already running.
	QueriesTotal     uint64  `json:"queries_total"`
	QueriesPerSecond float64 `json:"queries_per_second"`
	SavedTotal       uint64  `json:"saved_total"`
	SavedPerSecond   float64 `json:"saved_per_second"`
	// SavedRatio is the share of reads that needed no query, 0 to 1, in the
	// window.
	SavedRatio float64 `json:"saved_ratio"`
}

// History has one number per interval, oldest first, at most two minutes.
type History struct {
	IntervalSeconds   float64   `json:"interval_seconds"`
	RequestsPerSecond []float64 `json:"requests_per_second"`
	HitRatio          []float64 `json:"hit_ratio"` // of the interval; -1 without reads
	P99Seconds        []float64 `json:"p99_seconds"`
}

// Clients counts connections.
type Clients struct {
	Connected int    `json:"connected"`
	Blocked   int    `json:"blocked"`
	Max       int    `json:"max"`
	PubSub    int    `json:"pubsub"`
	Tracking  int    `json:"tracking"`
	Refused   uint64 `json:"refused_total"`
}

// Memory is where the memory is.
type Memory struct {
	UsedBytes     uint64  `json:"used_bytes"`
	MaxBytes      uint64  `json:"max_bytes"` // 0: no limit
	PeakBytes     uint64  `json:"peak_bytes"`
	EntriesBytes  uint64  `json:"entries_bytes"`
	IndexBytes    uint64  `json:"index_bytes"`
	HolesBytes    uint64  `json:"holes_bytes"`
	FreeBytes     uint64  `json:"free_bytes"`
	RuntimeBytes  uint64  `json:"runtime_bytes"`
	ResidentBytes uint64  `json:"resident_bytes"` // of the engine
	Fragmentation float64 `json:"fragmentation"`
	Entries       uint64  `json:"entries"`
	Negatives     uint64  `json:"negatives"`
	Policy        string  `json:"policy"`
}

// Database is a numbered database with keys.
type Database struct {
	DB      int `json:"db"`
	Keys    int `json:"keys"`
	Expires int `json:"expires"`
}

// Namespace is a key prefix and what its reads have come to.
type Namespace struct {
	Name           string  `json:"name"`
	Prefix         string  `json:"prefix"`
	Sourced        bool    `json:"sourced"`
	HitsTotal      uint64  `json:"hits_total"`
	MissesTotal    uint64  `json:"misses_total"`
	ReadsPerSecond float64 `json:"reads_per_second"`
	HitRatio       float64 `json:"hit_ratio"`
	HitRatioTotal  float64 `json:"hit_ratio_total"`
	NegativeTotal  uint64  `json:"negative_total"`
	StaleTotal     uint64  `json:"stale_total"`
	FillsTotal     uint64  `json:"fills_total"`
	VoidedTotal    uint64  `json:"voided_total"`
	FailedTotal    uint64  `json:"failed_total"`
	// The rest is zero without a source.
	LoadsTotal      uint64  `json:"loads_total"`
	LoadsPerSecond  float64 `json:"loads_per_second"`
	CollapsedTotal  uint64  `json:"collapsed_total"`
	StalePerSecond  float64 `json:"stale_per_second"`
	FailedPerSecond float64 `json:"failed_per_second"`
	InFlight        int     `json:"in_flight"`
	LoadP50Seconds  float64 `json:"load_p50_seconds"` // since the start
	LoadP99Seconds  float64 `json:"load_p99_seconds"`
}

// Source is a database behind the cache.
type Source struct {
	Name          string `json:"name"`
	Kind          string `json:"kind"`
	Breaker       string `json:"breaker"` // closed, open or half-open
	Running       int    `json:"running"`
	Waiting       int    `json:"waiting"`
	Slots         int    `json:"slots"`
	OpenedTotal   uint64 `json:"opened_total"`
	RefusedTotal  uint64 `json:"refused_total"`
	RejectedTotal uint64 `json:"rejected_total"`
}

// Command is one command that was called.
type Command struct {
	Name           string  `json:"name"`
	CallsTotal     uint64  `json:"calls_total"`
	CallsPerSecond float64 `json:"calls_per_second"`
	FailedTotal    uint64  `json:"failed_total"`
	RejectedTotal  uint64  `json:"rejected_total"`
	MeanSeconds    float64 `json:"mean_seconds"`
	P50Seconds     float64 `json:"p50_seconds"`
	P99Seconds     float64 `json:"p99_seconds"`
}

// Error counts the replies with one error code.
type Error struct {
	Code      string  `json:"code"`
	Total     uint64  `json:"total"`
	PerSecond float64 `json:"per_second"`
}

// HotKey is a key that is used much now. Key is text: bytes that are none are
// written as \x00.
type HotKey struct {
	DB                int     `json:"db"`
	Key               string  `json:"key"`
	RequestsPerSecond float64 `json:"requests_per_second"`
	Share             float64 `json:"share"`  // of all requests for keys, 0 to 1
	Writes            float64 `json:"writes"` // share of the key's requests
}

// BigKey is an entry that takes much memory. Key is text as in [HotKey].
type BigKey struct {
	DB    int    `json:"db"`
	Key   string `json:"key"`
	Bytes int    `json:"bytes"`
}

// Cluster is a node's part in its cluster, and the state of that as the node
// knows it.
type Cluster struct {
	ID   string `json:"id"`
	Name string `json:"name"` // of the node
	// View is the version of the view in force; Routed tells whether there is one:
	// without, the node cannot serve.
	View   uint64 `json:"view"`
	Routed bool   `json:"routed"`
	// Away: the node has started without the configuration service, and serves by
	// the view that was known last.
	Away bool `json:"away"`
	// CutOff: the node hears less than half of the nodes, and answers nothing that
	// takes the others.
	CutOff bool `json:"cut_off"`
	// Service is whether the configuration service takes changes.
	Service   bool `json:"service"`
	NodesUp   int  `json:"nodes_up"`
	NodesDown int  `json:"nodes_down"`
	// Partitions of this node: those it owns, and of them those that leave, and
	// those that come.
	Owned   int `json:"partitions_owned"`
	Leaving int `json:"partitions_leaving"`
	Coming  int `json:"partitions_coming"`
	// Partitions of the cluster: under way, without an owner, with one that is down.
	Moving   int `json:"partitions_moving"`
	Unowned  int `json:"partitions_unowned"`
	Unserved int `json:"partitions_unserved"`
	// Controller: this node decides what moves. Coordinator: it is to run a member
	// of the configuration service, and CoordinatorUp tells whether that works.
	Controller    bool `json:"controller"`
	Coordinator   bool `json:"coordinator"`
	CoordinatorUp bool `json:"coordinator_up"`
}
