package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// TLS names the files of mutual authentication. The zero value is plain text, for
// tests and for networks that are trusted as a whole; with it, all three files
// are needed. Certificates are read again at every handshake, so that a renewed
// one needs no restart; the CA is read once.
type TLS struct {
	// CAFile holds the certificates (PEM) that the other side's must come from.
	CAFile string
	// CertFile and KeyFile are our own certificate and key (PEM), valid as server
	// and as client.
	CertFile, KeyFile string
	// ServerName is what the other side's certificate must be valid for. Empty: the
	// address that is dialled.
	ServerName string
}

func (t TLS) enabled() bool { return t.CAFile != "" || t.CertFile != "" || t.KeyFile != "" }

func (t TLS) validate() error {
	if t.enabled() && (t.CAFile == "" || t.CertFile == "" || t.KeyFile == "") {
		return errors.New("TLS needs CA, certificate and key, all three")
	}
	return nil
}

func (t TLS) scheme() string {
	if t.enabled() {
		return "https"
	}
	return "http"
}

// info is t for an embedded member: the same for both of its listeners.
func (t TLS) info() transport.TLSInfo {
	if !t.enabled() {
		return transport.TLSInfo{}
	}
	return transport.TLSInfo{
		CertFile:      t.CertFile,
		KeyFile:       t.KeyFile,
		TrustedCAFile: t.CAFile,
		ServerName:    t.ServerName,
		// The CA decides who is in. A client's address says nothing behind
		// translated or several addresses.
		ClientCertAuth:      true,
		SkipClientSANVerify: true,
	}
}

// client is t for a connection that we open, nil without TLS.
func (t TLS) client() (*tls.Config, error) {
	if !t.enabled() {
		return nil, nil
	}
	info := t.info()
	c, err := info.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read TLS files of the configuration store: %w", err)
	}
	c.MinVersion = tls.VersionTLS12
	return c, nil
}

// named are credentials that check the other side's certificate against one name
// rather than the dialled address, with which gRPC replaces a name of the config.
type named struct {
	credentials.TransportCredentials
	name string
}

// ClientHandshake checks against the name.
func (n named) ClientHandshake(ctx context.Context, _ string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return n.TransportCredentials.ClientHandshake(ctx, n.name, c)
}

// Clone keeps the name.
func (n named) Clone() credentials.TransportCredentials {
	return named{n.TransportCredentials.Clone(), n.name}
}

// dialOptions say how gRPC is to use secure, which may be nil.
func (t TLS) dialOptions(secure *tls.Config) []grpc.DialOption {
	if secure == nil || t.ServerName == "" {
		return nil
	}
	return []grpc.DialOption{grpc.WithTransportCredentials(named{credentials.NewTLS(secure), t.ServerName})}
}
