// Package postgres loads missed keys from PostgreSQL through a pool of
// connections.
//
// A lookup goes: pool -> statement (prepared once per connection, by the
// driver) -> bind the key's parts as text, so that the server reads them as the
// type it expects -> at most one row -> cells by the columns' types (see
// cells.go) -> package row makes the value.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/larder-cache/larder/internal/source"
	"github.com/larder-cache/larder/internal/source/query"
	"github.com/larder-cache/larder/internal/source/row"
)

// Database is a PostgreSQL database as a [source.Source]. It is safe for
// concurrent use.
type Database struct {
	name   string // of the source in the configuration
	pool   *pgxpool.Pool
	closed atomic.Bool
}

// Open returns the source called name. It does not wait for the server, which
// may be down: connections are made when loads need them. The error is about
// the DSN. c must be valid.
func Open(name string, c source.Config) (*Database, error) {
	c = c.WithDefaults()
	config, err := pgxpool.ParseConfig(c.DSN)
	if err != nil {
		return nil, fmt.Errorf("source %q: dsn: %w; write postgres://user:password@host:5432/database or key=value pairs", name, err)
	}
	config.MaxConns = int32(c.MaxConnections)
	// A connection that hangs must not outlast the load that wanted it.
	if t := config.ConnConfig.ConnectTimeout; t == 0 || t > c.Timeout {
		config.ConnConfig.ConnectTimeout = c.Timeout
	}
	setSession(config.ConnConfig.RuntimeParams)
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("source %q: %w", name, err)
	}
	return &Database{name: name, pool: pool}, nil
}

// setSession adds to the settings that every connection starts with; what the
// DSN sets stays. An empty default_transaction_read_only in the DSN is left out,
// for poolers that let no such setting pass. (A SET on the session would pass
// them all, and stay in force for whom the pooler lends the session next.)
func setSession(params map[string]string) {
	for name, value := range map[string]string{
		"application_name":              "larder",
		"standard_conforming_strings":   "on", // as package query reads literals
		"default_transaction_read_only": "on",
	} {
		if _, set := params[name]; !set {
			params[name] = value
		}
	}
	if params["default_transaction_read_only"] == "" {
		delete(params, "default_transaction_read_only")
	}
}

// Ping asks the server for an empty answer.
func (d *Database) Ping(ctx context.Context) error {
	if err := d.pool.Ping(ctx); err != nil {
		return d.classify(err)
	}
	return nil
}

// Close waits for running lookups and closes the connections. Calling it again
// does nothing.
func (d *Database) Close() error {
	if !d.closed.Swap(true) {
		d.pool.Close()
	}
	return nil
}

// Prepare checks a question and returns its lookup; it does no I/O.
func (d *Database) Prepare(q source.Question) (source.Lookup, error) {
	bound, err := q.Parse(query.PostgreSQL)
	if err != nil {
		return nil, err
	}
	return &Lookup{database: d, query: bound, result: q.Result}, nil
}

// Lookup is a prepared question. It is immutable and safe for concurrent use.
type Lookup struct {
	database *Database
	query    *query.Bound
	result   source.Result
}

// Load implements [source.Lookup]. Since a lookup only reads, what failed for a
// reason that may be gone at once is tried a second time.
func (l *Lookup) Load(ctx context.Context, p source.Params) (source.Value, error) {
	v, err := l.load(ctx, p)
	if err != nil && ctx.Err() == nil && l.database.mayRecover(err) {
		v, err = l.load(ctx, p)
	}
	if err != nil && !errors.Is(err, source.ErrNotFound) {
		err = l.database.classify(err)
	}
	return v, err
}

func (l *Lookup) load(ctx context.Context, p source.Params) (source.Value, error) {
	rows, err := l.database.pool.Query(ctx, l.query.SQL, l.args(p)...)
	if err != nil {
		return source.Value{}, err
	}
	defer rows.Close()
	v, err := l.read(rows)
	// What the server says at the end outranks what was made of its rows:
	// before the end, a failure looks like a missing row.
	rows.Close()
	if failed := rows.Err(); failed != nil {
		return source.Value{}, failed
	}
	return v, err
}

// args are the result formats, then the parts by placeholder. Integers go as
// text too: the parameter may be an int4, a numeric or a text column's.
func (l *Lookup) args(p source.Params) []any {
	args := make([]any, 1, 1+len(l.query.Args))
	args[0] = binaryResults
	for _, part := range l.query.Args {
		if p.Type(part) == source.PartBytes {
			args = append(args, []byte(p.Text(part)))
		} else {
			args = append(args, p.Text(part))
		}
	}
	return args
}

// read makes a value of the only row.
func (l *Lookup) read(rows pgx.Rows) (source.Value, error) {
	// The fields come first: without a row Next gives the connection back to the
	// pool, and with it the memory they are in.
	fields := rows.FieldDescriptions()
	columns := make([]string, len(fields))
	for i := range fields {
		columns[i] = fields[i].Name
	}
	found := rows.Next()
	if !found && rows.Err() != nil {
		return source.Value{}, rows.Err()
	}
	if err := row.CheckColumns(l.result, columns); err != nil {
		return source.Value{}, err
	}
	if !found {
		return source.Value{}, source.ErrNotFound
	}
	types := rows.Conn().TypeMap()
	cells := make([]row.Cell, len(fields))
	for i, raw := range rows.RawValues() {
		var err error
		if cells[i], err = decode(types, fields[i].DataTypeOID, fields[i].Format, raw); err != nil {
			return source.Value{}, &source.ShapeError{
				Problem: fmt.Sprintf("column %q cannot be read: %v", columns[i], err),
				Hint:    "cast it in the query: " + columns[i] + "::text", Columns: columns,
			}
		}
	}
	if rows.Next() {
		return source.Value{}, row.TooMany(columns)
	}
	return row.Encode(l.result, columns, cells)
}
