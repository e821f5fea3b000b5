package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// member is a node with credentials, for tests.
type member struct {
	dir *Dir
	id  Identity
	*Credentials
}

// newMember has a certificate of the authority, for the cluster.
func newMember(t *testing.T, a *Authority, id ClusterID, now func() time.Time) *member {
	t.Helper()
	m := &member{dir: openDir(t), id: Identity{Cluster: id, Node: cluster.NewNodeID(), Created: now()}}
	key := must(m.dir.Key())(t)
	request := must(NewRequest(key, m.id.Node))(t)
	cert := must(a.Sign(request, Holder{Node: m.id.Node, Cluster: id, Hosts: []string{"127.0.0.1"}}, now()))(t)
	if err := m.dir.Settle(m.id, a.CertificatePEM(), cert); err != nil {
		t.Fatal(err)
	}
	m.Credentials = must(m.dir.Member(TLSConfig{}, m.id, now))(t)
	return m
}

// shake connects a client to a server over loopback and returns what each
// thinks of it: a client hears of a refusal when it reads.
//
//lint:ignore ST1008 two errors, one per side, are results as any
func shake(t *testing.T, server, client *tls.Config) (serverErr, clientErr error, states [2]tls.ConnectionState) {
	t.Helper()
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		c := tls.Server(conn, server)
		err = c.Handshake()
		if err == nil {
			_, err = c.Write([]byte("secret"))
		}
		states[0] = c.ConnectionState()
		done <- err
	}()
	conn := must(net.Dial("tcp", l.Addr().String()))(t)
	defer conn.Close()
	c := tls.Client(conn, client)
	if clientErr = c.Handshake(); clientErr == nil {
		got, err := io.ReadAll(c)
		if clientErr = err; string(got) != "secret" && err == nil {
			clientErr = errors.New("closed")
		}
		if err != nil && len(got) > 0 {
			t.Errorf("got %q before %v", got, err)
		}
	}
	states[1] = c.ConnectionState()
	conn.Close()
	return <-done, clientErr, states
}

func TestMembersKnowEachOther(t *testing.T) {
	id := NewClusterID()
	a := must(NewAuthority(id, time.Now()))(t)
	x, y := newMember(t, a, id, time.Now), newMember(t, a, id, time.Now)
	serverErr, clientErr, states := shake(t, x.ServerConfig(), y.ClientConfig(x.id.Node))
	if serverErr != nil || clientErr != nil {
		t.Fatal(serverErr, clientErr)
	}
	for i, want := range []*member{y, x} {
		inCluster, node, err := x.Identify(states[i])
		if err != nil || inCluster != string(id) || node != string(want.id.Node) {
			t.Errorf("side %d sees %s of %s, %v", i, node, inCluster, err)
		}
	}
	if states[0].Version != tls.VersionTLS13 {
		t.Errorf("TLS version %x", states[0].Version)
	}
	if _, _, err := x.Identify(tls.ConnectionState{}); err == nil {
		t.Error("somebody without a certificate is identified")
	}
}

