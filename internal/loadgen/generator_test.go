package loadgen

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestZipf compares the sampler with the exact probabilities by Pearson's
// chi-square statistic over ranks (rare ones joined). For k classes it has mean
// k-1 and variance 2(k-1); six deviations are allowed. The seed is fixed, so
// the test is not a gamble.
func TestZipf(t *testing.T) {
	const samples = 400_000
	for _, s := range []float64{0, 0.5, 0.99, 1, 1.0000001, 1.2, 2, 5} {
		for _, n := range []uint64{1, 2, 10, 1000, 50_000} {
			z := newZipfian(n, s)
			rnd := rand.New(rand.NewPCG(7, n))
			counts := make([]float64, n+1)
			for range samples {
				k := z.rank(rnd)
				if k < 1 || k > n {
					t.Fatalf("s=%g n=%d: rank %d", s, n, k)
				}
				counts[k]++
			}
			var norm float64
			for k := uint64(1); k <= n; k++ {
				norm += math.Pow(float64(k), -s)
			}
			var chi, expected, observed float64
			classes := 0
			for k := uint64(1); k <= n; k++ {
				expected += samples * math.Pow(float64(k), -s) / norm
				observed += counts[k]
				if expected >= 20 || k == n {
					chi += (observed - expected) * (observed - expected) / math.Max(expected, 1)
					classes++
					expected, observed = 0, 0
				}
			}
			free := float64(classes - 1)
			if chi > free+6*math.Sqrt(2*free)+1e-6 {
				t.Errorf("s=%g n=%d: chi-square %.1f with %g degrees of freedom", s, n, chi, free)
			}
		}
	}
}

// TestZipfLarge: the moments stay right where no table would fit.
func TestZipfLarge(t *testing.T) {
	z := newZipfian(1<<40, 1)
	rnd := rand.New(rand.NewPCG(1, 1))
	const samples = 200_000
	top := 0
	for range samples {
		if z.rank(rnd) <= 1<<20 {
			top++
		}
	}
	harmonic := func(n float64) float64 { return math.Log(n) + 0.5772156649 }
	want := harmonic(1<<20) / harmonic(1<<40)
	if got := float64(top) / samples; math.Abs(got-want) > 0.005 {
		t.Errorf("the first 2^20 of 2^40 ranks have share %.4f, want %.4f", got, want)
	}
}

func TestSizes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, row := range []struct {
		text         string
		lo, hi, mean float64 // mean 0: not checked
	}{
		{"64", 64, 64, 64},
		{"1KiB", 1024, 1024, 1024},
		{"1.5k", 1536, 1536, 1536},
		{"0", 0, 0, 0},
		{"uniform:10-20", 10, 20, 15},
		{"lognormal:300,0", 300, 300, 300},
		{"lognormal:300,1", 1, 1 << 20, 300 * math.Exp(0.5)},
		{"lognormal:1k,2,4KiB", 1, 4096, 0},
		{"64:9,1KiB:1", 64, 1024, 0.9*64 + 0.1*1024},
		{"10,20", 10, 20, 15},
	} {
		s, err := ParseSizes(row.text)
		if err != nil {
			t.Errorf("%s: %v", row.text, err)
			continue
		}
		var sum float64
		const n = 100_000
		for range n {
			v := float64(s.draw(rnd))
			if v < row.lo || v > row.hi {
				t.Fatalf("%s gives %g", row.text, v)
			}
			sum += v
		}
		if row.mean > 0 && math.Abs(sum/n-row.mean) > 0.03*row.mean {
			t.Errorf("%s has mean %.1f, want %.1f", row.text, sum/n, row.mean)
		}
		if float64(s.Max()) < row.hi {
			t.Errorf("%s: Max is %d", row.text, s.Max())
		}
	}
	for _, text := range []string{"", "x", "-1", "1GiB", "uniform:5", "uniform:9-3", "lognormal:5", "lognormal:5,x",
		"lognormal:5,1,2,3", "64:0", "64:", "64:1,", ":", "NaN", "inf"} {
		if s, err := ParseSizes(text); err == nil {
			t.Errorf("%q is accepted as %+v", text, s)
		}
	}
}

