package etcd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const testServerName = "node.larder"

// authority is a CA that writes its nodes' files.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	a.cert.Raw = a.sign(t, a.cert, &key.PublicKey)
	return a
}

func (a *authority) sign(t *testing.T, template *x509.Certificate, key *ecdsa.PublicKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// files are a node's: names say nothing of addresses.
func (a *authority) files(t *testing.T) TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "node"}, DNSNames: []string{testServerName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, &key.PublicKey)
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return TLS{
		CAFile:     write("ca.pem", "CERTIFICATE", a.cert.Raw),
		CertFile:   write("node.pem", "CERTIFICATE", cert),
		KeyFile:    write("node.key", "EC PRIVATE KEY", der),
		ServerName: testServerName,
	}
}

func TestStrangersGetNothing(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	m, cfg := trio(t, func(c *MemberConfig) { c.TLS = ours.files(t) })
	s := connect(t, ClientConfig{Endpoints: clients(cfg[:]...), TLS: ours.files(t)})
	put(t, s, "secret", "1")
	list, err := m[1].Store("").Members(within(t))
	if err != nil || len(list) != 3 || !list[0].Healthy || !list[1].Healthy || !list[2].Healthy {
		t.Errorf("members over TLS: %+v, %v", list, err)
	}

	theirs := newAuthority(t).files(t)
	mixed := theirs // their certificate, although they know our CA
	mixed.CAFile = ours.files(t).CAFile
	for name, files := range map[string]TLS{"plain": {}, "another CA": theirs, "our CA, another certificate": mixed} {
		stranger := connect(t, ClientConfig{Endpoints: clients(cfg[:]...), TLS: files, Timeout: 300 * time.Millisecond})
		if v, err := stranger.Get(within(t), "secret"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: read %q, %v", name, v.Data, err)
		}
	}

	// A TLS client without a certificate gets no byte on either port.
	for _, address := range []string{cfg[0].PeerListen, cfg[0].ClientListen} {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			continue
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte("GET /members HTTP/1.1\r\nHost: x\r\n\r\n"))
		if n, err := c.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: a stranger read %d bytes, %v", address, n, err)
		}
	}
}
