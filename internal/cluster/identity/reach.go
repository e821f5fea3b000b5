package identity

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// ReachTime is how long a member tries to connect to a joiner.
const ReachTime = 3 * time.Second

// reachConfig shows the node's certificate to whoever dials back.
func (c *Credentials) reachConfig() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{ProtocolReach},
		SessionTicketsDisabled: true,
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.certificate() },
	}
}

// errOtherKey ends a handshake with somebody else than the node expected.
var errOtherKey = errors.New("another key")

// Reachable dials a node's peer address and checks that the holder of key
// answers: the very process that asks to join. It takes at most timeout; zero
// means [ReachTime]. The refusal is [ReasonUnreachable] and says what to check.
func Reachable(ctx context.Context, address string, node cluster.NodeID, key crypto.PublicKey, timeout time.Duration) *Refusal {
	if timeout <= 0 {
		timeout = ReachTime
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return refuse(ReasonUnreachable, "node %s cannot be reached from here: check --peer-addr/--advertise or the firewall (%v)", address, dialCause(ctx, err, timeout))
	}
	defer conn.Close()
	c := tls.Client(conn, &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{ProtocolReach},
		ServerName:         ServerName,
		InsecureSkipVerify: true, // it is the key that counts
		VerifyConnection: func(s tls.ConnectionState) error {
			if s.NegotiatedProtocol != ProtocolReach || len(s.PeerCertificates) == 0 || !samePublicKey(s.PeerCertificates[0].PublicKey, key) {
				return errOtherKey
			}
			return nil
		},
	})
	switch err := c.HandshakeContext(ctx); {
	case err == nil:
		return nil
	case errors.Is(err, errOtherKey):
		return refuse(ReasonUnreachable, "at %s answers somebody else than node %s: check --peer-addr/--advertise; it may be the address of another node", address, node.Short())
	default:
		return refuse(ReasonUnreachable, "at %s something answers, but not as larder node %s does: check --peer-addr/--advertise or the firewall (%v)", address, node.Short(), dialCause(ctx, err, timeout))
	}
}

// dialCause returns why a connection failed, as an operator would put it.
func dialCause(ctx context.Context, err error, timeout time.Duration) error {
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer within " + timeout.String())
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
