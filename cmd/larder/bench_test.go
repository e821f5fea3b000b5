package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/larder-cache/larder/internal/loadgen"
)

// nullServer answers every GET of one key with a null.
func nullServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					for range 5 { // *2 $3 GET $16 key
						if _, err := in.ReadSlice('\n'); err != nil {
							return
						}
					}
					if _, err := conn.Write([]byte("$-1\r\n")); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); group.Wait() })
	return l.Addr().String()
}

// runBenchCommand returns what `larder bench args` prints.
func runBenchCommand(args ...string) (string, error) {
	cmd := newBenchCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SetArgs(args)
	cmd.SilenceErrors = true
	err := cmd.ExecuteContext(context.Background())
	return out.String(), err
}

func TestBenchPrintsTable(t *testing.T) {
	out, err := runBenchCommand("--addr", nullServer(t), "--ratio", "1:0", "-n", "5000", "-c", "4", "-P", "2")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"4 connections x 2 in flight, closed loop", "5,000 in", "0.00 % (0 hits, 5,000 misses)", "p99.9"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
	for _, l := range strings.Split(out, "\n") {
		if len(l) > 80 {
			t.Errorf("%d columns: %s", len(l), l)
		}
	}
}

func TestBenchPrintsJSON(t *testing.T) {
	out, err := runBenchCommand("--addr", nullServer(t), "--ratio", "1:0", "-n", "300", "--json", "--rate", "100000")
	if err != nil {
		t.Fatal(err)
	}
	var r loadgen.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if r.Requests != 300 || r.Misses != 300 || r.Config.Rate != 100000 || r.Latency.Max <= 0 {
		t.Errorf("result %+v", r)
	}
}

func TestBenchRefusesNonsense(t *testing.T) {
	for args, says := range map[string]string{
		"--ratio 9":                    "GET:SET such as 9:1",
		"--ratio 0:0":                  "asks for nothing",
		"--ttl soon":                   "range such as 30s-90s",
		"--ttl 9s-3s":                  "range such as 30s-90s",
		"--value-size big":             "not a size",
		"--protocol http":              "none of resp2",
		"--arrivals poisson":           "needs a --rate",
		"--zipf 1":                     "need --distribution zipf",
		"--command PING --ratio 1:1":   "use --weights",
		"--command PING --weights 1,2": "2 numbers for 1 commands",
		"--duration 0s":                "nothing ends",
		"--user me":                    "needs a password",
		"--keys 0":                     "key space is empty",
		"extra":                        "unknown command",
		"--addr 127.0.0.1:1 -n 1 -c 1": "connect to 127.0.0.1:1",
		"--addr unix:/no/where -n 1":   "connect to unix:/no/where",
	} {
		if _, err := runBenchCommand(strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want one with %q", args, err, says)
		}
	}
}

func TestBenchHelpFitsTerminal(t *testing.T) {
	out, err := runBenchCommand("--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(out, "\n") {
		if len(l) > 80 {
			t.Errorf("%d columns: %s", len(l), l)
		}
	}
}

func TestGrouped(t *testing.T) {
	for f, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567.4: "1,234,567"} {
		if got := grouped(f, 0); got != want {
			t.Errorf("%g is written %s, want %s", f, got, want)
		}
	}
}
