package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/larder-cache/larder/internal/source"
)

// mayRecover tells whether a second try may succeed at once. After a dead
// connection all others of the pool are presumed dead too (the server was
// restarted) and are replaced.
func (d *Database) mayRecover(err error) bool {
	if isDeadConnection(err) {
		d.pool.Reset()
		return true
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return false
	}
	// SELECT * was prepared before a column was added; the driver has dropped
	// the plan by now.
	outdatedPlan := e.Code == "0A000" && strings.Contains(e.Message, "cached plan")
	return outdatedPlan || class(e) == "40" // serialization, deadlock, recovery conflict
}

// isDeadConnection tells that an established connection ended. A connection
// that could not be made is something else.
func isDeadConnection(err error) bool {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return false
	}
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code == "57P01" || e.Code == "57P02" // admin_shutdown, crash_shutdown
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}

// classify tells what an error means for the source.
func (d *Database) classify(err error) error {
	if errors.Is(err, source.ErrShape) {
		return fmt.Errorf("source %q: %w", d.name, err)
	}
	e := &source.Error{Fault: source.FaultUnavailable, Source: d.name, Err: err}
	var refusal *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &refusal):
		classifyCode(e, refusal)
	case errors.As(err, &connect):
		e.Problem = "cannot connect"
		e.Hint = "check dsn, and that the server runs and lets this host in"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	case d.closed.Load():
		e.Problem = "closed"
	case isDeadConnection(err):
		e.Problem = "the connection was lost"
	default:
		e.Fault, e.Problem = source.FaultQuery, "the query cannot be sent"
		e.Hint = "give the key's parts types that fit their columns"
	}
	return e
}

// classifyCode reads an SQLSTATE; appendix A of PostgreSQL's manual lists them.
func classifyCode(e *source.Error, p *pgconn.PgError) {
	outage := []string{"08", "53", "57", "58", "XX"} // connection, resources, operator, system, internal
	e.Fault = source.FaultQuery
	switch {
	case p.Code == "57014": // query_canceled: by us or by statement_timeout
		e.Fault, e.Problem = source.FaultTimeout, "the query was cancelled"
		e.Hint = "make the query faster (an index on its parameters?) or raise timeout"
	case p.Code == "25006": // read_only_sql_transaction
		e.Problem, e.Hint = "the query writes", "a source is only read; write a SELECT"
	case p.Code == "22P02" || p.Code == "22003": // no number, or one too large
		e.Problem = "a part of the key does not fit its column's type"
		e.Hint = "give the part its type in the pattern: {id:int}, {id:uuid}"
	case p.Code == "08P01" && strings.Contains(p.Message, "startup parameter"):
		e.Fault, e.Problem = source.FaultUnavailable, "the pooler before the server refuses a setting"
		e.Hint = "add default_transaction_read_only= with an empty value to dsn"
	case class(p) == "28", p.Code == "3D000":
		e.Fault, e.Problem = source.FaultUnavailable, "the server refuses the connection"
		e.Hint = "check user, password and database in dsn"
	case p.Code == "53300": // too_many_connections
		e.Fault, e.Problem = source.FaultUnavailable, "the server has no connection left"
		e.Hint = "lower max_connections here or raise the server's"
	case slices.Contains(outage, class(p)):
		e.Fault, e.Problem = source.FaultUnavailable, "the server cannot work"
	default:
		e.Problem, e.Hint = "the query is refused", "try the query in psql"
	}
}

// class returns the class of an SQLSTATE, its first two characters.
func class(p *pgconn.PgError) string { return p.Code[:min(2, len(p.Code))] }
