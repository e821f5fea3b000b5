package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster/identity"
)

// forged returns a certificate as a node's, of an authority of its own.
func forged(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "node"}, DNSNames: []string{identity.ServerName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	text, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{text}, PrivateKey: key}
}

// TestStrangers reaches the ports of the inside of a cluster as somebody who is
// none of it: not a byte comes back that says anything.
func TestStrangers(t *testing.T) {
	c := grow(t, 1)
	host, port, err := net.SplitHostPort(c.Nodes()[0].Peer)
	if err != nil {
		t.Fatal(err)
	}
	first, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []struct {
		name      string
		number    int
		protocols []string
	}{
		{"links", first, []string{identity.ProtocolPeer}},
		{"nothing named", first, nil},
		{"etcd for clients", first + 1, []string{"h2"}},
		{"etcd for members", first + 2, nil},
	} {
		address := net.JoinHostPort(host, strconv.Itoa(at.number))
		for _, text := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "*1\r\n$4\r\nPING\r\n", "\x00\x01\x02\x03\x04\x05\x06\x07", "\x16\x03\x01\xff\xff\x01"} {
			t.Run(at.name+", plain", func(t *testing.T) {
				conn := dialStranger(t, address)
				_, _ = io.WriteString(conn, text)    // the other side may have closed already,
				_ = conn.(*net.TCPConn).CloseWrite() // which is an answer too
				// An alert of TLS has 7 bytes, and says nothing but its number; an HTTP
				// server behind TLS says in one line that it is that.
				if got, _ := io.ReadAll(conn); len(got) > 7 && string(got) != "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n" {
					t.Errorf("%q is answered with %q", text, got)
				}
			})
		}
		for _, row := range []struct {
			name string
			cert []tls.Certificate
		}{{"no certificate", nil}, {"another authority", []tls.Certificate{forged(t)}}} {
			t.Run(at.name+", "+row.name, func(t *testing.T) {
				conn := tls.Client(dialStranger(t, address), &tls.Config{
					InsecureSkipVerify: true, NextProtos: at.protocols, Certificates: row.cert,
				})
				err := conn.Handshake()
				if err == nil { // the server judges after it, by TLS 1.3
					_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
					var got []byte
					if got, err = io.ReadAll(conn); len(got) > 0 {
						t.Errorf("%q comes back", got)
					}
				}
				if err == nil {
					t.Error("the connection ends without an alert")
				}
			})
		}
	}
	put(t, c.Nodes()[0], "k", 10)
}

func dialStranger(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}
