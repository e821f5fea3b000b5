package command

import (
	"errors"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestTransactionInClientList(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect("2"), w.connect("2")
	b.expect(step{"MULTI", "+OK"}, step{"SET k v", "+QUEUED"}, step{"GET k", "+QUEUED"}, step{"WATCH k", "-ERR WATCH inside MULTI is not allowed"})
	line := a.do("CLIENT LIST ID 2")
	if !regexp.MustCompile(` flags=x .* multi=2 .* multi-mem=[1-9]\d* .* cmd=watch `).MatchString(line) {
		t.Errorf("in a transaction: %s", line)
	}
	b.expect(step{"EXEC", "*2 +OK $1 v"})
	if line = a.do("CLIENT LIST ID 2"); !regexp.MustCompile(` flags=N .* multi=-1 .* multi-mem=0 .* cmd=exec `).MatchString(line) {
		t.Errorf("after it: %s", line)
	}
	b.do("WATCH k l")
	info := a.do("INFO clients")
	if field(info, "watching_clients") != "1" || field(info, "total_watched_keys") != "2" {
		t.Errorf("info %q", info)
	}
	w.x.EndSession(b.s)
	if info = a.do("INFO clients"); field(info, "watching_clients") != "0" || field(info, "total_watched_keys") != "0" {
		t.Errorf("info after the end %q", info)
	}
}

func TestTransactionInMonitor(t *testing.T) {
	w := newWorld(t)
	m, c := w.connect("2"), w.connect("2")
	m.do("MONITOR")
	for _, request := range []string{"MULTI", "SET k v", "GET k", "EXEC", "MULTI", "NOSUCH", "EXEC", "EXEC"} {
		c.do(request)
	}
	seen := regexp.MustCompile(`"[^"]*"`).FindAllString(m.take(), -1)
	want := `"MULTI" "SET" "k" "v" "GET" "k" "EXEC" "MULTI" "EXEC" "EXEC"`
	if got := strings.Join(seen, " "); got != want {
		t.Errorf("monitored\n got %s\nwant %s", got, want)
	}
}

// The flow of a client that caches on its own side: what was read inside the
// transaction is remembered for it.
func TestTransactionTracked(t *testing.T) {
	w := newWorld(t)
	c, other := w.connect("3"), w.connect("2")
	other.do("SET k v EX 100")
	c.expect(
		step{"CLIENT TRACKING ON OPTIN", "+OK"},
		step{"CLIENT CACHING YES", "+OK"}, step{"MULTI", "+OK"},
		step{"PTTL k", "+QUEUED"}, step{"GET k", "+QUEUED"},
		step{"EXEC", "*2 :100000 $1 v"},
		step{"GET l", "_"}, // not asked for
	)
	other.do("SET l v")
	c.got("")
	other.do("SET k w")
	c.got(">2 $10 invalidate *1 $1 k")
}

func TestTransactionWithoutReplies(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	c.expect(
		step{"CLIENT REPLY OFF", ""}, step{"MULTI", ""}, step{"SET k v", ""}, step{"EXEC", ""},
		step{"CLIENT REPLY ON", "+OK"}, step{"GET k", "$1 v"},
		step{"MULTI", "+OK"}, step{"CLIENT REPLY SKIP", "+QUEUED"}, step{"DISCARD", "+OK"}, step{"GET k", "$1 v"},
	)
}

// What a queued request needs, EXEC needs: to be off the event loop.
func TestExecParks(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	c.do("DEBUG POPULATE 2000")
	c.do("MULTI")
	if reply := c.do("KEYS key:1"); reply != "+QUEUED" {
		t.Errorf("reply %q", reply)
	}
	w.x.Begin(c.s)
	if out := w.x.Execute(c.s, [][]byte{[]byte("EXEC")}); out != Park || len(c.s.Out.Buf) != 0 {
		t.Errorf("outcome %d, reply %q", out, c.s.Out.Buf)
	}
	w.x.End(c.s)
	// It was not parked, there being too many: the client was told.
	c.expect(step{"EXEC", "-ERR EXEC without MULTI"}, step{"GET key:1", "$7 value:1"})
	c.expect(step{"MULTI", "+OK"}, step{"KEYS key:1", "+QUEUED"}, step{"EXEC", "*1 *1 $5 key:1"})
}

// A transaction that is longer than the query buffer may be closes the client.
func TestTransactionTooLong(t *testing.T) {
	w := newWorld(t)
	w.x.Change(func(o *Options) { o.Limits.QueryBuffer = 1000 })
	c := w.connect("2")
	c.do("MULTI")
	outcome := Continue
	n := 0
	for ; outcome == Continue && n < 100; n++ {
		_, outcome = c.request("SET", "k", strings.Repeat("x", 100))
	}
	if outcome != Close || n != 5 {
		t.Errorf("outcome %d after %d requests", outcome, n)
	}
}

// A pause of writes holds back the EXEC of a transaction that was queued
// before it and writes, but not one that reads.
func TestTransactionPaused(t *testing.T) {
	w := newWorld(t)
	reader, writer, admin := w.connect("2"), w.connect("2"), w.connect("2")
	reader.expect(step{"MULTI", "+OK"}, step{"GET k", "+QUEUED"})
	writer.expect(step{"MULTI", "+OK"}, step{"SET k v", "+QUEUED"})
	admin.do("CLIENT PAUSE 100000 WRITE")
	reader.expect(step{"EXEC", "*1 $-1"})
	w.x.Begin(writer.s)
	if out := w.x.Execute(writer.s, [][]byte{[]byte("EXEC")}); out != Park {
		t.Errorf("outcome %d", out)
	}
	w.x.End(writer.s)
	writer.s.MayBlock = true
	admin.do("CLIENT UNPAUSE")
	writer.expect(step{"EXEC", "*1 +OK"})
}

// Who waits is outside: no transaction waits for a client that sleeps, is
// paused, or whose source takes its time.
func TestTransactionsPassWaitingClients(t *testing.T) {
	r := rows{wait: make(chan struct{})}
	w := newSourced(t, &r)
	c := w.connect("2")
	c.batch("MULTI", "EXEC") // isolation is raised
	for _, request := range []string{"GET row:1", "DEBUG SLEEP 1000", "WAIT 1 0"} {
		waiting := w.connect("2")
		done := make(chan struct{})
		go func() {
			defer close(done)
			waiting.batch(request)
		}()
		for w.x.blocked.Load() == 0 {
			runtime.Gosched()
		}
		if got := c.batch("MULTI", "PING", "EXEC"); got != "+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n" {
			t.Errorf("beside %s: %q", request, got)
		}
		waiting.s.Interrupt()
		<-done
	}
	close(r.wait)
}

// What a transaction reads is loaded before it begins; inside of it a miss is a
// miss.
func TestTransactionReadsThrough(t *testing.T) {
	var r rows
	r.values.Store("1", "one")
	r.values.Store("2", "two")
	r.values.Store("3", errors.New("down"))
	w := newSourced(t, &r)
	w.now.Store(time.Now().UnixMilli())
	c := w.connect("2")
	c.expect(
		step{"MULTI", "+OK"}, step{"GET row:1", "+QUEUED"}, step{"MGET row:2 x", "+QUEUED"}, step{"GET row:9", "+QUEUED"},
		step{"DEL row:1", "+QUEUED"}, step{"GET row:1", "+QUEUED"},
		step{"EXEC", "*5 $3 one *2 $3 two $-1 $-1 :1 $-1"},
		step{"MULTI", "+OK"}, step{"SET k v", "+QUEUED"}, step{"GET row:3", "+QUEUED"},
	)
	if got := c.do("EXEC"); !strings.HasPrefix(got, "-EXECABORT Transaction discarded because of: source of namespace rows: ") {
		t.Errorf("source is down: %s", got)
	}
	c.expect(step{"GET k", "$-1"})
	if n := r.asked.Load(); n < 4 {
		t.Errorf("asked %d times", n)
	}
	// That a watched key comes from its source after WATCH is no change.
	c.expect(
		step{"WATCH row:1", "+OK"}, step{"GET row:1", "$3 one"}, step{"MULTI", "+OK"}, step{"SET row:1 uno", "+QUEUED"}, step{"EXEC", "*1 +OK"},
		step{"WATCH row:9", "+OK"}, step{"GET row:9", "$-1"}, step{"MULTI", "+OK"}, step{"SET row:9 x", "+QUEUED"}, step{"EXEC", "*1 +OK"},
	)
}

// Isolation costs lanes only as long as transactions are used.
func TestIsolationIsLowered(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	if w.x.isolation.raised.Load() {
		t.Error("raised without a transaction")
	}
	c.batch("MULTI", "EXEC")
	i := &w.x.isolation
	i.lower()
	if !i.raised.Load() {
		t.Error("lowered at once")
	}
	w.x.Begin(c.s) // holds a lane while it is lowered
	i.aside.Lock()
	i.last = time.Now().Add(-2 * lowerAfter)
	i.aside.Unlock()
	i.lower()
	if i.raised.Load() {
		t.Error("not lowered")
	}
	w.x.End(c.s)
	other := w.connect("2")
	w.x.Begin(other.s)
	w.x.End(other.s)
	if got := c.batch("MULTI", "PING", "EXEC"); got != "+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n" || !i.raised.Load() {
		t.Errorf("raised %v, replies %q", i.raised.Load(), got)
	}
}

// A command that is alone in its batch is in the histogram for itself, sampled
// or not; with others one of the sample stands for a hundred.
func TestTimeOfSingleCommands(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	total := func() uint64 {
		h := w.x.stats.histograms[w.x.table.Find([]byte("get")).id].Load()
		if h == nil {
			return 0
		}
		return h.copy().Total
	}
	for range 1000 {
		c.batch("GET k")
	}
	if got := total(); got != 1000 {
		t.Errorf("%d after 1000 single commands", got)
	}
	for at := range 3 {
		before := total()
		c.s.local.untilSample = 1 + at
		c.batch("GET k", "GET k", "GET k")
		if got := total() - before; got != 100 {
			t.Errorf("%d after a batch with a sample at %d", got, at)
		}
	}
	before := total()
	c.s.local.untilSample = 1000
	c.batch("GET k", "ECHO x")
	if got := total() - before; got != 0 {
		t.Errorf("%d after a batch without a sample", got)
	}
}

func TestWritesAreCounted(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	for _, request := range []string{"SET a 1", "GET a", "SETNX a 2", "DEL b", "INCR a", "EXPIRE a 10", "DEL a"} {
		c.do(request)
	}
	if got := field(c.do("INFO persistence"), "rdb_changes_since_last_save"); got != "4" {
		t.Errorf("%s changes", got)
	}
}

func TestQueryBufferOfTheClientAtWork(t *testing.T) {
	r := newTester(t)
	if line := r.do("CLIENT", "LIST"); !strings.Contains(line, " qbuf=26 ") {
		t.Error(line)
	}
}
