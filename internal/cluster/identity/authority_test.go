package identity

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func TestSignedCertificate(t *testing.T) {
	id, node := NewClusterID(), cluster.NewNodeID()
	a := must(NewAuthority(id, noon))(t)
	key := must(NewKey())(t)
	request := must(NewRequest(key, node))(t)
	text := must(a.Sign(request, Holder{Node: node, Cluster: id, Hosts: []string{"10.0.0.2", "::1", "cache-1.example", "not a name!", "", ServerName}}, noon))(t)
	c := must(parseCertificate(text))(t)
	if c.Subject.CommonName != string(node) || !slices.Equal(c.Subject.Organization, []string{string(id)}) {
		t.Errorf("subject %v", c.Subject)
	}
	if !slices.Equal(c.DNSNames, []string{"larder-node", "cache-1.example"}) || len(c.IPAddresses) != 2 {
		t.Errorf("for %v, %v", c.DNSNames, c.IPAddresses)
	}
	if !c.NotBefore.Equal(noon.Add(-65*time.Minute)) || !c.NotAfter.Equal(noon.Add(365*24*time.Hour)) {
		t.Errorf("valid from %v to %v", c.NotBefore, c.NotAfter)
	}
	if c.IsCA || c.PublicKeyAlgorithm != x509.ECDSA || a.cert.PublicKey == nil || key.Curve != elliptic.P256() {
		t.Errorf("of a kind that was not asked for: CA %v, %v", c.IsCA, c.PublicKeyAlgorithm)
	}
	if at := RenewAt(c); at.Sub(noon) < 243*24*time.Hour || at.Sub(noon) > 244*24*time.Hour {
		t.Errorf("to be renewed at %v", at)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	for skew, valid := range map[time.Duration]bool{0: true, -time.Hour: true, -66 * time.Minute: false, 364 * 24 * time.Hour: true, 366 * 24 * time.Hour: false} {
		for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
			_, err := c.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: noon.Add(skew), DNSName: ServerName, KeyUsages: []x509.ExtKeyUsage{usage}})
			if (err == nil) != valid {
				t.Errorf("clock off by %v: %v", skew, err)
			}
		}
	}
}

func TestSignRefuses(t *testing.T) {
	id, node := NewClusterID(), cluster.NewNodeID()
	a := must(NewAuthority(id, noon))(t)
	key := must(NewKey())(t)
	request := must(NewRequest(key, node))(t)
	h := Holder{Node: node, Cluster: id}

	_, err := a.Sign([]byte("nothing"), h, noon)
	wantError(t, err, "certificate request: no PEM block")

	block, _ := pem.Decode(request)
	block.Bytes[len(block.Bytes)-3] ^= 1
	_, err = a.Sign(pem.EncodeToMemory(block), h, noon)
	wantError(t, err, "certificate request")

	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	_, err = a.Sign(must(NewRequest(rsaKey, node))(t), h, noon)
	wantError(t, err, "not ECDSA of 256 bits")

	_, err = a.Sign(request, h, noon.AddDate(21, 0, 0))
	wantError(t, err, "authority has expired on 2046")

	// near its own end the authority signs for less than a year
	text := must(a.Sign(request, h, noon.AddDate(19, 9, 0)))(t)
	if c := must(parseCertificate(text))(t); !c.NotAfter.Equal(a.cert.NotAfter) {
		t.Errorf("valid until %v, the authority until %v", c.NotAfter, a.cert.NotAfter)
	}
}

func TestAuthoritySurvivesItsText(t *testing.T) {
	a := must(NewAuthority(NewClusterID(), noon))(t)
	key := must(a.KeyPEM())(t)
	b := must(ParseAuthority(a.CertificatePEM(), key))(t)
	if a.Fingerprint() != b.Fingerprint() || !samePublicKey(a.key.Public(), b.key.Public()) {
		t.Error("another authority came back")
	}
}

