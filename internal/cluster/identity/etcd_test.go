package identity

import (
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
)

// TestEtcdAcceptsTheFiles guards the settings that the package's documentation
// names: without the addresses being in the certificates, both ways.
func TestEtcdAcceptsTheFiles(t *testing.T) {
	id := NewClusterID()
	a := must(NewAuthority(id, time.Now()))(t)
	info := func(f Files, name string) transport.TLSInfo {
		return transport.TLSInfo{
			CertFile: f.Certificate, KeyFile: f.Key, TrustedCAFile: f.CA,
			ServerName: name, AllowedHostnames: []string{name}, ClientCertAuth: true, SkipClientSANVerify: true,
		}
	}
	x, y := newMember(t, a, id, time.Now), newMember(t, a, id, time.Now)
	server := info(x.Files(), x.ServerName())
	client := info(y.Files(), y.ServerName())
	serverErr, clientErr, _ := shake(t, must(server.ServerConfig())(t), must(client.ClientConfig())(t))
	if serverErr != nil || clientErr != nil {
		t.Fatal(serverErr, clientErr)
	}
	otherID := NewClusterID()
	other := newMember(t, must(NewAuthority(otherID, time.Now()))(t), otherID, time.Now)
	stranger := info(other.Files(), ServerName)
	stranger.TrustedCAFile = x.Files().CA // even if it believes the server
	serverErr, clientErr, _ = shake(t, must(server.ServerConfig())(t), must(stranger.ClientConfig())(t))
	wantError(t, serverErr, "unknown authority")
	if clientErr == nil {
		t.Error("a stranger got in")
	}
	// an authority that has signed for others too: the name keeps them out
	acme := must(NewAuthority(NewClusterID(), time.Now()))(t)
	node, mail := external(t, acme, "host", "cache.example"), external(t, acme, "mail", "mail.example")
	server = info(node.Files(), "cache.example")
	stranger = info(mail.Files(), "cache.example")
	stranger.AllowedHostnames = nil
	serverErr, _, _ = shake(t, must(server.ServerConfig())(t), must(stranger.ClientConfig())(t))
	wantError(t, serverErr, "client certificate authentication failed")
}