func TestStrangersGetNoLink(t *testing.T) {
	id := NewClusterID()
	a := must(NewAuthority(id, time.Now().AddDate(-3, 0, 0)))(t)
	x, y := newMember(t, a, id, time.Now), newMember(t, a, id, time.Now)
	otherID := NewClusterID()
	other := newMember(t, must(NewAuthority(otherID, time.Now()))(t), otherID, time.Now)
	sibling := newMember(t, a, otherID, time.Now) // two clusters share an authority
	old := newMember(t, a, id, at(time.Now().AddDate(-2, 0, 0)))
	early := newMember(t, a, id, at(time.Now().Add(2*time.Hour)))
	fresh := must(Provisional(cluster.NewNodeID(), must(NewKey())(t), Files{}, time.Now))(t)
	trusting := func(c *Credentials) *tls.Config { // does not judge the server
		cfg := c.ClientConfig("")
		cfg.VerifyConnection = nil
		return cfg
	}
	bare := trusting(y.Credentials)
	bare.GetClientCertificate = nil
	tls12 := trusting(y.Credentials)
	tls12.MinVersion, tls12.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	noProtocol := trusting(y.Credentials)
	noProtocol.NextProtos = nil
	for name, c := range map[string]struct {
		client *tls.Config
		say    string
	}{
		"no certificate":     {bare, "certificate"},
		"of another cluster": {trusting(other.Credentials), "was not signed by this cluster's authority"},
		"same authority":     {trusting(sibling.Credentials), "is for cluster"},
		"expired":            {trusting(old.Credentials), "has expired: it is valid from"},
		"not valid yet":      {trusting(early.Credentials), "is not valid yet: it is valid from"},
		"signed by itself":   {trusting(fresh), "was not signed by this cluster's authority"},
		"TLS 1.2":            {tls12, "version"},
		"no protocol":        {noProtocol, "does not speak larder-peer/1"},
	} {
		t.Run(name, func(t *testing.T) {
			serverErr, clientErr, _ := shake(t, x.ServerConfig(), c.client)
			wantError(t, serverErr, c.say)
			if clientErr == nil {
				t.Error("the stranger got in")
			}
		})
	}
	for name, c := range map[string]struct {
		server *Credentials
		want   cluster.NodeID
		say    string
	}{
		"a server of another cluster": {other.Credentials, "", "was not signed by this cluster's authority"},
		"a server of a sibling":       {sibling.Credentials, "", "is for cluster"},
		"an expired server":           {old.Credentials, "", "has expired"},
		"a fresh server":              {fresh, "", ""},
		"another node":                {x.Credentials, y.id.Node, "node " + x.id.Node.Short() + " answers where node " + y.id.Node.Short()},
	} {
		t.Run(name, func(t *testing.T) {
			_, clientErr, _ := shake(t, c.server.ServerConfig(), y.ClientConfig(c.want))
			wantError(t, clientErr, c.say)
		})
	}
	t.Run("a fresh node takes no links", func(t *testing.T) {
		serverErr, _, _ := shake(t, fresh.ServerConfig(), trusting(y.Credentials))
		wantError(t, serverErr, "in no cluster yet")
	})
	t.Run("a node that was removed", func(t *testing.T) {
		x.Exclude([]cluster.NodeID{y.id.Node})
		serverErr, clientErr, _ := shake(t, x.ServerConfig(), y.ClientConfig(""))
		wantError(t, serverErr, "node "+y.id.Node.Short()+" was removed")
		if clientErr == nil {
			t.Error("it got in")
		}
		x.Exclude(nil)
		if serverErr, _, _ := shake(t, x.ServerConfig(), y.ClientConfig("")); serverErr != nil {
			t.Error(serverErr)
		}
	})
}

