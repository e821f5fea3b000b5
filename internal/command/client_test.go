package command

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestClientList(t *testing.T) {
	w := newWorld(t)
	c, other := w.connect("2"), w.connect("3")
	c.do("CLIENT SETNAME me")
	c.do("CLIENT SETINFO LIB-NAME redis-go")
	c.do("CLIENT SETINFO lib-ver 1.2")
	other.do("SELECT 4")
	other.do("SUBSCRIBE a b")
	other.do("PSUBSCRIBE p")
	c.do("GET x")

	line := regexp.MustCompile(`^id=1 addr=127\.0\.0\.1:100\d laddr=127\.0\.0\.1:6379 fd=7 name=me age=\d+ idle=\d+ flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 ` +
		`qbuf=10 qbuf-free=20 argv-mem=\d+ multi-mem=0 rbs=\d+ rbp=\d+ obl=\d+ oll=0 omem=\d+ tot-mem=\d+ events=r cmd=client\|list user=default redir=-1 resp=2 ` +
		`lib-name=redis-go lib-ver=1\.2$`)
	list, _ := c.request("CLIENT", "LIST")
	_, text, _ := strings.Cut(list, "\r\n")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != 2 || !line.MatchString(lines[0]) {
		t.Fatalf("list %q", lines)
	}
	for name, want := range map[string]string{"db": "4", "sub": "2", "psub": "1", "resp": "3", "flags": "P", "id": "2"} {
		if got := field(lines[1], name); got != want {
			t.Errorf("%s=%s, want %s in %s", name, got, want, lines[1])
		}
	}
	for _, filter := range []string{"TYPE pubsub", "ID 2", "ID 2 77"} {
		if got := c.do("CLIENT LIST " + filter); field(got, "id") != "2" || strings.Count(got, "id=") != 1 {
			t.Errorf("%s: %q", filter, got)
		}
	}
	if got := c.do("CLIENT INFO"); field(got, "id") != "1" {
		t.Errorf("info %q", got)
	}
	if got := other.do("CLIENT LIST"); !strings.HasPrefix(got, "=") || !strings.Contains(got, "txt:id=1") {
		t.Errorf("RESP3: %q", got)
	}
	c.expect(
		step{"CLIENT SETINFO lib-name \"a b\"", "-ERR lib-name cannot contain spaces, newlines or special characters."},
		step{"CLIENT SETINFO foo bar", "-ERR Unrecognized option 'foo'"},
		step{"CLIENT NO-TOUCH on", "+OK"},
	)
	if got := c.do("CLIENT INFO"); field(got, "flags") != "T" {
		t.Errorf("flags in %q", got)
	}
}

func TestClientKill(t *testing.T) {
	w := newWorld(t)
	c := w.connect("2")
	var others []*client
	for range 5 {
		others = append(others, w.connect("3"))
	}
	others[0].do("SUBSCRIBE a")
	c.expect(
		step{"CLIENT KILL TYPE pubsub", ":1"},
		step{"CLIENT KILL " + others[1].RemoteAddr(), "+OK"},
		step{fmt.Sprint("CLIENT KILL ID ", others[2].s.ID), ":1"},
		step{fmt.Sprint("CLIENT KILL ADDR ", others[3].RemoteAddr(), " TYPE pubsub"), ":0"},
	)
	for i, want := range []bool{true, true, true, false, false} {
		if others[i].wasKilled() != want {
			t.Errorf("client %d: killed %v", i, !want)
		}
		if want {
			w.x.EndSession(others[i].s)
		}
	}
	c.expect(step{"CLIENT KILL LADDR 127.0.0.1:6379", ":2"})
	reply, outcome := c.request("CLIENT", "KILL", "USER", "default", "SKIPME", "no")
	if reply != ":3\r\n" || outcome != Close || c.wasKilled() {
		t.Errorf("itself: %q, %v, killed %v", reply, outcome, c.wasKilled())
	}
}

func TestClientReply(t *testing.T) {
	c := newWorld(t).connect("2")
	c.expect(
		step{"CLIENT REPLY SKIP", ""},
		step{"GET a", ""},
		step{"PING", "+PONG"},
		step{"CLIENT REPLY OFF", ""},
		step{"PING", ""},
		step{"NOSUCH", ""},
		step{"CLIENT REPLY SKIP", ""},
		step{"PING", ""},
		step{"PING", ""},
		step{"CLIENT REPLY ON", "+OK"},
		step{"PING", "+PONG"},
		step{"CLIENT REPLY SKIP", ""},
		step{"CLIENT REPLY SKIP", ""},
		step{"PING", ""},
		step{"PING", "+PONG"},
		step{"CLIENT REPLY OFF", ""},
		step{"SUBSCRIBE a", "*3 $9 subscribe $1 a :1"},
		step{"SUBSCRIBE", ""},
		step{"UNSUBSCRIBE a", "*3 $11 unsubscribe $1 a :0"},
		step{"RESET", "+RESET"},
	)
}

