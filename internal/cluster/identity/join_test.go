package identity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// register is a Registrar and the Tokens of a cluster, in memory.
type register struct {
	mu     sync.Mutex
	nodes  map[cluster.NodeID]Registered
	grants []Grant
	fail   error // of every call
	asked  []JoinRequest
}

func (r *register) Lookup(_ context.Context, id cluster.NodeID) (Registered, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nodes[id], r.fail
}

func (r *register) Admit(_ context.Context, q JoinRequest) (JoinAnswer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if refusal := refuseKnown(r.nodes[q.Node.ID], q.Node); refusal != nil {
		return JoinAnswer{}, refusal
	}
	r.nodes[q.Node.ID] = Registered{Known: true, Alive: true, Node: q.Node}
	r.asked = append(r.asked, q)
	return JoinAnswer{HashSeed: 42, Coordinators: []string{"https://127.0.0.1:1"}, SettingsRevision: 7, BecomeCoordinator: true, Member: "m2", State: cluster.Active}, nil
}

func (r *register) Grants(context.Context) ([]Grant, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.grants, r.fail
}

func (r *register) Use(_ context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.grants {
		if g := &r.grants[i]; g.ID == id {
			if g.Limit > 0 && g.Uses >= g.Limit {
				return refuse(ReasonTokenUsed, "used up by another")
			}
			g.Uses++
		}
	}
	return nil
}

// town is a cluster of one that lets nodes in.
type town struct {
	Founding
	*register
	gate *Gate
	self cluster.Node
	log  *strings.Builder // read it after gate.Close only
}

// newTown founds a cluster and serves its peer port on loopback. change may
// alter what the gate is made of.
func newTown(t *testing.T, conf TLSConfig, change func(*GateConfig)) *town {
	t.Helper()
	w := &town{register: &register{nodes: make(map[cluster.NodeID]Registered)}, log: new(strings.Builder)}
	w.Founding = must(openDir(t).Found(conf, []string{"127.0.0.1"}, time.Now))(t)
	s := listenSplit(t, w.Credentials)
	w.self = cluster.Node{ID: w.Identity.Node, Peer: s.Peers().Addr().String()}
	cfg := GateConfig{
		Cluster: w.Identity.Cluster, Credentials: w.Credentials, Registrar: w.register, Tokens: w.register,
		Self: func() cluster.Node { return w.self }, Log: slog.New(slog.NewTextHandler(w.log, nil)), ReachTime: 2 * time.Second,
	}
	if w.Authority != nil {
		cfg.Authority = func(context.Context) (*Authority, error) { return w.Authority, nil }
	}
	if change != nil {
		change(&cfg)
	}
	w.gate = NewGate(cfg)
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := w.gate.Serve(s.Joins()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		s.Close()
		w.gate.Close()
		serving.Wait()
	})
	return w
}

