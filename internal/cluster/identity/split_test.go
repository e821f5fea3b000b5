package identity

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// listenSplit serves the peer port of a node.
func listenSplit(t *testing.T, c *Credentials) *Split {
	t.Helper()
	s := SplitALPN(must(net.Listen("tcp", "127.0.0.1:0"))(t), c)
	t.Cleanup(func() { s.Close() })
	return s
}

// hello returns the first message of TLS with these protocols.
func hello(protocols ...string) []byte {
	var sent bytes.Buffer
	client, server := net.Pipe()
	go func() {
		c := tls.Client(client, &tls.Config{InsecureSkipVerify: true, NextProtos: protocols})
		_ = c.Handshake() // fails: nobody answers
	}()
	var head [5]byte
	if _, err := io.ReadFull(server, head[:]); err != nil {
		panic(err)
	}
	sent.Write(head[:])
	if _, err := io.CopyN(&sent, server, int64(head[3])<<8|int64(head[4])); err != nil {
		panic(err)
	}
	server.Close()
	return sent.Bytes()
}

func TestWantedProtocol(t *testing.T) {
	for name, c := range map[string]struct {
		protocols []string
		want      string
	}{
		"peer":            {[]string{ProtocolPeer}, ProtocolPeer},
		"join":            {[]string{"h2", ProtocolJoin}, ProtocolJoin},
		"reach":           {[]string{ProtocolReach}, ProtocolReach},
		"a browser":       {[]string{"h2", "http/1.1"}, ""},
		"none":            {nil, ""},
		"of next release": {[]string{"larder-peer/2", ProtocolPeer}, ProtocolPeer},
	} {
		message := hello(c.protocols...)
		if got, done := wanted(message); got != c.want || !done {
			t.Errorf("%s: %q %v", name, got, done)
		}
		for n := range message {
			if got, done := wanted(message[:n]); done || got != "" {
				t.Fatalf("%s: decided after %d of %d bytes: %q", name, n, len(message), got)
			}
		}
	}
	for _, text := range []string{"GET / HTTP/1.1\r\n\r\n", "PING\r\n*1\r\n", "\x16\x03\x01\x00\x04\x02\x00\x00\x00"} {
		if got, done := wanted([]byte(text)); got != "" || !done {
			t.Errorf("%q: %q %v", text, got, done)
		}
	}
}

func FuzzWanted(f *testing.F) {
	f.Add(hello(ProtocolPeer))
	f.Add(hello("h2"))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, done := wanted(b); got != "" && !done {
			t.Fatalf("%q, but not done", got)
		}
	})
}

