package identity

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// material is what a node authenticates with at one time. It is immutable.
type material struct {
	cert tls.Certificate // with Leaf
	// pool has the cluster's authority, nil as long as the node is in no cluster.
	pool *x509.CertPool
	// anchor is the authority that signed cert.
	anchor *x509.Certificate
}

// provisionalMaterial signs a certificate with the node's own key.
func provisionalMaterial(node cluster.NodeID, key crypto.Signer, now time.Time) (*material, error) {
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: string(node), Organization: []string{"joining"}},
		NotBefore:    now.Add(-backdated),
		NotAfter:     now.Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{ServerName},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a provisional certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make a provisional certificate: %w", err)
	}
	return &material{cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}}, nil
}

// readMaterial reads the files and checks that they fit each other. That the
// certificate is valid now is not checked.
func readMaterial(f Files, serverName string, now time.Time) (*material, error) {
	texts := make([][]byte, 3)
	for i, path := range []string{f.CA, f.Certificate, f.Key} {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("certificates of the node: %w", err)
		}
		texts[i] = text
	}
	authorities, err := parseCertificates(texts[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.CA, err)
	}
	chain, err := parseCertificates(texts[1])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Certificate, err)
	}
	key, err := parseKey(texts[2])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Key, err)
	}
	if !samePublicKey(chain[0].PublicKey, key.Public()) {
		return nil, fmt.Errorf("%w: %s is not the key of %s", ErrDamaged, f.Key, f.Certificate)
	}
	m := &material{cert: tls.Certificate{PrivateKey: key, Leaf: chain[0]}, pool: x509.NewCertPool()}
	for _, c := range authorities {
		m.pool.AddCert(c)
	}
	for _, c := range chain {
		m.cert.Certificate = append(m.cert.Certificate, c.Raw)
	}
	at := within(chain[0], now)
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if m.anchor, err = m.verify(chain, serverName, usage, at); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Certificate, explain(err, chain[0], at))
		}
	}
	return m, nil
}

// verify checks a chain of certificates, leaf first, and returns the authority
// that it leads to.
func (m *material) verify(chain []*x509.Certificate, serverName string, usage x509.ExtKeyUsage, now time.Time) (*x509.Certificate, error) {
	if m.pool == nil {
		return nil, errors.New("this node is in no cluster yet")
	}
	if len(chain) == 0 {
		return nil, errors.New("no certificate was shown")
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	found, err := chain[0].Verify(x509.VerifyOptions{
		DNSName: serverName, Roots: m.pool, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage},
	})
	if err != nil {
		return nil, err
	}
	return found[0][len(found[0])-1], nil
}

// within returns the time nearest to now at which a certificate is valid: to find
// out what is wrong with it apart from the time.
func within(c *x509.Certificate, now time.Time) time.Time {
	switch {
	case now.Before(c.NotBefore):
		return c.NotBefore
	case now.After(c.NotAfter):
		return c.NotAfter
	}
	return now
}

// explain says what is wrong with a certificate, and of times both.
func explain(err error, leaf *x509.Certificate, now time.Time) error {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert.IsCA:
		return fmt.Errorf("the certificate of the authority %q is valid from %s to %s, and the clock here says %s: compare the clocks",
			invalid.Cert.Subject.CommonName, clockText(invalid.Cert.NotBefore), clockText(invalid.Cert.NotAfter), clockText(now))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		what := "has expired"
		if now.Before(leaf.NotBefore) {
			what = "is not valid yet"
		}
		return fmt.Errorf("the certificate of %q %s: it is valid from %s to %s, and the clock here says %s: compare the clocks; a node whose certificate has expired joins again with a token",
			leaf.Subject.CommonName, what, clockText(leaf.NotBefore), clockText(leaf.NotAfter), clockText(now))
	case errors.As(err, &unknown):
		return fmt.Errorf("the certificate of %q was not signed by this cluster's authority, but by %q: it is of another cluster, or of none",
			leaf.Subject.CommonName, leaf.Issuer.CommonName)
	case errors.As(err, &name):
		return fmt.Errorf("the certificate of %q is not one of a larder node: it has not the DNS name %q", leaf.Subject.CommonName, name.Host)
	}
	return err
}

// belongs checks that a certificate signed by the cluster's own authority is
// one of that cluster, and returns whose.
func belongs(leaf *x509.Certificate, id ClusterID) (cluster.NodeID, error) {
	if o := leaf.Subject.Organization; len(o) != 1 || o[0] != string(id) {
		return "", fmt.Errorf("%w: the certificate of %q is for cluster %q, this node is in %s", ErrOtherCluster, leaf.Subject.CommonName, o, id)
	}
	node, err := cluster.ParseNodeID(leaf.Subject.CommonName)
	if err != nil {
		return "", fmt.Errorf("the certificate names nobody: %w", err)
	}
	return node, nil
}