// mint adds a token to the cluster.
func (w *town) mint(t *testing.T, terms Terms) *Token {
	t.Helper()
	token, grant, err := Mint(w.Identity.Cluster, w.Credentials.Fingerprint(), terms, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.grants = append(w.grants, grant)
	return &token
}

// newcomer is a node that is about to join, its peer port served.
type newcomer struct {
	Joiner
	dir   *Dir
	split *Split
}

func newNewcomer(t *testing.T, dir *Dir, conf TLSConfig, token *Token) *newcomer {
	t.Helper()
	c, id, err := dir.Applicant(conf, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	n := &newcomer{dir: dir, split: listenSplit(t, c)}
	n.Joiner = Joiner{
		Token: token, Credentials: c, Incarnation: must(dir.NextIncarnation(time.Now()))(t),
		Node: cluster.Node{ID: id, Name: "second", Zone: "b", Weight: 50, Peer: n.split.Peers().Addr().String(), RESP: "127.0.0.1:6379", Version: "v1"},
	}
	if have, err := dir.Identity(); err == nil {
		n.Cluster = have.Cluster
	}
	return n
}

// settle does what a node does with its answer.
func (n *newcomer) settle(t *testing.T, a *JoinAnswer) Identity {
	t.Helper()
	id := Identity{Cluster: a.Cluster, Node: n.Node.ID, Created: time.Now(), Coordinator: a.BecomeCoordinator, Member: a.Member}
	if err := errors.Join(n.dir.Settle(id, a.CA, a.Certificate), n.Credentials.Install(a.Cluster)); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestJoin(t *testing.T) {
	w := newTown(t, TLSConfig{}, nil)
	dir := openDir(t)
	n := newNewcomer(t, dir, TLSConfig{}, w.mint(t, Terms{}))
	answer, err := n.Join(t.Context(), w.self.Peer)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Cluster != w.Identity.Cluster || answer.HashSeed != 42 || !answer.BecomeCoordinator || answer.Member != "m2" || answer.SettingsRevision != 7 {
		t.Errorf("answer %+v", answer)
	}
	asked := w.asked[0]
	if asked.Node != n.Node || asked.Incarnation != n.Incarnation || asked.Secret != nil {
		t.Errorf("the registrar was asked %+v", asked)
	}
	if w.grants[0].Uses != 1 || w.gate.Stats().Admitted != 1 {
		t.Errorf("uses %d, %+v", w.grants[0].Uses, w.gate.Stats())
	}
	id := n.settle(t, answer)
	serverErr, clientErr, _ := shake(t, w.Credentials.ServerConfig(), n.Credentials.ClientConfig(w.Identity.Node))
	if serverErr != nil || clientErr != nil {
		t.Errorf("a link: %v, %v", serverErr, clientErr)
	}
	serverErr, clientErr, _ = shake(t, n.Credentials.ServerConfig(), w.Credentials.ClientConfig(n.Node.ID))
	if serverErr != nil || clientErr != nil {
		t.Errorf("a link back: %v, %v", serverErr, clientErr)
	}

	// the next start resumes, the token in the command line or not
	have, err := dir.Identity()
	if step, err := Decide(Start{Join: true, Token: n.Token}, have, err); step != Resume || err != nil {
		t.Errorf("the next start: %q %v", step, err)
	}
	if c := must(dir.Member(TLSConfig{}, have, time.Now))(t); c.Fingerprint() != w.Credentials.Fingerprint() || have.Node != id.Node {
		t.Error("another node resumes")
	}

	// asked to join again while it is alive
	_, err = n.Join(t.Context(), w.self.Peer)
	if !errors.Is(err, &Refusal{Reason: ReasonAlive}) {
		t.Fatalf("joining twice: %v", err)
	}
	wantError(t, err, "node "+n.Node.ID.Short()+" has joined already, at "+n.Node.Peer)

	// a copy of the data directory
	twin := newNewcomer(t, dir, TLSConfig{}, n.Token)
	_, err = twin.Join(t.Context(), w.self.Peer)
	wantError(t, err, "is alive at "+n.Node.Peer, "cannot join again at "+twin.Node.Peer, "must not be copied")

	// when it is dead it may come again, and is the same node
	w.mu.Lock()
	w.nodes[n.Node.ID] = Registered{Known: true, Node: n.Node}
	w.mu.Unlock()
	if answer, err = twin.Join(t.Context(), w.self.Peer); err != nil {
		t.Fatal(err)
	}
	if again := twin.settle(t, answer); again.Node != id.Node || again.Cluster != id.Cluster {
		t.Errorf("came again as %+v", again)
	}
	w.mu.Lock()
	w.nodes[n.Node.ID] = Registered{Known: true, Node: cluster.Node{State: cluster.Left}}
	w.mu.Unlock()
	_, err = twin.Join(t.Context(), w.self.Peer)
	if !errors.Is(err, &Refusal{Reason: ReasonLeft}) {
		t.Fatalf("after its removal: %v", err)
	}
	wantError(t, err, "was removed from the cluster and its id does not return", "empty --data-dir")
}

func TestJoinOnOneMachineTakesNoToken(t *testing.T) {
	w := newTown(t, TLSConfig{}, nil)
	n := newNewcomer(t, openDir(t), TLSConfig{}, nil)
	answer, err := n.Join(t.Context(), w.self.Peer)
	if err != nil {
		t.Fatal(err)
	}
	n.settle(t, answer)

	// a member that others can reach wants one, on loopback too
	listens := w.self.Peer
	w.self.Peer = "10.0.0.1:7380"
	n = newNewcomer(t, openDir(t), TLSConfig{}, nil)
	_, err = n.Join(t.Context(), listens)
	if !errors.Is(err, &Refusal{Reason: ReasonNoToken}) {
		t.Fatal(err)
	}
	wantError(t, err, "takes a token: run `larder cluster token` on a member")
}

func TestStrangersAreToldNothing(t *testing.T) {
	w := newTown(t, TLSConfig{}, nil)
	dial := func() *tls.Conn {
		return must(tls.Dial("tcp", w.self.Peer, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{ProtocolJoin}}))(t)
	}
	said := func(c *tls.Conn) string {
		defer c.Close()
		b, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	unknown := someRequest()
	unknown.Cluster = "" // a good request, but for the secret
	unknown.Node.ID = cluster.NewNodeID()
	noSecret := unknown
	noSecret.Secret = nil
	for name, r := range map[string]JoinRequest{"unknown token": unknown, "no token": noSecret} {
		c := dial()
		if err := writeMessage(c, r); err != nil {
			t.Fatal(err)
		}
		got := said(c)
		if _, verdict, _ := strings.Cut(got, "}"); verdict[4:] != `{"refusal":{"reason":"refused","text":"refused"}}` {
			t.Errorf("%s: the stranger was told %q", name, got)
		}
	}
	c := dial()
	if _, err := c.Write([]byte("\x00\x00\x00\x05hello")); err != nil {
		t.Fatal(err)
	}
	if got := said(c); strings.Count(got, "{") != 1 || !strings.Contains(got, `"time"`) {
		t.Errorf("nonsense was answered %q", got)
	}
	stats := w.gate.Stats()
	for reason, want := range map[Reason]uint64{ReasonTokenUnknown: 1, ReasonNoToken: 1, ReasonMalformed: 1, ReasonRefused: 0} {
		if stats.Refused[reason] != want {
			t.Errorf("%s counted %d times, want %d", reason, stats.Refused[reason], want)
		}
	}
	w.gate.Close()
	if log := w.log.String(); !strings.Contains(log, "token-unknown") || !strings.Contains(log, "no-token") || strings.Contains(log, fmt.Sprintf("%x", unknown.Secret)) {
		t.Errorf("the log says %s", log)
	}
}

func TestFailuresAreLimited(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	w := newTown(t, TLSConfig{}, func(c *GateConfig) { c.Now = clock })
	wrong := w.mint(t, Terms{})
	w.grants = nil
	n := newNewcomer(t, openDir(t), TLSConfig{}, wrong)
	for range failuresAtOnce {
		_, err := n.Join(t.Context(), w.self.Peer)
		if !errors.Is(err, &Refusal{Reason: ReasonRefused}) {
			t.Fatal(err)
		}
		wantError(t, err, "refused the token: the cluster does not know it")
	}
	_, err := n.Join(t.Context(), w.self.Peer)
	wantError(t, err, "closed the connection", "failed too often: wait a minute")
	if got := w.gate.Stats().Refused[ReasonRate]; got != 1 {
		t.Errorf("%d counted", got)
	}
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	n.Token = w.mint(t, Terms{})
	if _, err := n.Join(t.Context(), w.self.Peer); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

func TestLimiterIsBoundedAndFair(t *testing.T) {
	l := newLimiter()
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for range failuresAtOnce {
		l.failed(a, noon)
	}
	if l.allowed(a, noon) || !l.allowed(b, noon) || !l.allowed(netip.Addr{}, noon) {
		t.Error("the wrong address is limited")
	}
	if !l.allowed(a, noon.Add(3*time.Second)) {
		t.Error("an address is limited for ever")
	}
	v6, neighbour := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	for range failuresAtOnce {
		l.failed(v6, noon)
	}
	if l.allowed(neighbour, noon) {
		t.Error("who has a /64 has as many tries")
	}
	for i := range 3 * maxSources {
		l.failed(netip.AddrFrom4([4]byte{11, 0, byte(i >> 8), byte(i)}), noon.Add(time.Duration(i)))
	}
	if len(l.sources) > maxSources {
		t.Errorf("%d addresses are remembered", len(l.sources))
	}
}

func TestJoinRefusals(t *testing.T) {
	elsewhere := newTown(t, TLSConfig{}, nil)
	for name, c := range map[string]struct {
		gate   func(*GateConfig)
		change func(t *testing.T, w *town, n *newcomer)
		reason Reason
		say    []string
	}{
		"token of another cluster": {nil, func(t *testing.T, _ *town, n *newcomer) { n.Token = elsewhere.mint(t, Terms{}) }, ReasonCluster,
			[]string{"belongs to another cluster than the token", "the token is for cluster " + elsewhere.Identity.Cluster.Short()}},
		"expired token": {nil, func(t *testing.T, w *town, _ *newcomer) { w.grants[0].Expires = noon.AddDate(-5, 0, 0) }, ReasonTokenExpired,
			[]string{"the join token expired at 2021-06-01T12:00:00Z", "larder cluster token"}},
		"used token": {nil, func(t *testing.T, w *town, _ *newcomer) { w.grants[0].Limit, w.grants[0].Uses = 1, 1 }, ReasonTokenUsed,
			[]string{"was for 1 nodes"}},
		"withdrawn token": {nil, func(t *testing.T, w *town, _ *newcomer) { w.grants = nil }, ReasonRefused,
			[]string{"the cluster does not know it, or not any more", "larder cluster token"}},
		"clock ahead": {nil, func(t *testing.T, _ *town, n *newcomer) {
			n.Now = func() time.Time { return time.Now().Add(61 * time.Minute) }
		}, ReasonClock, []string{"is 1h1m0s behind that of this node", "more than an hour", "NTP"}},
		"clock behind": {nil, func(t *testing.T, _ *town, n *newcomer) {
			n.Now = func() time.Time { return time.Now().Add(-3 * 365 * 24 * time.Hour) }
		}, ReasonClock, []string{"ahead of that of this node"}},
		"clock of the member": {func(g *GateConfig) { g.Now = func() time.Time { return time.Now().Add(62 * time.Minute) } }, nil, ReasonClock,
			[]string{"1h2m0s ahead of that of this node"}},
		"old data directory": {nil, func(t *testing.T, _ *town, n *newcomer) { n.Token, n.Cluster = nil, elsewhere.Identity.Cluster }, ReasonCluster,
			[]string{"the data directory belongs to a node of cluster " + elsewhere.Identity.Cluster.Short(), "empty --data-dir"}},
		"old data directory, token of this": {nil, func(t *testing.T, _ *town, n *newcomer) { n.Cluster = elsewhere.Identity.Cluster }, ReasonCluster,
			[]string{"the data directory belongs to a node of cluster " + elsewhere.Identity.Cluster.Short(), "the token is for cluster"}},
		"not reachable": {nil, func(t *testing.T, _ *town, n *newcomer) {
			n.split.Close()
		}, ReasonUnreachable, []string{"cannot be reached from here: check --peer-addr/--advertise or the firewall"}},
		"address of another": {nil, func(t *testing.T, w *town, n *newcomer) { n.Node.Peer = elsewhere.self.Peer }, ReasonUnreachable,
			[]string{"answers somebody else than node"}},
		"address of the member": {nil, func(t *testing.T, w *town, n *newcomer) { n.Node.Peer = w.self.Peer }, ReasonUnreachable,
			[]string{"answers somebody else than node"}},
		"no peer address":     {nil, func(_ *testing.T, _ *town, n *newcomer) { n.Node.Peer = "" }, ReasonAddress, []string{"has no peer address"}},
		"unspecified address": {nil, func(_ *testing.T, _ *town, n *newcomer) { n.Node.RESP = "0.0.0.0:6379" }, ReasonAddress, []string{"the resp address 0.0.0.0:6379", "--advertise"}},
		"id of the member":    {nil, func(_ *testing.T, w *town, n *newcomer) { n.Node.ID = w.self.ID }, ReasonAlive, []string{"is the member you ask"}},
		"no id":               {nil, func(_ *testing.T, _ *town, n *newcomer) { n.Node.ID = "x" }, ReasonMalformed, []string{`node id "x"`}},
		"grants unavailable":  {nil, func(_ *testing.T, w *town, _ *newcomer) { w.fail = errors.New("etcd is away") }, ReasonUnavailable, []string{"the configuration service does not answer", "join at another member"}},
		"register unavailable": {nil, func(_ *testing.T, w *town, n *newcomer) { n.Token, w.fail = nil, errors.New("etcd is away") }, ReasonUnavailable,
			[]string{"look the node up now: etcd is away"}},
		"no authority": {func(g *GateConfig) {
			g.Authority = func(context.Context) (*Authority, error) { return nil, errors.New("etcd is away") }
		}, nil, ReasonUnavailable, []string{"read the cluster's authority now: etcd is away"}},
		"no signing": {func(g *GateConfig) { g.Authority = nil }, nil, ReasonNoToken, []string{"does not sign certificates", "cluster.tls.ca"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, TLSConfig{}, c.gate)
			dir := openDir(t)
			n := newNewcomer(t, dir, TLSConfig{}, w.mint(t, Terms{}))
			if c.change != nil {
				c.change(t, w, n)
			}
			answer, err := n.Join(t.Context(), w.self.Peer)
			if answer != nil || !errors.Is(err, &Refusal{Reason: c.reason}) {
				t.Fatalf("%+v, %v, want %s", answer, err, c.reason)
			}
			wantError(t, err, c.say...)
			if len(w.asked) > 0 {
				t.Error("the node was admitted")
			}
			for _, g := range w.grants {
				if g.Uses != 0 && name != "used token" {
					t.Error("the failed join has used the token up")
				}
			}
			if _, err := dir.Identity(); !errors.Is(err, ErrNoIdentity) {
				t.Errorf("the data directory has an identity: %v", err)
			}
		})
	}
}

func TestJoinAtSomethingElse(t *testing.T) {
	n := newNewcomer(t, openDir(t), TLSConfig{}, nil)
	plain := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := plain.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("-ERR Protocol error\r\n"))
			conn.Close()
		}
	})
	defer serving.Wait()
	defer plain.Close()
	closed := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	closed.Close()
	_, err := n.Join(t.Context(), closed.Addr().String())
	wantError(t, err, "join at "+closed.Addr().String(), "refused", "check the address, that the member runs, and the firewall")
	_, err = n.Join(t.Context(), plain.Addr().String())
	wantError(t, err, "join at "+plain.Addr().String(), "is")
	// a node that is itself joining
	other := newNewcomer(t, openDir(t), TLSConfig{}, nil)
	gate := NewGate(GateConfig{Credentials: other.Credentials})
	serving.Go(func() { _ = gate.Serve(other.split.Joins()) })
	defer gate.Close()
	defer other.split.Close()
	_, err = n.Join(t.Context(), other.Node.Peer)
	wantError(t, err, "join at "+other.Node.Peer)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = n.Join(ctx, plain.Addr().String())
	wantError(t, err, "join at "+plain.Addr().String())
}

