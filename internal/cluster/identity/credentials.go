package identity

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// Protocols on the peer port, as ALPN names.
const (
	ProtocolPeer  = "larder-peer/1"  // links between nodes
	ProtocolJoin  = "larder-join/1"  // a joiner asks a member
	ProtocolReach = "larder-reach/1" // a member dials a joiner back
)

// ErrCredentials: the node's certificates cannot be used: damaged, expired, or
// somebody else's. A node that was given a token can join again, as the node it
// is.
var ErrCredentials = errors.New("no usable certificate")

// Credentials are what a node authenticates with and what it believes of
// others. They change while the node runs: from provisional to a member's, and
// with every renewal; what is negotiated afterwards uses the new ones. Safe for
// concurrent use.
type Credentials struct {
	files    Files
	name     string // in the certificate of every node
	external bool
	now      func() time.Time
	node     cluster.NodeID

	cluster  atomic.Pointer[ClusterID] // nil: in none yet
	current  atomic.Pointer[material]
	excluded atomic.Pointer[[]cluster.NodeID]
}

// Provisional returns the credentials of a node that has yet to join: they prove
// that the key is its own, and nothing else. Links are refused until
// [Credentials.Install].
func Provisional(node cluster.NodeID, key crypto.Signer, f Files, now func() time.Time) (*Credentials, error) {
	m, err := provisionalMaterial(node, key, now())
	if err != nil {
		return nil, err
	}
	c := &Credentials{files: f, name: ServerName, now: now, node: node}
	c.current.Store(m)
	return c, nil
}

// Load reads the credentials of a member that its cluster has signed. What is
// damaged, expired, or of another node or cluster is an error that wraps
// [ErrCredentials] and says what to do.
func Load(f Files, id Identity, now func() time.Time) (*Credentials, error) {
	c := &Credentials{files: f, name: ServerName, now: now, node: id.Node}
	return c, c.Install(id.Cluster)
}

// LoadExternal reads credentials that come from elsewhere, for a member, or for
// a joiner when id is empty: then [Credentials.Install] has to follow.
func LoadExternal(t TLSConfig, node cluster.NodeID, id ClusterID, now func() time.Time) (*Credentials, error) {
	c := &Credentials{files: t.Files(), name: t.serverName(), external: true, now: now, node: node}
	if id != "" {
		return c, c.Install(id)
	}
	m, err := c.read("")
	if err != nil {
		return nil, err
	}
	c.current.Store(m)
	return c, nil
}

// Install reads the files anew and makes the node a member of the cluster.
func (c *Credentials) Install(id ClusterID) error {
	m, err := c.read(id)
	if err != nil {
		return err
	}
	c.current.Store(m)
	c.cluster.Store(&id)
	return nil
}

func (c *Credentials) read(id ClusterID) (*material, error) {
	m, err := c.readFor(id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	return m, nil
}

func (c *Credentials) readFor(id ClusterID) (*material, error) {
	m, err := readMaterial(c.files, c.name, c.now())
	if err != nil {
		return nil, fmt.Errorf("%w: put the right files there%s", err, c.remedy())
	}
	leaf := m.cert.Leaf
	if !c.external {
		node, err := belongs(leaf, id)
		if err == nil && node != c.node {
			err = fmt.Errorf("it is the certificate of node %s, this is node %s", node.Short(), c.node.Short())
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w: put the right files there%s", c.files.Certificate, err, c.remedy())
		}
	}
	if now := c.now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return nil, fmt.Errorf("%s: %w", c.files.Certificate, explain(x509.CertificateInvalidError{Cert: leaf, Reason: x509.Expired}, leaf, now))
	}
	return m, nil
}

func (c *Credentials) remedy() string {
	if c.external {
		return ""
	}
	return ", or join again with a token (larder serve --join): the node stays who it is"
}

// Reload reads the files anew. When they cannot be used, what was read before
// stays in force.
func (c *Credentials) Reload() error {
	id := c.cluster.Load()
	if id == nil {
		return errors.New("this node is in no cluster yet")
	}
	return c.Install(*id)
}

// Files returns the paths of what was read.
func (c *Credentials) Files() Files { return c.files }

// ServerName returns the DNS name that every node's certificate has.
func (c *Credentials) ServerName() string { return c.name }

// Fingerprint returns what join tokens name the authority by; zero before the
// node is a member.
func (c *Credentials) Fingerprint() Fingerprint {
	if m := c.current.Load(); m.anchor != nil {
		return fingerprint(m.anchor)
	}
	return Fingerprint{}
}

// Expires returns when the certificate in force ends.
func (c *Credentials) Expires() time.Time { return c.current.Load().cert.Leaf.NotAfter }

// Exclude says which nodes are refused whatever certificate they have: those
// that were removed from the cluster. Connections that exist stay.
func (c *Credentials) Exclude(nodes []cluster.NodeID) {
	list := slices.Clone(nodes)
	c.excluded.Store(&list)
}

// ServerConfig returns what a node accepts links with: TLS 1.3, and a
// certificate of this cluster on the other side. It follows every change of the
// credentials.
func (c *Credentials) ServerConfig() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{ProtocolPeer},
		SessionTicketsDisabled: true, // every connection proves who it is
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.certificate() },
		ClientAuth:             tls.RequireAnyClientCert, // judged by VerifyConnection
		VerifyConnection: func(s tls.ConnectionState) error {
			_, err := c.verify(s, x509.ExtKeyUsageClientAuth, "")
			return err
		},
	}
}

