package loadgen

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Protocol is what is spoken on the wire.
type Protocol string

// The protocols.
const (
	RESP2         Protocol = "resp2"
	RESP3         Protocol = "resp3"          // RESP after HELLO 3
	Memcached     Protocol = "memcached"      // memcached's text commands get and set
	MemcachedMeta Protocol = "memcached-meta" // memcached's meta commands mg and ms
)

// Distribution is how keys are chosen from the key space.
type Distribution string

// The distributions.
const (
	Uniform    Distribution = "uniform"
	Zipf       Distribution = "zipf"       // rank k with probability proportional to 1/k^exponent
	Sequential Distribution = "sequential" // each worker walks through its share of the key space, again and again
)

// Arrivals is how intended starts follow each other in an open loop.
type Arrivals string

// The arrivals.
const (
	Even    Arrivals = "even"    // one every 1/rate seconds
	Poisson Arrivals = "poisson" // exponentially distributed gaps of mean 1/rate: bursts, as independent users make them
)

// Command is a request of the mix, as words with placeholders: __key__ (a key
// by the distribution, each occurrence its own), __data__ (a value), __rand__
// (a uniform 12-digit number below Keys). Words may be quoted with ' or ".
type Command struct {
	Template string
	Weight   int // share of the requests; above 0
}

// TTL is a time to live, drawn uniformly from Min to Max. Zero is none.
type TTL struct{ Min, Max time.Duration }

// Config describes a load. Start from [DefaultConfig]; the zero value is not valid.
type Config struct {
	Address  string // host:port, or unix:/path of a socket
	Protocol Protocol
	User     string // sent only with Password; empty is the default user
	Password string
	Database int // RESP only; selected when not 0

	Connections int
	Threads     int // workers that share the connections; at most Connections
	Pipeline    int // requests in flight per connection, at most

	Rate     float64 // requests per second over all connections; 0 is a closed loop
	Arrivals Arrivals

	Keys         uint64 // size of the key space
	KeyPrefix    string // keys are KeyPrefix and a number padded with zeros to KeyLength
	KeyLength    int    // bytes
	Distribution Distribution
	Exponent     float64 // of Zipf; 0 is uniform
	Drift        float64 // keys per second by which the popular set moves; 0 stands still

	Values Sizes
	TTL    TTL // on every write of the GET:SET mix and of the preload

	Gets, Sets int       // weights of the mix; ignored when Commands is set
	Commands   []Command // RESP only

	Preload bool          // write every key once before the measurement
	Warmup  time.Duration // load that is not measured, before the measurement

	// Duration and Requests end the measurement, whichever comes first. Zero is
	// no limit; one of them must be set.
	Duration time.Duration
	Requests uint64

	// Timeout ends the run when requests are in flight and no connection has
	// received anything for this long. It also bounds connecting.
	Timeout time.Duration

	Seed uint64 // same seed, same requests

	// Blocking drives each connection by a goroutine with blocking calls even
	// where epoll is available; Threads is then not used.
	Blocking bool

	// Progress, when set, is called about ten times a second from a goroutine
	// of the run; it must return quickly. The last call of a phase has its
	// final numbers.
	Progress func(Progress)
}

// Phase is a part of a run.
type Phase string

// The phases, in order.
const (
	PhasePreload Phase = "preload"
	PhaseWarmup  Phase = "warm-up"
	PhaseMeasure Phase = "measure"
)

// Progress is how far a phase has come.
type Progress struct {
	Phase    Phase
	Done     uint64 // requests answered
	Requests uint64 // requests of the phase; 0 when only time ends it
	Elapsed  time.Duration
	Duration time.Duration // of the phase; 0 when only requests end it
	Final    bool          // the phase is over
}

// DefaultConfig is 50 connections without pipelining, one GET in ten a SET of
// 64 B, uniform over a million keys, for ten seconds, against a local server.
func DefaultConfig() Config {
	return Config{
		Address: "127.0.0.1:6379", Protocol: RESP2,
		Connections: 50, Threads: max(1, runtime.NumCPU()/2), Pipeline: 1,
		Arrivals: Even,
		Keys:     1_000_000, KeyPrefix: "key:", KeyLength: 16,
		Distribution: Uniform, Exponent: 0.99,
		Values: FixedSize(64),
		Gets:   9, Sets: 1,
		Duration: 10 * time.Second, Timeout: 30 * time.Second,
		Seed: 1,
	}
}

// Limits that keep a mistyped number from taking the machine's memory.
const (
	maxPipeline    = 1 << 16
	maxConnections = 1 << 16
	maxValueBytes  = 512 << 20
	maxKeyLength   = 64 << 10
	memcachedKey   = 250 // memcached's own limit, bytes
)

// Validate returns the first contradiction, in words for the person who wrote
// the configuration.
func (c *Config) Validate() error {
	for _, check := range []func() error{c.validateTarget, c.validateLoop, c.validateKeys, c.validateMix} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) memcached() bool { return c.Protocol == Memcached || c.Protocol == MemcachedMeta }

