package identity

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

const (
	// joinTime is how long a joiner may take for everything.
	joinTime = 20 * time.Second
	// maxJoins is how many joins a member serves at once; further ones wait.
	maxJoins = 16
)

// Registrar is the cluster's register of nodes.
type Registrar interface {
	// Lookup returns what is known of a node id.
	Lookup(ctx context.Context, id cluster.NodeID) (Registered, error)
	// Admit makes the node one of the cluster. Since other members admit nodes at
	// the same time it must be conditional on what is known of the id, and return
	// a [Refusal] of [ReasonAlive] when another was faster. All other errors mean
	// that the member cannot decide now. After Admit the joiner may still fail to
	// hear of it: it then comes again with the same id.
	Admit(ctx context.Context, r JoinRequest) (JoinAnswer, error)
}

// Tokens are the grants that the cluster stores.
type Tokens interface {
	Grants(ctx context.Context) ([]Grant, error)
	// Use counts one more use of a grant, on condition that its limit still
	// allows it; a [Refusal] of [ReasonTokenUsed] when it does not.
	Use(ctx context.Context, grant string) error
}

// GateConfig is what a [Gate] needs.
type GateConfig struct {
	Cluster     ClusterID
	Credentials *Credentials
	// Self returns the member as it is advertised. Called concurrently.
	Self      func() cluster.Node
	Registrar Registrar
	Tokens    Tokens
	// Authority returns the cluster's authority; nil: certificates come from
	// elsewhere, and a joiner shows its own instead of a token.
	Authority func(context.Context) (*Authority, error)

	// Now is the clock; default time.Now.
	Now func() time.Time
	// ReachTime limits the dialling back; default 3 s.
	ReachTime time.Duration
	// Log has every admission and every refusal with its true reason; default: none.
	Log *slog.Logger
}

// Gate decides who gets into the cluster: the member's side of the handshake.
// Safe for concurrent use.
type Gate struct {
	cfg      GateConfig
	limiter  *limiter
	admitted atomic.Uint64
	refused  map[Reason]*atomic.Uint64 // the map is never changed

	mu struct {
		sync.Mutex
		open   map[net.Conn]struct{}
		closed bool
	}
	running sync.WaitGroup
}

// NewGate returns a gate that serves nobody yet.
func NewGate(cfg GateConfig) *Gate {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.ReachTime <= 0 {
		cfg.ReachTime = ReachTime
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	g := &Gate{cfg: cfg, limiter: newLimiter(), refused: make(map[Reason]*atomic.Uint64)}
	for _, r := range Reasons() {
		g.refused[r] = new(atomic.Uint64)
	}
	g.mu.open = make(map[net.Conn]struct{})
	return g
}

// GateStats count since the start.
type GateStats struct {
	Admitted uint64
	Refused  map[Reason]uint64 // by true reason; every reason is in it
}

// Stats returns the counts.
func (g *Gate) Stats() GateStats {
	s := GateStats{Admitted: g.admitted.Load(), Refused: make(map[Reason]uint64)}
	for r, n := range g.refused {
		s.Refused[r] = n.Load()
	}
	return s
}

// Serve answers those who ask to join, from [Split.Joins], until the listener or
// the gate is closed.
func (g *Gate) Serve(l net.Listener) error {
	slots := make(chan struct{}, maxJoins)
	for {
		slots <- struct{}{}
		conn, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("accept joins: %w", err)
		}
		if !g.hold(conn) {
			conn.Close()
			return nil
		}
		go func() {
			defer func() { <-slots }()
			defer g.release(conn)
			g.serve(conn)
		}()
	}
}

// hold makes Close end the connection; false: the gate is closed.
func (g *Gate) hold(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.closed {
		return false
	}
	g.mu.open[conn] = struct{}{}
	g.running.Add(1) // under the lock: Close waits for all that it has seen
	return true
}

func (g *Gate) release(conn net.Conn) {
	defer g.running.Done()
	conn.Close()
	g.mu.Lock()
	delete(g.mu.open, conn)
	g.mu.Unlock()
}

// Close ends the joins under way and waits for them. The listener of Serve is
// the caller's to close, before or after. It may be called twice.
func (g *Gate) Close() error {
	g.mu.Lock()
	g.mu.closed = true
	for c := range g.mu.open {
		c.Close()
	}
	g.mu.Unlock()
	g.running.Wait()
	return nil
}

