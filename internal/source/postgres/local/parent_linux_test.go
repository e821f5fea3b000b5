package local_test

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/larder-cache/larder/internal/source/postgres/local"
)

// TestServerEndsWithItsParent starts a server in a child process, which then is
// killed: it has no chance to call Stop.
func TestServerEndsWithItsParent(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const dirVariable = "LARDER_LOCAL_TEST_DIR"
	if dir := os.Getenv(dirVariable); dir != "" {
		s, err := local.Start(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stdout.WriteString("DSN " + s.DSN() + "\n"); err != nil {
			t.Fatal(err)
		}
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	dir, err := os.MkdirTemp("", "larder-parent-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	child := exec.CommandContext(ctx, os.Args[0], "-test.run", "^"+t.Name()+"$")
	child.Env = append(os.Environ(), dirVariable+"="+dir)
	out, err := child.Output()
	if child.ProcessState == nil || child.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended with %v: %s", err, out)
	}
	dsn := string(out[len("DSN "):])
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			break
		}
		conn.Close(ctx)
	}
	if ctx.Err() != nil {
		t.Error("the server still answers")
	}
}
