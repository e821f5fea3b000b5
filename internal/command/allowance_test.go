package command

import (
	"strings"
	"testing"
	"time"
)

// served counts how many of n requests are answered by want, the others being
// refused.
func (c *client) served(n int, line, want string) (got int) {
	c.w.t.Helper()
	for range n {
		reply := c.do(line)
		if reply == want {
			got++
		} else if !strings.HasPrefix(reply, "-BUSY max requests per second reached: ") {
			c.w.t.Fatalf("%s: %s", line, reply)
		}
	}
	return got
}

func TestRequestsPerSecond(t *testing.T) {
	w := newWorld(t)
	c, beside, other := w.connect("2"), w.connect("2"), &client{w: w, host: "10.0.0.9", s: &Session{}}
	other.s = w.x.NewSession(other)
	expect := func(got, want int, what string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d requests served, want %d", what, got, want)
		}
	}
	expect(c.served(100, "GET a", "$-1"), 100, "without a limit")
	c.expect(step{"CONFIG SET requests-per-second 10", "+OK"}, step{"CONFIG GET requests-per-second", "*2 $19 requests-per-second $2 10"})
	expect(c.served(7, "GET a", "$-1"), 7, "a burst")
	expect(beside.served(7, "GET a", "$-1"), 3, "another client from there")
	expect(other.served(20, "GET a", "$-1"), 10, "a client from elsewhere")
	if got := w.x.Snapshot().RequestsRefused; got != 14 {
		t.Errorf("%d refused, want 14", got)
	}
	if got := c.do("GET a"); got != "-BUSY max requests per second reached: 127.0.0.1 may send 10 (limits.requests_per_second); try again in 100 ms or raise the limit" {
		t.Errorf("refusal: %s", got)
	}
	// What is never refused.
	c.expect(step{"PING", "+PONG"}, step{"AUTH default x", "+OK"}, step{"RESET", "+RESET"}, step{"CONFIG SET requests-per-second 10", "+OK"})
	if reply := c.do("HELLO 2"); strings.HasPrefix(reply, "-") {
		t.Errorf("HELLO: %s", reply)
	}
	w.now.Add(250)
	expect(c.served(5, "GET a", "$-1"), 2, "after a quarter of a second")
	w.now.Add(time.Hour.Milliseconds())
	expect(c.served(20, "GET a", "$-1"), 10, "after an hour")
	w.now.Add(-time.Hour.Milliseconds())
	expect(c.served(20, "GET a", "$-1"), 10, "after the clock was set back")
	c.expect(step{"CONFIG SET requests-per-second 1000", "+OK"})
	w.now.Add(20)
	expect(c.served(30, "GET a", "$-1"), 20, "with a higher limit")
	// A client that comes again finds what it has left.
	w.x.EndSession(beside.s)
	w.x.EndSession(c.s)
	c = w.connect("2")
	expect(c.served(5, "GET a", "$-1"), 0, "who comes again")
	c.expect(step{"CONFIG SET requests-per-second 0", "+OK"})
	expect(c.served(100, "GET a", "$-1"), 100, "without a limit again")
}

// With a password the user counts, wherever its clients are.
func TestRequestsPerSecondOfUser(t *testing.T) {
	w := newWorld(t)
	w.x.Change(func(o *Options) { o.Password, o.RequestsPerSecond = "secret", 10 })
	here, there := w.connect("2"), &client{w: w, host: "10.0.0.9", s: &Session{}}
	there.s = w.x.NewSession(there)
	for range 20 {
		here.expect(step{"GET a", "-NOAUTH Authentication required."})
	}
	here.expect(step{"AUTH secret", "+OK"})
	there.expect(step{"AUTH secret", "+OK"})
	if got := here.served(6, "GET a", "$-1") + there.served(6, "GET a", "$-1"); got != 10 {
		t.Errorf("%d requests served, want 10", got)
	}
	if got := here.do("GET a"); !strings.Contains(got, "reached: user default may send 10 ") {
		t.Errorf("refusal: %s", got)
	}
}

// A transaction is counted request by request when it is queued, and a refused one
// spoils it.
func TestRequestsPerSecondOfTransaction(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	w.x.Change(func(o *Options) { o.RequestsPerSecond = 3 })
	c.expect(step{"MULTI", "+OK"}, step{"SET a 1", "+QUEUED"}, step{"SET b 1", "+QUEUED"}, step{"EXEC", "*2 +OK +OK"})
	w.now.Add(1000)
	c.expect(step{"MULTI", "+OK"}, step{"SET a 2", "+QUEUED"}, step{"SET b 2", "+QUEUED"})
	if got := c.served(1, "SET c 2", "+QUEUED"); got != 0 {
		t.Error("a fourth request is queued")
	}
	c.expect(step{"EXEC", "-EXECABORT Transaction discarded because of previous errors."})
}

// A request that leaves the event loop comes twice and counts once.
func TestParkedRequestCountsOnce(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	w.x.Change(func(o *Options) { o.RequestsPerSecond = 4 })
	if got := c.served(6, "FLUSHALL", "+OK"); got != 4 {
		t.Errorf("%d requests served, want 4", got)
	}
}

// Buckets of those who are gone are forgotten once they are full.
func TestAllowancesAreForgotten(t *testing.T) {
	var l allowances
	now := int64(time.Hour)
	for i := range 10 * maxUnused {
		a := l.join(string(rune(i)), now)
		a.take(1, now)
		l.leave(a)
		now += int64(time.Millisecond)
	}
	if n := len(l.all); n > 3*maxUnused {
		t.Errorf("%d buckets are kept", n)
	}
}
