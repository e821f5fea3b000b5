package loadgen

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// small is a load that ends by its number of requests.
func small(address string) Config {
	c := DefaultConfig()
	c.Address, c.Connections, c.Threads, c.Pipeline = address, 8, 2, 4
	c.Keys, c.Duration, c.Requests = 1000, 0, 20_000
	return c
}

func mustRun(t *testing.T, c Config) *Result {
	t.Helper()
	r, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if r.Failed != 0 || r.Lost != 0 || r.Dropped != 0 {
		t.Fatalf("failed %d, lost %d, dropped %d: %v", r.Failed, r.Lost, r.Dropped, r.Errors)
	}
	return r
}

// drivers names both ways to drive connections.
var drivers = []struct {
	name     string
	blocking bool
}{{"default", false}, {"blocking", true}}

func TestMixAgainstServers(t *testing.T) {
	redis, memcached := startRedis(t), startMemcached(t)
	for _, row := range []struct {
		protocol Protocol
		address  string
	}{{RESP2, redis}, {RESP3, redis}, {Memcached, memcached}, {MemcachedMeta, memcached}} {
		for _, d := range drivers {
			t.Run(fmt.Sprintf("%s/%s", row.protocol, d.name), func(t *testing.T) {
				c := small(row.address)
				c.Protocol, c.Blocking = row.protocol, d.blocking
				c.KeyPrefix = d.name[:1] + string(row.protocol[len(row.protocol)-1])
				c.Preload, c.Distribution = true, Zipf
				r := mustRun(t, c)
				if r.Preload.Requests != 1000 || r.Requests != 20_000 {
					t.Errorf("preloaded %d and sent %d requests, want 1000 and 20000", r.Preload.Requests, r.Requests)
				}
				if r.Misses != 0 || r.Hits == 0 {
					t.Errorf("hits %d, misses %d; every key was preloaded", r.Hits, r.Misses)
				}
				gets := float64(r.Commands[0].Requests) / 20_000
				if r.Commands[0].Name != "get" || gets < 0.88 || gets > 0.92 {
					t.Errorf("%s is %.3f of a 9:1 mix", r.Commands[0].Name, gets)
				}
				if l := r.Latency; l.P50 <= 0 || l.P50 > l.P99 || l.P99 > l.Max {
					t.Errorf("percentiles are out of order: %+v", l)
				}
			})
		}
	}
}

func TestMissesAreCounted(t *testing.T) {
	redis, memcached := startRedis(t), startMemcached(t)
	for protocol, address := range map[Protocol]string{RESP2: redis, RESP3: redis, Memcached: memcached, MemcachedMeta: memcached} {
		c := small(address)
		c.Protocol, c.Sets = protocol, 0
		if r := mustRun(t, c); r.Misses != 20_000 || r.Hits != 0 || r.HitRatio != 0 {
			t.Errorf("%s: hits %d, misses %d on an empty server", protocol, r.Hits, r.Misses)
		}
	}
}