// givenAuthority makes an authority as an operator may have one.
func givenAuthority(t *testing.T, key crypto.Signer, isCA bool) (cert []byte) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "ACME internal"}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(5, 0, 0),
		IsCA: isCA, BasicConstraintsValid: true,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t)
	return pem.EncodeToMemory(&pem.Block{Type: blockCertificate, Bytes: der})
}

func TestGivenAuthorities(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec := must(NewKey())(t)
	ecText := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: must(x509.MarshalECPrivateKey(ec))(t)})
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{1}})
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	for name, c := range map[string]struct {
		key  crypto.Signer
		text []byte
	}{
		"PKCS 8 Ed25519": {ed, must(encodeKey(ed))(t)},
		"SEC 1":          {ec, append(parameters, ecText...)},
		"PKCS 1":         {rsaKey, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			conf := TLSConfig{CA: filepath.Join(dir, "ca.pem"), CAKey: filepath.Join(dir, "ca.key")}
			if err := os.WriteFile(conf.CA, givenAuthority(t, c.key, true), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(conf.CAKey, c.text, 0o600); err != nil {
				t.Fatal(err)
			}
			f := must(openDir(t).Found(conf, []string{"10.0.0.1"}, at(noon)))(t)
			if got := must(conf.Authority())(t); got.Fingerprint() != f.Credentials.Fingerprint() || f.Authority.Fingerprint() != got.Fingerprint() {
				t.Error("the node's certificate is not of the authority that was given")
			}
		})
	}
	key := must(NewKey())(t)
	text := must(encodeKey(key))(t)
	for name, c := range map[string]struct {
		cert, key []byte
		say       string
	}{
		"not an authority": {givenAuthority(t, key, false), text, "may not sign others"},
		"another key":      {givenAuthority(t, key, true), must(encodeKey(must(NewKey())(t)))(t), "does not belong to the certificate"},
		"no certificate":   {[]byte("x"), text, "no PEM certificate"},
		"no key":           {givenAuthority(t, key, true), []byte("x"), "no PEM private key"},
		"swapped":          {text, givenAuthority(t, key, true), `"PRIVATE KEY" where a certificate should be`},
		"encrypted": {givenAuthority(t, key, true), pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}}),
			"without a passphrase"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseAuthority(c.cert, c.key)
			wantError(t, err, c.say)
		})
	}
}

func TestConfigValidate(t *testing.T) {
	for name, c := range map[string]struct {
		tls TLSConfig
		say string
	}{
		"nothing":        {TLSConfig{}, ""},
		"authority":      {TLSConfig{CA: "a", CAKey: "b"}, ""},
		"external":       {TLSConfig{CA: "a", Cert: "b", Key: "c", ServerName: "x.example"}, ""},
		"CA alone":       {TLSConfig{CA: "a"}, "ca and ca_key go together"},
		"cert alone":     {TLSConfig{CA: "a", Cert: "b"}, "cert and key go together"},
		"no CA":          {TLSConfig{Cert: "b", Key: "c"}, "tls.ca: missing"},
		"both":           {TLSConfig{CA: "a", CAKey: "x", Cert: "b", Key: "c"}, "contradicts tls.cert"},
		"name alone":     {TLSConfig{ServerName: "x"}, "of no meaning without tls.cert"},
		"name no name":   {TLSConfig{CA: "a", Cert: "b", Key: "c", ServerName: "a b"}, "no DNS name"},
		"files that are": {TLSConfig{CA: "a", Cert: "b", Key: "c"}, ""},
	} {
		err := Config{TLS: c.tls}.Validate()
		if c.say == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if c.say != "" {
			wantError(t, err, c.say)
		}
	}
	if _, err := (TLSConfig{CA: "/does/not/exist", CAKey: "x"}).Authority(); err == nil || !bytes.Contains([]byte(err.Error()), []byte("tls.ca: open /does/not/exist")) {
		t.Errorf("a missing file: %v", err)
	}
}
