package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// Joiner asks a member to be let in: the new node's side of the handshake.
// Meanwhile its peer port must be served by a [Split] with the same
// credentials, since the member dials back.
type Joiner struct {
	// Token from `larder cluster token`; nil: there is none, which suffices when
	// both nodes can only be reached on this machine, or when Credentials are from
	// elsewhere.
	Token       *Token
	Credentials *Credentials
	// Node is what the node wants to be known as: id, name, zone, weight,
	// addresses, release.
	Node        cluster.Node
	Incarnation uint64
	// Cluster is that of the data directory, empty when it is fresh.
	Cluster ClusterID
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Join asks the member at address (host:port of its peer port). It takes at most
// 20 seconds. A [Refusal] tells what to do; with [ReasonUnavailable] another try
// may succeed, as after errors that are none. Nothing is written: see
// [Dir.Settle].
func (j Joiner) Join(ctx context.Context, address string) (*JoinAnswer, error) {
	if j.Now == nil {
		j.Now = time.Now
	}
	if j.Token != nil && j.Cluster != "" && !j.Token.Of(j.Cluster) {
		return nil, refuse(ReasonCluster, "the data directory belongs to a node of cluster %s, the token is for cluster %s: start with an empty --data-dir, or use a token of the former",
			j.Cluster.Short(), j.Token.Short())
	}
	request, err := j.request()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("join at %s: %w: check the address, that the member runs, and the firewall", address, dialCause(ctx, err, joinTime))
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })()
	if j.Token == nil && !j.Credentials.external && !ip(raw.RemoteAddr()).IsLoopback() {
		return nil, j.noToken(address)
	}
	return j.converse(ctx, raw, address, request)
}

// request returns what the joiner says; the time is set when it is sent.
func (j Joiner) request() (*JoinRequest, error) {
	r := &JoinRequest{Form: joinForm, Cluster: j.Cluster, Node: j.Node, Incarnation: j.Incarnation}
	if j.Token != nil {
		r.Secret = j.Token.Secret[:]
	}
	if j.Credentials.external {
		return r, nil
	}
	key, err := j.Credentials.signer()
	if err != nil {
		return nil, err
	}
	r.CSR, err = NewRequest(key, j.Node.ID)
	return r, err
}

func (j Joiner) noToken(address string) *Refusal {
	return refuse(ReasonNoToken, "joining the cluster at %s takes a token: run `larder cluster token` on a member and give what it prints with --token (without one, only nodes that all listen on loopback join)", address)
}

// converse leads the conversation on an open connection.
func (j Joiner) converse(ctx context.Context, raw net.Conn, address string, request *JoinRequest) (*JoinAnswer, error) {
	var member *x509.Certificate
	var authority *x509.Certificate
	conn := tls.Client(raw, &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{ProtocolJoin},
		ServerName:             j.Credentials.name,
		SessionTicketsDisabled: true,
		InsecureSkipVerify:     true, // by VerifyConnection, with the token's fingerprint
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if j.Credentials.external {
				return j.Credentials.certificate()
			}
			return new(tls.Certificate), nil // none
		},
		VerifyConnection: func(s tls.ConnectionState) (err error) {
			member, authority, err = j.recognize(s, address)
			return err
		},
	})
	var g greeting
	err := conn.HandshakeContext(ctx)
	if err == nil {
		err = readMessage(conn, maxRequest, &g)
	}
	if err != nil {
		return nil, j.cutOff(ctx, address, err)
	}
	if g.Form != joinForm {
		return nil, refuse(ReasonForm, "the member at %s speaks form %d of the handshake, this node form %d: use releases of larder that are next to each other", address, g.Form, joinForm)
	}
	now := j.Now()
	if refusal := apart(now, g.Time, "this node", "the member "+address); refusal != nil {
		return nil, refusal
	}
	if now.Before(member.NotBefore) || now.After(member.NotAfter) {
		return nil, explain(x509.CertificateInvalidError{Cert: member, Reason: x509.Expired}, member, now)
	}
	request.Time = now
	if err := writeMessage(conn, request); err != nil {
		return nil, j.cutOff(ctx, address, err)
	}
	var v verdict
	if err := readMessage(conn, maxVerdict, &v); err != nil {
		return nil, j.cutOff(ctx, address, err)
	}
	if v.Refusal != nil {
		return nil, j.refused(address, v.Refusal)
	}
	if v.Answer == nil {
		return nil, fmt.Errorf("join at %s: %w: neither answer nor refusal", address, errMessage)
	}
	if err := j.checkAnswer(v.Answer, authority, address); err != nil {
		return nil, err
	}
	return v.Answer, nil
}

// SameCluster makes sure, as well as it can be told, that the member at address
// belongs to the cluster of the data directory: for a node that was given --join
// and resumes. A member that does not answer within timeout is no error, nor one
// whose certificate comes from elsewhere: the node can resume without it.
func SameCluster(ctx context.Context, address string, have Identity, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var other ClusterID
	d := tls.Dialer{Config: &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{ProtocolJoin},
		ServerName:         ServerName,
		InsecureSkipVerify: true, // nothing is told, and nothing believed but a mistake
		VerifyConnection: func(s tls.ConnectionState) error {
			if o := s.PeerCertificates[0].Subject.Organization; s.NegotiatedProtocol == ProtocolJoin && len(o) == 1 {
				other, _ = ParseClusterID(o[0])
			}
			return errSeen
		},
	}}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
	}
	if other == "" || other == have.Cluster {
		return nil
	}
	return fmt.Errorf("%w: the data directory belongs to node %s of cluster %s, the member at %s to cluster %s: start with an empty --data-dir to join that, or without --join to go on",
		ErrOtherCluster, have.Node.Short(), have.Cluster.Short(), address, other.Short())
}