// serve leads one conversation.
func (g *Gate) serve(raw net.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), joinTime)
	defer cancel()
	if raw.SetDeadline(time.Now().Add(greetingTime)) != nil { // to say what it wants
		return
	}
	here, there := ip(raw.LocalAddr()), ip(raw.RemoteAddr())
	if !g.limiter.allowed(there, g.cfg.Now()) {
		g.count(ReasonRate)
		return // without a word: a handshake is what costs
	}
	conn := tls.Server(raw, g.cfg.Credentials.joinConfig())
	var request JoinRequest
	err := conn.HandshakeContext(ctx)
	if err == nil {
		err = writeMessage(conn, greeting{Form: joinForm, Time: g.cfg.Now()})
	}
	if err == nil {
		err = readMessage(conn, maxRequest, &request)
	}
	if err != nil {
		g.count(ReasonMalformed)
		g.limiter.failed(there, g.cfg.Now())
		g.cfg.Log.Warn("join: no request", "from", there, "err", err)
		return
	}
	deadline, _ := ctx.Deadline()
	if raw.SetDeadline(deadline) != nil {
		return
	}
	v := g.decide(ctx, &request, conn.ConnectionState(), here, there)
	if err := writeMessage(conn, v); err != nil {
		g.cfg.Log.Warn("join: the answer was not heard", "node", request.Node.ID, "from", there, "err", err)
		return
	}
	_ = conn.CloseWrite() // the other side has what it needs
}

// decide judges a request, counts and logs it, and returns what the joiner is told.
func (g *Gate) decide(ctx context.Context, r *JoinRequest, s tls.ConnectionState, here, there netip.Addr) verdict {
	c := circumstances{cluster: g.cfg.Cluster, self: g.cfg.Self(), now: g.cfg.Now(), here: here, there: there}
	answer, refusal, stranger := g.admit(ctx, r, c, s.PeerCertificates)
	if refusal == nil {
		g.admitted.Add(1)
		g.cfg.Log.Info("join: node admitted", "node", r.Node.ID, "name", r.Node.Name, "peer", r.Node.Peer, "zone", r.Node.Zone, "coordinator", answer.BecomeCoordinator)
		return verdict{Answer: answer}
	}
	g.count(refusal.Reason)
	if stranger || refusal.Reason == ReasonMalformed {
		g.limiter.failed(there, c.now)
	}
	g.cfg.Log.Warn("join: node refused", "node", r.Node.ID, "peer", r.Node.Peer, "from", there, "reason", refusal.Reason, "text", refusal.Text)
	if stranger {
		refusal = refuse(ReasonRefused, "refused")
	}
	return verdict{Refusal: refusal}
}

func (g *Gate) count(r Reason) {
	if n := g.refused[r]; n != nil {
		n.Add(1)
		return
	}
	g.refused[ReasonUnavailable].Add(1) // a registrar's own word
}

// admit takes the steps in order, the costly ones last. stranger: the joiner has
// not proved that somebody of this cluster sent it, and is told nothing.
func (g *Gate) admit(ctx context.Context, r *JoinRequest, c circumstances, certificates []*x509.Certificate) (answer *JoinAnswer, refusal *Refusal, stranger bool) {
	if r.Form != joinForm {
		return nil, refuse(ReasonForm, "the joining node speaks form %d of the handshake, this member form %d: use releases of larder that are next to each other", r.Form, joinForm), false
	}
	grant, refusal, stranger := g.authenticate(ctx, r, c, certificates)
	if refusal != nil {
		return nil, refusal, stranger
	}
	if refusal := c.judge(r); refusal != nil {
		return nil, refusal, false
	}
	authority, key, refusal := g.keyOf(ctx, r, certificates)
	if refusal != nil {
		return nil, refusal, false
	}
	known, err := g.cfg.Registrar.Lookup(ctx, r.Node.ID)
	if err != nil {
		return nil, unavailable("look the node up", err), false
	}
	if refusal := refuseKnown(known, r.Node); refusal != nil {
		return nil, refusal, false
	}
	if refusal := Reachable(ctx, r.Node.Peer, r.Node.ID, key, g.cfg.ReachTime); refusal != nil {
		return nil, refusal, false
	}
	if grant.ID != "" {
		if err := g.cfg.Tokens.Use(ctx, grant.ID); err != nil {
			return nil, unavailable("use the token", err), false
		}
	}
	answer, refusal = g.register(ctx, r, c, authority)
	return answer, refusal, false
}

