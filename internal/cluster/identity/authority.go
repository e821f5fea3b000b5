package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

const (
	// ServerName is the DNS name in the certificate of every node.
	ServerName = "larder-node"
	// MaxSkew is how far the clocks of two nodes may be apart.
	MaxSkew = time.Hour
	// CertificateLife is how long a node's certificate is valid from when it is made.
	CertificateLife = 365 * 24 * time.Hour

	authorityLife = 20 * 365 * 24 * time.Hour
	// backdated is how much earlier than now certificates begin, for nodes whose
	// clock is behind.
	backdated = MaxSkew + 5*time.Minute
)

// Fingerprint is the SHA-256 of an authority's certificate (DER).
type Fingerprint [sha256.Size]byte

// String returns the first 16 hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:8]) }

func fingerprint(c *x509.Certificate) Fingerprint { return sha256.Sum256(c.Raw) }

// Authority signs the certificates of a cluster's nodes. It is immutable.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// NewAuthority makes the authority of a new cluster: ECDSA P-256, valid for 20
// years.
func NewAuthority(id ClusterID, now time.Time) (*Authority, error) {
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "larder cluster " + id.Short(), Organization: []string{string(id)}},
		NotBefore:             now.Add(-backdated),
		NotAfter:              now.Add(authorityLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the cluster's authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make the cluster's authority: %w", err)
	}
	return &Authority{cert, key}, nil
}

// serial returns a random serial number.
func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	b[0] = b[0]&0x7f | 0x40 // positive, and always as long
	return new(big.Int).SetBytes(b[:])
}

// ParseAuthority reads an authority from its certificate and key, both PEM. The
// key may be RSA, ECDSA or Ed25519, in PKCS #8, PKCS #1 or SEC 1 form.
func ParseAuthority(certPEM, keyPEM []byte) (*Authority, error) {
	cert, err := parseCertificate(certPEM)
	if err != nil {
		return nil, fmt.Errorf("certificate of the authority: %w", err)
	}
	if !cert.IsCA || cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, fmt.Errorf("certificate of the authority: that of %q may not sign others (it has no CA flag or no usage certSign)", cert.Subject)
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("key of the authority: %w", err)
	}
	if !samePublicKey(cert.PublicKey, key.Public()) {
		return nil, errors.New("key of the authority: it does not belong to the certificate")
	}
	return &Authority{cert, key}, nil
}

// CertificatePEM returns the authority's certificate, which is no secret.
func (a *Authority) CertificatePEM() []byte { return encodeCertificate(a.cert) }

// KeyPEM returns the authority's key: who has it can make nodes.
func (a *Authority) KeyPEM() ([]byte, error) { return encodeKey(a.key) }

// Fingerprint returns what join tokens name the authority by.
func (a *Authority) Fingerprint() Fingerprint { return fingerprint(a.cert) }

// Holder is whom a certificate is for.
type Holder struct {
	Node    cluster.NodeID
	Cluster ClusterID
	// Hosts are the IP addresses and DNS names that the node is reached by,
	// without ports; those that are neither are left out.
	Hosts []string
}

// Sign returns a certificate (PEM) for the key of a certificate request (PEM),
// valid from an hour and five minutes ago for a year from now, or for as long
// as the authority itself. Nothing but the key is taken from the request.
func (a *Authority) Sign(request []byte, h Holder, now time.Time) ([]byte, error) {
	csr, err := parseRequest(request)
	if err != nil {
		return nil, err
	}
	end := now.Add(CertificateLife)
	if end.After(a.cert.NotAfter) {
		end = a.cert.NotAfter
	}
	if !end.After(now) {
		return nil, fmt.Errorf("the cluster's authority has expired on %s: it signs nothing any more", clockText(a.cert.NotAfter))
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: string(h.Node), Organization: []string{string(h.Cluster)}},
		NotBefore:    now.Add(-backdated),
		NotAfter:     end,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     []string{ServerName},

		BasicConstraintsValid: true,
	}
	for _, host := range h.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if host != ServerName && isHostName(host) {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, csr.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of node %s: %w", h.Node.Short(), err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockCertificate, Bytes: der}), nil
}

// isHostName reports whether a certificate may have s as DNS name.
func isHostName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.', r == '_':
		default:
			return false
		}
	}
	return true
}

// NewKey makes a key for a node or an authority.
func NewKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

// NewRequest returns a certificate request (PEM) for a node's key.
func NewRequest(key crypto.Signer, node cluster.NodeID) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: string(node)}}, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockRequest, Bytes: der}), nil
}

// RenewAt returns when a certificate is to be replaced: after two thirds of its
// life.
func RenewAt(c *x509.Certificate) time.Time {
	return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 3 * 2)
}

// clockText is how times stand in messages.
func clockText(t time.Time) string { return t.UTC().Format(time.RFC3339) }
