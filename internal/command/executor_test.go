package command

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/eviction"
)

func TestExecuteParks(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	tests := []struct {
		request string
		keys    int
		want    Outcome
	}{
		{"GET a", 0, Continue}, {"KEYS *", 0, Continue}, {"SCAN 0", 0, Continue}, {"RANDOMKEY", 0, Continue},
		{"DEBUG SLEEP 0", 0, Park}, {"WAIT 0 0", 0, Park}, {"SCAN 0 COUNT 100000", 0, Park},
		{"KEYS *", 2000, Park}, {"FLUSHALL", 2000, Park}, {"SCAN 0 COUNT 100", 2000, Continue}, {"RANDOMKEY", 2000, Continue},
	}
	for _, tt := range tests {
		if tt.keys > 0 {
			c.do(fmt.Sprint("DEBUG POPULATE ", tt.keys))
		}
		args := make([][]byte, 0)
		for _, word := range words(t, tt.request) {
			args = append(args, []byte(word))
		}
		w.x.Begin(c.s)
		got := w.x.Execute(c.s, args)
		w.x.End(c.s)
		if got != tt.want || got == Park && c.s.Out.Size() != 0 {
			t.Errorf("%s with %d keys: %v, %d bytes of output", tt.request, tt.keys, got, c.s.Out.Size())
		}
		c.s.Out.Reset()
	}
}

func TestOutOfMemory(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	if err := w.store.SetPolicy(eviction.NoEviction); err != nil {
		t.Fatal(err)
	}
	c.do("SET a 1")
	c.do("CONFIG SET maxmemory 1")
	c.expect(
		step{"SET b 1", "-OOM command not allowed when used memory > 'maxmemory'."},
		step{"GET a", "$1 1"},
		step{"DEL a", ":1"},
	)
	info := c.do("INFO everything")
	if got := field(info, "errorstat_OOM"); got != "count=1" {
		t.Errorf("errorstat_OOM:%s", got)
	}
	if got := field(info, "cmdstat_set"); !strings.Contains(got, "calls=1,") || !strings.Contains(got, "rejected_calls=1,failed_calls=0") {
		t.Errorf("cmdstat_set:%s", got)
	}
}

func TestStage(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	value := bytes.Repeat([]byte("large "), 20_000)
	before := func(request string) (args [][]byte) {
		for _, word := range words(t, request) {
			args = append(args, []byte(word))
		}
		return args
	}
	for _, request := range []string{"SET k", "SETEX k 10", "PSETEX k 10000", "GETSET k", "SETNX new"} {
		args := before(request)
		staged := w.x.Stage(c.s, args, len(value))
		if staged == nil {
			t.Fatalf("%s: no memory", request)
		}
		copy(staged.Bytes(), value)
		words := []string{}
		for _, a := range args {
			words = append(words, string(a))
		}
		w.x.Begin(c.s)
		if got := w.x.Execute(c.s, append(args, staged.Bytes())); got != Continue {
			t.Fatalf("%s: %v", request, got)
		}
		w.x.End(c.s)
		c.s.Out.Reset()
		if got, _ := c.request("GET", words[1]); len(got) != len(value)+len("$120000\r\n\r\n") {
			t.Errorf("%s: read %d bytes", request, len(got))
		}
	}
	for _, request := range []string{"GET", "SET", "SET k v", "APPEND k", "NOSUCH k", "MSET k"} {
		if w.x.Stage(c.s, before(request), len(value)) != nil {
			t.Errorf("%s: memory for nothing", request)
		}
	}
	// Not stored: given back.
	staged := w.x.Stage(c.s, before("SET k"), len(value))
	w.x.Begin(c.s)
	w.x.Execute(c.s, append(before("SET k"), staged.Bytes(), []byte("NX")))
	w.x.End(c.s)
	if c.s.stage != nil {
		t.Error("a staged value is left over")
	}
	w.x.Stage(c.s, before("SET k"), len(value))
	w.x.EndSession(c.s)
	if err := w.store.Check(); err != nil {
		t.Error(err)
	}
}

func TestAdmit(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Options.MaxClients = 2 })
	c := w.connect("2")
	if got := w.x.Admit(); got != "" {
		t.Errorf("refused: %q", got)
	}
	w.connect("2")
	if got := w.x.Admit(); got != "-ERR max number of clients reached\r\n" {
		t.Errorf("admitted: %q", got)
	}
	if got := field(c.do("INFO stats"), "rejected_connections"); got != "1" {
		t.Errorf("%s rejected", got)
	}
	c.do("CONFIG SET maxclients 3")
	if got := w.x.Admit(); got != "" {
		t.Errorf("refused: %q", got)
	}
}

func TestDebugIsProtected(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Options.Debug = "no" })
	w.connect("2").expect(step{"DEBUG HELP", strings.ReplaceAll("-"+errDebugDisabled, "\r\n", " ")})
}