// ClientConfig returns what a node makes a link with. want is the node that has
// to answer; empty: any of this cluster. It follows every change of the
// credentials.
func (c *Credentials) ClientConfig(want cluster.NodeID) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{ProtocolPeer},
		ServerName:             c.name,
		SessionTicketsDisabled: true,
		GetClientCertificate:   func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.certificate() },
		InsecureSkipVerify:     true, // by VerifyConnection, with the authority in force then
		VerifyConnection: func(s tls.ConnectionState) error {
			_, err := c.verify(s, x509.ExtKeyUsageServerAuth, want)
			return err
		},
	}
}

// signer returns the node's key.
func (c *Credentials) signer() (crypto.Signer, error) {
	key, ok := c.current.Load().cert.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("the node's key cannot sign")
	}
	return key, nil
}

// certificate returns the one in force, to show to other nodes.
func (c *Credentials) certificate() (*tls.Certificate, error) {
	return &c.current.Load().cert, nil
}

// verify judges the other side of a link and returns who it is.
func (c *Credentials) verify(s tls.ConnectionState, usage x509.ExtKeyUsage, want cluster.NodeID) (cluster.NodeID, error) {
	if s.NegotiatedProtocol != ProtocolPeer {
		return "", fmt.Errorf("the other side does not speak %s", ProtocolPeer)
	}
	node, err := c.verifyChain(s.PeerCertificates, usage)
	if err != nil {
		return "", err
	}
	if want != "" && node != "" && node != want {
		return "", fmt.Errorf("node %s answers where node %s was expected", node.Short(), want.Short())
	}
	return node, nil
}

// verifyChain judges the certificate of another node and returns its id, empty
// when a certificate from elsewhere does not have it.
func (c *Credentials) verifyChain(chain []*x509.Certificate, usage x509.ExtKeyUsage) (cluster.NodeID, error) {
	id := c.cluster.Load()
	if id == nil {
		return "", errors.New("this node is in no cluster yet")
	}
	now := c.now()
	if _, err := c.current.Load().verify(chain, c.name, usage, now); err != nil {
		if len(chain) == 0 {
			return "", err
		}
		return "", explain(err, chain[0], now)
	}
	node, err := c.holder(chain[0], *id)
	if err != nil {
		return "", err
	}
	if list := c.excluded.Load(); list != nil && slices.Contains(*list, node) {
		return "", fmt.Errorf("node %s was removed from the cluster", node.Short())
	}
	return node, nil
}

// holder returns whose a certificate is.
func (c *Credentials) holder(leaf *x509.Certificate, id ClusterID) (cluster.NodeID, error) {
	if !c.external {
		return belongs(leaf, id)
	}
	node, err := cluster.ParseNodeID(leaf.Subject.CommonName)
	if err != nil {
		return "", nil // the authority elsewhere knows nothing of node ids
	}
	return node, nil
}

// Identify returns the cluster and the node at the other end of a link, after
// its handshake, as the certificate says: what peer.Config asks for. The node is
// empty where certificates come from elsewhere and their common name is no node
// id: then the node's own word has to do.
func (c *Credentials) Identify(s tls.ConnectionState) (clusterID, node string, err error) {
	id := c.cluster.Load()
	if id == nil || len(s.PeerCertificates) == 0 {
		return "", "", errors.New("the other side has shown no certificate")
	}
	holder, err := c.holder(s.PeerCertificates[0], *id)
	if err != nil {
		return "", "", err
	}
	return string(*id), string(holder), nil
}

// Signer has a request (PEM) for this node's key signed by the cluster's
// authority and returns the certificate (PEM).
type Signer func(ctx context.Context, request []byte) ([]byte, error)

// Keep renews the certificate after two thirds of its life, and reads files
// anew that somebody else has changed, until ctx ends. It looks every so often;
// zero means once a minute. What fails is logged and tried again. sign is not
// used for certificates from elsewhere.
func (c *Credentials) Keep(ctx context.Context, every time.Duration, sign Signer, log *slog.Logger) {
	if every <= 0 {
		every = time.Minute
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	seen := c.stamp()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := c.stamp(); now != seen {
			seen = now
			if err := c.Reload(); err != nil {
				log.Error("the node's certificate was changed, but cannot be used; the old one stays in force", "err", err)
			} else {
				log.Info("the node's certificate was read anew", "expires", c.Expires())
			}
		}
		if c.external || c.now().Before(RenewAt(c.current.Load().cert.Leaf)) {
			continue
		}
		if err := c.renew(ctx, sign); err != nil {
			log.Error("the node's certificate cannot be renewed yet", "err", err, "expires", c.Expires())
			continue
		}
		seen = c.stamp()
		log.Info("the node's certificate was renewed", "expires", c.Expires())
	}
}

// stamp tells whether the files have changed: times and sizes.
func (c *Credentials) stamp() (s [3]struct{ at, size int64 }) {
	for i, path := range []string{c.files.CA, c.files.Certificate, c.files.Key} {
		if info, err := os.Stat(path); err == nil {
			s[i].at, s[i].size = info.ModTime().UnixNano(), info.Size()
		}
	}
	return s
}

// renew replaces the certificate, for the same key: etcd reads certificate and
// key as two files, and must never meet two that do not fit.
func (c *Credentials) renew(ctx context.Context, sign Signer) error {
	key, err := c.signer()
	if err != nil {
		return err
	}
	request, err := NewRequest(key, c.node)
	if err != nil {
		return err
	}
	text, err := sign(ctx, request)
	if err != nil {
		return err
	}
	chain, err := parseCertificates(text)
	if err != nil {
		return fmt.Errorf("the new certificate: %w", err)
	}
	if !samePublicKey(chain[0].PublicKey, key.Public()) {
		return errors.New("the new certificate is for another key")
	}
	if _, err := c.verifyChain(chain, x509.ExtKeyUsageServerAuth); err != nil {
		return fmt.Errorf("the new certificate: %w", err)
	}
	if err := writeFile(c.files.Certificate, text); err != nil {
		return err
	}
	return c.Reload()
}
