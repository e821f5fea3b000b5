package demo

import (
	"bufio"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
)

// forgetful answers SET key value GET from a map that it can lose.
type forgetful struct {
	mu   sync.Mutex
	keys map[string]string
}

func (f *forgetful) lose() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.keys)
}

func (f *forgetful) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewScanner(conn)
	var words []string
	for in.Scan() {
		if line := in.Text(); !strings.HasPrefix(line, "*") && !strings.HasPrefix(line, "$") {
			words = append(words, line)
		}
		if len(words) < 4 {
			continue
		}
		f.mu.Lock()
		old, known := f.keys[words[1]]
		f.keys[words[1]] = words[2]
		f.mu.Unlock()
		reply := "$-1\r\n"
		if known {
			reply = "$" + string(rune('0'+len(old))) + "\r\n" + old + "\r\n"
		}
		if _, err := conn.Write([]byte(reply)); err != nil {
			return
		}
		words = nil
	}
}

func TestLedgerFindsWhatIsLost(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	node := &forgetful{keys: map[string]string{}}
	go func() { // ends with the listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go node.serve(conn)
		}
	}()
	ctx := context.Background()
	ledger := &Ledger{doors: NewDoors(l.Addr().String()), counter: NewCounter()}
	caller := ledger.doors.enter(0)
	defer caller.leave()
	if err := caller.ready(ctx); err != nil {
		t.Fatal(err)
	}
	var a, b page
	write := func(wantLost uint64) {
		t.Helper()
		ledger.turn(ctx, caller, &a, "a")
		ledger.turn(ctx, caller, &b, "b")
		if r := ledger.Result(); r.Lost != wantLost {
			t.Errorf("lost %d, want %d", r.Lost, wantLost)
		}
	}
	write(0)
	write(0)
	node.lose()
	write(2)
	write(2)
	if r := ledger.Result(); r.Acknowledged != 8 {
		t.Errorf("acknowledged %d, want 8", r.Acknowledged)
	}
}

func TestDoorsChange(t *testing.T) {
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	first, second := listen(), listen()
	d := NewDoors(first.Addr().String())
	c := d.enter(3)
	ctx := context.Background()
	if err := c.ready(ctx); err != nil || !d.settled() {
		t.Fatalf("settled %v, error %v", d.settled(), err)
	}
	d.Use(second.Addr().String())
	if d.settled() {
		t.Error("settled before the caller has changed over")
	}
	if err := c.ready(ctx); err != nil {
		t.Fatal(err)
	}
	if got := c.client.conn.RemoteAddr().String(); got != second.Addr().String() || !d.settled() {
		t.Errorf("at %s, settled %v", got, d.settled())
	}
	d.Changed(ctx)
	d.Use(first.Addr().String())
	c.leave()
	d.Changed(ctx) // those that have left need not change over
}