// Only a copy can be damaged on purpose, and only where a setting says so.
func TestDebugCorruptTakesCopiesOnly(t *testing.T) {
	noCopy := "-ERR this node has no copy of the key. CLUSTER SHARDS names the nodes that have one"
	w := newWorld(t)
	w.connect("2").expect(step{"DEBUG CORRUPT a", "-ERR DEBUG CORRUPT needs auth.debug: yes in the configuration of the node, and a restart"})
	w = newWorld(t, func(c *Config) { c.Options.Debug = "yes" })
	c := w.connect("2")
	c.expect(step{"SET a 0", "+OK"}, step{"DEBUG CORRUPT a", noCopy})
	w.x.Reroute(routesTo(all))
	c.expect(step{"DEBUG CORRUPT a", noCopy}, step{"GET a", "$1 0"})
	others := routesTo(func(int) bool { return false })
	for p := range others.View.Rows {
		others.View.Rows[p].InSync = []int16{0}
	}
	w.x.Reroute(others)
	c.expect(step{"DEBUG CORRUPT a", "+OK"}, step{"DEBUG CORRUPT nosuch", "-" + errNoKey})
	w.x.Reroute(nil)
	c.expect(step{"GET a", "$1 1"})
}

func TestInfo(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Server = ServerInfo{Version: "1.2.3", Port: 6379, Bind: []string{"127.0.0.1"}}
		c.Hooks.Network = func() Network { return Network{InputBytes: 1000, OutputBytes: 2000} }
		c.Hooks.Sections = func() []Section { return []Section{{"sources", "Sources", []Parameter{{"loads", "5"}}}} }
	})
	c := w.connect("2")
	c.do("SET a 1 EX 100")
	c.do("SELECT 3")
	c.do("SET b 1")
	c.do("GET b")
	c.do("GET nosuch")
	info := c.do("INFO")
	for name, want := range map[string]string{
		"redis_version": RedisVersion, "redis_mode": "standalone", "tcp_port": "6379", "connected_clients": "1", "maxmemory": "0",
		"total_net_input_bytes": "1000", "keyspace_hits": "1", "keyspace_misses": "1", "role": "master", "cluster_enabled": "0",
		"db3": "keys=1,expires=0,avg_ttl=0", "loading": "0", "maxmemory_policy": "adaptive",
	} {
		if got := field(info, name); got != want {
			t.Errorf("%s:%s, want %s", name, got, want)
		}
	}
	if got := field(info, "db0"); !strings.HasPrefix(got, "keys=1,expires=1,avg_ttl=") {
		t.Errorf("db0:%s", got)
	}
	for _, s := range []string{"# Server", "# Clients", "# Memory", "# Persistence", "# Stats", "# Replication", "# CPU", "# Modules", "# Errorstats", "# Cluster", "# Keyspace"} {
		if !strings.Contains(info, s) {
			t.Errorf("no %s", s)
		}
	}
	if strings.Contains(info, "# Commandstats") || strings.Contains(info, "# Larder") {
		t.Error("sections that were not asked for")
	}
	some := c.do("INFO Memory keyspace larder sources")
	if strings.Contains(some, "# Server") || !strings.Contains(some, "# Memory") || !strings.Contains(some, "# Keyspace") ||
		field(some, "larder_version") != "1.2.3" || field(some, "loads") != "5" {
		t.Errorf("some sections: %q", some)
	}
	w.x.tick(time.Now().Add(-time.Second))
	c.do("GET a")
	w.x.tick(time.Now())
	if got := field(c.do("INFO stats"), "instantaneous_ops_per_sec"); got == "" {
		t.Error("no rate")
	}
	for _, request := range []string{"MEMORY STATS", "MEMORY DOCTOR", "MEMORY MALLOC-STATS", "LOLWUT", "LOLWUT VERSION 5 2 2", "LASTSAVE", "TIME", "COMMAND", "COMMAND DOCS", "COMMAND LIST", "COMMAND COUNT",
		"CLIENT HELP", "CONFIG HELP", "LATENCY HELP", "SLOWLOG HELP", "MEMORY HELP", "PUBSUB HELP", "ACL HELP", "COMMAND HELP", "MODULE HELP", "DEBUG HELP", "ACL GENPASS", "ACL CAT string"} {
		for _, version := range []string{"2", "3"} {
			c.do("HELLO " + version)
			raw, _ := c.request(words(t, request)...)
			if _, rest := decode(t, raw); rest != "" || strings.HasPrefix(raw, "-") {
				t.Errorf("%s in RESP%s: %.80q", request, version, raw)
			}
		}
	}
	if got := c.do("MEMORY USAGE b"); !strings.HasPrefix(got, ":") || got == ":0" {
		t.Errorf("usage %q", got)
	}
}