// recognize makes sure that the member is one of the token's cluster, before
// anything is told to it. Times are looked at later, with those of the clocks.
//
// Without a token the joiner believes whoever listens on this machine.
func (j Joiner) recognize(s tls.ConnectionState, address string) (member, authority *x509.Certificate, err error) {
	chain := s.PeerCertificates
	if s.NegotiatedProtocol != ProtocolJoin || len(chain) < 2 {
		return nil, nil, refuse(ReasonForm, "%s is not the peer port of a member of a larder cluster: --join wants that (%d by default)", address, DefaultPeerPort)
	}
	member, authority = chain[0], chain[len(chain)-1]
	at := within(member, j.Now())
	if j.Credentials.external {
		if _, err := j.Credentials.current.Load().verify(chain[:len(chain)-1], j.Credentials.name, x509.ExtKeyUsageServerAuth, at); err != nil {
			return nil, nil, refuse(ReasonCluster, "the member %s: %v", address, explain(err, member, at))
		}
		return member, authority, nil
	}
	o := member.Subject.Organization
	if len(o) != 1 || !isClusterID(o[0]) {
		return nil, nil, refuse(ReasonCluster, "the certificate of the member %s comes from elsewhere (from %q): give this node one from there too, with cluster.tls.ca, cert and key",
			address, member.Issuer.CommonName)
	}
	if j.Token != nil && fingerprint(authority) != j.Token.Authority {
		return nil, nil, refuse(ReasonCluster, "the member at %s belongs to another cluster than the token: the token is for cluster %s with authority %s, there answers authority %s: join at a member of the token's cluster, or make a token on this one",
			address, j.Token.Short(), j.Token.Authority, fingerprint(authority))
	}
	m := &material{pool: x509.NewCertPool()}
	m.pool.AddCert(authority)
	if _, err := m.verify(chain[:len(chain)-1], ServerName, x509.ExtKeyUsageServerAuth, at); err != nil {
		return nil, nil, refuse(ReasonCluster, "the member %s: %v", address, explain(err, member, at))
	}
	if id := ClusterID(o[0]); j.Token != nil && !j.Token.Of(id) {
		return nil, nil, refuse(ReasonCluster, "the member at %s belongs to cluster %s, the token is for cluster %s: join at a member of that", address, id.Short(), j.Token.Short())
	}
	return member, authority, nil
}

// cutOff explains a conversation that ended early.
func (j Joiner) cutOff(ctx context.Context, address string, err error) error {
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.Is(err, os.ErrDeadlineExceeded), ctx.Err() != nil:
		return fmt.Errorf("join at %s: no answer within %s: is that the peer port of a member?", address, joinTime)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("join at %s: it closed the connection: either it is not the peer port of a member (%d by default), or it is itself joining, or joins from here have failed too often: wait a minute",
			address, DefaultPeerPort)
	}
	return fmt.Errorf("join at %s: %w: is that the peer port of a member (%d by default)?", address, err, DefaultPeerPort)
}

// refused adds what a stranger is not told, as far as the joiner can know it.
func (j Joiner) refused(address string, r *Refusal) *Refusal {
	switch {
	case r.Reason == ReasonRefused && j.Token == nil:
		return j.noToken(address)
	case r.Reason == ReasonRefused:
		return refuse(ReasonRefused, "the member at %s refused the token: the cluster does not know it, or not any more: make another with `larder cluster token` on a member", address)
	}
	return refuse(r.Reason, "the member at %s refused: %s", address, r.Text)
}

// checkAnswer makes sure that what the member sent can be used.
func (j Joiner) checkAnswer(a *JoinAnswer, authority *x509.Certificate, address string) error {
	broken := func(err error) error { return fmt.Errorf("join at %s: the answer is unusable: %w", address, err) }
	if _, err := ParseClusterID(string(a.Cluster)); err != nil {
		return broken(err)
	}
	if j.Token != nil && !j.Token.Of(a.Cluster) {
		return broken(fmt.Errorf("%w: %s, the token is for %s", ErrOtherCluster, a.Cluster.Short(), j.Token.Short()))
	}
	if j.Cluster != "" && a.Cluster != j.Cluster {
		return refuse(ReasonCluster, "the data directory belongs to a node of cluster %s, the member at %s to cluster %s: start with an empty --data-dir, or join the cluster it belongs to",
			j.Cluster.Short(), address, a.Cluster.Short())
	}
	if j.Credentials.external {
		return nil
	}
	ca, err := parseCertificate(a.CA)
	if err != nil {
		return broken(fmt.Errorf("authority: %w", err))
	}
	if !ca.Equal(authority) {
		return broken(errors.New("its authority is not the one that the member showed"))
	}
	chain, err := parseCertificates(a.Certificate)
	if err != nil {
		return broken(fmt.Errorf("certificate: %w", err))
	}
	node, err := belongs(chain[0], a.Cluster)
	if err == nil && node != j.Node.ID {
		err = fmt.Errorf("the certificate is for node %s", node.Short())
	}
	key, keyErr := j.Credentials.signer()
	if err == nil && (keyErr != nil || !samePublicKey(chain[0].PublicKey, key.Public())) {
		err = errors.New("the certificate is for another key")
	}
	if err != nil {
		return broken(err)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		m := &material{pool: x509.NewCertPool()}
		m.pool.AddCert(ca)
		if _, err := m.verify(slices.Clone(chain), ServerName, usage, j.Now()); err != nil {
			return broken(explain(err, chain[0], j.Now()))
		}
	}
	return nil
}
