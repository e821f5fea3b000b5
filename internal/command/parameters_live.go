package command

import (
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/eviction"
)

func asSeconds(n int64) time.Duration { return time.Duration(n) * time.Second }

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// integerOf returns the integer that normalize has written.
func integerOf(s string) int64 {
	v, _ := strconv.ParseInt(s, 10, 64)
	return v
}

func yesOrNo(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

// policyWords are the values of maxmemory-policy.
func policyWords() (words []string) {
	for _, name := range eviction.Names() {
		words = append(words, name.String())
	}
	return words
}

// longestDuration, in units of that length, keeps durations within an int64.
func longestDuration(unit time.Duration) int64 { return math.MaxInt64 / int64(unit) }

// liveParameters are the parameters of Redis that set something here.
var liveParameters = []parameter{
	{
		name: "maxmemory", kind: kindBytes, high: math.MaxInt64,
		get: func(x *Executor, _ *Options) string { return strconv.FormatUint(x.store.MaxBytes(), 10) },
		set: func(d *draft, s string) error {
			n := uint64(integerOf(s))
			d.maxBytes = &n
			return nil
		},
	},
	{
		name: "maxmemory-policy", kind: kindWord, words: policyWords(),
		get: func(x *Executor, _ *Options) string { return x.store.Policy().String() },
		set: func(d *draft, s string) error {
			name, err := eviction.ParseName(s)
			d.policy = &name
			return err
		},
	},
	{
		name: "maxclients", kind: kindInteger, low: 1, high: math.MaxUint32,
		get: func(_ *Executor, o *Options) string { return decimal(int64(o.MaxClients)) },
		set: func(d *draft, s string) error { d.MaxClients = int(integerOf(s)); return nil },
	},
	{
		name: "requests-per-second", kind: kindInteger, high: math.MaxInt32,
		get: func(_ *Executor, o *Options) string { return decimal(int64(o.RequestsPerSecond)) },
		set: func(d *draft, s string) error { d.RequestsPerSecond = int(integerOf(s)); return nil },
	},
	{
		name: "timeout", kind: kindInteger, high: math.MaxInt32,
		get: func(_ *Executor, o *Options) string { return decimal(int64(o.IdleTimeout / time.Second)) },
		set: func(d *draft, s string) error { d.IdleTimeout = asSeconds(integerOf(s)); return nil },
	},
	{
		name: "tcp-keepalive", kind: kindInteger, high: math.MaxInt32,
		get: func(_ *Executor, o *Options) string { return decimal(int64(o.KeepAlive / time.Second)) },
		set: func(d *draft, s string) error { d.KeepAlive = asSeconds(integerOf(s)); return nil },
	},
	{
		name: "client-output-buffer-limit",
		get:  func(_ *Executor, o *Options) string { return formatOutputLimits(&o.Output) },
		set:  func(d *draft, s string) error { return parseOutputLimits(s, &d.Output) },
	},
	{
		name: "client-query-buffer-limit", kind: kindBytes, low: 1 << 20, high: math.MaxInt64,
		get: func(_ *Executor, o *Options) string { return decimal(int64(o.QueryBuffer)) },
		set: func(d *draft, s string) error { d.QueryBuffer = int(integerOf(s)); return nil },
	},
	{
		name: "proto-max-bulk-len", kind: kindBytes, low: 1 << 20, high: math.MaxInt64,
		get: func(_ *Executor, o *Options) string { return decimal(int64(o.MaxValue)) },
		set: func(d *draft, s string) error { d.MaxValue = int(integerOf(s)); return nil },
	},
	{
		name: "requirepass",
		get:  func(_ *Executor, o *Options) string { return o.Password },
		set:  func(d *draft, s string) error { d.Password = s; return nil },
	},
	{
		name: "slowlog-log-slower-than", kind: kindInteger, low: -1, high: math.MaxInt64,
		get: func(_ *Executor, o *Options) string {
			if o.SlowLogSlower < 0 {
				return "-1"
			}
			return decimal(o.SlowLogSlower.Microseconds())
		},
		set: func(d *draft, s string) error {
			d.SlowLogSlower = time.Duration(min(integerOf(s), longestDuration(time.Microsecond))) * time.Microsecond
			return nil
		},
	},
	{
		name: "slowlog-max-len", kind: kindInteger, high: math.MaxInt64,
		get: func(_ *Executor, o *Options) string { return decimal(int64(o.SlowLogLen)) },
		set: func(d *draft, s string) error { d.SlowLogLen = int(integerOf(s)); return nil },
	},
	{
		name: "latency-monitor-threshold", kind: kindInteger, high: math.MaxInt64,
		get: func(_ *Executor, o *Options) string { return decimal(o.LatencyThreshold.Milliseconds()) },
		set: func(d *draft, s string) error {
			d.LatencyThreshold = time.Duration(min(integerOf(s), longestDuration(time.Millisecond))) * time.Millisecond
			return nil
		},
	},
	{
		name: "latency-tracking", kind: kindYesNo,
		get: func(_ *Executor, o *Options) string { return yesOrNo(o.LatencyTracking) },
		set: func(d *draft, s string) error { d.LatencyTracking = s == "yes"; return nil },
	},
	{
		name: "latency-tracking-info-percentiles",
		get:  func(_ *Executor, o *Options) string { return formatPercentiles(o.LatencyPercentiles) },
		set: func(d *draft, s string) (err error) {
			d.LatencyPercentiles, err = parsePercentiles(s)
			return err
		},
	},
	{
		name: "notify-keyspace-events",
		get:  func(_ *Executor, o *Options) string { return o.Notify.String() },
		set: func(d *draft, s string) error {
			classes, ok := ParseNotifyClasses(s)
			if !ok {
				return refusal("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
			}
			d.Notify = classes
			return nil
		},
	},
	{
		name: "tracking-table-max-keys", kind: kindInteger, high: math.MaxInt64,
		get: func(_ *Executor, o *Options) string { return decimal(int64(o.TrackingKeys)) },
		set: func(d *draft, s string) error { d.TrackingKeys = int(integerOf(s)); return nil },
	},
	{
		// Of all copies, where Redis counts those that are not behind.
		name: "min-replicas-max-lag", alias: "min-slaves-max-lag", kind: kindInteger, high: math.MaxInt32,
		get: func(_ *Executor, o *Options) string {
			return decimal(int64((o.MaxLag + time.Second - 1) / time.Second))
		},
		set: func(d *draft, s string) error { d.MaxLag = asSeconds(integerOf(s)); return nil },
	},
	{
		name: "min-replicas-to-write", alias: "min-slaves-to-write", kind: kindInteger, high: cluster.MaxReplicas,
		get: func(_ *Executor, o *Options) string { return decimal(int64(o.MinInSync - 1)) },
		set: func(d *draft, s string) error { d.MinInSync = int(integerOf(s)) + 1; return nil },
	},
	{
		name: "enable-debug-command", kind: kindWord, words: []string{"no", "yes", "local"}, fixed: immutable,
		get: func(_ *Executor, o *Options) string { return o.Debug },
	},
	{
		name: "databases", kind: kindInteger, fixed: immutable,
		get: func(x *Executor, _ *Options) string { return decimal(int64(x.store.Databases())) },
	},
	{
		name: "port", kind: kindInteger, high: 65535, fixed: inConfigFile,
		get: func(x *Executor, _ *Options) string { return decimal(int64(x.server.Load().Port)) },
	},
	{
		name: "tls-port", kind: kindInteger, high: 65535, fixed: inConfigFile,
		get: func(x *Executor, _ *Options) string { return decimal(int64(x.server.Load().TLSPort)) },
	},
	{
		name: "bind", fixed: inConfigFile,
		get: func(x *Executor, _ *Options) string { return strings.Join(x.server.Load().Bind, " ") },
	},
	{
		name: "dir", fixed: "can't set protected config",
		get: func(*Executor, *Options) string {
			dir, _ := os.Getwd()
			return dir
		},
	},
	{
		name: "unixsocket", fixed: immutable,
		get: func(x *Executor, _ *Options) string { return x.server.Load().UnixSocket },
	},
}
