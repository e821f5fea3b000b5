package loadgen

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stallServer answers every line that ends a request with a null, and stops
// answering all connections for a while when it has answered after requests.
type stallServer struct {
	listener net.Listener
	answered atomic.Int64
	after    int64
	length   time.Duration
	gate     sync.RWMutex // held for writing during the stall
	once     sync.Once
	group    sync.WaitGroup
}

func startStalling(t *testing.T, after int64, length time.Duration) *stallServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stallServer{listener: l, after: after, length: length}
	s.group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.group.Go(func() { s.answer(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); s.group.Wait() })
	return s
}

func (s *stallServer) answer(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		for range 5 { // *2 $3 GET $16 key
			if _, err := in.ReadSlice('\n'); err != nil {
				return
			}
		}
		if s.answered.Add(1) == s.after {
			s.once.Do(s.stall)
		}
		s.gate.RLock()
		_, err := conn.Write([]byte("$-1\r\n"))
		s.gate.RUnlock()
		if err != nil {
			return
		}
	}
}

// stall makes every connection wait for a while.
func (s *stallServer) stall() {
	s.gate.Lock()
	timer := time.NewTimer(s.length)
	<-timer.C
	s.gate.Unlock()
}

// TestStallIsNotHidden: a server that answers nothing for 300 ms delays every
// request that should have started meanwhile, 600 of 2000, by 150 ms on
// average; a client that waits for replies before it starts the clock would
// report one slow request per connection.
func TestStallIsNotHidden(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			s := startStalling(t, 500, 300*time.Millisecond)
			c := small(s.listener.Addr().String())
			c.Connections, c.Threads, c.Pipeline, c.Sets = 4, 1, 1, 0
			c.Rate, c.Requests, c.Duration, c.Blocking = 2000, 2000, 0, d.blocking
			r, err := Run(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			if r.Requests != 2000 {
				t.Errorf("%d answers, want 2000", r.Requests)
			}
			// 600 of 2000 wait between 0 and 300 ms: the slowest tenth waits
			// at least 200 ms.
			if r.Latency.P90 < 150_000 || r.Latency.Max < 290_000 {
				t.Errorf("the stall is hidden: p90 %.0f us, max %.0f us", r.Latency.P90, r.Latency.Max)
			}
		})
	}
}

// TestBacklogIsCharged: requests that never found a free connection before the
// end count, with the time they have waited.
func TestBacklogIsCharged(t *testing.T) {
	for _, d := range drivers {
		s := startStalling(t, 1, 400*time.Millisecond)
		c := small(s.listener.Addr().String())
		c.Connections, c.Threads, c.Pipeline, c.Sets = 2, 1, 1, 0
		c.Rate, c.Requests, c.Duration, c.Blocking = 1000, 0, 200*time.Millisecond, d.blocking
		r, err := Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		if r.Requests > 4 || r.Unsent < 190 || r.Latency.P50 < 90_000 {
			t.Errorf("%s: %d answered, %d unsent, p50 %.0f us", d.name, r.Requests, r.Unsent, r.Latency.P50)
		}
	}
}

// TestSilentServer: a server that never answers ends the run with an error,
// and its requests are lost, not forgotten.
func TestSilentServer(t *testing.T) {
	for _, d := range drivers {
		l, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel, reads nothing
		if err != nil {
			t.Fatal(err)
		}
		c := small(l.Addr().String())
		c.Connections, c.Threads, c.Timeout, c.Blocking = 3, 1, 50*time.Millisecond, d.blocking
		r, err := Run(context.Background(), c)
		if !errors.Is(err, errStalled) {
			t.Errorf("%s: error %v", d.name, err)
		}
		if r == nil || r.Lost != 12 || r.Requests != 0 {
			t.Errorf("%s: result %+v", d.name, r)
		}
		c.Rate = 10_000 // 500 more have become due when the patience ends
		r, err = Run(context.Background(), c)
		if !errors.Is(err, errStalled) || r.Lost == 0 || r.Unsent < 300 {
			t.Errorf("%s: open loop: result %+v, error %v", d.name, r, err)
		}
		l.Close()
	}
}

// TestBrokenConnections: a server that closes a connection loses it its
// requests; when it was the last, the run ends.
func TestBrokenConnections(t *testing.T) {
	for _, d := range drivers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		group.Go(func() {
			for range 3 {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				in := bufio.NewReader(conn)
				in.ReadSlice('\n')
				conn.Close()
			}
		})
		c := small(l.Addr().String())
		c.Connections, c.Threads, c.Blocking = 3, 2, d.blocking
		r, err := Run(context.Background(), c)
		if !errors.Is(err, errNoConnection) || r == nil || r.Dropped != 3 || r.Lost != 12 {
			t.Errorf("%s: result %+v, error %v", d.name, r, err)
		}
		l.Close()
		group.Wait()
	}
}

// TestNonsenseFromServer: bytes that are no reply break the connection with
// the protocol's complaint.
func TestNonsenseFromServer(t *testing.T) {
	for _, d := range drivers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		group.Go(func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			bufio.NewReader(conn).WriteTo(discard{})
		})
		c := small(l.Addr().String())
		c.Connections, c.Blocking = 1, d.blocking
		r, err := Run(context.Background(), c)
		if err == nil || !strings.Contains(r.Part.commonError(), "does not begin as a RESP reply") {
			t.Errorf("%s: errors %v, error %v", d.name, r.Errors, err)
		}
		l.Close()
		group.Wait()
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