func TestPadded(t *testing.T) {
	for _, row := range []struct {
		n     uint64
		width int
		want  string
	}{{0, 1, "0"}, {7, 1, "7"}, {7, 2, "07"}, {12, 2, "12"}, {123, 3, "123"}, {123, 4, "0123"}, {99999, 12, "000000099999"}, {5, 0, ""}} {
		if got := string(appendPadded(nil, row.n, row.width)); got != row.want {
			t.Errorf("%d in %d digits is %q, want %q", row.n, row.width, got, row.want)
		}
	}
}

// encodeOne returns what the i-th command of c sends.
func encodeOne(t *testing.T, c Config, i int) string {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	ops, err := compileOps(&c)
	if err != nil {
		t.Fatal(err)
	}
	g := newGenerator(&c, ops, newBlock(1, c.Values.Max()), 0, 1)
	var out outbox
	ops[i].encode(&out, g)
	var all []byte
	for !out.empty() {
		p := out.pieces(make([][]byte, 0, 1))
		n := min(7, len(p[0])) // small steps, as a full socket takes them
		all = append(all, p[0][:n]...)
		out.advance(n)
	}
	return string(all)
}

func TestEncoding(t *testing.T) {
	c := DefaultConfig()
	c.Distribution, c.Values, c.KeyLength = Sequential, FixedSize(3), 8
	c.Keys = 10
	mask := func(s string) string { // values are random
		return strings.Map(func(r rune) rune {
			if r > 0x7f {
				return '.'
			}
			return r
		}, s)
	}
	if got := encodeOne(t, c, 0); got != "*2\r\n$3\r\nGET\r\n$8\r\nkey:0000\r\n" {
		t.Errorf("GET is %q", got)
	}
	got := mask(encodeOne(t, c, 1))
	if !strings.HasPrefix(got, "*3\r\n$3\r\nSET\r\n$8\r\nkey:0000\r\n$3\r\n") || len(got) != len("*3\r\n$3\r\nSET\r\n$8\r\nkey:0000\r\n$3\r\nabc\r\n") {
		t.Errorf("SET is %q", got)
	}
	c.TTL = TTL{90 * time.Second, 90 * time.Second}
	if got := encodeOne(t, c, 1); !strings.HasSuffix(got, "\r\n$2\r\nPX\r\n$5\r\n90000\r\n") || !strings.HasPrefix(got, "*5\r\n") {
		t.Errorf("SET with a ttl is %q", got)
	}
	c.Protocol = Memcached
	if got := encodeOne(t, c, 1); !strings.HasPrefix(got, "set key:0000 0 90 3\r\n") || len(got) != 26 {
		t.Errorf("memcached's set is %q", got)
	}
	c.Protocol = MemcachedMeta
	if got := encodeOne(t, c, 1); !strings.HasPrefix(got, "ms key:0000 3 T90\r\n") || len(got) != 24 {
		t.Errorf("memcached's ms is %q", got)
	}
	c.Protocol, c.Values = RESP2, FixedSize(bigValue+1)
	c.Commands = []Command{{`MSET a:__key__ "x __data__" __key__ y`, 1}}
	got = encodeOne(t, c, 0)
	if !strings.HasPrefix(got, "*5\r\n$4\r\nMSET\r\n$10\r\na:key:0000\r\n$16387\r\nx ") || !strings.HasSuffix(got, "\r\n$8\r\nkey:0001\r\n$1\r\ny\r\n") {
		t.Errorf("MSET is %.60q ... %q", got, got[len(got)-30:])
	}
	if want := len("*5\r\n$4\r\nMSET\r\n$10\r\na:key:0000\r\n$16387\r\nx \r\n$8\r\nkey:0001\r\n$1\r\ny\r\n") + bigValue + 1; len(got) != want {
		t.Errorf("MSET has %d bytes, want %d", len(got), want)
	}
}

