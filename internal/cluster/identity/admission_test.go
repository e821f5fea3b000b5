package identity

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

func TestJudge(t *testing.T) {
	id := NewClusterID()
	const here, there, lo = "10.0.0.1", "10.0.0.2", "127.0.0.1"
	for name, c := range map[string]struct {
		member     string // address that the member advertises
		here, seen string // ends of the connection
		change     func(*JoinRequest)
		reason     Reason
		say        []string
	}{
		"another machine":               {"10.0.0.1:7380", here, there, nil, "", nil},
		"the same machine":              {"127.0.0.1:7380", lo, lo, func(r *JoinRequest) { r.Node.Peer = "127.0.0.1:7480" }, "", nil},
		"the same machine, its address": {"10.0.0.1:7380", here, here, func(r *JoinRequest) { r.Node.Peer = "10.0.0.1:7480" }, "", nil},
		"by name":                       {"a.example:7380", here, there, func(r *JoinRequest) { r.Node.Peer = "b.example:7380" }, "", nil},
		"member on loopback, node not, one machine": {"127.0.0.1:7380", lo, lo, nil, "", nil},
		"of the same cluster":                       {"10.0.0.1:7380", here, there, func(r *JoinRequest) { r.Cluster = id }, "", nil},
		"loopback from another machine": {"10.0.0.1:7380", here, there, func(r *JoinRequest) { r.Node.Peer = "127.0.0.1:7380" }, ReasonAddress,
			[]string{"says it is at 127.0.0.1:7380", "leads nowhere from the member, on another machine", "(seen from here it is 10.0.0.2)"}},
		"localhost from another machine": {"10.0.0.1:7380", here, there, func(r *JoinRequest) { r.Node.Peer = "localhost:7380" }, ReasonAddress, []string{"says it is at localhost:7380"}},
		"loopback in a cluster of many machines": {"10.0.0.1:7380", lo, lo, func(r *JoinRequest) { r.Node.Peer = "[::1]:7380" }, ReasonAddress,
			[]string{"says it is at [::1]:7380, but this cluster has nodes on other machines (the member is 10.0.0.1:7380)"}},
		"member on loopback, node elsewhere": {"127.0.0.1:7380", here, there, nil, ReasonAddress,
			[]string{"the member says it is at 127.0.0.1:7380", "start the member with --advertise set to its address in the network (10.0.0.1)"}},
		"unspecified": {"10.0.0.1:7380", here, there, func(r *JoinRequest) { r.Node.Peer = "0.0.0.0:7380" }, ReasonAddress,
			[]string{"the peer address 0.0.0.0:7380", "set --advertise", "(seen from here it is 10.0.0.2)"}},
		"unspecified IPv6": {"10.0.0.1:7380", here, there, func(r *JoinRequest) { r.Node.HTTP = "[::]:8080" }, ReasonAddress, []string{"the http address [::]:8080"}},
		"no host":          {"10.0.0.1:7380", here, there, func(r *JoinRequest) { r.Node.RESPCluster = ":7379" }, ReasonAddress, []string{"the resp_cluster address :7379"}},
		"no port":          {"10.0.0.1:7380", here, there, func(r *JoinRequest) { r.Node.Peer = "10.0.0.2" }, ReasonAddress, []string{`"10.0.0.2"`, "host:port"}},
		"port 0":           {"10.0.0.1:7380", here, there, func(r *JoinRequest) { r.Node.Peer = "10.0.0.2:0" }, ReasonAddress, []string{"port above 0"}},
		"another cluster":  {"10.0.0.1:7380", here, there, func(r *JoinRequest) { r.Cluster = "ffffffffffffffffffffffffffffffff" }, ReasonCluster, []string{"of cluster ffffffff, this is cluster " + id.Short()}},
		"an hour":          {"10.0.0.1:7380", here, there, func(r *JoinRequest) { r.Time = noon.Add(time.Hour) }, "", nil},
		"more than an hour": {"10.0.0.1:7380", here, there, func(r *JoinRequest) { r.Time = noon.Add(-time.Hour - time.Second) }, ReasonClock,
			[]string{"the clock of the joining node (2026-06-01T10:59:59Z) is 1h0m1s behind that of the member (2026-06-01T12:00:00Z), more than an hour"}},
		"a long name":           {"10.0.0.1:7380", here, there, func(r *JoinRequest) { r.Node.Name = strings.Repeat("x", 256) }, ReasonMalformed, []string{"at most 255 printable characters"}},
		"a zone of two lines":   {"10.0.0.1:7380", here, there, func(r *JoinRequest) { r.Node.Zone = "a\nb" }, ReasonMalformed, []string{`"a\nb"`}},
		"a node id in capitals": {"10.0.0.1:7380", here, there, func(r *JoinRequest) { r.Node.ID = cluster.NodeID(strings.Repeat("A", 40)) }, ReasonMalformed, []string{"lower case"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := someRequest()
			r.Cluster = ""
			if c.change != nil {
				c.change(&r)
			}
			conditions := circumstances{
				cluster: id, now: noon, self: cluster.Node{ID: cluster.NewNodeID(), Peer: c.member},
				here: netip.MustParseAddr(c.here), there: netip.MustParseAddr(c.seen),
			}
			refusal := conditions.judge(&r)
			if c.reason == "" {
				if refusal != nil {
					t.Error(refusal)
				}
				return
			}
			if !errors.Is(refusal, &Refusal{Reason: c.reason}) {
				t.Fatalf("%v, want %s", refusal, c.reason)
			}
			wantError(t, refusal, c.say...)
		})
	}
}

