package peer

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// rawHello connects as a node would, without TLS, and reads the welcome.
func rawHello(t testing.TB, n *Network, node string, incarnation uint64) net.Conn {
	t.Helper()
	c := rawDial(t, n)
	h := hello{Identity: Identity{Cluster: "c1", Node: node, Incarnation: incarnation}, minVersion: 1, maxVersion: 1, lane: "raw"}
	_, err := c.Write(h.encode())
	check(t, err)
	body, err := readEnvelope(c)
	check(t, err)
	a, err := parseAnswer(body)
	check(t, err)
	if a.refusal != 0 {
		t.Fatalf("refused: %s", a.reason)
	}
	return c
}

// TestStrangersGetNothing guards that nobody learns anything without proof.
func TestStrangersGetNothing(t *testing.T) {
	for name, c := range map[string]struct {
		s     secured
		bytes string
	}{
		"http to plain":      {plain, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
		"redis to TLS":       {withTLS, "*1\r\n$4\r\nPING\r\n"},
		"http to TLS":        {withTLS, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
		"bad greeting":       {plain, helloMagic + "\x01\x03\x00abc"},
		"too long greeting":  {plain, helloMagic + "\x01\xff\xff"},
		"greeting of future": {plain, helloMagic + "\x09\x00\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := newTestCluster(t, c.s)
			n := cluster.node(cluster.config("b"))
			conn := rawDial(t, n)
			_, err := io.WriteString(conn, c.bytes)
			check(t, err)
			if got, _ := io.ReadAll(conn); len(got) != 0 {
				t.Errorf("was told %q", got)
			}
			eventually(t, "counted", func() bool { return n.Stats().Strangers == 1 })
		})
	}
}

func TestSilentStrangerIsTimedOut(t *testing.T) {
	c := newTestCluster(t, withTLS)
	cfg := c.config("b")
	cfg.HandshakeTimeout = 20 * time.Millisecond
	n := c.node(cfg)
	conn := rawDial(t, n)
	if got, _ := io.ReadAll(conn); len(got) != 0 {
		t.Errorf("was told %q", got)
	}
	eventually(t, "counted", func() bool { return n.Stats().Strangers == 1 })
}

func TestTooManyHandshakes(t *testing.T) {
	c := newTestCluster(t, plain)
	cfg := c.config("b")
	cfg.MaxHandshakes = 2
	n := c.node(cfg)
	rawDial(t, n)
	rawDial(t, n)
	eventually(t, "both in their handshakes", func() bool { return len(n.handshakes) == 2 })
	third := rawDial(t, n)
	if got, _ := io.ReadAll(third); len(got) != 0 {
		t.Errorf("was told %q", got)
	}
	eventually(t, "counted", func() bool { return n.Stats().Crowded == 1 })
}

// TestCertificates has nodes whose certificates are not what they should be.
func TestCertificates(t *testing.T) {
	for name, c := range map[string]struct {
		client func(t *testing.T, ca *authority, cfg *Config)
		reason string
	}{
		"of another authority": {func(t *testing.T, ca *authority, cfg *Config) {
			other := newAuthority(t)
			_, cfg.ClientTLS = other.issue(t, "c1", "a")
			cfg.ClientTLS.RootCAs = ca.pool
		}, "tls"},
		"none": {func(t *testing.T, ca *authority, cfg *Config) {
			cfg.ClientTLS = cfg.ClientTLS.Clone()
			cfg.ClientTLS.Certificates = nil
		}, "tls"},
		"of another node": {func(t *testing.T, ca *authority, cfg *Config) {
			_, cfg.ClientTLS = ca.issue(t, "c1", "x")
		}, "has the certificate of node x of cluster c1"},
		"of another cluster": {func(t *testing.T, ca *authority, cfg *Config) {
			_, cfg.ClientTLS = ca.issue(t, "c2", "a")
			cfg.Self.Cluster = "c2"
		}, "you belong to cluster c2, this node to cluster c1"},
		"old TLS": {func(t *testing.T, ca *authority, cfg *Config) {
			_, cfg.ClientTLS = ca.issue(t, "c1", "y")
			cfg.ClientTLS.MaxVersion = tls.VersionTLS12
		}, "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := newTestCluster(t, withTLS)
			nb := cluster.node(cluster.config("b"))
			a := cluster.config("a")
			c.client(t, cluster.ca, &a)
			na := cluster.node(a)
			l := linkTo(t, na, nb, "b")
			eventually(t, "refused", func() bool {
				return l.Err() != nil && (name == "old TLS" || nb.Stats().Strangers+nb.Stats().Failures[FailedRefused] > 0)
			})
			if err := l.Err(); !strings.Contains(err.Error(), c.reason) {
				t.Errorf("got %v", err)
			}
			if nb.Stats().Accepts != 0 {
				t.Error("was accepted")
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(a, b *Config)
		target string
		code   Refusal
		remote bool
		reason string
	}{
		"other cluster": {func(a, _ *Config) { a.Self.Cluster = "c2" }, "b", RefusedCluster, true, "cluster c2"},
		"same node id":  {func(a, b *Config) { b.Self.Node = "a" }, "b", RefusedSelf, true, "share the id"},
		"another node answers": {func(_, b *Config) { b.Self.Node = "x" }, "b",
			RefusedIdentity, false, "node x answers at the address of node b"},
		"lane": {func(_, b *Config) {
			b.Handler.(*toy).open = func(_ Info, lane string) error { return fmt.Errorf("no %s here", lane) }
		}, "b", RefusedLane, true, "no requests here"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := newTestCluster(t, plain)
			a, b := cluster.config("a"), cluster.config("b")
			c.change(&a, &b)
			na, nb := cluster.node(a), cluster.node(b)
			l := linkTo(t, na, nb, c.target)
			eventually(t, "refused", func() bool { return l.Err() != nil })
			var refused *RefusedError
			if !errors.As(l.Err(), &refused) || refused.Code != c.code || refused.Remote != c.remote || !strings.Contains(refused.Error(), c.reason) {
				t.Errorf("got %v", l.Err())
			}
			if na.Stats().Failures[FailedRefused] == 0 {
				t.Error("not counted")
			}
		})
	}
}

// TestVersions guards that neighbouring releases talk to each other.
func TestVersions(t *testing.T) {
	for _, c := range []struct {
		a, b versions
		want uint16 // 0: refused
	}{
		{versions{1, 1}, versions{1, 1}, 1},
		{versions{1, 1}, versions{1, 2}, 1},
		{versions{1, 2}, versions{1, 1}, 1},
		{versions{2, 3}, versions{1, 2}, 2},
		{versions{2, 3}, versions{2, 3}, 3},
		{versions{1, 1}, versions{2, 3}, 0},
		{versions{3, 4}, versions{1, 2}, 0},
	} {
		t.Run(fmt.Sprint(c.a, c.b), func(t *testing.T) {
			cluster := newTestCluster(t, plain)
			na, err := open(cluster.config("a"), c.a)
			check(t, err)
			defer na.Close()
			nb, err := open(cluster.config("b"), c.b)
			check(t, err)
			defer nb.Close()
			l := linkTo(t, na, nb, "b")
			if c.want == 0 {
				eventually(t, "refused", func() bool { return l.Err() != nil })
				var refused *RefusedError
				if !errors.As(l.Err(), &refused) || refused.Code != RefusedVersion {
					t.Errorf("got %v", l.Err())
				}
				return
			}
			waitUp(t, l)
			if info, ok := l.Peer(); !ok || info.Version != c.want || info.Node != "b" || info.Build != "test" {
				t.Errorf("got %+v", info)
			}
			if in := nb.inbounds(); len(in) != 1 || in[0].info.Version != c.want {
				t.Error("the other side took another version")
			}
		})
	}
}

// TestIncarnations guards that of two processes with one node id the later wins.
func TestIncarnations(t *testing.T) {
	c := newTestCluster(t, plain)
	n := c.node(c.config("b"))
	first := rawHello(t, n, "a", 5)
	rawHello(t, n, "a", 5) // another lane of the same process
	rawHello(t, n, "a", 6)
	if _, err := first.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the older process keeps its connection: %v", err)
	}
	eventually(t, "counted", func() bool { return n.Stats().Failures[FailedReplaced] == 2 && n.Stats().Inbound == 1 })
	old := rawDial(t, n)
	h := hello{Identity: Identity{Cluster: "c1", Node: "a", Incarnation: 4}, minVersion: 1, maxVersion: 1}
	_, err := old.Write(h.encode())
	check(t, err)
	body, err := readEnvelope(old)
	check(t, err)
	if a, err := parseAnswer(body); err != nil || a.refusal != RefusedIncarnation {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestConfigContradictions(t *testing.T) {
	c := newTestCluster(t, plain)
	for name, change := range map[string]func(*Config){
		"no node id":         func(c *Config) { c.Self.Node = "" },
		"long id":            func(c *Config) { c.Self.Cluster = strings.Repeat("x", 256) },
		"no handler":         func(c *Config) { c.Handler = nil },
		"neither TLS":        func(c *Config) { c.Plain = false },
		"both":               func(c *Config) { c.ServerTLS, c.ClientTLS = &tls.Config{}, &tls.Config{} },
		"one side":           func(c *Config) { c.Plain, c.ServerTLS = false, &tls.Config{} },
		"frame":              func(c *Config) { c.MaxFrame = frameLimit + 1 },
		"outstanding":        func(c *Config) { c.MaxOutstanding = maxPlaces + 1 },
		"heartbeats":         func(c *Config) { c.IdleHeartbeat = time.Millisecond },
		"dead at once":       func(c *Config) { c.DeadAfter = time.Millisecond },
		"idle":               func(c *Config) { c.IdleTimeout = time.Second },
		"back-off":           func(c *Config) { c.BackoffMin = time.Minute },
		"negative limit":     func(c *Config) { c.MaxOutput = -1 },
		"negative duration":  func(c *Config) { c.HandshakeTimeout = -1 },
		"address of nowhere": func(c *Config) { c.Listen = "127.0.0.1:none" },
	} {
		cfg := c.config("a")
		change(&cfg)
		if n, err := Open(cfg); err == nil {
			n.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}
