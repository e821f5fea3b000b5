package config

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/source"
)

// shop are settings of a cluster with a little of everything.
func shop(t testing.TB) Shared {
	t.Helper()
	s, err := Shared{}.With([]Change{
		{Path: "memory.maxmemory", Value: "50%"},
		{Path: "memory.policy", Value: "lru"},
		{Path: "auth.password", Value: "geheim"},
		{Path: "limits.output.pubsub.hard", Value: "64mb"},
		{Path: "monitoring.latency_percentiles", Value: "[50, 99.9]"},
		{Path: "sources.shop.kind", Value: "postgres"},
		{Path: "sources.shop.dsn", Value: "postgres://u:geheim@db/shop"},
		{Path: "namespaces.users.source", Value: "shop"},
		{Path: "namespaces.users.pattern", Value: "user:{id:int}"},
		{Path: "namespaces.users.query", Value: "SELECT name\nFROM users\nWHERE id = :id\n"},
		{Path: "namespaces.users.ttl", Value: "300s"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSharedDocument(t *testing.T) {
	s := shop(t)
	const want = `memory:
  maxmemory: 50%
  policy: allkeys-lru
auth:
  password: xxxxx
limits:
  output:
    pubsub:
      hard: 64mb
monitoring:
  latency_percentiles: [50, 99.9]
sources:
  shop:
    kind: postgres
    dsn: "postgres://u:xxxxx@db/shop"
namespaces:
  users:
    source: shop
    pattern: "user:{id:int}"
    query: "SELECT name\nFROM users\nWHERE id = :id\n"
    ttl: 5m
`
	if got := string(s.Redacted()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !strings.Contains(string(s.Document()), "password: geheim") || !strings.Contains(string(s.Document()), "u:geheim@") {
		t.Errorf("the stored document lacks its secrets:\n%s", s.Document())
	}
	again, err := DecodeShared(s.Document())
	if err != nil || !again.Equal(s) {
		t.Errorf("read back: %v\n%s", err, again.Document())
	}
	edited, err := ParseShared("settings", s.Redacted(), s)
	if err != nil || !edited.Equal(s) {
		t.Errorf("an edit that changes nothing: %v\n%s", err, edited.Document())
	}
}

func TestSharedProblems(t *testing.T) {
	s := shop(t)
	tests := []struct {
		name    string
		changes []Change
		want    string
	}{
		{"unknown", []Change{{Path: "limits.clinets", Value: "1"}}, "limits.clinets: there is no such setting; did you mean clients?"},
		{"unknown section", []Change{{Path: "limts.clients", Value: "1"}}, "limts.clients: there is no such setting; did you mean limits?"},
		{"of Redis", []Change{{Path: "maxclients", Value: "1"}}, "maxclients: there is no such setting; here it is called clients, in the section limits"},
		{"section", []Change{{Path: "slowlog", Value: "1"}}, "slowlog: this is a section, not a setting; the settings of it are slowlog.slower_than, slowlog.length"},
		{"of the node", []Change{{Path: "server.listen", Value: ":1"}}, "server.listen: is a setting of each node, not of the cluster; " + hintOfNode},
		{"removal of the node's", []Change{{Path: "log.level", Remove: true}}, "log.level: is a setting of each node, not of the cluster; " + hintOfNode},
		{"removal of nothing known", []Change{{Path: "lgo", Remove: true}}, "lgo: there is no such setting; did you mean log?"},
		{"value", []Change{{Path: "limits.clients", Value: "many"}}, `limits.clients: "many" is not a whole number; write a number from 1 to 2147483647`},
		{"list", []Change{{Path: "monitoring.latency_percentiles", Value: "[50, 101]"}}, `monitoring.latency_percentiles: "101" is not a percentile; write numbers from 0 to 100, such as [50, 99, 99.9]`},
		{"whole", []Change{{Path: "sources.shop", Remove: true}}, `namespaces.users.source: there is no source "shop"; write one of the sources: none is configured; add it under sources`},
		{"entry", []Change{{Path: "sources.b a d.kind", Value: "sqlite"}}, `sources.b a d.kind: "b a d" is not a name; write letters, digits, - and _`},
		{"field of an entry", []Change{{Path: "sources.shop.dns", Value: "x"}}, "sources.shop.dns: there is no such setting; did you mean dsn?"},
		{"entry as a setting", []Change{{Path: "sources.shop", Value: "x"}}, "sources.shop: this is a section, not a setting; the settings of it are sources.shop.kind, sources.shop.dsn, sources.shop.max_connections, sources.shop.concurrency, sources.shop.queue, sources.shop.timeout, sources.shop.breaker"},
		{"hidden password", []Change{{Path: "sources.shop.dsn", Value: "postgres://u:xxxxx@other/shop"}}, "sources.shop.dsn: xxxxx stands for a password that is not shown; with another change in the same text the password must be written out"},
		{"not UTF-8", []Change{{Path: "auth.password", Value: "\xff"}}, "auth.password: cannot be stored as it is; write text in UTF-8, at most 16 KB of it"},
		{"too long", []Change{{Path: "namespaces.users.query", Value: strings.Repeat("x", maxLine)}}, "namespaces.users.query: cannot be stored as it is; write text in UTF-8, at most 16 KB of it"},
		{"more in sync than there are", []Change{{Path: "cluster.replicas", Value: "1"}, {Path: "replication.min_in_sync", Value: "3"}},
			"replication.min_in_sync: 3 nodes never have a key when cluster.replicas is 1: every write would be refused; write 2 or less, or cluster.replicas: 2"},
		{"short time-out", []Change{{Path: "replication.timeout", Value: "0"}}, "replication.timeout: 0 is too short: copies would be given up that are well; write 100ms or more, for example 300ms"},
		{"unknown ack", []Change{{Path: "namespaces.logs.prefix", Value: "log:"}, {Path: "namespaces.logs.ack", Value: "all"}}, `namespaces.logs.ack: "all" is unknown; write one of replicas, none`},
		{"several", []Change{{Path: "memory.policy", Value: "alkeys-lru"}, {Path: "limits.max_value_bytes", Value: "512mb"}, {Path: "limits.query_buffer", Value: "1mb"}},
			`memory.policy: "alkeys-lru" is unknown; did you mean allkeys-lru?` + "\n" +
				`limits.query_buffer: a value of max_value_bytes (512mb) does not fit into query_buffer (1mb); raise query_buffer, or lower max_value_bytes`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := s.With(test.changes)
			if text := lines(err); text != test.want {
				t.Errorf("got\n%s\nwant\n%s\n%s", text, test.want, got.Document())
			}
		})
	}
	_, err := Shared{}.With([]Change{{Path: "auth.password", Value: "xxxxx"}})
	if want := "auth.password: xxxxx stands for a secret that is not shown, and there is none; write the secret itself"; lines(err) != want {
		t.Errorf("got %q, want %q", lines(err), want)
	}
}

// lines returns problems, each in a line.
func lines(err error) string {
	var problems Problems
	if !errors.As(err, &problems) {
		return "no problem"
	}
	var list []string
	for _, p := range problems {
		list = append(list, p.Error())
	}
	return strings.Join(list, "\n")
}

func TestSharedEdited(t *testing.T) {
	s := shop(t)
	for text, want := range map[string]string{
		"limits:\n  clients: 5\nserver:\n  loops: 2\n":                                 "settings:4:3: server.loops: " + textOfNode + "; " + hintOfNode,
		"limits:\n  clinets: 5\n":                                                      "settings:2:3: limits.clinets: there is no such setting; did you mean clients?",
		"namespaces:\n  users:\n    source: db\n":                                      "x",
		"memory:\n  maxmemory: [1]\n":                                                  "settings:2:3: memory.maxmemory: is a list; write one value",
		"sources:\n  shop:\n    kind: postgres\n    dsn: postgres://u:xxxxx@other/x\n": "settings:4:5: sources.shop.dsn: xxxxx stands for a password that is not shown; with another change in the same text the password must be written out",
		"\xff: 1": "settings: is not text in UTF-8; save it in that encoding",
	} {
		_, err := ParseShared("settings", []byte(text), s)
		if got := lines(err); got != want && (want != "x" || !strings.Contains(got, `settings:3:5: namespaces.users.source: there is no source "db"`)) {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
	got, err := ParseShared("settings", []byte("monitoring:\n  latency_percentiles: 50\nauth: {password: xxxxx} # as it was\n"), s)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(got.Document()); text != "auth:\n  password: geheim\nmonitoring:\n  latency_percentiles: [50]\n" {
		t.Errorf("got\n%s", text)
	}
	changed, err := s.With(s.Changes(got))
	if err != nil || !changed.Equal(got) {
		t.Errorf("changes lead to %v\n%s", err, changed.Document())
	}
}

func TestSharedDiff(t *testing.T) {
	a := shop(t)
	b, err := a.With([]Change{{Path: "auth.password", Value: "neu"}, {Path: "memory.policy", Remove: true},
		{Path: "limits.clients", Value: "7"}, {Path: "memory.maxmemory", Value: "1gb"}, {Path: "sources.shop.dsn", Value: "postgres://u:neu@db2/shop"}})
	if err != nil {
		t.Fatal(err)
	}
	got := Diff(a, b)
	for _, want := range []string{"- memory.maxmemory: 50%\n+ memory.maxmemory: 1gb\n", "- memory.policy: allkeys-lru\n", "~ auth.password: xxxxx (the secret differs)\n",
		"+ limits.clients: 7\n", `+ sources.shop.dsn: "postgres://u:xxxxx@db2/shop"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "geheim") || strings.Contains(got, "neu") {
		t.Errorf("the difference tells a secret:\n%s", got)
	}
	if Diff(a, a) != "" {
		t.Error("no difference is one")
	}
}

// What a later version has set is kept by an earlier one, and not shown: it may
// be a secret.
func TestSharedOfALaterVersion(t *testing.T) {
	s, err := DecodeShared([]byte("limits:\n  clients: 5\nfuture:\n  key: [a, b]\n  deep: {secret: s}\n"))
	if err != nil {
		t.Fatal(err)
	}
	next, err := s.With([]Change{{Path: "limits.clients", Value: "6"}})
	if err != nil || next.texts["future.key"].list != true || next.texts["future.deep.secret"].items[0] != "s" {
		t.Errorf("%v\n%s", err, next.Document())
	}
	e, err := NewOwn(Default()).Over(next)
	if err != nil || !reflect.DeepEqual(e.Unknown, []string{"future.deep.secret", "future.key"}) || e.Config.Command.MaxClients != 6 {
		t.Errorf("%v %v", err, e.Unknown)
	}
	if text := string(next.Redacted()); strings.Contains(text, ": s") || strings.Contains(text, "[a, b]") {
		t.Errorf("shown:\n%s", text)
	}
	edited, err := ParseShared("settings", next.Redacted(), next)
	if err != nil || !edited.Equal(next) {
		t.Errorf("%v\n%s", err, edited.Document())
	}
	if _, err := next.With([]Change{{Path: "future", Remove: true}}); err != nil {
		t.Error(err)
	}
}

func TestOwnGoesBeforeTheCluster(t *testing.T) {
	dir := t.TempDir()
	file := dir + "/larder.yaml"
	text := "limits:\n  clients: 11\nsources:\n  shop:\n    dsn: postgres://u@near/shop\nserver:\n  loops: 3\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	own, err := ReadOwn(file, Override{"--maxmemory", "memory.maxmemory", []string{"64mb"}})
	if err != nil {
		t.Fatal(err)
	}
	if seed, err := own.Seed(); lines(err) != `sources.shop.kind: "" is not a kind of source; write one of sqlite, postgres` {
		t.Errorf("the seed is %s\n%s", lines(err), seed.Document())
	}
	s, err := shop(t).With([]Change{{Path: "limits.clients", Value: "12"}, {Path: "limits.idle_timeout", Value: "1m"}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := own.Over(s)
	if err != nil {
		t.Fatal(err)
	}
	c := e.Config
	if c.Command.MaxClients != 11 || c.Command.IdleTimeout != time.Minute || c.Memory.MaxBytes != 64<<20 || c.Server.Loops != 3 ||
		c.Sources["shop"].DSN != "postgres://u@near/shop" || c.Sources["shop"].Kind != source.KindPostgres || c.Namespaces["users"].TTL != 5*time.Minute {
		t.Errorf("got %+v", c)
	}
	want := map[string]string{"limits.clients": file + ":2", "memory.maxmemory": "--maxmemory", "sources.shop.dsn": file + ":5"}
	if got := e.Overridden(); !reflect.DeepEqual(got, want) {
		t.Errorf("overridden: %v", got)
	}
	values, err := e.Values("limits.clients", "limits.idle_timeout", "slowlog", "sources", "auth.password")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, v := range values {
		b.WriteString(strings.TrimSpace(strings.Join([]string{v.Path, v.Text, v.Layer.String(), v.Where}, " ")) + "\n")
	}
	if got, want := strings.ReplaceAll(b.String(), dir, ""), `limits.clients 11 node /larder.yaml:2
limits.idle_timeout 1m cluster
slowlog.slower_than 10ms default
slowlog.length 128 default
sources.shop.kind postgres cluster
sources.shop.dsn "postgres://u@near/shop" node /larder.yaml:5
auth.password xxxxx cluster
`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for path, want := range map[string]string{
		"limits.clinets":   "limits.clinets: there is no such setting; did you mean clients?",
		"sources.sohp.dsn": "sources.sohp.dsn: there is no source of this name; larder config get sources lists those there are",
	} {
		if _, err := e.Values(path); lines(err) != want {
			t.Errorf("got %q, want %q", lines(err), want)
		}
	}
	// A contradiction between the layers is told with the place of the node's own.
	s, err = s.With([]Change{{Path: "limits.max_value_bytes", Value: "2mb"}, {Path: "limits.query_buffer", Value: "2mb"}})
	if err != nil {
		t.Fatal(err)
	}
	tight := NewOwn(Default(), Override{"--query-buffer", "limits.query_buffer", []string{"1mb"}})
	if _, err := tight.Over(s); !strings.HasPrefix(lines(err), "--query-buffer: a value of max_value_bytes (2mb)") {
		t.Errorf("got %s", lines(err))
	}
}

// A node whose password is the cluster's may listen widely, but not serve before
// it has that.
func TestBeforeCluster(t *testing.T) {
	own, err := ReadOwn("", Override{"--cluster", "cluster.enabled", []string{"true"}}, Override{"--resp-cluster-addr", "cluster.listen", []string{"0.0.0.0:7379"}},
		Override{"--resp-addr", "server.listen", []string{"0.0.0.0:6379"}}, Override{"--query-buffer", "limits.query_buffer", []string{"1mb"}})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := own.BeforeCluster(); err != nil || c.Server.Listen[0] != "0.0.0.0:6379" {
		t.Errorf("%v %v", err, c.Server.Listen)
	}
	for _, address := range []string{"0.0.0.0:6379", "0.0.0.0:7379"} {
		if _, err := own.Over(Shared{}); !strings.Contains(lines(err), address+" is open to other machines, and no password is set") {
			t.Errorf("got %v", err)
		}
	}
	s, err := Shared{}.With([]Change{{Path: "auth.password", Value: "geheim"}, {Path: "limits.max_value_bytes", Value: "1mb"}})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := own.Over(s); err != nil || e.Config.Command.Password != "geheim" {
		t.Errorf("got %v", err)
	}
	bad := &Own{base: Default(), flags: []Override{{"--shards", "memory.shards", []string{"3"}}}}
	if _, err := bad.BeforeCluster(); lines(err) != "--shards: 3 is not a power of two; write 2 or 4" {
		t.Errorf("got %v", lines(err))
	}
}

func TestSeed(t *testing.T) {
	file := t.TempDir() + "/larder.yaml"
	text := "server: {loops: 2}\nmemory:\n  maxmemory: 60%\n  policy: lfu\nmonitoring: {latency_percentiles: [50, 99]}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	own, err := ReadOwn(file, Override{"LARDER_PASSWORD", "auth.password", []string{"geheim"}}, Override{"--policy", "memory.policy", []string{"sieve"}})
	if err != nil {
		t.Fatal(err)
	}
	base := Default()
	base.Command.MaxClients = 5
	for own, want := range map[*Own]string{
		own:          "memory:\n  maxmemory: 60%\n  policy: sieve\nauth:\n  password: geheim\nmonitoring:\n  latency_percentiles: [50, 99]\n",
		NewOwn(base): "limits:\n  clients: 5\n",
	} {
		seed, err := own.Seed()
		got := strings.NewReplacer("allkeys-", "").Replace(string(seed.Document()))
		if err != nil || got != want {
			t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
		}
	}
}

func TestRestart(t *testing.T) {
	a := Default()
	s := shop(t)
	b, err := NewOwn(a).Over(s)
	if err != nil {
		t.Fatal(err)
	}
	got := Restart(a, b.Config)
	want := []string{"sources.shop.kind", "sources.shop.dsn", "namespaces.users.source", "namespaces.users.pattern", "namespaces.users.query", "namespaces.users.ttl"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if all := Changed(a, b.Config); len(all) != len(want)+5 {
		t.Errorf("changed are %v", all)
	}
}

// FuzzShared checks that any document either is refused with words or reads
// back from every form it is written in.
func FuzzShared(f *testing.F) {
	f.Add([]byte(shop(f).Redacted()))
	f.Add([]byte("limits: {clients: 5}\nfuture: {a: [1, b]}\nauth: {password: xxxxx}"))
	f.Add([]byte("sources:\n  a: {kind: sqlite, dsn: 'file:\"x\"'}\n  null: {}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := DecodeShared(data); err == nil {
			_ = s.Redacted()
			_, _ = NewOwn(Default()).Over(s)
		}
		before := shop(t)
		s, err := ParseShared("settings", data, before)
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) || lines(err) == "" {
				t.Fatalf("not problems: %v", err)
			}
			return
		}
		again, err := DecodeShared(s.Document())
		if err != nil || !again.Equal(s) {
			t.Fatalf("read back %v\n%s\nof\n%s", err, again.Document(), s.Document())
		}
		edited, err := ParseShared("settings", s.Redacted(), s)
		if err != nil || !edited.Equal(s) {
			t.Fatalf("edited %v\n%s\nof\n%s", err, edited.Document(), s.Document())
		}
		changed, err := before.With(before.Changes(s))
		if err != nil || !changed.Equal(s) {
			t.Fatalf("changed %v\n%s\nof\n%s", err, changed.Document(), s.Document())
		}
		if _, err := NewOwn(Default()).Over(s); err != nil {
			t.Fatalf("valid alone, but not over the defaults: %v", err)
		}
	})
}
