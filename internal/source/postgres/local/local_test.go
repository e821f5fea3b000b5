//go:build unix

package local_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/larder-cache/larder/internal/source/postgres/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStartStopAndStartAgain(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// Not t.TempDir, which another user may not enter.
	dir, err := os.MkdirTemp("", "larder-local-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	run := func(prepare, question string) string {
		t.Helper()
		s, err := local.Start(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := errors.Join(s.Stop(), s.Stop()); err != nil {
				t.Error(err)
			}
			if _, err := pgx.Connect(ctx, s.DSN()); err == nil {
				t.Error("it still answers after Stop")
			}
		}()
		conn, err := pgx.Connect(ctx, s.DSN())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, prepare); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := conn.QueryRow(ctx, question).Scan(&got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	const question = "SELECT n::text FROM kept"
	run("CREATE TABLE kept AS SELECT 42 AS n", question)
	if got := run("", question); got != "42" {
		t.Errorf("after a restart n = %s, want 42", got)
	}
}

func TestTemporaryDirectoryGoes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := local.Start(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.Log(), "ready") {
		t.Errorf("the log is %q", s.Log())
	}
	config, err := pgx.ParseConfig(s.DSN())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(config.Host); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", config.Host, err)
	}
}

func TestStartFails(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := local.Start(cancelled, ""); err == nil {
		t.Error("started although it was cancelled")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := local.Start(t.Context(), file); err == nil {
		t.Error("started in a file")
	}
}
