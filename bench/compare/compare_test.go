package main

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/larder-cache/larder/internal/loadgen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// threePeers is a report of one case with two rounds.
func threePeers() *report {
	r := &report{Peers: []string{larder, "redis", "pogocache"}, Versions: map[string]string{}, Rounds: 2}
	for peer, values := range map[string][2]float64{larder: {190, 210}, "redis": {100, 100}, "pogocache": {160, 160}} {
		for _, v := range values {
			r.add("throughput", opsPerSecond, "64 B, GET, pipeline 16", peer, v)
			r.add("throughput", serverCPU, "64 B, GET, pipeline 16", peer, 100/v)
		}
	}
	r.compute()
	r.judge()
	return r
}

func TestRatios(t *testing.T) {
	r := threePeers()
	for _, c := range r.Cells {
		if c.Peer != larder {
			continue
		}
		want := [2]float64{2, 1.25}
		if c.Metric == serverCPU {
			want = [2]float64{(100.0/190 + 100.0/210) / 2, (100.0/190 + 100.0/210) / 2 / 0.625}
		}
		if math.Abs(c.ToReference-want[0]) > 1e-9 || math.Abs(c.ToBest-want[1]) > 1e-9 {
			t.Errorf("%s: %g x redis, %g x best, want %v", c.Metric.Name, c.ToReference, c.ToBest, want)
		}
	}
	var b strings.Builder
	if err := r.markdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 64 B, GET, pipeline 16 | 200 ±5% | 100 ±0% | 160 ±0% | 2.00 | 1.25 |", "at least 1.3 x redis"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestGoals(t *testing.T) {
	r := threePeers()
	met := map[string]bool{}
	for _, v := range r.Goals {
		met[v.Goal] = v.Met
	}
	want := map[string]bool{
		"throughput: throughput, pipeline 16 at least 1.3 x redis":           true,
		"throughput: throughput, pipeline 16 at least 1 x pogocache":         true,
		"throughput: server processor time, pipeline 16 at most 0.8 x redis": true,
	}
	for text := range want {
		if m, ok := met[text]; !ok || !m {
			t.Errorf("%s: judged %v, met %v", text, ok, m)
		}
	}
	if len(met) != len(want) {
		t.Errorf("judged %v", met)
	}
	r.add("churn", refused, "1: 100 B", larder, 0)
	r.add("churn", refused, "2: 1 KiB", larder, 0.5)
	r.compute()
	r.judge()
	if v := r.Goals[len(r.Goals)-1]; v.Met || v.Case != "2: 1 KiB" {
		t.Errorf("a refused write is judged %+v", v)
	}
}

