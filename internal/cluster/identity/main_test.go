package identity

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// childDirectory makes the test binary a process that opens a data directory,
// says so, and keeps it until its input ends.
const childDirectory = "LARDER_TEST_DATA_DIRECTORY"

func TestMain(m *testing.M) {
	if path := os.Getenv(childDirectory); path != "" {
		d, err := Open(path)
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println("opened")
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		d.Close()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// wantError fails unless the error's text has all the parts.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q has no %q", err, part)
		}
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func openDir(t *testing.T) *Dir {
	t.Helper()
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// at returns a clock that stands still.
func at(now time.Time) func() time.Time { return func() time.Time { return now } }