func TestClientPause(t *testing.T) {
	w := newWorld(t)
	admin, c := w.connect("2"), w.connect("2")
	admin.expect(step{"CLIENT PAUSE 100000 WRITE", "+OK"})
	c.expect(step{"GET a", "$-1"})
	done := make(chan string)
	go func() { done <- c.do("SET a 1") }()
	eventually(t, "blocked", func() bool { return w.x.blocked.Load() == 1 })
	if got := admin.do("INFO clients"); field(got, "paused_reason") != "client_pause" || field(got, "blocked_clients") != "1" {
		t.Errorf("info %q", got)
	}
	admin.expect(step{"CLIENT UNPAUSE", "+OK"})
	if got := <-done; got != "+OK" {
		t.Errorf("after the pause: %q", got)
	}

	// A pause ends by itself, and holds reads too unless told otherwise.
	admin.do("CLIENT PAUSE 20")
	start := time.Now()
	c.expect(step{"GET a", "$1 1"})
	if d := time.Since(start); d < 15*time.Millisecond {
		t.Errorf("waited %v", d)
	}

	// A client that is gone does not wait.
	c.do("CLIENT PAUSE 100000")
	gone := make(chan Outcome)
	go func() {
		_, outcome := c.request("SET", "a", "2")
		gone <- outcome
	}()
	eventually(t, "blocked", func() bool { return w.x.blocked.Load() == 1 })
	c.s.Interrupt()
	if got := <-gone; got != Close {
		t.Errorf("outcome %v", got)
	}
	admin.s.MayBlock = true
	w.x.pause.end(w.x, nil)
	admin.expect(step{"GET a", "$1 1"})
}

func TestClientUnblock(t *testing.T) {
	w := newWorld(t)
	c, admin := w.connect("2"), w.connect("2")
	for _, tt := range []struct{ cause, want string }{{"", ":0"}, {" TIMEOUT", ":0"}, {" ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK"}} {
		done := make(chan string)
		go func() { done <- c.do("WAIT 1 0") }()
		request := fmt.Sprint("CLIENT UNBLOCK ", c.s.ID, tt.cause)
		eventually(t, request, func() bool { return admin.do(request) == ":1" })
		if got := <-done; got != tt.want {
			t.Errorf("%s: %q", request, got)
		}
	}
	c.expect(step{"WAIT 1 5", ":0"}, step{"WAITAOF 0 1 5", "*2 :0 :0"})
	admin.expect(step{fmt.Sprint("CLIENT UNBLOCK ", c.s.ID), ":0"})
}

func TestAuth(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Options.Password = "secret" })
	c := w.connect("2")
	c.expect(
		step{"GET a", "-NOAUTH Authentication required."},
		step{"CLIENT ID", "-NOAUTH Authentication required."},
		step{"NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: "},
		step{"GET", "-ERR wrong number of arguments for 'get' command"},
		step{"HELLO 3", "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"},
		step{"AUTH wrong", "-WRONGPASS invalid username-password pair or user is disabled."},
		step{"AUTH nobody secret", "-WRONGPASS invalid username-password pair or user is disabled."},
		step{"GET a", "-NOAUTH Authentication required."},
		step{"AUTH secret", "+OK"},
		step{"GET a", "$-1"},
		step{"RESET", "+RESET"},
		step{"GET a", "-NOAUTH Authentication required."},
		step{"AUTH default secret", "+OK"},
		step{"ACL WHOAMI", "$7 default"},
		step{"CONFIG SET requirepass other", "+OK"},
		step{"GET a", "$-1"},
	)
	d := w.connect("2")
	d.expect(step{"GET a", "-NOAUTH Authentication required."})
	if got := d.do("HELLO 3 AUTH default other SETNAME me"); !strings.HasPrefix(got, "%7 $6 server $5 redis $7 version $5 7.2.4 $5 proto :3 $2 id :2 $4 mode $10 standalone $4 role $6 master $7 modules *0") {
		t.Errorf("hello %q", got)
	}
	d.expect(step{"CLIENT GETNAME", "$2 me"}, step{`CONFIG SET requirepass ""`, "+OK"})
	c.expect(step{"RESET", "+RESET"}, step{"GET a", "$-1"})
	if got := field(c.do("INFO stats"), "acl_access_denied_auth"); got != "2" {
		t.Errorf("%s wrong passwords", got)
	}
}

func TestMonitor(t *testing.T) {
	w := newWorld(t)
	m, c := w.connect("2"), w.connect("2")
	m.expect(step{"MONITOR", "+OK"})
	c.do(`SET "a\n" "x\x00\"y"`)
	c.do("SELECT 2")
	c.do("AUTH default secret")
	c.do("CONFIG GET maxmemory") // administrative: not shown
	c.do("HELLO 2 AUTH default secret")
	c.do("NOSUCH")
	want := regexp.MustCompile(`^(\+\d{10}\.\d{6} \[\d 127\.0\.0\.1:1002\] .*(?: |$))+$`)
	got := m.take()
	if !want.MatchString(got) {
		t.Errorf("fed %q", got)
	}
	var shown []string
	for _, line := range strings.Split(got, "+")[1:] {
		_, request, _ := strings.Cut(line, "] ")
		shown = append(shown, strings.TrimSpace(request))
	}
	if want := []string{
		`"SET" "a\n" "x\x00\"y"`, `"SELECT" "2"`, `"AUTH" "(redacted)" "(redacted)"`, `"HELLO" "2" "AUTH" "(redacted)" "(redacted)"`,
	}; strings.Join(shown, "|") != strings.Join(want, "|") {
		t.Errorf("fed %q", shown)
	}
	m.do("RESET")
	m.take()
	c.do("GET a")
	m.got("")
	if got := w.x.gates.Load(); got != 0 {
		t.Errorf("gates %b", got)
	}
}