func TestTrustWithoutToken(t *testing.T) {
	for name, c := range map[string]struct {
		member, node, here, there string
		want                      bool
	}{
		"all on loopback":      {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1", "127.0.0.1", true},
		"IPv6":                 {"[::1]:1", "localhost:2", "::1", "::1", true},
		"member beyond":        {"10.0.0.1:1", "127.0.0.1:2", "127.0.0.1", "127.0.0.1", false},
		"node beyond":          {"127.0.0.1:1", "10.0.0.1:2", "127.0.0.1", "127.0.0.1", false},
		"connection beyond":    {"127.0.0.1:1", "127.0.0.1:2", "10.0.0.1", "10.0.0.2", false},
		"one machine, not lo":  {"127.0.0.1:1", "127.0.0.1:2", "10.0.0.1", "10.0.0.1", false},
		"a member without one": {"", "127.0.0.1:2", "127.0.0.1", "127.0.0.1", false},
	} {
		conditions := circumstances{self: cluster.Node{Peer: c.member}, here: netip.MustParseAddr(c.here), there: netip.MustParseAddr(c.there)}
		if got := conditions.trusted(&JoinRequest{Node: cluster.Node{Peer: c.node}}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPeerAddress(t *testing.T) {
	for given, want := range map[string]string{
		"10.0.0.1": "10.0.0.1:7380", "10.0.0.1:99": "10.0.0.1:99", "cache-1": "cache-1:7380", "cache-1:99": "cache-1:99",
		"::1": "[::1]:7380", "[::1]": "[::1]:7380", "[::1]:99": "[::1]:99", "fe80::1": "[fe80::1]:7380",
	} {
		if got, err := PeerAddress(given); got != want || err != nil {
			t.Errorf("%q: %q %v, want %q", given, got, err, want)
		}
	}
	for _, given := range []string{"", ":7380", "a:b", "a:0", "a:70000", "a:1:2"} {
		if got, err := PeerAddress(given); err == nil {
			t.Errorf("%q became %q", given, got)
		} else if !strings.Contains(err.Error(), "HOST or HOST:PORT") {
			t.Errorf("%q: %v", given, err)
		}
	}
}

func TestHosts(t *testing.T) {
	n := cluster.Node{Peer: "10.0.0.2:7380", RESP: "10.0.0.2:6379", RESPCluster: "cache.example:7379", HTTP: "broken"}
	if got := Hosts(n); !slices.Equal(got, []string{"10.0.0.2", "cache.example"}) {
		t.Errorf("%q", got)
	}
	c := circumstances{there: netip.MustParseAddr("192.0.2.7")}
	if got := c.hosts(&n); !slices.Equal(got, []string{"10.0.0.2", "cache.example", "192.0.2.7"}) {
		t.Errorf("%q", got)
	}
}

func TestRefusalIs(t *testing.T) {
	r := refuse(ReasonClock, "x %d", 1)
	if !errors.Is(r, &Refusal{Reason: ReasonClock}) || errors.Is(r, &Refusal{Reason: ReasonAlive}) || !errors.Is(r, &Refusal{ReasonClock, "x 1"}) || errors.Is(r, &Refusal{ReasonClock, "y"}) {
		t.Error("refusals are not told apart by their reasons")
	}
	if got := unavailable("do it", r); got != r {
		t.Errorf("a refusal became %v", got)
	}
	seen := make(map[Reason]bool)
	for _, r := range Reasons() {
		if seen[r] || r == "" {
			t.Errorf("%q twice", r)
		}
		seen[r] = true
	}
}
