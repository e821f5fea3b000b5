package peer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// authority is the certificate authority of a test's cluster.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(t, err)
	cert, err := x509.ParseCertificate(der)
	check(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert, key, pool}
}

// issue returns both sides' TLS configurations for a node.
func (a *authority) issue(t testing.TB, cluster, node string) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: node, Organization: []string{cluster}},
		DNSNames: []string{"larder-node"}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	check(t, err)
	own := []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	server = &tls.Config{Certificates: own, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool}
	client = &tls.Config{Certificates: own, RootCAs: a.pool, ServerName: "larder-node"}
	return server, client
}

func identifyBySubject(s tls.ConnectionState) (cluster, node string, err error) {
	subject := s.PeerCertificates[0].Subject
	if len(subject.Organization) != 1 {
		return "", "", errors.New("certificate without a cluster")
	}
	return subject.Organization[0], subject.CommonName, nil
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Kinds of requests that the test session knows.
const (
	kindEcho    uint8 = iota // the payload comes back
	kindHold                 // answered when the test says so
	kindLate                 // echo through the responder, from another goroutine
	kindBig                  // kilobytes given by the first two bytes, attached
	kindRetain               // echo later, from the request's own memory
	kindSwallow              // never answered
)

// toy is a handler of sessions that echo.
type toy struct {
	mu      sync.Mutex
	held    []held
	closed  []error
	heldNew chan struct{} // capacity 1
	open    func(Info, string) error
	batches int
}

type held struct {
	r    *Responder
	id   uint32
	data []byte
}

func newToy() *toy { return &toy{heldNew: make(chan struct{}, 1)} }

func (h *toy) Open(from Info, lane string, r *Responder) (Session, error) {
	if h.open != nil {
		if err := h.open(from, lane); err != nil {
			return nil, err
		}
	}
	return &toySession{toy: h, r: r}, nil
}

type toySession struct {
	toy  *toy
	r    *Responder
	late sync.WaitGroup
}

func (s *toySession) Serve(r Request, out *Batch) {
	switch r.Kind {
	case kindEcho:
		b := append(out.Begin(r.ID, 0), r.Data...)
		_ = out.End(b, Attachment{})
	case kindHold:
		s.toy.mu.Lock()
		s.toy.held = append(s.toy.held, held{s.r, r.ID, append([]byte(nil), r.Data...)})
		s.toy.mu.Unlock()
		select {
		case s.toy.heldNew <- struct{}{}:
		default:
		}
	case kindLate:
		data := append([]byte(nil), r.Data...)
		s.late.Go(func() { _ = s.r.Reply(r.ID, 1, Payload{Head: data}) })
	case kindBig:
		big := make([]byte, (int(r.Data[0])|int(r.Data[1])<<8)<<10)
		for i := range big {
			big[i] = byte(i * 7)
		}
		_ = out.Reply(r.ID, 2, Payload{Head: []byte("big:"), Attach: Attachment{Parts: [][]byte{big[:1], big[1:], []byte("\r\n")}}})
	case kindRetain:
		owner := r.Retain()
		s.late.Go(func() {
			if s.r.Reply(r.ID, 0, Payload{Attach: Attachment{Parts: [][]byte{r.Data}, Owner: owner}}) != nil {
				owner.Release()
			}
		})
	}
}

func (s *toySession) EndBatch(*Batch) {
	s.toy.mu.Lock()
	s.toy.batches++
	s.toy.mu.Unlock()
}

func (s *toySession) Close(err error) {
	s.late.Wait()
	s.toy.mu.Lock()
	s.toy.closed = append(s.toy.closed, err)
	s.toy.mu.Unlock()
}

// waitHeld waits until n requests are held.
func (h *toy) waitHeld(t testing.TB, n int) []held {
	t.Helper()
	deadline := time.After(patience)
	for {
		h.mu.Lock()
		got := append([]held(nil), h.held...)
		h.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-h.heldNew:
		case <-deadline:
			t.Fatalf("%d of %d requests are held", len(got), n)
		}
	}
}