// authenticate finds out whether somebody of this cluster has sent the joiner.
// The grant is empty when no token was needed.
func (g *Gate) authenticate(ctx context.Context, r *JoinRequest, c circumstances, certificates []*x509.Certificate) (grant Grant, refusal *Refusal, stranger bool) {
	if len(certificates) > 0 { // judged in the TLS handshake
		if id, err := cluster.ParseNodeID(certificates[0].Subject.CommonName); err == nil && id != r.Node.ID {
			return Grant{}, refuse(ReasonMalformed, "node %s shows the certificate of node %s", r.Node.ID.Short(), id.Short()), false
		}
		return Grant{}, nil, false
	}
	if len(r.Secret) == 0 {
		if c.trusted(r) {
			return Grant{}, nil, false
		}
		return Grant{}, refuse(ReasonNoToken, "neither token nor certificate"), true
	}
	grants, err := g.cfg.Tokens.Grants(ctx)
	if err != nil {
		g.cfg.Log.Warn("join: the grants cannot be read", "err", err)
		return Grant{}, unavailable("read the grants", errors.New("the configuration service does not answer")), false
	}
	grant, refusal = CheckSecret(g.cfg.Cluster, r.Secret, grants, c.now)
	return grant, refusal, refusal != nil && refusal.Reason == ReasonTokenUnknown
}

// keyOf returns the joiner's key, and the authority that signs for it: none when
// the joiner has a certificate from elsewhere.
func (g *Gate) keyOf(ctx context.Context, r *JoinRequest, certificates []*x509.Certificate) (*Authority, crypto.PublicKey, *Refusal) {
	if g.cfg.Authority == nil {
		if len(certificates) == 0 {
			return nil, nil, refuse(ReasonNoToken, "this cluster does not sign certificates: give the node its own with cluster.tls.ca, cert and key")
		}
		return nil, certificates[0].PublicKey, nil
	}
	csr, err := parseRequest(r.CSR)
	if err != nil {
		return nil, nil, refuse(ReasonMalformed, "%v", err)
	}
	if csr.Subject.CommonName != string(r.Node.ID) {
		return nil, nil, refuse(ReasonMalformed, "the certificate request is not for node %s", r.Node.ID.Short())
	}
	authority, err := g.cfg.Authority(ctx)
	if err != nil {
		return nil, nil, unavailable("read the cluster's authority", err)
	}
	return authority, csr.PublicKey, nil
}

// register admits the node and signs its certificate.
func (g *Gate) register(ctx context.Context, r *JoinRequest, c circumstances, authority *Authority) (*JoinAnswer, *Refusal) {
	var certificate, ca []byte
	if authority != nil {
		var err error
		certificate, err = authority.Sign(r.CSR, Holder{Node: r.Node.ID, Cluster: c.cluster, Hosts: c.hosts(&r.Node)}, c.now)
		if err != nil {
			return nil, unavailable("sign the certificate", err)
		}
		ca = authority.CertificatePEM()
	}
	asked := *r
	asked.Secret = nil // has done its work
	answer, err := g.cfg.Registrar.Admit(ctx, asked)
	if err != nil {
		return nil, unavailable("register the node", err)
	}
	answer.Cluster, answer.CA, answer.Certificate = c.cluster, ca, certificate
	return &answer, nil
}

// unavailable is the refusal for an error, or the refusal that the error is.
func unavailable(doing string, err error) *Refusal {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	return refuse(ReasonUnavailable, "the member cannot %s now: %v; try again, or join at another member", doing, err)
}

// ip returns the address of one end of a connection.
func ip(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// joinConfig shows the member's certificate together with the authority's, by
// which a joiner knows the cluster, and asks for a certificate: a joiner may
// have one from elsewhere.
func (c *Credentials) joinConfig() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{ProtocolJoin},
		SessionTicketsDisabled: true,
		ClientAuth:             tls.RequestClientCert,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			m := c.current.Load()
			if m.anchor == nil || c.cluster.Load() == nil {
				return nil, errors.New("this node is in no cluster yet")
			}
			cert := m.cert
			cert.Certificate = append(cert.Certificate[:len(cert.Certificate):len(cert.Certificate)], m.anchor.Raw)
			return &cert, nil
		},
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return nil
			}
			_, err := c.verifyChain(s.PeerCertificates, x509.ExtKeyUsageClientAuth)
			return err
		},
	}
}
