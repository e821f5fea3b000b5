package postgres

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/larder-cache/larder/internal/source"
)

// TestFaults guards what the circuit breaker relies on: only what the server as
// a whole cannot do counts as its failure.
func TestFaults(t *testing.T) {
	d := &Database{name: "db"}
	code := func(code, message string) error {
		return fmt.Errorf("query: %w", &pgconn.PgError{Code: code, Message: message})
	}
	for _, tt := range []struct {
		name string
		err  error
		want source.Fault
	}{
		{"too many connections", code("53300", ""), source.FaultUnavailable},
		{"out of memory", code("53200", ""), source.FaultUnavailable},
		{"starting up", code("57P03", ""), source.FaultUnavailable},
		{"wrong password", code("28P01", ""), source.FaultUnavailable},
		{"disk", code("58030", ""), source.FaultUnavailable},
		{"pooler", code("08P01", "unsupported startup parameter: default_transaction_read_only"), source.FaultUnavailable},
		{"no code", code("", ""), source.FaultQuery},
		{"no permission", code("42501", ""), source.FaultQuery},
		{"deadlock", code("40P01", ""), source.FaultQuery},
		{"cut off", io.ErrUnexpectedEOF, source.FaultUnavailable},
		{"reset", &net.OpError{Op: "read", Err: errors.New("reset")}, source.FaultUnavailable},
		{"cannot encode", errors.New("failed to encode args[0]"), source.FaultQuery},
	} {
		err := d.classify(tt.err)
		if got := source.FaultOf(err); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %v is %v, want %v", tt.name, err, got, tt.want)
		}
	}
}

// TestReadOnlySetting guards that a DSN can switch the setting off for poolers.
func TestReadOnlySetting(t *testing.T) {
	for dsn, want := range map[string]string{
		"host=x": "on",
		"host=x default_transaction_read_only=off":     "off",
		"host=x default_transaction_read_only=''":      "absent",
		"postgres://x/?default_transaction_read_only=": "absent",
	} {
		config, err := pgconn.ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		setSession(config.RuntimeParams)
		got, set := config.RuntimeParams["default_transaction_read_only"]
		if !set {
			got = "absent"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", dsn, got, want)
		}
	}
}
