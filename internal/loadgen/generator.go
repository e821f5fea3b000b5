package loadgen

import (
	"math/bits"
	"math/rand/v2"
	"time"
)

// generator makes one worker's choices: which command, which key, which value,
// which time to live. Not safe for concurrent use.
type generator struct {
	pcg rand.PCG
	rnd *rand.Rand // over pcg

	distribution Distribution
	zipf         zipfian
	keys         uint64
	next, lo, hi uint64 // of the sequential walk: the worker's share is [lo, hi)
	drift        float64
	shift        uint64 // keys the popular set has moved so far

	prefix    string
	keyDigits int

	sizes   *Sizes
	block   []byte // random bytes, shared by all workers and never written
	ttl     TTL
	ttlUnit time.Duration

	ops   []op
	total uint32 // sum of the weights of ops
}

// valueSlack is by how much the shared block is longer than the largest value,
// so that values differ although all are cut from it.
const valueSlack = 4 << 10

// newBlock returns random printable bytes to cut values of at most largest
// bytes from.
func newBlock(seed uint64, largest int) []byte {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var pcg rand.PCG
	pcg.Seed(seed, 0x626c6f636b)
	b := make([]byte, largest+valueSlack)
	for i := 0; i < len(b); {
		for r, k := pcg.Uint64(), 0; k < 10 && i < len(b); k, i, r = k+1, i+1, r>>6 {
			b[i] = letters[r&63]
		}
	}
	return b
}

// newGenerator returns the generator of worker id of the given number of
// workers. ops and block are shared and only read.
func newGenerator(c *Config, ops []op, block []byte, id, workers int) *generator {
	g := &generator{
		distribution: c.Distribution, keys: c.Keys, drift: c.Drift,
		prefix: c.KeyPrefix, keyDigits: c.KeyLength - len(c.KeyPrefix),
		sizes: &c.Values, block: block,
		ttl: c.TTL, ttlUnit: ttlUnit(c), ops: ops,
	}
	g.pcg.Seed(c.Seed, uint64(id)+1)
	g.rnd = rand.New(&g.pcg)
	if c.Distribution == Zipf {
		g.zipf = newZipfian(c.Keys, c.Exponent)
	}
	g.lo, g.hi = share(c.Keys, id, workers)
	if g.lo == g.hi { // more workers than keys
		g.lo, g.hi = 0, c.Keys
	}
	g.next = g.lo
	for i := range ops {
		g.total += uint32(ops[i].weight)
	}
	return g
}

// share returns the part of [0, n) that belongs to one of several workers.
func share(n uint64, id, workers int) (lo, hi uint64) {
	cut := func(i int) uint64 {
		h, l := bits.Mul64(n, uint64(i))
		q, _ := bits.Div64(h, l, uint64(workers))
		return q
	}
	return cut(id), cut(id + 1)
}

// below returns a uniform number below n (Lemire's multiplication; the bias is
// below n/2^64).
func (g *generator) below(n uint64) uint64 {
	hi, _ := bits.Mul64(g.pcg.Uint64(), n)
	return hi
}

// op chooses a command by the weights of the mix.
func (g *generator) op() int {
	if len(g.ops) == 1 {
		return 0
	}
	at := int(g.below(uint64(g.total)))
	for i := range g.ops {
		at -= g.ops[i].weight
		if at < 0 {
			return i
		}
	}
	return len(g.ops) - 1
}

// elapse tells the generator how long the phase runs, which moves the popular
// set when there is a drift.
func (g *generator) elapse(d time.Duration) {
	if g.drift > 0 {
		g.shift = uint64(d.Seconds() * g.drift)
	}
}

// key chooses a key. With a drift the set turns around so that a key enters at
// the top of the popularity and ages from there.
func (g *generator) key() uint64 {
	var rank uint64
	switch g.distribution {
	case Zipf:
		rank = g.zipf.rank(g.rnd) - 1
	case Sequential:
		k := g.next
		if g.next++; g.next == g.hi {
			g.next = g.lo
		}
		return k
	default:
		return g.below(g.keys)
	}
	if g.drift == 0 {
		return rank
	}
	return (g.shift%g.keys + g.keys - rank) % g.keys
}

const digitPairs = "00010203040506070809" + "10111213141516171819" +
	"20212223242526272829" + "30313233343536373839" + "40414243444546474849" +
	"50515253545556575859" + "60616263646566676869" + "70717273747576777879" +
	"80818283848586878889" + "90919293949596979899"

// appendPadded appends n with leading zeros to width digits.
func appendPadded(b []byte, n uint64, width int) []byte {
	from := len(b)
	for range width {
		b = append(b, '0')
	}
	for at := len(b); n > 0 && at > from; {
		if at-from == 1 {
			b[from] = '0' + byte(n%10)
			break
		}
		q := n / 100
		d := (n - q*100) * 2
		at -= 2
		b[at], b[at+1] = digitPairs[d], digitPairs[d+1]
		n = q
	}
	return b
}

func (g *generator) appendKey(b []byte, id uint64) []byte {
	b = append(b, g.prefix...)
	return appendPadded(b, id, g.keyDigits)
}

// value returns size bytes of the shared block.
func (g *generator) value(size int) []byte {
	from := int(g.pcg.Uint64() % valueSlack)
	return g.block[from : from+size]
}

// lifetime draws a time to live in g.ttlUnit.
func (g *generator) lifetime() uint64 {
	lo, hi := uint64(g.ttl.Min/g.ttlUnit), uint64(g.ttl.Max/g.ttlUnit)
	return lo + g.below(hi-lo+1)
}

// ttlUnit is what a time to live is counted in on the wire.
func ttlUnit(c *Config) time.Duration {
	if c.memcached() {
		return time.Second
	}
	return time.Millisecond
}
