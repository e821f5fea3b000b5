//go:build unix

package postgres_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/larder-cache/larder/internal/source"
	"github.com/larder-cache/larder/internal/source/postgres"
	"github.com/larder-cache/larder/internal/source/postgres/local"
)

const fixture = `
DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE users (id int PRIMARY KEY, big bigint, name text, score float8, price numeric(10,2), photo bytea,
	active boolean, born date, seen timestamptz, local timestamp, settings jsonb, raw json, uid uuid, tags text[],
	grid int[], feels mood, nothing text, span interval);
INSERT INTO users VALUES (7, 9007199254740993, 'Ann "A" <x>', 1.5, 12.50, '\x00ff', true, '1990-02-03',
	'2026-01-02 04:04:05.5+01', '2026-01-02 03:04:05', '{"a": [1, null]}', '{"b" : 1,  "a":2}',
	'01234567-89ab-cdef-0123-456789abcdef', ARRAY['a,b', 'c"d\', NULL, 'NULL', ''], '[0:1][1:2]={{1,2},{3,NULL}}', 'happy', NULL, '1 day 02:00');
INSERT INTO users (id, name, score, price, born, seen, tags) VALUES (8, 'Bob', 'NaN', 'NaN', 'infinity', '-infinity', '{}');
CREATE TABLE blobs (k bytea PRIMARY KEY, v text);
INSERT INTO blobs VALUES ('\xff0001', 'binary');
`

func execute(t testing.TB, s *local.Server, statements string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, c source.Config) *postgres.Database {
	t.Helper()
	c.Kind = source.KindPostgres
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	d, err := postgres.Open("db", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(d.Close(), d.Close()); err != nil {
			t.Error(err)
		}
	})
	return d
}

func prepare(t testing.TB, d *postgres.Database, pattern, query string, form source.Result) (source.Lookup, *source.Pattern) {
	t.Helper()
	p, err := source.ParsePattern(pattern)
	if err != nil {
		t.Fatal(err)
	}
	lookup, err := d.Prepare(source.Question{Query: query, Pattern: p, Result: form})
	if err != nil {
		t.Fatal(err)
	}
	return lookup, p
}

// load asks d once.
func load(t testing.TB, d *postgres.Database, pattern, query string, form source.Result, key string) (string, error) {
	t.Helper()
	lookup, p := prepare(t, d, pattern, query, form)
	params, ok := p.Params([]byte(key))
	if !ok {
		t.Fatalf("key %q does not match %s", key, pattern)
	}
	v, err := lookup.Load(t.Context(), params)
	return string(v.Data), err
}

