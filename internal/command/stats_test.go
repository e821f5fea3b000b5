package command

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCommandStats(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	c.do("CONFIG SET latency-tracking yes")
	w.x.Change(func(o *Options) { o.LatencySample = 1 })
	c.s.local.untilSample = 1
	for i := range 100 {
		c.do(fmt.Sprint("SET k", i, " v"))
		c.do("GET k1")
	}
	c.do("INCR k1")
	c.do("GET")
	c.do("NOSUCH")
	info := c.do("INFO everything")
	for name, want := range map[string]string{"cmdstat_get": "calls=100,", "cmdstat_set": "calls=100,", "cmdstat_incr": "calls=1,"} {
		if got := field(info, name); !strings.HasPrefix(got, want) {
			t.Errorf("%s:%s", name, got)
		}
	}
	if got := field(info, "cmdstat_incr"); !strings.HasSuffix(got, "rejected_calls=0,failed_calls=1") {
		t.Errorf("incr: %s", got)
	}
	if got := field(info, "cmdstat_get"); !strings.HasSuffix(got, "rejected_calls=1,failed_calls=0") {
		t.Errorf("get: %s", got)
	}
	if got := field(info, "errorstat_ERR"); got != "count=3" {
		t.Errorf("errorstat_ERR: %s", got)
	}
	if got := field(info, "latency_percentiles_usec_get"); !strings.HasPrefix(got, "p50=") || !strings.Contains(got, ",p99.9=") {
		t.Errorf("latency of get: %s", got)
	}
	if got := field(info, "total_commands_processed"); got == "0" || got == "" {
		t.Errorf("total_commands_processed:%s", got)
	}
	histogram := c.do("LATENCY HISTOGRAM get set nosuch")
	if !strings.HasPrefix(histogram, "*4 $3 get *4 $5 calls :100 $14 histogram_usec *") {
		t.Errorf("histogram %q", histogram)
	}
	snapshot := w.x.Snapshot()
	for _, s := range snapshot.Commands {
		if s.Name == "get" && (s.Calls != 100 || s.Latency.Total != 100 || s.Rejected != 1 || s.Time <= 0) {
			t.Errorf("snapshot of get: %+v", s)
		}
	}
	names := map[string]bool{}
	for _, counter := range Counters() {
		if names[counter.Name] || counter.Help == "" || counter.Unit == "" {
			t.Errorf("counter %s", counter.Name)
		}
		names[counter.Name] = true
		counter.Value(&snapshot)
	}
	c.do("CONFIG RESETSTAT")
	if got := c.do("INFO commandstats"); field(got, "cmdstat_get") != "" {
		t.Errorf("after RESETSTAT: %q", got)
	}
}

// One in a hundred fast commands stands for a hundred.
func TestLatencySample(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	args := [][]byte{[]byte("GET"), []byte("a")}
	const calls = 200_000
	for range calls / 100 {
		w.x.Begin(c.s)
		for range 100 {
			w.x.Execute(c.s, args)
		}
		w.x.End(c.s)
		c.s.Out.Reset()
	}
	for _, s := range w.x.Snapshot().Commands {
		if s.Name == "get" && (s.Calls != calls || s.Latency.Total < calls*8/10 || s.Latency.Total > calls*12/10) {
			t.Errorf("%d calls, %d in the histogram", s.Calls, s.Latency.Total)
		}
	}
}