func TestSavedReport(t *testing.T) {
	r := threePeers()
	r.Machine.Commit = "abc"
	path, err := r.save(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(data, &back); err != nil || len(back.Cells) != len(r.Cells) {
		t.Errorf("%d cells of %d, error %v", len(back.Cells), len(r.Cells), err)
	}
	if _, err := os.Stat(path + ".md"); err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-quick", "-peers", "larder,redis", "-suites", "big,start"})
	if err != nil || o.rounds != 1 || o.out != "" || !o.peers["redis"] || len(o.suites) != 2 {
		t.Errorf("options %+v, error %v", o, err)
	}
	if o, err = parseOptions(nil); err != nil || o.rounds != 5 || len(o.suites) != len(suites) || o.out != "bench/results" {
		t.Errorf("options %+v, error %v", o, err)
	}
	for _, bad := range []string{"-suites=speed", "-rounds=0", "extra"} {
		if _, err := parseOptions([]string{bad}); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestTurn(t *testing.T) {
	if got := strings.Join(turn([]string{"a", "b", "c"}, 4), ""); got != "bca" {
		t.Errorf("turned to %s", got)
	}
}

func TestNumbersInText(t *testing.T) {
	if n := afterWord("# Memory\r\nused_memory:12345\r\nx", "used_memory:"); n != 12345 {
		t.Errorf("used_memory is %d", n)
	}
	if n := afterWord(":7", ":"); n != 7 {
		t.Errorf("a reply without an end is %d", n)
	}
	if n := afterWord("-ERR no", ":"); n != -1 {
		t.Errorf("an error is %d", n)
	}
	if n := kilobytes("VmRSS:\t    2048 kB\n", "VmRSS"); n != 2<<20 {
		t.Errorf("VmRSS is %d", n)
	}
}

// testPeer returns an installed peer, or skips the test.
func testPeer(t *testing.T, name string) peer {
	t.Helper()
	for _, c := range candidates {
		if c.name == name {
			binary, err := exec.LookPath(c.program)
			if err != nil {
				t.Skipf("%s is not installed", c.program)
			}
			c.peer.binary = binary
			return c.peer
		}
	}
	t.Fatalf("no candidate %s", name)
	return peer{}
}

// TestProcess starts real peers, loads them, and reads their figures.
func TestProcess(t *testing.T) {
	for _, name := range []string{"redis", "memcached"} {
		t.Run(name, func(t *testing.T) {
			p := testPeer(t, name)
			s, err := start(context.Background(), p, t.TempDir(), 64<<20)
			if err != nil {
				t.Fatal(err)
			}
			defer s.stop()
			if s.ready <= 0 || s.baseRSS < 1<<20 {
				t.Errorf("ready after %v with %d bytes", s.ready, s.baseRSS)
			}
			c := loadgen.DefaultConfig()
			c.Address, c.Protocol, c.Keys = s.address(), s.protocol, 50_000
			if _, err := loadgen.Preload(context.Background(), c); err != nil {
				t.Fatal(err)
			}
			if n := s.keys(); n != 50_000 {
				t.Errorf("%d keys", n)
			}
			if s.memory("VmRSS") <= s.baseRSS || s.usedMemory() < 3_200_000 || s.peakMemory() < s.memory("VmRSS") {
				t.Errorf("resident %d, used %d, peak %d", s.memory("VmRSS"), s.usedMemory(), s.peakMemory())
			}
			if s.cpu() <= 0 || s.cpu() > time.Minute {
				t.Errorf("used %v of processor time", s.cpu())
			}
			if _, ok := s.longestGC(context.Background()); ok {
				t.Error("it tells of a garbage collector")
			}
		})
	}
}

func TestPeerThatDoesNotStart(t *testing.T) {
	p := testPeer(t, "redis")
	p.args = func(launch) []string { return []string{"--no-such-option"} }
	if _, err := start(context.Background(), p, t.TempDir(), 0); err == nil || !strings.Contains(err.Error(), "redis does not start") {
		t.Errorf("error %v", err)
	}
}

// TestSuiteEndToEnd runs the cheapest suite with what is installed.
func TestSuiteEndToEnd(t *testing.T) {
	p := testPeer(t, "redis")
	b := &bench{dir: t.TempDir(), peers: []peer{p}, rep: &report{Peers: []string{"redis"}, Versions: map[string]string{}, Rounds: 1},
		rounds: 1, quick: true, threads: 1, length: 20 * time.Millisecond, log: testLog{t}}
	if err := b.runSuites(context.Background(), []string{"big"}); err != nil {
		t.Fatal(err)
	}
	b.rep.compute()
	if len(b.rep.Cells) != 6 || len(b.rep.Notes) != 0 {
		t.Errorf("%d cells, notes %q", len(b.rep.Cells), b.rep.Notes)
	}
	for _, c := range b.rep.Cells {
		if c.Median <= 0 && c.Metric != serverCPU { // a tick may be too coarse
			t.Errorf("%s %s is %g", c.Case, c.Metric.Name, c.Median)
		}
	}
}

type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimRight(string(b), "\n"))
	return len(b), nil
}
