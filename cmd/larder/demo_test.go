package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// demoOutput collects what is printed, and can wait for a text in it.
type demoOutput struct {
	mu   sync.Mutex
	text bytes.Buffer
	want string
	seen chan struct{} // closed when want has been printed
}

func (o *demoOutput) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	if o.want != "" && strings.Contains(o.text.String(), o.want) {
		o.want = ""
		close(o.seen)
	}
	return len(b), nil
}

func (o *demoOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// runDemo runs `larder demo args` until it ends.
func runDemo(ctx context.Context, out io.Writer, args ...string) error {
	cmd := newDemoCommand()
	cmd.SetOut(out)
	cmd.SetErr(io.Discard)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	return cmd.ExecuteContext(ctx)
}

var demoShows = []*regexp.Regexp{
	regexp.MustCompile(`database   149,251 characters|database   1\d\d,\d\d\d characters`),
	regexp.MustCompile(`redis-cli -p \d+ get char:`),
	regexp.MustCompile(`(?m)^ +\d+ s +[\d,]+ req/s  hit +[\d.]+ %  p50 [\d.]+ p99 [\d.]+ ms`),
	regexp.MustCompile(`100 clients, 1 query, \d+ shared it`),
	regexp.MustCompile(`[\d,]+ of [\d,]+ reads answered`),
	regexp.MustCompile(`What was shown, in \d s:`),
	regexp.MustCompile(`stampede +100 clients missed one key at once: 1 query`),
	regexp.MustCompile(`outage +database hung`),
}

func checkDemo(t *testing.T, database string) {
	var out demoOutput
	err := runDemo(context.Background(), &out, "--duration", "4s", "--rate", "2000", "--crowd", "100", "--clients", "8", "--db", database)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range demoShows {
		if !want.MatchString(out.String()) {
			t.Errorf("%s is not in:\n%s", want, out.String())
		}
	}
}

func TestDemoSQLite(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	checkDemo(t, "sqlite")
	if left, _ := os.ReadDir(os.TempDir()); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestDemoPostgres uses the usual directory: run by root, its server is another
// user and could not enter a private one.
func TestDemoPostgres(t *testing.T) { checkDemo(t, "postgres") }

// TestDemoEndsEarly ends a demonstration that would go on, as Ctrl-C does.
func TestDemoEndsEarly(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out := &demoOutput{want: "req/s", seen: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- runDemo(ctx, out, "--rate", "1000", "--clients", "4") }()
	select {
	case <-out.seen:
		cancel()
	case err := <-ended:
		t.Fatalf("ended by itself: %v\n%s", err, out)
	}
	if err := <-ended; err != nil || !strings.Contains(out.String(), "What was shown") {
		t.Errorf("error %v, output:\n%s", err, out)
	}
}

func TestDemoRefusesNonsense(t *testing.T) {
	for args, says := range map[string]string{
		"--db oracle":    "neither sqlite nor postgres",
		"--duration -1s": "negative",
		"--rate 0":       "not between",
		"--clients 0":    "not between",
		"--crowd 1":      "not between",
		"--memory 1":     "below 32 MiB",
		"now":            "unknown command",
	} {
		if err := runDemo(context.Background(), io.Discard, strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want one with %q", args, err, says)
		}
	}
}