func TestLoad(t *testing.T) {
	execute(t, server, fixture)
	for _, mode := range []string{"cache_statement", "exec", "simple_protocol"} {
		d := open(t, source.Config{DSN: server.DSN() + " default_query_exec_mode=" + mode + " timezone=Asia/Tokyo"})
		if err := d.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name, pattern, query string
			form                 source.Result
			key, want            string
			err                  error
		}{
			{"text part for an int column", "user:{id}", "SELECT name FROM users WHERE id = :id", source.ResultColumn, "user:7", `Ann "A" <x>`, nil},
			{"int part", "user:{id:int}", "SELECT name FROM users WHERE id = :id", source.ResultColumn, "user:8", "Bob", nil},
			{"int part for a bigint column", "user:{id:int}", "SELECT name FROM users WHERE big = :id", source.ResultColumn, "user:9007199254740993", `Ann "A" <x>`, nil},
			{"int part for a numeric column", "user:{id:int}", "SELECT name FROM users WHERE price = :id + 0.5", source.ResultColumn, "user:12", `Ann "A" <x>`, nil},
			{"int part for a text column", "user:{id:int}", "SELECT name FROM users WHERE id::text = :id", source.ResultColumn, "user:8", "Bob", nil},
			{"uuid part", "user:{u:uuid}", "SELECT id FROM users WHERE uid = :u", source.ResultColumn, "user:01234567-89ab-cdef-0123-456789abcdef", "7", nil},
			{"enum", "m:{m}", "SELECT id FROM users WHERE feels = :m", source.ResultColumn, "m:happy", "7", nil},
			{"cast", "user:{id}", "SELECT name::text FROM users WHERE id = :id::int", source.ResultColumn, "user:8", "Bob", nil},
			{"bytea column", "user:{id}", "SELECT photo FROM users WHERE id = :id", source.ResultColumn, "user:7", "\x00\xff", nil},
			{"jsonb column", "user:{id}", "SELECT settings FROM users WHERE id = :id", source.ResultColumn, "user:7", `{"a": [1, null]}`, nil},
			{"time column", "user:{id}", "SELECT seen FROM users WHERE id = :id", source.ResultColumn, "user:7", "2026-01-02T03:04:05.5Z", nil},
			{"json", "user:{id}", "SELECT * FROM users WHERE id = :id", source.ResultJSON, "user:7",
				`{"id":7,"big":9007199254740993,"name":"Ann \"A\" <x>","score":1.5,"price":12.50,"photo":"AP8=","active":true,"born":"1990-02-03",` +
					`"seen":"2026-01-02T03:04:05.5Z","local":"2026-01-02T03:04:05Z","settings":{"a":[1,null]},"raw":{"b":1,"a":2},` +
					`"uid":"01234567-89ab-cdef-0123-456789abcdef","tags":["a,b","c\"d\\",null,"NULL",""],"grid":[[1,2],[3,null]],"feels":"happy","nothing":null,"span":"1 day 02:00:00"}`, nil},
			{"json of odd values", "user:{id}", "SELECT id, score, price, born, seen, tags FROM users WHERE id = :id", source.ResultJSON, "user:8",
				`{"id":8,"score":"NaN","price":"NaN","born":"infinity","seen":"-infinity","tags":[]}`, nil},
			{"no row", "user:{id}", "SELECT name FROM users WHERE id = :id", source.ResultColumn, "user:1", "", source.ErrNotFound},
			{"null column", "user:{id}", "SELECT nothing FROM users WHERE id = :id", source.ResultColumn, "user:7", "", source.ErrNotFound},
			{"bytes part", "blob:{k:bytes}", "SELECT v FROM blobs WHERE k = :k", source.ResultColumn, "blob:\xff\x00\x01", "binary", nil},
			{"injection is a value", "user:{n}", "SELECT id FROM users WHERE name = :n", source.ResultColumn, `user:' OR ''='\`, "", source.ErrNotFound},
			{"quoting", "q:{a}", `SELECT :a || $$:x$$ || E'\':y' || ':z' AS ":n" /* /* :b */ */ -- :c`, source.ResultJSON, "q:1", `{":n":"1:x':y:z"}`, nil},
			{"parts out of order and twice", "p:{a}:{b}", "SELECT :b::text || :a || :b AS x", source.ResultJSON, "p:1:2", `{"x":"212"}`, nil},
		} {
			t.Run(mode+"/"+tt.name, func(t *testing.T) {
				got, err := load(t, d, tt.pattern, tt.query, tt.form, tt.key)
				if got != tt.want || !errors.Is(err, tt.err) {
					t.Errorf("got  %s, %v\nwant %s, %v", got, err, tt.want, tt.err)
				}
			})
		}
	}
}

func TestWrongAnswers(t *testing.T) {
	execute(t, server, fixture)
	d := open(t, source.Config{DSN: server.DSN()})
	for _, tt := range []struct {
		name, query, key string
		form             source.Result
		fault            source.Fault
		text             string
	}{
		{"two columns", "SELECT id, name FROM users WHERE id = :id", "user:7", source.ResultColumn, source.FaultShape, "the query returned 2; columns: id, name"},
		{"two columns, no row", "SELECT id, name FROM users WHERE id = :id", "user:1", source.ResultColumn, source.FaultShape, "the query returned 2"},
		{"two rows", "SELECT name FROM users WHERE id >= :id", "user:7", source.ResultColumn, source.FaultShape, "more than one row"},
		{"same name twice", "SELECT id, name AS id FROM users WHERE id = :id", "user:7", source.ResultJSON, source.FaultShape, `two columns are called "id"`},
		{"no name", "SELECT id, 1 FROM users WHERE id = :id", "user:7", source.ResultJSON, source.FaultShape, "column 2 has no name"},
		{"no such table", "SELECT a FROM missing WHERE id = :id", "user:7", source.ResultColumn, source.FaultQuery, `relation "missing" does not exist`},
		{"syntax", "SELEC :id", "user:7", source.ResultColumn, source.FaultQuery, "syntax error"},
		{"no number", "SELECT name FROM users WHERE id = :id", "user:x", source.ResultColumn, source.FaultQuery, "{id:int}"},
		{"too large", "SELECT name FROM users WHERE id = :id", "user:99999999999", source.ResultColumn, source.FaultQuery, "does not fit its column's type"},
		{"writes", "DELETE FROM users WHERE id = :id RETURNING name", "user:7", source.ResultColumn, source.FaultQuery, "the query writes"},
		{"fails after its first row", "SELECT 1 / (7 - x) AS n FROM generate_series(6, 7) x WHERE :id <> ''", "user:7", source.ResultColumn, source.FaultQuery, "division by zero"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, d, "user:{id}", tt.query, tt.form, tt.key)
			if err == nil || source.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error = %v, want %v: …%s…", err, tt.fault, tt.text)
			}
		})
	}
}

func TestServersOwnTimeoutIsATimeout(t *testing.T) {
	d := open(t, source.Config{DSN: server.DSN() + " statement_timeout=20"})
	_, err := load(t, d, "user:{id}", "SELECT :id::text FROM pg_sleep(3600)", source.ResultColumn, "user:7")
	if !errors.Is(err, source.ErrTimeout) || !strings.Contains(err.Error(), "statement timeout") {
		t.Errorf("error = %v, want ErrTimeout", err)
	}
}

func TestThousandCallersOneQuery(t *testing.T) {
	execute(t, server, `DROP SEQUENCE IF EXISTS asked; CREATE SEQUENCE asked;`)
	// nextval writes, which the session must allow here: it counts the queries.
	c := source.Config{DSN: server.DSN() + " default_transaction_read_only=off", Timeout: 30 * time.Second}
	d := open(t, c)
	lookup, p := prepare(t, d, "user:{id}", "SELECT nextval('asked')::text || ':' || :id AS x FROM pg_sleep(0.2)", source.ResultColumn)
	l := source.NewLoader(p, lookup, source.NewGate("db", c))
	defer l.Close()
	var callers sync.WaitGroup
	begin := make(chan struct{})
	for range 1000 {
		callers.Go(func() {
			<-begin
			if v, err := l.Load(t.Context(), []byte("user:7"), nil); err != nil || string(v.Data) != "1:7" {
				t.Errorf("%q, %v", v.Data, err)
			}
		})
	}
	close(begin)
	callers.Wait()
	if s := l.Stats(); s.Loads != 1 || s.Collapsed != 999 {
		t.Errorf("stats %+v", s)
	}
}

func TestHangingQueryTimesOutAndIsCancelled(t *testing.T) {
	c := source.Config{DSN: server.DSN() + " application_name=hanging", Timeout: 100 * time.Millisecond}
	d := open(t, c)
	lookup, p := prepare(t, d, "user:{id}", "SELECT :id::text FROM pg_sleep(CASE WHEN :id = 'slow' THEN 3600 ELSE 0 END)", source.ResultColumn)
	l := source.NewLoader(p, lookup, source.NewGate("db", c))
	defer l.Close()
	slow := make(chan error, 1)
	go func() {
		_, err := l.Load(t.Context(), []byte("user:slow"), nil)
		slow <- err
	}()
	if v, err := l.Load(t.Context(), []byte("user:quick"), nil); err != nil || string(v.Data) != "quick" {
		t.Errorf("another key: %q, %v", v.Data, err)
	}
	if err := <-slow; !errors.Is(err, source.ErrTimeout) || !strings.Contains(err.Error(), "no answer within 100ms") {
		t.Errorf("error = %v, want ErrTimeout", err)
	}
	// The server must not go on with what nobody waits for.
	conn, err := pgx.Connect(t.Context(), server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for running := 1; running > 0; {
		err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hanging' AND state = 'active'").Scan(&running)
		if err != nil {
			t.Fatalf("the query still runs on the server: %v", err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	// A port that was free a moment ago refuses.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	for name, tt := range map[string]struct{ dsn, text string }{
		"refused":        {"postgres://u:secret@127.0.0.1:" + port + "/db", "cannot connect"},
		"no such socket": {"host=/nowhere user=u", "cannot connect"},
		"no such user":   {strings.Replace(server.DSN(), "user=postgres", "user=nobody_here", 1), "refuses the connection"},
		"no such db":     {strings.Replace(server.DSN(), "database=postgres", "database=none", 1), "refuses the connection"},
	} {
		d := open(t, source.Config{DSN: tt.dsn})
		_, err := load(t, d, "user:{id}", "SELECT :id", source.ResultColumn, "user:1")
		if !errors.Is(err, source.ErrUnavailable) || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want …%s…", name, err, tt.text)
		}
		if err := d.Ping(t.Context()); !errors.Is(err, source.ErrUnavailable) {
			t.Errorf("%s: Ping = %v", name, err)
		}
	}
	if _, err := postgres.Open("db", source.Config{DSN: "postgres://u:secret@:x/"}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("broken dsn: %v", err)
	}
}

// TestSilentServer: a server that accepts connections and says nothing.
func TestSilentServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c := source.Config{DSN: "postgres://u@" + listener.Addr().String() + "/db?sslmode=disable", Timeout: 50 * time.Millisecond}
	d := open(t, c)
	lookup, p := prepare(t, d, "user:{id}", "SELECT :id", source.ResultColumn)
	l := source.NewLoader(p, lookup, source.NewGate("db", c))
	defer l.Close()
	_, err = l.Load(t.Context(), []byte("user:1"), nil)
	if f := source.FaultOf(err); f != source.FaultTimeout && f != source.FaultUnavailable {
		t.Errorf("error = %v", err)
	}
}

func TestRestartAndSchemaChange(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "larder-restart-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := local.Start(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Stop() }()
	execute(t, s, fixture)
	d := open(t, source.Config{DSN: s.DSN(), Concurrency: 4})
	lookup, p := prepare(t, d, "user:{id}", "SELECT * FROM (SELECT * FROM blobs) b WHERE v = :id AND octet_length(k) = length(pg_sleep(0.01)::text) + 3", source.ResultJSON)
	params, _ := p.Params([]byte("user:binary"))
	// everyConnection loads on all connections of the pool at once.
	everyConnection := func(step, want string) {
		t.Helper()
		var callers sync.WaitGroup
		for range 4 {
			callers.Go(func() {
				if v, err := lookup.Load(ctx, params); err != nil || string(v.Data) != want {
					t.Errorf("%s: %s, %v; want %s", step, v.Data, err, want)
				}
			})
		}
		callers.Wait()
	}
	everyConnection("first", `{"k":"/wAB","v":"binary"}`)
	execute(t, s, "ALTER TABLE blobs ADD COLUMN more int DEFAULT 5")
	everyConnection("after a column was added", `{"k":"/wAB","v":"binary","more":5}`)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := lookup.Load(ctx, params); !errors.Is(err, source.ErrUnavailable) {
		t.Errorf("while stopped: %v", err)
	}
	if s, err = local.Start(ctx, dir); err != nil {
		t.Fatal(err)
	}
	everyConnection("after the restart", `{"k":"/wAB","v":"binary","more":5}`)
	execute(t, s, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'larder'")
	everyConnection("after the connections were ended", `{"k":"/wAB","v":"binary","more":5}`)
}

func TestClosed(t *testing.T) {
	d := open(t, source.Config{DSN: server.DSN()})
	d.Close()
	if _, err := load(t, d, "user:{id}", "SELECT :id", source.ResultColumn, "user:1"); !errors.Is(err, source.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
}

func BenchmarkLoad(b *testing.B) {
	execute(b, server, fixture)
	d := open(b, source.Config{DSN: server.DSN()})
	lookup, p := prepare(b, d, "user:{id:int}", "SELECT id, name, score FROM users WHERE id = :id", source.ResultJSON)
	params, _ := p.Params([]byte("user:7"))
	for b.Loop() {
		if _, err := lookup.Load(b.Context(), params); err != nil {
			b.Fatal(err)
		}
	}
}