func TestFilesAreCheckedAtTheStart(t *testing.T) {
	id := NewClusterID()
	a := must(NewAuthority(id, noon))(t)
	for name, c := range map[string]struct {
		spoil func(t *testing.T, m *member)
		now   time.Time
		say   []string
	}{
		"no certificate": {func(t *testing.T, m *member) { os.Remove(m.dir.Files().Certificate) }, noon, []string{"node.pem", "join again with a token"}},
		"no key":         {func(t *testing.T, m *member) { os.Remove(m.dir.Files().Key) }, noon, []string{"node.key", "join again"}},
		"damaged":        {func(t *testing.T, m *member) { overwrite(t, m.dir.Files().CA, "-----BEGIN") }, noon, []string{"ca.pem", "damaged", "join again"}},
		"another key": {func(t *testing.T, m *member) {
			overwrite(t, m.dir.Files().Key, string(must(encodeKey(must(NewKey())(t)))(t)))
		}, noon, []string{"node.key is not the key of", "node.pem"}},
		"another authority": {func(t *testing.T, m *member) {
			overwrite(t, m.dir.Files().CA, string(must(NewAuthority(id, noon))(t).CertificatePEM()))
		}, noon, []string{"node.pem", "was not signed by this cluster's authority"}},
		"of another node": {func(t *testing.T, m *member) {
			o := newMember(t, a, id, at(noon))
			for from, to := range map[string]string{o.dir.Files().Key: m.dir.Files().Key, o.dir.Files().Certificate: m.dir.Files().Certificate} {
				overwrite(t, to, string(must(os.ReadFile(from))(t)))
			}
		}, noon, []string{"it is the certificate of node", "this is node"}},
		"of another cluster": {func(t *testing.T, m *member) { m.id.Cluster = NewClusterID() }, noon, []string{"is for cluster", "join again"}},
		"expired":            {func(*testing.T, *member) {}, noon.AddDate(1, 0, 1), []string{"has expired", "the clock here says 2027-06-02T12:00:00Z", "joins again with a token"}},
		"clock behind":       {func(*testing.T, *member) {}, noon.Add(-2 * time.Hour), []string{"is not valid yet: it is valid from 2026-06-01T10:55:00Z", "the clock here says 2026-06-01T10:00:00Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMember(t, a, id, at(noon))
			c.spoil(t, m)
			_, err := m.dir.Member(TLSConfig{}, m.id, at(c.now))
			wantError(t, err, c.say...)
			if !errors.Is(err, ErrCredentials) {
				t.Errorf("%v is not ErrCredentials", err)
			}
		})
	}
}

func overwrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCertificateIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := NewClusterID()
		a := must(NewAuthority(id, time.Now()))(t)
		m := newMember(t, a, id, time.Now)
		first, began := m.Expires(), time.Now()
		server := m.ServerConfig() // made before: it has to follow
		failures := 3
		var renewed []time.Time
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		var log strings.Builder
		go func() {
			defer close(done)
			m.Keep(ctx, time.Hour, func(_ context.Context, request []byte) ([]byte, error) {
				if failures--; failures >= 0 {
					return nil, errors.New("the configuration service does not answer")
				}
				renewed = append(renewed, time.Now())
				return a.Sign(request, Holder{Node: m.id.Node, Cluster: id}, time.Now())
			}, slog.New(slog.NewTextHandler(&log, nil)))
		}()
		<-time.After(400 * 24 * time.Hour) // of the bubble's clock: takes no time
		cancel()
		<-done
		if len(renewed) != 1 {
			t.Fatalf("renewed at %v", renewed)
		}
		if after := renewed[0].Sub(began); after < 243*24*time.Hour || after > 244*24*time.Hour {
			t.Errorf("renewed after %v", after)
		}
		if !m.Expires().After(first.AddDate(0, 7, 0)) {
			t.Errorf("expires %v, did %v", m.Expires(), first)
		}
		cert := must(server.GetCertificate(nil))(t)
		if !cert.Leaf.NotAfter.Equal(m.Expires()) {
			t.Error("a configuration made before the renewal shows the old certificate")
		}
		if got := must(Load(m.dir.Files(), m.id, time.Now))(t); !got.Expires().Equal(m.Expires()) {
			t.Error("the renewed certificate is not in the data directory")
		}
		if n := strings.Count(log.String(), "cannot be renewed yet"); n != 3 {
			t.Errorf("%d failures in the log, want 3: %s", n, log.String())
		}
	})
}

func TestRenewalRefusesWhatDoesNotFit(t *testing.T) {
	id := NewClusterID()
	a := must(NewAuthority(id, noon))(t)
	m := newMember(t, a, id, at(noon))
	other := must(NewRequest(must(NewKey())(t), m.id.Node))(t)
	foreign := must(NewAuthority(id, noon))(t)
	h := Holder{Node: m.id.Node, Cluster: id}
	for say, sign := range map[string]Signer{
		"for another key":               func(context.Context, []byte) ([]byte, error) { return a.Sign(other, h, noon) },
		"was not signed by":             func(_ context.Context, r []byte) ([]byte, error) { return foreign.Sign(r, h, noon) },
		"no PEM certificate":            func(context.Context, []byte) ([]byte, error) { return nil, nil },
		"is for cluster":                func(_ context.Context, r []byte) ([]byte, error) { return a.Sign(r, Holder{Node: m.id.Node}, noon) },
		"the authority has been stolen": func(context.Context, []byte) ([]byte, error) { return nil, errors.New("the authority has been stolen") },
	} {
		before := must(os.ReadFile(m.dir.Files().Certificate))(t)
		wantError(t, m.renew(t.Context(), sign), say)
		if after := must(os.ReadFile(m.dir.Files().Certificate))(t); string(after) != string(before) {
			t.Errorf("%s: the certificate was replaced", say)
		}
	}
}

