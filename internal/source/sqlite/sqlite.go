// Package sqlite loads missed keys from a SQLite database file, through a driver
// in pure Go.
//
// A lookup goes: statement (prepared once per connection) -> bind the key's
// parts -> at most one row -> cells by storage class and declared type ->
// package row makes the value. The database is opened for reading only, and
// never created: a typing error in the path is an error, not an empty database.
package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/larder-cache/larder/internal/source"
	"github.com/larder-cache/larder/internal/source/query"
	"github.com/larder-cache/larder/internal/source/row"
)

// Database is a SQLite file as a [source.Source]. It is safe for concurrent use.
type Database struct {
	name string // of the source in the configuration
	db   *sql.DB

	mu struct {
		sync.Mutex
		lookups []*Lookup // to close their statements
	}
}

// Open returns the source called name. It does no I/O: a file that is missing
// shows on the first load or [Database.Ping], and is found once it is there.
// The error is about the DSN. c must be valid.
func Open(name string, c source.Config) (*Database, error) {
	c = c.WithDefaults()
	dsn, err := readOnlyDSN(c.DSN, c.Timeout)
	if err != nil {
		return nil, fmt.Errorf("source %q: dsn: %w", name, err)
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("source %q: dsn: %w", name, err)
	}
	db.SetMaxOpenConns(c.MaxConnections)
	db.SetMaxIdleConns(c.MaxConnections)
	return &Database{name: name, db: db}, nil
}

// readOnlyDSN makes a file: URI of a path or completes one. What the URI sets
// itself is kept.
func readOnlyDSN(dsn string, timeout time.Duration) (string, error) {
	path, settings, isURI := dsn, "", strings.HasPrefix(dsn, "file:")
	if isURI {
		path, settings, _ = strings.Cut(dsn, "?")
	} else {
		path = "file:" + (&url.URL{Path: dsn}).EscapedPath()
	}
	values, err := url.ParseQuery(settings)
	if err != nil {
		return "", fmt.Errorf("read the settings after «?»: %w; write name=value pairs joined by &", err)
	}
	for name, value := range map[string]string{
		"mode":          "rw", // not rwc; ro could not read a database in WAL mode that nobody has open
		"_query_only":   "1",
		"_busy_timeout": fmt.Sprint(timeout.Milliseconds()),
	} {
		if !values.Has(name) {
			values.Set(name, value)
		}
	}
	return path + "?" + values.Encode(), nil
}

// Ping opens the database and reads its header.
func (d *Database) Ping(ctx context.Context) error {
	var version int64
	if err := d.db.QueryRowContext(ctx, "PRAGMA schema_version").Scan(&version); err != nil {
		return d.classify(err)
	}
	return nil
}

// Close closes statements and connections; running lookups end first.
func (d *Database) Close() error {
	d.mu.Lock()
	lookups := d.mu.lookups
	d.mu.lookups = nil
	d.mu.Unlock()
	for _, l := range lookups {
		l.close()
	}
	return d.db.Close()
}

// Prepare checks a question and returns its lookup; it does no I/O.
func (d *Database) Prepare(q source.Question) (source.Lookup, error) {
	bound, err := q.Parse(query.SQLite)
	if err != nil {
		return nil, err
	}
	l := &Lookup{database: d, query: bound, result: q.Result}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.lookups = append(d.mu.lookups, l)
	return l, nil
}

// Lookup is a prepared question. It is safe for concurrent use.
type Lookup struct {
	database *Database
	query    *query.Bound
	result   source.Result

	mu struct {
		sync.Mutex
		stmt   *sql.Stmt // nil until the first load that reaches the database
		closed bool
	}
}

// Load implements [source.Lookup].
func (l *Lookup) Load(ctx context.Context, p source.Params) (source.Value, error) {
	v, err := l.load(ctx, p)
	if err != nil && !errors.Is(err, source.ErrNotFound) {
		err = l.database.classify(err)
	}
	return v, err
}

func (l *Lookup) load(ctx context.Context, p source.Params) (source.Value, error) {
	stmt, err := l.prepared(ctx)
	if err != nil {
		return source.Value{}, err
	}
	rows, err := stmt.QueryContext(ctx, l.args(p)...)
	if err != nil {
		return source.Value{}, err
	}
	defer rows.Close()
	return l.read(rows)
}