func TestSplitTakesNothingFromLinks(t *testing.T) {
	id := NewClusterID()
	a := must(NewAuthority(id, time.Now()))(t)
	x, y := newMember(t, a, id, time.Now), newMember(t, a, id, time.Now)
	s := listenSplit(t, x.Credentials)
	done := make(chan error, 1)
	go func() {
		conn, err := s.Peers().Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		if _, ok := conn.(*net.TCPConn); !ok {
			done <- errors.New("not a TCP connection")
			return
		}
		_, err = io.Copy(conn, tls.Server(conn, x.ServerConfig()))
		done <- err
	}()
	// the first message comes in pieces
	conn := must(net.Dial("tcp", s.Peers().Addr().String()))(t)
	defer conn.Close()
	c := tls.Client(&slow{Conn: conn}, y.ClientConfig(x.id.Node))
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// slow sends what is written in small pieces.
type slow struct{ net.Conn }

func (s *slow) Write(b []byte) (n int, err error) {
	for part := range bytesOf(b, 100) {
		m, err := s.Conn.Write(part)
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

func bytesOf(b []byte, size int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			n := min(size, len(b))
			if !yield(b[:n]) {
				return
			}
			b = b[n:]
		}
	}
}

func TestStrangersGetNotAByte(t *testing.T) {
	id := NewClusterID()
	x := newMember(t, must(NewAuthority(id, time.Now()))(t), id, time.Now)
	s := listenSplit(t, x.Credentials)
	for name, sent := range map[string][]byte{
		"HTTP": []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "RESP": []byte("*1\r\n$4\r\nPING\r\n"), "a browser": hello("h2"), "no protocol": hello(), "nothing": nil,
		"endless": bytes.Repeat([]byte{0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc}, 4000),
	} {
		conn := must(net.Dial("tcp", s.Peers().Addr().String()))(t)
		_, _ = conn.Write(sent) // the other side may close before all is sent
		if name == "nothing" {
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		if got, _ := io.ReadAll(conn); len(got) > 0 { // ends by a close or a reset
			t.Errorf("%s: the stranger got %q", name, got)
		}
		conn.Close()
	}
	if n, _ := s.Strangers(); n != 6 {
		t.Errorf("%d strangers counted", n)
	}
}

func TestSplitCloses(t *testing.T) {
	id := NewClusterID()
	x := newMember(t, must(NewAuthority(id, time.Now()))(t), id, time.Now)
	s := listenSplit(t, x.Credentials)
	silent := must(net.Dial("tcp", s.Peers().Addr().String()))(t)
	defer silent.Close()
	waiting := must(net.Dial("tcp", s.Peers().Addr().String()))(t)
	defer waiting.Close()
	if _, err := waiting.Write(hello(ProtocolPeer)); err != nil { // nobody accepts it
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second time: %v", err)
	}
	for _, l := range []net.Listener{s.Peers(), s.Joins()} {
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept afterwards: %v", err)
		}
	}
	if _, err := io.ReadAll(silent); err != nil && !isReset(err) {
		t.Error(err)
	}
}

func isReset(err error) bool { var op *net.OpError; return errors.As(err, &op) && !op.Timeout() }

func TestReachable(t *testing.T) {
	node, key := cluster.NewNodeID(), must(NewKey())(t)
	c := must(Provisional(node, key, Files{}, time.Now))(t)
	s := listenSplit(t, c)
	address := s.Peers().Addr().String()
	if refusal := Reachable(t.Context(), address, node, key.Public(), 0); refusal != nil {
		t.Errorf("a node that listens: %v", refusal)
	}
	other := must(NewKey())(t)
	silent := must(net.Listen("tcp", "127.0.0.1:0"))(t) // takes connections and says nothing
	defer silent.Close()
	closed := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	closed.Close()
	plain := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	go func() {
		for {
			conn, err := plain.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("-ERR unknown command\r\n"))
			conn.Close()
		}
	}()
	defer plain.Close()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		refusal *Refusal
		say     []string
	}{
		"another node": {Reachable(t.Context(), address, node, other.Public(), 0), []string{"at " + address + " answers somebody else than node " + node.Short(), "--advertise"}},
		"nobody": {Reachable(t.Context(), closed.Addr().String(), node, key.Public(), 0),
			[]string{"node " + closed.Addr().String() + " cannot be reached from here: check --peer-addr/--advertise or the firewall", "refused"}},
		"silence":    {Reachable(t.Context(), silent.Addr().String(), node, key.Public(), 30*time.Millisecond), []string{"something answers", "no answer within 30ms"}},
		"no larder":  {Reachable(t.Context(), plain.Addr().String(), node, key.Public(), 0), []string{"at " + plain.Addr().String() + " something answers, but not as larder node"}},
		"no time":    {Reachable(canceled, address, node, key.Public(), 0), []string{"cannot be reached from here", "no answer within 3s"}},
		"no address": {Reachable(t.Context(), "no-such-host.invalid:7380", node, key.Public(), 0), []string{"node no-such-host.invalid:7380 cannot be reached from here"}},
	} {
		if !errors.Is(c.refusal, &Refusal{Reason: ReasonUnreachable}) {
			t.Errorf("%s: %v", name, c.refusal)
			continue
		}
		t.Run(name, func(t *testing.T) { wantError(t, c.refusal, c.say...) })
	}
}