func TestClustersThatShareAnAuthority(t *testing.T) {
	dir := t.TempDir()
	conf := TLSConfig{CA: dir + "/ca.pem", CAKey: dir + "/ca.key"}
	a := must(NewAuthority(NewClusterID(), time.Now()))(t)
	overwrite(t, conf.CA, string(a.CertificatePEM()))
	overwrite(t, conf.CAKey, string(must(a.KeyPEM())(t)))
	one, two := newTown(t, conf, nil), newTown(t, conf, nil)
	n := newNewcomer(t, openDir(t), TLSConfig{}, one.mint(t, Terms{}))
	_, err := n.Join(t.Context(), two.self.Peer)
	wantError(t, err, "belongs to cluster "+two.Identity.Cluster.Short()+", the token is for cluster "+one.Identity.Cluster.Short())
	if !errors.Is(err, &Refusal{Reason: ReasonCluster}) {
		t.Error(err)
	}
	if answer, err := n.Join(t.Context(), one.self.Peer); err != nil {
		t.Error(err)
	} else {
		n.settle(t, answer)
	}
}

func TestJoinWithCertificatesFromElsewhere(t *testing.T) {
	a := must(NewAuthority(NewClusterID(), time.Now()))(t)
	w := newTown(t, external(t, a, "host-1", "cache.example"), nil)
	n := newNewcomer(t, openDir(t), external(t, a, "host-2", "cache.example"), nil)
	answer, err := n.Join(t.Context(), w.self.Peer)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Certificate != nil || answer.CA != nil {
		t.Error("a certificate was signed")
	}
	n.settle(t, answer)
	serverErr, clientErr, _ := shake(t, w.Credentials.ServerConfig(), n.Credentials.ClientConfig(""))
	if serverErr != nil || clientErr != nil {
		t.Error(serverErr, clientErr)
	}
	// without a certificate of its own
	bare := newNewcomer(t, openDir(t), TLSConfig{}, w.mint(t, Terms{}))
	_, err = bare.Join(t.Context(), w.self.Peer)
	wantError(t, err, "comes from elsewhere", "cluster.tls.ca, cert and key")
	// with one of another authority
	b := must(NewAuthority(NewClusterID(), time.Now()))(t)
	wrong := newNewcomer(t, openDir(t), external(t, b, "host-3", "cache.example"), nil)
	_, err = wrong.Join(t.Context(), w.self.Peer)
	wantError(t, err, "was not signed by this cluster's authority")
}