// secured says how a test's nodes speak.
type secured bool

const (
	plain   secured = false
	withTLS secured = true
)

// cluster makes nodes that trust each other.
type testCluster struct {
	t   testing.TB
	ca  *authority
	tls secured
}

func newTestCluster(t testing.TB, s secured) *testCluster {
	c := &testCluster{t: t, tls: s}
	if s == withTLS {
		c.ca = newAuthority(t)
	}
	return c
}

// config returns the configuration of a node.
func (c *testCluster) config(node string) Config {
	cfg := Config{
		Self:   Identity{Cluster: "c1", Node: node, Build: "test", Incarnation: 1},
		Listen: "127.0.0.1:0", Handler: newToy(), Plain: c.tls == plain,
		BackoffMin: time.Millisecond, BackoffMax: 10 * time.Millisecond,
		DeadAfter: patience, // the tests' machine may be busy
	}
	if c.tls == withTLS {
		cfg.ServerTLS, cfg.ClientTLS = c.ca.issue(c.t, "c1", node)
		cfg.Identify = identifyBySubject
	}
	return cfg
}

// node opens a network and closes it with the test.
func (c *testCluster) node(cfg Config) *Network {
	c.t.Helper()
	n, err := Open(cfg)
	check(c.t, err)
	c.t.Cleanup(func() { check(c.t, n.Close()) })
	return n
}

// pair returns a link from a to b that is up.
func (c *testCluster) pair(a, b Config) (*Network, *Network, *Link) {
	c.t.Helper()
	nb := c.node(b)
	na := c.node(a)
	l := linkTo(c.t, na, nb, b.Self.Node)
	waitUp(c.t, l)
	return na, nb, l
}

func linkTo(t testing.TB, from, to *Network, node string) *Link {
	t.Helper()
	l, err := from.Link(node, to.Addr().String(), "requests")
	check(t, err)
	return l
}

func waitUp(t testing.TB, l *Link) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.WaitUp(ctx); err != nil {
		t.Fatalf("link is not up: %v (%v)", err, l.Err())
	}
}

// eventually waits until a condition that other goroutines bring about holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not reached: %s", what)
		}
	}
}

// collector is a sink that notes outcomes by tag.
type collector struct {
	mu      sync.Mutex
	seen    map[uint64]int
	order   []uint64
	errs    map[uint64]error
	data    map[uint64]string
	flushed int
	since   int // completions since the last flush
	signal  chan struct{}
}

func newCollector() *collector {
	return &collector{seen: map[uint64]int{}, errs: map[uint64]error{}, data: map[uint64]string{}, signal: make(chan struct{}, 1)}
}

func (c *collector) Complete(tag uint64, r Reply, err error) {
	c.mu.Lock()
	c.seen[tag]++
	c.order = append(c.order, tag)
	c.errs[tag] = err
	c.data[tag] = string(r.Data)
	c.since++
	c.mu.Unlock()
	r.Release()
}

func (c *collector) Flush() {
	c.mu.Lock()
	c.flushed++
	c.since = 0
	c.mu.Unlock()
	select {
	case c.signal <- struct{}{}:
	default:
	}
}

// wait waits until n outcomes have arrived and were flushed.
func (c *collector) wait(t testing.TB, n int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		got, open := len(c.order), c.since
		c.mu.Unlock()
		if got >= n && open == 0 {
			return
		}
		select {
		case <-c.signal:
		case <-deadline:
			t.Fatalf("%d of %d outcomes, %d not flushed", got, n, open)
		}
	}
}

// rawDial connects without a handshake.
func rawDial(t testing.TB, n *Network) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", n.Addr().String())
	check(t, err)
	t.Cleanup(func() { c.Close() })
	check(t, c.SetDeadline(time.Now().Add(patience)))
	return c
}