// prepared returns the statement, which database/sql prepares again on every
// connection that it uses. While the database is down it is tried anew.
func (l *Lookup) prepared(ctx context.Context) (*sql.Stmt, error) {
	l.mu.Lock()
	stmt := l.mu.stmt
	l.mu.Unlock()
	if stmt != nil {
		return stmt, nil
	}
	// Not under the lock, since it may block; of two at once one is dropped.
	stmt, err := l.database.db.PrepareContext(ctx, l.query.SQL)
	if err != nil {
		return nil, err
	}
	kept, spare := l.keep(stmt)
	if spare != nil {
		spare.Close()
	}
	if kept == nil {
		return nil, sql.ErrConnDone
	}
	return kept, nil
}

// keep stores a new statement unless there is one or the lookup is closed. It
// returns the one to use, nil when closed, and the one to close.
func (l *Lookup) keep(stmt *sql.Stmt) (kept, spare *sql.Stmt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.mu.closed:
		return nil, stmt
	case l.mu.stmt != nil:
		return l.mu.stmt, stmt
	}
	l.mu.stmt = stmt
	return stmt, nil
}

func (l *Lookup) close() {
	l.mu.Lock()
	stmt := l.mu.stmt
	l.mu.closed = true
	l.mu.Unlock()
	if stmt != nil {
		stmt.Close()
	}
}

// args binds text as TEXT, so that the column's affinity decides about the
// comparison, int as INTEGER and bytes as BLOB.
func (l *Lookup) args(p source.Params) []any {
	args := make([]any, len(l.query.Args))
	for i, part := range l.query.Args {
		switch p.Type(part) {
		case source.PartInt:
			args[i] = p.Int(part)
		case source.PartBytes:
			args[i] = []byte(p.Text(part))
		default:
			args[i] = p.Text(part)
		}
	}
	return args
}

// read makes a value of the only row.
func (l *Lookup) read(rows *sql.Rows) (source.Value, error) {
	columns, err := rows.Columns()
	if err != nil {
		return source.Value{}, err
	}
	if err := row.CheckColumns(l.result, columns); err != nil {
		return source.Value{}, err
	}
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return source.Value{}, err
		}
		return source.Value{}, source.ErrNotFound
	}
	cells, err := scan(rows, len(columns))
	if err != nil {
		return source.Value{}, err
	}
	if rows.Next() {
		return source.Value{}, row.TooMany(columns)
	}
	if err := rows.Err(); err != nil {
		return source.Value{}, err
	}
	return row.Encode(l.result, columns, cells)
}

func scan(rows *sql.Rows, count int) ([]row.Cell, error) {
	cells := make([]row.Cell, count)
	targets := make([]any, count)
	for i := range cells {
		targets[i] = &cells[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return nil, err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	for i := range cells {
		cells[i] = declared(cells[i], types[i].DatabaseTypeName())
	}
	return cells, nil
}

// declared reads a cell as the type that its column declares where SQLite has
// no storage class of its own: booleans, dates, JSON.
func declared(cell row.Cell, columnType string) row.Cell {
	switch c := cell.(type) {
	case int64:
		if (columnType == "BOOLEAN" || columnType == "BOOL") && (c == 0 || c == 1) {
			return c == 1
		}
	case string:
		if columnType == "JSON" {
			return json.RawMessage(c)
		}
	case time.Time: // the driver reads DATE, DATETIME and TIMESTAMP so
		if columnType == "DATE" && c.Equal(c.Truncate(24*time.Hour)) {
			return c.Format(time.DateOnly)
		}
	}
	return cell
}

// classify tells what the driver's error means for the source.
func (d *Database) classify(err error) error {
	if errors.Is(err, source.ErrShape) {
		return fmt.Errorf("source %q: %w", d.name, err)
	}
	e := &source.Error{Fault: source.FaultUnavailable, Source: d.name, Err: err}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err
	}
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		e.Problem = "the database cannot be used"
		return e
	}
	switch failure.Code() & 0xff { // the primary code of an extended one
	case sqlite3.SQLITE_CANTOPEN:
		e.Problem = "the database file cannot be opened"
		e.Hint = "check that dsn names an existing file that this process may read"
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		e.Problem = "the file is no intact SQLite database"
		e.Hint = "check dsn; PRAGMA integrity_check tells more"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		e.Problem = "another process holds the database's lock"
		e.Hint = "let writers commit sooner, or use PRAGMA journal_mode=WAL"
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		e.Problem = "the database cannot be read"
	case sqlite3.SQLITE_INTERRUPT:
		e.Fault = source.FaultTimeout
	case sqlite3.SQLITE_READONLY:
		e.Fault, e.Problem, e.Hint = source.FaultQuery, "the query writes", "a source is only read; write a SELECT"
	default:
		e.Fault, e.Problem, e.Hint = source.FaultQuery, "the query is refused", "try the query in the sqlite3 shell"
	}
	return e
}