func TestNodeWithAnExpiredCertificateJoinsAgain(t *testing.T) {
	w := newTown(t, TLSConfig{}, nil)
	dir := openDir(t)
	n := newNewcomer(t, dir, TLSConfig{}, w.mint(t, Terms{Limit: 1}))
	answer, err := n.Join(t.Context(), w.self.Peer)
	if err != nil {
		t.Fatal(err)
	}
	id := n.settle(t, answer)
	later := at(time.Now().AddDate(1, 1, 0))
	_, err = dir.Member(TLSConfig{}, id, later)
	if !errors.Is(err, ErrCredentials) {
		t.Fatalf("with an expired certificate: %v", err)
	}
	wantError(t, err, "has expired", "joins again with a token")

	w.mu.Lock()
	w.nodes[id.Node] = Registered{Known: true, Node: n.Node}
	w.mu.Unlock()
	again := newNewcomer(t, dir, TLSConfig{}, w.mint(t, Terms{}))
	answer, err = again.Join(t.Context(), w.self.Peer)
	if err != nil {
		t.Fatal(err)
	}
	if got := again.settle(t, answer); got.Node != id.Node {
		t.Errorf("joined again as node %s, was %s", got.Node, id.Node)
	}
}

func TestGateCloses(t *testing.T) {
	w := newTown(t, TLSConfig{}, nil)
	c := must(tls.Dial("tcp", w.self.Peer, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{ProtocolJoin}}))(t)
	defer c.Close()
	var g greeting
	if err := readMessage(c, maxRequest, &g); err != nil { // the gate waits for a request
		t.Fatal(err)
	}
	for range 2 {
		if err := w.gate.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := readMessage(c, maxRequest, &g); err == nil {
		t.Error("a closed gate goes on")
	}
	n := newNewcomer(t, openDir(t), TLSConfig{}, nil)
	_, err := n.Join(t.Context(), w.self.Peer)
	wantError(t, err, "join at "+w.self.Peer)
}

