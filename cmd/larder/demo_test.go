package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
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
	err := runDemo(context.Background(), &out, "--nodes", "1", "--duration", "4s", "--rate", "2000", "--crowd", "100", "--clients", "8", "--db", database)
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
	nothingLeft(t)
}

// nothingLeft checks that a demonstration has left neither files nor, where that
// can be told, processes behind.
func nothingLeft(t *testing.T) {
	t.Helper()
	if left, _ := os.ReadDir(os.TempDir()); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline") // on Linux
	for _, name := range lines {
		if line, err := os.ReadFile(name); err == nil && bytes.Contains(line, []byte(os.TempDir())) {
			t.Errorf("%s still runs: %s", filepath.Dir(name), bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
		}
	}
}

var clusterDemoShows = []*regexp.Regexp{
	regexp.MustCompile(`nodes      3 processes`),
	regexp.MustCompile(`n3  redis-cli -p \d+ +http://127.0.0.1:\d+/  34\d partitions`),
	regexp.MustCompile(`stampede: 60 clients on 3 nodes ask at once`),
	regexp.MustCompile(`60 clients, 1 query, \d+ shared it`),
	regexp.MustCompile(`[\d,]+ of [\d,]+ reads answered`),
	regexp.MustCompile(`one more node joins under load\n(.*req/s.*\n)* +n4 serves at 127.0.0.1:\d+`),
	regexp.MustCompile(`n4 is drained, and leaves\n(.*req/s.*\n)* +2\d\d partitions in [\d.]+ s; [\d,]+ requests meanwhile, failed 0,`),
	regexp.MustCompile(`kill -9 n\d, which owns 34\d of 1024 partitions`),
	regexp.MustCompile(`34\d partitions have a living owner again after`),
	regexp.MustCompile(`n\d comes back`),
	regexp.MustCompile(`What was shown, in \d+ s:`),
	regexp.MustCompile(`failed +0 while partitions moved`),
	regexp.MustCompile(`moved +8\d\d partitions of 1024`),
}

// TestDemoCluster runs the whole story of several nodes, in a hurry, with copies
// of all partitions and without.
func TestDemoCluster(t *testing.T) {
	for _, row := range []struct {
		replicas string
		shows    []string
	}{
		{"1", []string{"0 acknowledged writes lost of", "all 1024 partitions have their copies again", "lost 0 by kill -9 (copies: 1), 0 otherwise"}},
		{"0", []string{"no copies are kept", "(copies: 0), 0 otherwise"}},
	} {
		t.Run("replicas "+row.replicas, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			var out demoOutput
			err := runDemo(context.Background(), &out, "--duration", "3s", "--rate", "500", "--crowd", "60", "--clients", "6", "--replicas", row.replicas)
			if err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			text := out.String()
			for _, want := range clusterDemoShows {
				if !want.MatchString(text) {
					t.Errorf("%s is not in:\n%s", want, text)
				}
			}
			for _, want := range row.shows {
				if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
					t.Errorf("%q is not in:\n%s", want, text)
				}
			}
			nothingLeft(t)
		})
	}
}

// TestDemoPostgres uses the usual directory: run by root, its server is another
// user and could not enter a private one.
func TestDemoPostgres(t *testing.T) { checkDemo(t, "postgres") }

// TestDemoEndsEarly ends a demonstration that would go on, as Ctrl-C does.
func TestDemoEndsEarly(t *testing.T) {
	for _, nodes := range []string{"1", "3"} {
		t.Run(nodes, func(t *testing.T) { endDemoEarly(t, "--nodes", nodes, "--rate", "1000", "--clients", "4") })
	}
}

func endDemoEarly(t *testing.T, args ...string) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out := &demoOutput{want: "req/s", seen: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- runDemo(ctx, out, args...) }()
	select {
	case <-out.seen:
		cancel()
	case err := <-ended:
		t.Fatalf("ended by itself: %v\n%s", err, out)
	}
	if err := <-ended; err != nil || !strings.Contains(out.String(), "What was shown") {
		t.Errorf("error %v, output:\n%s", err, out)
	}
	nothingLeft(t)
}

func TestDemoRefusesNonsense(t *testing.T) {
	for args, says := range map[string]string{
		"--nodes 2":      "neither 1 nor from 3 to 9",
		"--nodes 10":     "neither 1 nor from 3 to 9",
		"--replicas 3":   "not below the number of nodes",
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