// TestSequentialShares: workers together walk through every key exactly once.
func TestSequentialShares(t *testing.T) {
	c := DefaultConfig()
	c.Distribution, c.Keys = Sequential, 1001
	seen := make([]int, c.Keys)
	for id := range 7 {
		g := newGenerator(&c, nil, nil, id, 7)
		lo, hi := share(c.Keys, id, 7)
		for range hi - lo {
			seen[g.key()]++
		}
		if g.key() != lo {
			t.Errorf("worker %d does not begin again", id)
		}
	}
	for k, n := range seen {
		if n != 1 {
			t.Fatalf("key %d was chosen %d times", k, n)
		}
	}
}

// TestDrift: the popular key is another one later, and keys stay in range.
func TestDrift(t *testing.T) {
	c := DefaultConfig()
	c.Distribution, c.Keys, c.Exponent, c.Drift = Zipf, 100, 2, 10
	g := newGenerator(&c, nil, nil, 0, 1)
	popular := func() (key int) {
		counts := make([]int, c.Keys)
		for range 10_000 {
			counts[g.key()]++
		}
		for k, n := range counts {
			if n > counts[key] {
				key = k
			}
		}
		return key
	}
	first := popular()
	g.elapse(time.Second)
	if second := popular(); second != (first+10)%100 {
		t.Errorf("after a second of 10 keys/s the popular key moved from %d to %d", first, second)
	}
}

func TestValidate(t *testing.T) {
	for _, row := range []struct {
		spoil func(*Config)
		says  string
	}{
		{func(c *Config) { c.Protocol = "http" }, "none of resp2"},
		{func(c *Config) { c.Address = "" }, "address is empty"},
		{func(c *Config) { c.Connections = 0 }, "connections 0"},
		{func(c *Config) { c.Pipeline = 0 }, "pipeline 0"},
		{func(c *Config) { c.Threads = 0 }, "threads 0"},
		{func(c *Config) { c.Rate = -1 }, "rate -1"},
		{func(c *Config) { c.Rate = math.NaN() }, "rate NaN"},
		{func(c *Config) { c.Duration = 0 }, "nothing ends"},
		{func(c *Config) { c.Keys = 0 }, "key space is empty"},
		{func(c *Config) { c.KeyLength = 9 }, "1000000 keys need 6"},
		{func(c *Config) { c.KeyLength = 2 }, "leaves 0 bytes"},
		{func(c *Config) { c.Distribution = "normal" }, "none of uniform"},
		{func(c *Config) { c.Distribution, c.Exponent = Zipf, -1 }, "exponent -1"},
		{func(c *Config) { c.Values = Sizes{} }, "no value size"},
		{func(c *Config) { c.TTL = TTL{2, 1} }, "range of positive"},
		{func(c *Config) { c.Gets, c.Sets = 0, 0 }, "asks for nothing"},
		{func(c *Config) { c.User = "me" }, "needs a password"},
		{func(c *Config) { c.Protocol, c.Database = Memcached, 1 }, "memcached has no users"},
		{func(c *Config) { c.Protocol, c.KeyLength = Memcached, 251 }, "at most 250"},
		{func(c *Config) { c.Commands = []Command{{"", 1}} }, "no words"},
		{func(c *Config) { c.Commands = []Command{{"GET 'a", 1}} }, "not closed"},
		{func(c *Config) { c.Commands = []Command{{"GET a", 0}} }, "weight 0"},
		{func(c *Config) { c.Commands = []Command{{"SET a __data____data__", 1}} }, "more than once"},
		{func(c *Config) { c.Commands = []Command{{"SET a b PX __ttl__", 1}} }, "needs a ttl"},
	} {
		c := DefaultConfig()
		row.spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("want a complaint with %q, have %v", row.says, err)
		}
	}
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