func (c *Config) validateTarget() error {
	switch c.Protocol {
	case RESP2, RESP3, Memcached, MemcachedMeta:
	default:
		return fmt.Errorf("protocol %q is none of resp2, resp3, memcached, memcached-meta", c.Protocol)
	}
	switch {
	case c.Address == "":
		return errors.New("the address is empty; give host:port or unix:/path")
	case c.memcached() && (c.Password != "" || c.User != "" || c.Database != 0):
		return errors.New("memcached has no users, passwords and databases; they are for RESP")
	case c.User != "" && c.Password == "":
		return errors.New("a user needs a password")
	case c.Database < 0:
		return fmt.Errorf("database %d is negative", c.Database)
	case c.Timeout <= 0:
		return fmt.Errorf("timeout %v must be above 0", c.Timeout)
	}
	return nil
}

func (c *Config) validateLoop() error {
	switch {
	case c.Connections < 1 || c.Connections > maxConnections:
		return fmt.Errorf("connections %d must be from 1 to %d", c.Connections, maxConnections)
	case c.Threads < 1:
		return fmt.Errorf("threads %d must be at least 1", c.Threads)
	case c.Pipeline < 1 || c.Pipeline > maxPipeline:
		return fmt.Errorf("pipeline %d must be from 1 to %d", c.Pipeline, maxPipeline)
	case !(c.Rate >= 0 && c.Rate <= 1e9):
		return fmt.Errorf("rate %g must be from 0 (closed loop) to 1e9 requests per second", c.Rate)
	case c.Arrivals != Even && c.Arrivals != Poisson:
		return fmt.Errorf("arrivals %q is neither even nor poisson", c.Arrivals)
	case c.Duration < 0 || c.Warmup < 0:
		return errors.New("duration and warm-up must not be negative")
	case c.Duration == 0 && c.Requests == 0:
		return errors.New("nothing ends the measurement: give a duration or a number of requests")
	}
	return nil
}

func (c *Config) validateKeys() error {
	digits := c.KeyLength - len(c.KeyPrefix)
	switch {
	case c.Keys < 1:
		return errors.New("the key space is empty; keys must be at least 1")
	case c.KeyLength > maxKeyLength:
		return fmt.Errorf("key length %d is above %d", c.KeyLength, maxKeyLength)
	case c.memcached() && c.KeyLength > memcachedKey:
		return fmt.Errorf("key length %d: memcached takes at most %d bytes", c.KeyLength, memcachedKey)
	case digits < decimals(c.Keys-1):
		return fmt.Errorf("key length %d leaves %d bytes after prefix %q, but %d keys need %d; shorten the prefix or lengthen the key",
			c.KeyLength, max(digits, 0), c.KeyPrefix, c.Keys, decimals(c.Keys-1))
	case c.Distribution != Uniform && c.Distribution != Zipf && c.Distribution != Sequential:
		return fmt.Errorf("distribution %q is none of uniform, zipf, sequential", c.Distribution)
	case c.Distribution == Zipf && !(c.Exponent >= 0 && c.Exponent <= 10):
		return fmt.Errorf("exponent %g of the zipf distribution must be from 0 to 10", c.Exponent)
	case !(c.Drift >= 0 && c.Drift <= 1e12):
		return fmt.Errorf("drift %g must be a number of keys per second, not negative", c.Drift)
	}
	return nil
}

func (c *Config) validateMix() error {
	if err := c.Values.validate(); err != nil {
		return err
	}
	if err := c.TTL.validate(c.memcached()); err != nil {
		return err
	}
	if len(c.Commands) > 0 {
		if c.memcached() {
			return errors.New("commands of your own are for RESP; memcached is measured with the GET:SET mix")
		}
		for _, cmd := range c.Commands {
			if cmd.Weight < 1 {
				return fmt.Errorf("command %q has weight %d; it must be at least 1", cmd.Template, cmd.Weight)
			}
		}
		_, err := compileOps(c)
		return err
	}
	if c.Gets < 0 || c.Sets < 0 || c.Gets+c.Sets == 0 {
		return fmt.Errorf("GET:SET ratio %d:%d asks for nothing", c.Gets, c.Sets)
	}
	return nil
}

func (t TTL) validate(memcached bool) error {
	switch {
	case t.Min < 0 || t.Max < t.Min:
		return fmt.Errorf("ttl %v-%v must be a range of positive times", t.Min, t.Max)
	case t.Max > 0 && t.Min < time.Millisecond:
		return fmt.Errorf("ttl %v is below a millisecond", t.Min)
	case memcached && t.Max > 0 && t.Min < time.Second:
		return fmt.Errorf("ttl %v: memcached counts in seconds", t.Min)
	case memcached && t.Max > 30*24*time.Hour:
		return fmt.Errorf("ttl %v: memcached takes at most 30 days", t.Max)
	}
	return nil
}

// decimals returns the number of decimal digits of n.
func decimals(n uint64) int {
	d := 1
	for n >= 10 {
		n /= 10
		d++
	}
	return d
}
