package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/source"
	"github.com/larder-cache/larder/internal/source/sqlite"
)

// newFile makes a database with the given statements and returns its path.
func newFile(t testing.TB, statements string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data ?#%20.db") // a path with everything that URIs give a meaning
	execute(t, path, statements)
	return path
}

func execute(t testing.TB, path, statements string) {
	t.Helper()
	dsn := "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, c source.Config) *sqlite.Database {
	t.Helper()
	c.Kind = source.KindSQLite
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	d, err := sqlite.Open("db", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// load asks d once.
func load(t testing.TB, d *sqlite.Database, pattern, query string, form source.Result, key string) (string, error) {
	t.Helper()
	p, err := source.ParsePattern(pattern)
	if err != nil {
		t.Fatal(err)
	}
	lookup, err := d.Prepare(source.Question{Query: query, Pattern: p, Result: form})
	if err != nil {
		t.Fatal(err)
	}
	params, ok := p.Params([]byte(key))
	if !ok {
		t.Fatalf("key %q does not match %s", key, pattern)
	}
	v, err := lookup.Load(t.Context(), params)
	return string(v.Data), err
}

const users = `
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, score REAL, photo BLOB, active BOOLEAN,
	born DATE, seen TIMESTAMP, settings JSON, blank TEXT);
INSERT INTO users VALUES
	(7, 'Ann "A" <x>', 1.5, x'00ff', 1, '1990-02-03', '2026-01-02 03:04:05.5', '{"a": [1, null]}', NULL),
	(8, 'Bob', 2.0, NULL, 0, NULL, NULL, 'no json', ''),
	(9223372036854775807, 'Max', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE blobs (k BLOB PRIMARY KEY, v TEXT);
INSERT INTO blobs VALUES (x'ff0001', 'binary'), ('text', 'as text');
`

func TestLoad(t *testing.T) {
	d := open(t, source.Config{DSN: newFile(t, users)})
	if err := d.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, pattern, query string
		form                 source.Result
		key, want            string
		err                  error
	}{
		{"column", "user:{id}", "SELECT name FROM users WHERE id = :id", source.ResultColumn, "user:7", `Ann "A" <x>`, nil},
		{"int part", "user:{id:int}", "SELECT name FROM users WHERE id = :id", source.ResultColumn, "user:9223372036854775807", "Max", nil},
		{"int part for a text column", "user:{id:int}", "SELECT k.n FROM (SELECT CAST(id AS TEXT) AS i, name AS n FROM users) k WHERE k.i = CAST(:id AS TEXT)", source.ResultColumn, "user:8", "Bob", nil},
		{"blob column", "user:{id}", "SELECT photo FROM users WHERE id = :id", source.ResultColumn, "user:7", "\x00\xff", nil},
		{"json", "user:{id}", "SELECT * FROM users WHERE id = :id", source.ResultJSON, "user:7",
			`{"id":7,"name":"Ann \"A\" <x>","score":1.5,"photo":"AP8=","active":true,"born":"1990-02-03","seen":"2026-01-02T03:04:05.5Z","settings":{"a":[1,null]},"blank":null}`, nil},
		{"json of odd values", "user:{id}", "SELECT id, score, active, settings, blank FROM users WHERE id = :id", source.ResultJSON, "user:8",
			`{"id":8,"score":2,"active":false,"settings":"no json","blank":""}`, nil},
		{"json of a large integer", "user:{id}", "SELECT id FROM users WHERE id = :id", source.ResultJSON, "user:9223372036854775807", `{"id":9223372036854775807}`, nil},
		{"no row", "user:{id}", "SELECT name FROM users WHERE id = :id", source.ResultColumn, "user:1", "", source.ErrNotFound},
		{"null column", "user:{id}", "SELECT blank FROM users WHERE id = :id", source.ResultColumn, "user:7", "", source.ErrNotFound},
		{"empty column", "user:{id}", "SELECT blank FROM users WHERE id = :id", source.ResultColumn, "user:8", "", nil},
		{"bytes part", "blob:{k:bytes}", "SELECT v FROM blobs WHERE k = :k", source.ResultColumn, "blob:\xff\x00\x01", "binary", nil},
		{"injection is a value", "blob:{k}", "SELECT v FROM blobs WHERE k = :k", source.ResultColumn, "blob:' OR ''='", "", source.ErrNotFound},
		{"parts out of order and twice", "p:{a}:{b}", "SELECT :b || :a || :b AS x", source.ResultJSON, "p:1:2", `{"x":"212"}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := load(t, d, tt.pattern, tt.query, tt.form, tt.key)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got  %s, %v\nwant %s, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestWrongAnswers(t *testing.T) {
	d := open(t, source.Config{DSN: newFile(t, users)})
	for _, tt := range []struct {
		name, query string
		form        source.Result
		fault       source.Fault
		text        string
	}{
		{"two columns", "SELECT id, name FROM users WHERE id = :id", source.ResultColumn, source.FaultShape, "the query returned 2; columns: id, name"},
		{"two columns, no row", "SELECT id, name FROM users WHERE id = -:id", source.ResultColumn, source.FaultShape, "the query returned 2"},
		{"two rows", "SELECT name FROM users WHERE id >= :id", source.ResultColumn, source.FaultShape, "more than one row"},
		{"same name twice", "SELECT id, name AS id FROM users WHERE id = :id", source.ResultJSON, source.FaultShape, `two columns are called "id"`},
		{"no such table", "SELECT a FROM missing WHERE id = :id", source.ResultColumn, source.FaultQuery, "no such table: missing"},
		{"no such column", "SELECT a FROM users WHERE id = :id", source.ResultColumn, source.FaultQuery, "no such column: a"},
		{"syntax", "SELEC :id", source.ResultColumn, source.FaultQuery, "syntax error"},
		{"writes", "DELETE FROM users WHERE id = :id RETURNING name", source.ResultColumn, source.FaultQuery, "the query writes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, d, "user:{id}", tt.query, tt.form, "user:7")
			if err == nil || source.FaultOf(err) != tt.fault || !strings.Contains(err.Error(), tt.text) || !strings.Contains(err.Error(), `source "db"`) {
				t.Errorf("error = %v, want %v: …%s…", err, tt.fault, tt.text)
			}
		})
	}
	if _, err := d.Prepare(source.Question{Query: "SELECT :x", Pattern: mustPattern(t, "user:{id}"), Result: source.ResultColumn}); err == nil {
		t.Error("an unknown parameter was prepared")
	}
}

func mustPattern(t testing.TB, text string) *source.Pattern {
	t.Helper()
	p, err := source.ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestUnusableFiles(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ path, text string }{
		"missing":   {filepath.Join(dir, "missing.db"), "cannot be opened"},
		"directory": {dir, "cannot be opened"},
		"text":      {text, "no intact SQLite database"},
	} {
		d := open(t, source.Config{DSN: tt.path})
		if err := d.Ping(t.Context()); !errors.Is(err, source.ErrUnavailable) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: Ping = %v, want …%s…", name, err, tt.text)
		}
		if _, err := load(t, d, "{id}", "SELECT :id", source.ResultColumn, "x"); !errors.Is(err, source.ErrUnavailable) {
			t.Errorf("%s: Load = %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "missing.db")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the missing database was created")
	}
}

func TestFileThatAppearsLaterIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "later.db")
	d := open(t, source.Config{DSN: path})
	p := mustPattern(t, "user:{id}")
	lookup, err := d.Prepare(source.Question{Query: "SELECT name FROM users WHERE id = :id", Pattern: p, Result: source.ResultColumn})
	if err != nil {
		t.Fatal(err)
	}
	params, _ := p.Params([]byte("user:8"))
	if _, err := lookup.Load(t.Context(), params); !errors.Is(err, source.ErrUnavailable) {
		t.Errorf("before: %v", err)
	}
	execute(t, path, users)
	if v, err := lookup.Load(t.Context(), params); err != nil || string(v.Data) != "Bob" {
		t.Errorf("after: %q, %v", v.Data, err)
	}
	execute(t, path, "ALTER TABLE users ADD COLUMN more TEXT; UPDATE users SET name = 'Rob' WHERE id = 8")
	if v, err := lookup.Load(t.Context(), params); err != nil || string(v.Data) != "Rob" {
		t.Errorf("after a change of the schema: %q, %v", v.Data, err)
	}
}

func TestHangingQueryTimesOut(t *testing.T) {
	c := source.Config{DSN: newFile(t, users), Timeout: 50 * time.Millisecond}
	d := open(t, c)
	p := mustPattern(t, "user:{id}")
	lookup, err := d.Prepare(source.Question{
		Query:   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n WHERE i = :id",
		Pattern: p, Result: source.ResultColumn,
	})
	if err != nil {
		t.Fatal(err)
	}
	l := source.NewLoader(p, lookup, source.NewGate("db", c))
	defer l.Close()
	if _, err := l.Load(t.Context(), []byte("user:0"), nil); !errors.Is(err, source.ErrTimeout) {
		t.Errorf("error = %v, want ErrTimeout", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := d.Ping(ctx); err != nil {
		t.Errorf("after the time-out: %v", err)
	}
}

func TestLockedDatabase(t *testing.T) {
	path := newFile(t, users)
	d := open(t, source.Config{DSN: path, Timeout: 20 * time.Millisecond})
	writer, err := sql.Open("sqlite", "file:"+strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path))
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	conn, err := writer.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	if _, err := load(t, d, "user:{id}", "SELECT name FROM users WHERE id = :id", source.ResultColumn, "user:8"); !errors.Is(err, source.ErrUnavailable) || !strings.Contains(err.Error(), "lock") {
		t.Errorf("while locked: %v", err)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if got, err := load(t, d, "user:{id}", "SELECT name FROM users WHERE id = :id", source.ResultColumn, "user:8"); got != "Bob" {
		t.Errorf("after: %q, %v", got, err)
	}
}

func TestManyKeysAtOnce(t *testing.T) {
	c := source.Config{DSN: newFile(t, users), Concurrency: 4}
	d := open(t, c)
	p := mustPattern(t, "n:{id:int}")
	lookup, err := d.Prepare(source.Question{Query: "SELECT :id * 2 AS x", Pattern: p, Result: source.ResultColumn})
	if err != nil {
		t.Fatal(err)
	}
	l := source.NewLoader(p, lookup, source.NewGate("db", c))
	defer l.Close()
	var callers sync.WaitGroup
	for i := range 400 {
		callers.Go(func() {
			v, err := l.Load(t.Context(), fmt.Appendf(nil, "n:%d", i), nil)
			if err != nil || string(v.Data) != fmt.Sprint(2*i) {
				t.Errorf("key %d: %q, %v", i, v.Data, err)
			}
		})
	}
	callers.Wait()
}

func TestDSN(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plain.db")
	execute(t, path, users)
	for _, dsn := range []string{path, "file:" + path, "file:" + path + "?mode=ro&_pragma=cache_size(-2000)"} {
		d := open(t, source.Config{DSN: dsn})
		if err := d.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", dsn, err)
		}
	}
	if _, err := sqlite.Open("db", source.Config{DSN: "file:x.db?a=%zz"}); err == nil || !strings.Contains(err.Error(), "name=value") {
		t.Errorf("broken settings: %v", err)
	}
}

func TestClosed(t *testing.T) {
	d := open(t, source.Config{DSN: newFile(t, users)})
	p := mustPattern(t, "user:{id}")
	lookup, err := d.Prepare(source.Question{Query: "SELECT name FROM users WHERE id = :id", Pattern: p, Result: source.ResultColumn})
	if err != nil {
		t.Fatal(err)
	}
	params, _ := p.Params([]byte("user:8"))
	if _, err := lookup.Load(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := lookup.Load(t.Context(), params); !errors.Is(err, source.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
}

func BenchmarkLoad(b *testing.B) {
	d := open(b, source.Config{DSN: newFile(b, users)})
	p := mustPattern(b, "user:{id:int}")
	lookup, err := d.Prepare(source.Question{Query: "SELECT * FROM users WHERE id = :id", Pattern: p, Result: source.ResultJSON})
	if err != nil {
		b.Fatal(err)
	}
	params, _ := p.Params([]byte("user:7"))
	for b.Loop() {
		if _, err := lookup.Load(b.Context(), params); err != nil {
			b.Fatal(err)
		}
	}
}
