package command

import (
	"time"
)

// Limits bound what one client may use. A value is immutable once handed out.
type Limits struct {
	// MaxClients is the number of clients served at once. Default 10000.
	MaxClients int
	// RequestsPerSecond is the number of requests that one user, or one address
	// where no password is asked for, may send in a second. Zero, the default: no
	// limit.
	RequestsPerSecond int
	// IdleTimeout closes a client that has sent nothing for so long, subscribers
	// excepted. Zero, the default: never.
	IdleTimeout time.Duration
	// KeepAlive is the interval of TCP keep-alive probes. Zero: none. Default 300 s.
	KeepAlive time.Duration
	// Output has the limits of pending output by [Class].
	Output [3]OutputLimit
	// QueryBuffer is the number of bytes of an incomplete request that may pile
	// up. Default 1 GiB.
	QueryBuffer int
	// MaxValue is the length in bytes of the longest argument and value
	// (proto-max-bulk-len). Default 512 MiB.
	MaxValue int
}

// OutputLimit closes a client that does not read fast enough. Zero fields do
// not limit.
type OutputLimit struct {
	Hard    int           // bytes: close at once
	Soft    int           // bytes: close when exceeded for SoftFor without a break
	SoftFor time.Duration //
}

// Options are the settings of commands that may change while the server runs.
// A value is immutable once handed to the executor: a change is a new value.
type Options struct {
	Limits

	// Password of the user default; empty: none is asked for.
	Password string

	// SlowLogSlower is the duration from which on a command is written to the
	// slow log; negative: none is. Default 10 ms.
	SlowLogSlower time.Duration
	// SlowLogLen is the number of entries kept. Default 128.
	SlowLogLen int

	// LatencyThreshold is the duration from which on an event is remembered for
	// LATENCY LATEST; zero, the default: none is.
	LatencyThreshold time.Duration
	// LatencyTracking switches the histograms of commands. Default true.
	LatencyTracking bool
	// LatencySample is the share of fast commands that are timed, 0 to 1.
	// Default 0.01. Commands that are not fast are always timed.
	LatencySample float64
	// LatencyPercentiles are what INFO latencystats shows. Default 50, 99, 99.9.
	LatencyPercentiles []float64

	// Notify has the classes of keyspace notifications to send. Default none.
	Notify NotifyClass
	// TrackingKeys is the number of keys remembered for clients that track;
	// zero: no limit. Default 1000000.
	TrackingKeys int

	// MinInSync is how many nodes must be given what is written to a partition,
	// the owner among them: with fewer, writes are refused. Default 1, the owner
	// is enough.
	MinInSync int
	// MaxLag is how old an effect may be that a copy has not acknowledged: beyond
	// that, writes to keys of its partition that do not wait for copies are
	// refused. Default 10 s; zero: any age.
	MaxLag time.Duration

	// Debug says who may use DEBUG: "no", "local" or "yes". Default "local".
	Debug string
}

// DefaultOptions returns Redis's defaults.
func DefaultOptions() Options {
	return Options{
		Limits: Limits{
			MaxClients:  10000,
			KeepAlive:   300 * time.Second,
			QueryBuffer: 1 << 30,
			MaxValue:    512 << 20,
			Output: [3]OutputLimit{
				ClassReplica: {Hard: 256 << 20, Soft: 64 << 20, SoftFor: 60 * time.Second},
				ClassPubSub:  {Hard: 32 << 20, Soft: 8 << 20, SoftFor: 60 * time.Second},
			},
		},
		SlowLogSlower:      10 * time.Millisecond,
		SlowLogLen:         128,
		LatencyTracking:    true,
		LatencySample:      0.01,
		LatencyPercentiles: []float64{50, 99, 99.9},
		TrackingKeys:       1000000,
		MinInSync:          1,
		MaxLag:             10 * time.Second,
		Debug:              "local",
	}
}

// Options returns the settings in force. The caller must not modify them.
// Safe for concurrent use.
func (x *Executor) Options() *Options { return x.options.Load() }

// Limits returns the limits in force. The caller must not modify them. Safe
// for concurrent use.
func (x *Executor) Limits() *Limits { return &x.options.Load().Limits }

// Change replaces the settings: f gets a copy of those in force and changes
// it. Changes are made one after the other.
func (x *Executor) Change(f func(*Options)) {
	x.changing.Lock()
	defer x.changing.Unlock()
	o := *x.options.Load()
	o.LatencyPercentiles = append([]float64(nil), o.LatencyPercentiles...)
	f(&o)
	x.options.Store(&o)
	x.apply(&o)
}

// apply brings what is derived from the settings up to date.
//
// REQUIRES: x.changing held.
func (x *Executor) apply(o *Options) {
	precise := o.SlowLogSlower >= 0 && o.SlowLogSlower < time.Millisecond ||
		o.LatencyThreshold > 0 && o.LatencyThreshold < time.Millisecond
	x.gate(gateTime, precise)
	x.gate(gateLimit, o.RequestsPerSecond > 0)
	x.notifier.classes.Store(uint32(o.Notify))
	x.slowLog.resize(o.SlowLogLen)
	x.tracker.resize(o.TrackingKeys)
	x.guard(o)
}