func TestPreloadWritesEveryKeyOnce(t *testing.T) {
	address := startRedis(t)
	c := small(address)
	c.Keys, c.KeyLength = 12_345, 24
	c.TTL = TTL{time.Hour, 2 * time.Hour}
	part, err := Preload(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if part.Requests != 12_345 {
		t.Errorf("%d writes for 12345 keys", part.Requests)
	}
	if got := ask(t, address, "DBSIZE"); got != ":12345" {
		t.Errorf("DBSIZE is %s", got)
	}
	if got := ask(t, address, "STRLEN", "key:00000000000000012344"); got != ":64" {
		t.Errorf("the last key has length %s", got)
	}
	if got := ask(t, address, "INFO", "keyspace"); !strings.Contains(got, "expires=12345") {
		t.Errorf("keys without time to live: %s", got)
	}
}

func TestCommandsOfOnesOwn(t *testing.T) {
	address := startRedis(t)
	c := small(address)
	c.Values = Sizes{}
	c.Values, _ = ParseSizes("uniform:1-300")
	c.Commands = []Command{
		{`SET pre:__key__ "<__data__ >" EX 60`, 3},
		{`MGET pre:__key__ pre:__key__`, 2},
		{`INCRBY counter:__rand__ 1`, 1},
	}
	r := mustRun(t, c)
	if r.Hits+r.Misses != 2*r.Commands[1].Requests {
		t.Errorf("%d hits and %d misses for %d MGETs of two keys", r.Hits, r.Misses, r.Commands[1].Requests)
	}
	if r.Hits == 0 || r.Misses == 0 {
		t.Errorf("hits %d, misses %d; both are certain here", r.Hits, r.Misses)
	}
}

func TestErrorsAreCountedByText(t *testing.T) {
	address := startRedis(t)
	c := small(address)
	c.Commands = []Command{{"LPUSH __key__ x", 1}, {"GET __key__", 1}}
	c.Sets = 0
	r, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	const text = "WRONGTYPE Operation against a key holding the wrong kind of value"
	if r.Failed == 0 || r.Errors[text] != r.Failed || r.Requests != 20_000 {
		t.Errorf("%d of %d failed, texts %v", r.Failed, r.Requests, r.Errors)
	}
}

func TestBigValues(t *testing.T) {
	redis, memcached := startRedis(t), startMemcached(t)
	for _, d := range drivers {
		for protocol, address := range map[Protocol]string{RESP2: redis, RESP3: redis, Memcached: memcached} {
			c := small(address)
			c.Protocol, c.Blocking = protocol, d.blocking
			c.Values, c.Keys, c.Requests = FixedSize(1<<20), 20, 400
			c.Gets, c.Sets, c.Preload = 1, 1, true
			r := mustRun(t, c)
			if r.Misses != 0 {
				t.Errorf("%s %s: %d misses", protocol, d.name, r.Misses)
			}
			want := float64(r.Commands[0].Requests) * (1 << 20) / r.Seconds
			if r.ReadPerSec < want {
				t.Errorf("%s %s: read %.0f bytes/s, the values alone are %.0f", protocol, d.name, r.ReadPerSec, want)
			}
		}
	}
	if got := ask(t, redis, "STRLEN", "key:000000000019"); got != ":1048576" {
		t.Errorf("a value of 1 MiB has length %s", got)
	}
}

func TestAuthenticationAndDatabase(t *testing.T) {
	address := startRedis(t, "--requirepass", "hidden")
	for _, protocol := range []Protocol{RESP2, RESP3} {
		c := small(address)
		c.Protocol, c.Password, c.Database = protocol, "hidden", 3
		mustRun(t, c)
		c.User = "default"
		mustRun(t, c)
		c.Password = "guess"
		if _, err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
			t.Errorf("%s: a wrong password gives %v", protocol, err)
		}
	}
}

func TestOpenLoopKeepsItsRate(t *testing.T) {
	address := startRedis(t)
	for _, d := range drivers {
		for _, arrivals := range []Arrivals{Even, Poisson} {
			c := small(address)
			c.Rate, c.Arrivals, c.Requests, c.Duration, c.Blocking = 4000, arrivals, 0, 500*time.Millisecond, d.blocking
			r := mustRun(t, c)
			if n := r.Requests + r.Unsent; n < 1700 || n > 2300 {
				t.Errorf("%s %s: %d requests in half a second at 4000/s", d.name, arrivals, n)
			}
		}
	}
}

func TestInterrupt(t *testing.T) {
	address := startRedis(t)
	for _, d := range drivers {
		ctx, cancel := context.WithCancel(context.Background())
		c := small(address)
		c.Requests, c.Duration, c.Blocking = 0, time.Hour, d.blocking
		c.Progress = func(p Progress) {
			if p.Done > 0 {
				cancel()
			}
		}
		r, err := Run(ctx, c)
		if err != nil || !r.Interrupted || r.Requests == 0 || r.Lost != 0 {
			t.Errorf("%s: result %+v, error %v", d.name, r, err)
		}
		cancel()
	}
}