func TestSlowLog(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	c.do("CLIENT SETNAME me")
	c.do("CONFIG SET slowlog-log-slower-than 0")
	long := strings.Repeat("x", 200)
	c.do("SET k " + long)
	c.do("AUTH default secret")
	many := []string{"MGET"}
	for i := range 40 {
		many = append(many, fmt.Sprint(i))
	}
	c.request(many...)
	c.do("CONFIG SET slowlog-log-slower-than -1")
	got := c.do("SLOWLOG GET")
	for _, want := range []string{
		"*3 $3 SET $1 k $147 " + long[:128] + "... (72 more bytes) $14 127.0.0.1:1001 $2 me",
		"*3 $4 AUTH $10 (redacted) $10 (redacted)",
		"$2 29 $23 ... (10 more arguments)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	// Fast commands below the threshold are not timed one by one.
	c.do("CONFIG SET slowlog-log-slower-than 10000")
	c.do("SLOWLOG RESET")
	c.do("GET k")
	c.expect(step{"SLOWLOG LEN", ":0"})
	c.do("DEBUG SLEEP 0.02")
	if got := c.do("SLOWLOG GET 1"); !strings.Contains(got, "*3 $5 DEBUG $5 SLEEP $4 0.02") {
		t.Errorf("slow log %q", got)
	}
	c.do("CONFIG SET slowlog-max-len 0")
	c.expect(step{"SLOWLOG LEN", ":0"})
}

// A batch of one fast command is charged to it; of several none can be
// accused, but from then on each is timed.
func TestSlowBatch(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	get := [][]byte{[]byte("GET"), []byte("a")}
	batch := func(n int, took time.Duration) {
		c.s.local.untilSample = 1000
		w.x.Begin(c.s)
		for range n {
			w.x.Execute(c.s, get)
		}
		c.s.local.start -= took
		w.x.End(c.s)
		c.s.Out.Reset()
	}
	batch(1, 50*time.Millisecond)
	if got := w.x.slowLog.len(); got != 1 {
		t.Errorf("%d entries after a slow command", got)
	}
	batch(5, 50*time.Millisecond)
	if got := w.x.slowLog.len(); got != 1 || w.x.Snapshot().SlowBatches != 1 || c.s.gates&gateCareful == 0 {
		t.Errorf("%d entries, %d slow batches, gates %b", got, w.x.Snapshot().SlowBatches, c.s.gates)
	}
	for range carefulFor / 16 {
		batch(16, 0)
	}
	if c.s.gates != 0 {
		t.Errorf("still careful: gates %b", c.s.gates)
	}
}

func TestLatencyMonitor(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	if got := c.do("LATENCY DOCTOR"); !strings.Contains(got, "monitoring is off") {
		t.Errorf("doctor: %q", got)
	}
	c.do("CONFIG SET latency-monitor-threshold 5")
	c.do("DEBUG SLEEP 0.01")
	w.x.Spike("expire-cycle", 70*time.Millisecond)
	w.x.Spike("expire-cycle", time.Millisecond)
	latest := c.do("LATENCY LATEST")
	if !strings.HasPrefix(latest, "*2 *4 $7 command :") || !strings.Contains(latest, "*4 $12 expire-cycle :") || !strings.HasSuffix(latest, ":70 :70") {
		t.Errorf("latest %q", latest)
	}
	if got := c.do("LATENCY HISTORY command"); !strings.HasPrefix(got, "*1 *2 :") {
		t.Errorf("history %q", got)
	}
	if got := c.do("LATENCY GRAPH expire-cycle"); !strings.Contains(got, "expire-cycle - high 70 ms, low 70 ms (all time high 70 ms)") {
		t.Errorf("graph %q", got)
	}
	if got := c.do("LATENCY DOCTOR"); !strings.Contains(got, "1. command: 1 spikes") || !strings.Contains(got, "CONFIG SET slowlog-log-slower-than 5000") {
		t.Errorf("doctor %q", got)
	}
	c.expect(step{"LATENCY RESET nosuch COMMAND", ":1"}, step{"LATENCY RESET", ":1"}, step{"LATENCY LATEST", "*0"})
}

func TestHistogram(t *testing.T) {
	last := time.Duration(-1)
	for b := range histogramBuckets {
		bound := histogramBound(b)
		if bound <= last || histogramBucket(bound) != b || histogramBucket(last+1) != b {
			t.Fatalf("bucket %d: %d to %d", b, last+1, bound)
		}
		last = bound
	}
	var h histogram
	for i := range 1000 {
		h.record(time.Duration(i+1)*time.Microsecond, 1)
	}
	for p, want := range map[float64]time.Duration{50: 500 * time.Microsecond, 99: 990 * time.Microsecond, 100: time.Millisecond} {
		if got := h.copy().Percentile(p); got < want || got > want+want/14 {
			t.Errorf("p%v = %v, want %v", p, got, want)
		}
	}
}

// Waiting for others is not the command's own time.
func TestWaitingIsNotSlow(t *testing.T) {
	r := rows{wait: make(chan struct{})}
	r.values.Store("1", "one")
	w := newSourced(t, &r)
	w.now.Store(time.Now().UnixMilli())
	c := w.connect("2")
	c.do("CONFIG SET slowlog-log-slower-than 10000")
	time.AfterFunc(30*time.Millisecond, func() { close(r.wait) })
	c.expect(step{"GET row:1", "$3 one"}, step{"WAIT 1 20", ":0"}, step{"SLOWLOG LEN", ":0"}, step{"DEBUG SLEEP 0.02", "+OK"}, step{"SLOWLOG LEN", ":1"})
	for _, s := range w.x.Snapshot().Commands {
		if (s.Name == "get" || s.Name == "wait") && s.Time > 10*time.Millisecond {
			t.Errorf("%s: %v", s.Name, s.Time)
		}
	}
}