// TestTwoTakeTheLastUse guards that a grant is used before the node is admitted.
func TestTwoTakeTheLastUse(t *testing.T) {
	w := newTown(t, TLSConfig{}, nil)
	token := w.mint(t, Terms{Limit: 1})
	results := make(chan error, 2)
	for range 2 {
		n := newNewcomer(t, openDir(t), TLSConfig{}, token)
		go func() {
			_, err := n.Join(t.Context(), w.self.Peer)
			results <- err
		}()
	}
	one, two := <-results, <-results
	if (one == nil) == (two == nil) {
		t.Fatalf("%v, %v: want one to get in", one, two)
	}
	if err := errors.Join(one, two); !errors.Is(err, &Refusal{Reason: ReasonTokenUsed}) {
		t.Error(err)
	}
	if len(w.asked) != 1 {
		t.Errorf("%d were admitted", len(w.asked))
	}
}

func TestDecide(t *testing.T) {
	have := someIdentity()
	mine, _, err := Mint(have.Cluster, Fingerprint{}, Terms{}, noon)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := Mint(NewClusterID(), Fingerprint{}, Terms{}, noon)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		start Start
		err   error
		want  Step
		say   string
	}{
		"fresh, cluster":          {Start{Form: true}, ErrNoIdentity, Form, ""},
		"fresh, join":             {Start{Join: true, Token: &mine}, ErrNoIdentity, Ask, ""},
		"member, cluster":         {Start{Form: true}, nil, Resume, ""},
		"member, join":            {Start{Join: true}, nil, Resume, ""},
		"member, join with token": {Start{Join: true, Token: &mine}, nil, Resume, ""},
		"member, another's token": {Start{Join: true, Token: &other}, nil, "", "the token is for cluster " + other.Short()},
		"both":                    {Start{Form: true, Join: true}, ErrNoIdentity, "", "contradict each other"},
		"damaged":                 {Start{Join: true}, ErrDamaged, "", "damaged"},
	} {
		got, err := Decide(c.start, have, c.err)
		if got != c.want {
			t.Errorf("%s: %q %v", name, got, err)
		}
		if c.say != "" {
			wantError(t, err, c.say)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSameCluster(t *testing.T) {
	w := newTown(t, TLSConfig{}, nil)
	have := w.Identity
	if err := SameCluster(t.Context(), w.self.Peer, have, time.Second); err != nil {
		t.Error(err)
	}
	have.Cluster = NewClusterID()
	err := SameCluster(t.Context(), w.self.Peer, have, time.Second)
	wantError(t, err, "belongs to node "+have.Node.Short()+" of cluster "+have.Cluster.Short(), "to cluster "+w.Identity.Cluster.Short(), "empty --data-dir")
	if !errors.Is(err, ErrOtherCluster) {
		t.Errorf("%v is not ErrOtherCluster", err)
	}
	closed := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	closed.Close()
	if err := SameCluster(t.Context(), closed.Addr().String(), have, time.Second); err != nil {
		t.Errorf("a member that is away: %v", err)
	}
}

func TestFoundOnce(t *testing.T) {
	d := openDir(t)
	f := must(d.Found(TLSConfig{}, []string{"10.0.0.1"}, time.Now))(t)
	// the process died before the cluster was kept: the next start begins anew
	again := must(d.Found(TLSConfig{}, []string{"10.0.0.1"}, time.Now))(t)
	if f.Identity.Cluster == again.Identity.Cluster {
		t.Error("two foundings have one id")
	}
	if err := d.SetIdentity(again.Identity); err != nil {
		t.Fatal(err)
	}
	_, err := d.Found(TLSConfig{}, nil, time.Now)
	wantError(t, err, "belongs to node "+again.Identity.Node.Short(), "without --cluster")
	if _, err := d.Member(TLSConfig{}, again.Identity, time.Now); err != nil {
		t.Error(err)
	}
	other := someIdentity()
	err = d.Settle(other, nil, nil)
	wantError(t, err, "not of cluster "+other.Cluster.Short())
}