func TestRefusals(t *testing.T) {
	c := newWorld(t).connect("2")
	c.expect(
		step{"SAVE", "-" + errNoPersistence},
		step{"BGSAVE", "-" + errNoPersistence},
		step{"REPLICAOF 127.0.0.1 6379", "-" + errNoReplication},
		step{"CLUSTER SLOTS", "-" + errNoCluster},
		step{"CONFIG SET appendonly yes", "-ERR CONFIG SET failed (possibly related to argument 'appendonly') - no persistence is configured"},
		step{"CONFIG SET port 7000", "-ERR CONFIG SET failed (possibly related to argument 'port') - it is set in the configuration file and needs a restart"},
		step{"CONFIG SET port 0", "+OK"},
		step{"CONFIG SET maxmemory-policy x", "-ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - argument(s) must be one of the following: " + strings.Join(policyWords(), ", ")},
		step{"CONFIG SET timeout 7 port 7000", "-ERR CONFIG SET failed (possibly related to argument 'port') - it is set in the configuration file and needs a restart"},
		step{"CONFIG GET timeout", "*2 $7 timeout $1 0"},
		step{"SHUTDOWN", "-ERR this server can not be stopped by a client"},
		step{"DEBUG SEGFAULT", "-ERR DEBUG SEGFAULT is not available on this server"},
	)
}

func TestHooks(t *testing.T) {
	var changed []string
	var rewritten map[string]string
	stopped := false
	w := newWorld(t, func(c *Config) {
		c.Server.ConfigFile = "larder.yaml"
		c.Hooks = Hooks{
			Shutdown: func() { stopped = true },
			Changed:  func(name, value string) { changed = append(changed, name+"="+value) },
			Rewrite:  func(all map[string]string) error { rewritten = all; return nil },
		}
	})
	c := w.connect("2")
	c.expect(step{"CONFIG SET maxmemory 1gb timeout 5", "+OK"}, step{"CONFIG REWRITE", "+OK"})
	if strings.Join(changed, " ") != "maxmemory=1073741824 timeout=5" || len(rewritten) != 2 {
		t.Errorf("changed %q, rewritten %q", changed, rewritten)
	}
	if got := w.x.Limits().IdleTimeout; got != 5*time.Second {
		t.Errorf("idle time-out %v", got)
	}
	if reply, outcome := c.request("SHUTDOWN", "NOSAVE"); reply != "" || outcome != Close || !stopped {
		t.Errorf("shutdown: %q, %v, %v", reply, outcome, stopped)
	}
}

// Everything that is shared, from several clients at once.
func TestConcurrentClients(t *testing.T) {
	w := newWorld(t)
	var clients sync.WaitGroup
	for range 4 {
		c := w.connect("3")
		clients.Go(func() {
			for i := range 100 {
				for _, request := range []string{"SET a 1", "GET a", "CLIENT LIST", "INFO everything", "CONFIG SET timeout 5", "SUBSCRIBE x", "PUBLISH x y",
					"UNSUBSCRIBE", "CLIENT SETNAME me", "SLOWLOG GET", "MONITOR", "RESET", "HELLO 3", "LATENCY HISTOGRAM", "CLIENT NO-EVICT on", "INCR a x"} {
					c.do(request)
				}
				c.take()
				if i%10 == 0 {
					w.x.Snapshot()
				}
			}
			w.x.EndSession(c.s)
		})
	}
	clients.Wait()
	if got := w.x.Snapshot(); got.ConnectedClients != 0 || got.Channels != 0 || got.MonitorClients != 0 {
		t.Errorf("left over: %+v", got)
	}
}

func TestExecuteDoesNotAllocate(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	c.do("SET a 1")
	get := [][]byte{[]byte("GET"), []byte("a")}
	set := [][]byte{[]byte("SET"), []byte("a"), []byte("1")}
	if got := testing.AllocsPerRun(1000, func() {
		w.x.Begin(c.s)
		w.x.Execute(c.s, get)
		w.x.Execute(c.s, set)
		w.x.End(c.s)
		c.s.Out.Reset()
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkExecute(b *testing.B) {
	w := newWorld(b)
	c := w.connect("2")
	c.do("SET a 0123456789012345678901234567890123456789012345678901234567890123")
	for _, bm := range []struct {
		request string
		batch   int
	}{{"GET a", 1}, {"GET a", 64}, {"SET a 0123456789012345678901234567890123456789012345678901234567890123", 1}, {"SET a 0123456789012345678901234567890123456789012345678901234567890123", 64}, {"PING", 64}} {
		var args [][]byte
		for _, word := range strings.Fields(bm.request) {
			args = append(args, []byte(word))
		}
		b.Run(fmt.Sprintf("%s/%d", args[0], bm.batch), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i += bm.batch {
				w.x.Begin(c.s)
				for range bm.batch {
					w.x.Execute(c.s, args)
				}
				w.x.End(c.s)
				c.s.Out.Reset()
			}
		})
	}
}

// A web page that makes a browser post commands gets nowhere.
func TestForgedRequests(t *testing.T) {
	c := newWorld(t).connect("2")
	for _, name := range []string{"POST", "Host:"} {
		if reply, outcome := c.request(name, "x"); reply != "" || outcome != Close {
			t.Errorf("%s: %q, %v", name, reply, outcome)
		}
	}
}