// external writes a node's certificate as an authority elsewhere would make it.
func external(t *testing.T, a *Authority, commonName string, names ...string) TLSConfig {
	t.Helper()
	dir := t.TempDir()
	c := TLSConfig{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), ServerName: "cache.example"}
	key := must(NewKey())(t)
	request := must(NewRequest(key, ""))(t)
	cert := must(a.Sign(request, Holder{Node: cluster.NodeID(commonName), Cluster: "ACME", Hosts: names}, time.Now()))(t)
	overwrite(t, c.CA, string(a.CertificatePEM()))
	overwrite(t, c.Cert, string(cert))
	overwrite(t, c.Key, string(must(encodeKey(key))(t)))
	return c
}

func TestCertificatesFromElsewhere(t *testing.T) {
	a := must(NewAuthority(NewClusterID(), time.Now()))(t)
	founder := must(openDir(t).Found(external(t, a, "host-1", "cache.example"), nil, time.Now))(t)
	if founder.Authority != nil {
		t.Error("an authority was made")
	}
	id := founder.Identity.Cluster
	conf := external(t, a, "host-2", "cache.example")
	second := must(LoadExternal(conf, cluster.NewNodeID(), id, time.Now))(t)
	serverErr, clientErr, states := shake(t, founder.Credentials.ServerConfig(), second.ClientConfig(founder.Identity.Node))
	if serverErr != nil || clientErr != nil {
		t.Fatal(serverErr, clientErr)
	}
	inCluster, node, err := founder.Credentials.Identify(states[0])
	if inCluster != string(id) || node != "" || err != nil {
		t.Errorf("identified as %q of %q, %v", node, inCluster, err)
	}
	// of the same authority, but not a node
	_, err = LoadExternal(external(t, a, "mail-server", "mail.example"), cluster.NewNodeID(), id, time.Now)
	wantError(t, err, `it has not the DNS name "cache.example"`)
	stranger := external(t, a, "mail-server", "mail.example")
	pair := must(tls.LoadX509KeyPair(stranger.Cert, stranger.Key))(t)
	client := second.ClientConfig("")
	client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	serverErr, clientErr, _ = shake(t, founder.Credentials.ServerConfig(), client)
	wantError(t, serverErr, "is not one of a larder node")
	if clientErr == nil {
		t.Error("the stranger got in")
	}
}

func TestChangedFilesAreReadAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := must(NewAuthority(NewClusterID(), time.Now()))(t)
		conf := external(t, a, "host", "cache.example")
		c := must(LoadExternal(conf, cluster.NewNodeID(), NewClusterID(), time.Now))(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Keep(ctx, 0, nil, slog.New(slog.DiscardHandler))
		}()
		leaf := func() *x509.Certificate { return must(c.certificate())(t).Leaf }
		first := leaf()
		<-time.After(90 * time.Second) // of the bubble's clock
		overwrite(t, conf.Cert, "half")
		<-time.After(2 * time.Minute)
		if !leaf().Equal(first) {
			t.Error("a broken file was taken")
		}
		fresh := external(t, a, "host", "cache.example")
		overwrite(t, conf.Cert, string(must(os.ReadFile(fresh.Cert))(t)))
		overwrite(t, conf.Key, string(must(os.ReadFile(fresh.Key))(t)))
		<-time.After(2 * time.Minute)
		if leaf().Equal(first) {
			t.Error("the new certificate is not used")
		}
		cancel()
		<-done
	})
}
