package peer

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
)

// A handshake tells both sides who the other is. The called side sends nothing
// of its own before the other has proved to be somebody: with TLS that takes a
// certificate of the cluster, without TLS at least a well-formed greeting.

// greet is the calling side's part, on a connection with a deadline.
func (n *Network) greet(s *socket, node, lane string) (Info, error) {
	var certified Identity
	if n.cfg.ClientTLS != nil {
		c := s.useTLS(tls.Client, n.cfg.ClientTLS)
		if err := c.Handshake(); err != nil {
			return Info{}, fmt.Errorf("TLS handshake: %w", err)
		}
		var err error
		if certified, err = n.identify(c); err != nil {
			return Info{}, err
		}
	}
	h := hello{Identity: n.cfg.Self, minVersion: n.speaks.min, maxVersion: n.speaks.max, lane: lane}
	if err := sendGreeting(s, h.encode()); err != nil {
		return Info{}, err
	}
	body, err := readEnvelope(s.stream)
	if err != nil {
		return Info{}, err
	}
	a, err := parseAnswer(body)
	if err != nil {
		return Info{}, err
	}
	if a.refusal != 0 {
		return Info{}, &RefusedError{Code: a.refusal, Reason: a.reason, Remote: true}
	}
	if err := n.judge(a.Identity, certified); err != nil {
		return Info{}, err
	}
	if a.Node != node {
		return Info{}, refuse(RefusedIdentity, "node %s answers at the address of node %s", a.Node, node)
	}
	if a.version < n.speaks.min || a.version > n.speaks.max {
		return Info{}, refuse(RefusedVersion, "version %d was chosen, we speak %d to %d", a.version, n.speaks.min, n.speaks.max)
	}
	return Info{Identity: a.Identity, Version: a.version, Addr: s.RemoteAddr().String()}, nil
}

// receive is the called side's part up to the welcome, which the caller sends
// with welcome once it is ready to serve. An error that is a [RefusedError] is
// to be told to the other side, any other is not.
func (n *Network) receive(s *socket) (info Info, lane string, err error) {
	var certified Identity
	if n.cfg.ServerTLS != nil {
		own := n.cfg.ServerTLS.Clone()
		own.ClientAuth = max(own.ClientAuth, tls.RequireAnyClientCert)
		// Who sends no TLS gets no alert either.
		s.first = tlsHandshake
		c := s.useTLS(tls.Server, own)
		if err := c.Handshake(); err != nil {
			return Info{}, "", fmt.Errorf("%w: TLS handshake: %w", errStranger, err)
		}
		if certified, err = n.identify(c); err != nil {
			return Info{}, "", err
		}
	}
	body, err := readEnvelope(s.stream)
	if err != nil {
		return Info{}, "", err
	}
	h, err := parseHello(body)
	if err != nil {
		return Info{}, "", err
	}
	if err := n.judge(h.Identity, certified); err != nil {
		return Info{}, "", err
	}
	theirs := versions{h.minVersion, h.maxVersion}
	version, ok := n.speaks.agree(theirs)
	if !ok {
		return Info{}, "", refuse(RefusedVersion, "you speak versions %d to %d, we speak %d to %d (build %s)",
			theirs.min, theirs.max, n.speaks.min, n.speaks.max, n.cfg.Self.Build)
	}
	return Info{Identity: h.Identity, Version: version, Addr: s.RemoteAddr().String()}, h.lane, nil
}

// judge compares what a node says of itself with its certificate and with us.
func (n *Network) judge(said, certified Identity) error {
	switch {
	case n.secure() && (said.Cluster != certified.Cluster || said.Node != certified.Node):
		return refuse(RefusedIdentity, "node %s of cluster %s has the certificate of node %s of cluster %s",
			said.Node, said.Cluster, certified.Node, certified.Cluster)
	case said.Cluster != n.cfg.Self.Cluster:
		return refuse(RefusedCluster, "you belong to cluster %s, this node to cluster %s", said.Cluster, n.cfg.Self.Cluster)
	case said.Node == n.cfg.Self.Node:
		return refuse(RefusedSelf, "node %s is this node: it connected to itself, or two nodes share the id", said.Node)
	}
	return nil
}

// identify asks the owner of the certificates whose the other side's is.
func (n *Network) identify(c *tls.Conn) (Identity, error) {
	state := c.ConnectionState()
	if len(state.PeerCertificates) == 0 {
		return Identity{}, errIdentity
	}
	cluster, node, err := n.cfg.Identify(state)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", errIdentity, err)
	}
	return Identity{Cluster: cluster, Node: node}, nil
}

func (n *Network) secure() bool { return n.cfg.ServerTLS != nil || n.cfg.ClientTLS != nil }

func refuse(code Refusal, format string, args ...any) error {
	return &RefusedError{Code: code, Reason: fmt.Sprintf(format, args...)}
}

// welcome ends the handshake of the called side.
func (n *Network) welcome(s *socket, version uint16) error {
	a := answer{Identity: n.cfg.Self, version: version}
	return sendGreeting(s, a.encode())
}

// reject tells the other side why it is refused, if it may know.
func (n *Network) reject(s *socket, err error) {
	var refused *RefusedError
	if errors.As(err, &refused) {
		a := answer{Identity: n.cfg.Self, refusal: refused.Code, reason: refused.Reason}
		_ = sendGreeting(s, a.encode()) // it will see the end of the connection
	}
}

func sendGreeting(s *socket, b []byte) error {
	var w io.Writer = s.Conn
	if s.secure != nil {
		w = s.secure
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("send greeting: %w", err)
	}
	return nil
}

// tlsHandshake is the first byte of a connection that speaks TLS.
const tlsHandshake = 22
