package identity

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/larder-cache/larder/internal/cluster"
)

// DefaultPeerPort is the port of the peer listener.
const DefaultPeerPort = 7380

// maxText is the length of the longest name, zone or release, in bytes.
const maxText = 255

// circumstances are what a request is judged by, beside its content.
type circumstances struct {
	cluster ClusterID
	self    cluster.Node // the member that is asked
	now     time.Time
	// here and there are the two ends of the connection.
	here, there netip.Addr
}

// local reports whether both ends of the connection are on this machine.
func (c circumstances) local() bool {
	return c.there.IsLoopback() && c.here.IsLoopback() || c.there == c.here
}

// trusted reports whether a joiner needs no token: the cluster and the joiner
// can only be reached on this machine.
//
// Not every connection over loopback is trusted: a member that serves a network
// would else let in whoever has an account on its machine.
func (c circumstances) trusted(r *JoinRequest) bool {
	return c.here.IsLoopback() && c.there.IsLoopback() && isLoopback(c.self.Peer) && isLoopback(r.Node.Peer)
}

// judge refuses a request for what can be seen in it; nil when nothing is wrong.
func (c circumstances) judge(r *JoinRequest) *Refusal {
	if r.Cluster != "" && r.Cluster != c.cluster {
		return refuse(ReasonCluster, "the data directory belongs to a node of cluster %s, this is cluster %s: start with an empty --data-dir, or join the cluster it belongs to",
			r.Cluster.Short(), c.cluster.Short())
	}
	if refusal := apart(c.now, r.Time, "the member", "the joining node"); refusal != nil {
		return refusal
	}
	if _, err := cluster.ParseNodeID(string(r.Node.ID)); err != nil {
		return refuse(ReasonMalformed, "%v", err)
	}
	if r.Node.ID == c.self.ID {
		return refuse(ReasonAlive, "node %s is the member you ask (%s): --join wants the address of another node", r.Node.ID.Short(), c.self.Peer)
	}
	for _, text := range []string{r.Node.Name, r.Node.Zone, r.Node.Version} {
		if len(text) > maxText || strings.ContainsFunc(text, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
			return refuse(ReasonMalformed, "%.300q is no name, zone or release: at most %d printable characters", text, maxText)
		}
	}
	return c.judgeAddresses(&r.Node)
}

// judgeAddresses refuses addresses that others cannot use.
func (c circumstances) judgeAddresses(n *cluster.Node) *Refusal {
	if n.Peer == "" {
		return refuse(ReasonAddress, "the node has no peer address: set --peer-addr or --advertise")
	}
	for _, a := range []struct{ what, address string }{
		{"peer", n.Peer}, {"resp", n.RESP}, {"resp_cluster", n.RESPCluster}, {"http", n.HTTP},
	} {
		if a.address == "" {
			continue
		}
		host, ok := splitAddress(a.address)
		if !ok {
			return refuse(ReasonAddress, "the %s address %q of the node is not host:port with a port above 0: set --advertise", a.what, a.address)
		}
		if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.Unmap().IsUnspecified() {
			return refuse(ReasonAddress, "the %s address %s of the node is no address that others could connect to: set --advertise to the one they shall use%s",
				a.what, a.address, c.suggestion())
		}
	}
	mine, theirs := isLoopback(c.self.Peer), isLoopback(n.Peer)
	switch {
	case theirs && !c.local():
		return refuse(ReasonAddress, "the node says it is at %s, but that leads nowhere from the member, on another machine: set --peer-addr, or --advertise, to its address in the network%s",
			n.Peer, c.suggestion())
	case theirs && !mine:
		return refuse(ReasonAddress, "the node says it is at %s, but this cluster has nodes on other machines (the member is %s): set --peer-addr, or --advertise, to its address in the network",
			n.Peer, c.self.Peer)
	case mine && !theirs && !c.local():
		return refuse(ReasonAddress, "the member says it is at %s, where the node, on another machine, cannot reach it: start the member with --advertise set to its address in the network (%s)",
			c.self.Peer, c.here)
	}
	return nil
}

// suggestion is the joiner's address as it is seen here.
func (c circumstances) suggestion() string {
	if !c.there.IsValid() || c.there.IsLoopback() {
		return ""
	}
	return " (seen from here it is " + c.there.String() + ")"
}

// hosts returns what the certificate of a joiner is for: the hosts of its
// addresses, and where it connects from.
func (c circumstances) hosts(n *cluster.Node) []string {
	list := Hosts(*n)
	if c.there.IsValid() {
		list = appendNew(list, c.there.String())
	}
	return list
}

// Hosts returns the hosts of a node's addresses, once each: what its
// certificate is for.
func Hosts(n cluster.Node) []string {
	var list []string
	for _, address := range []string{n.Peer, n.RESP, n.RESPCluster, n.HTTP} {
		if host, ok := splitAddress(address); ok {
			list = appendNew(list, host)
		}
	}
	return list
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

// splitAddress returns the host of host:port; false when it is not that.
func splitAddress(address string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return host, err == nil && n > 0
}

// isLoopback reports whether an address (host:port) leads to its own machine.
func isLoopback(address string) bool {
	host, ok := splitAddress(address)
	if !ok {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// PeerAddress completes what --join was given, HOST or HOST:PORT: without a
// port it is 7380. IPv6 addresses may stand without brackets when they have no
// port.
func PeerAddress(given string) (string, error) {
	if ip, err := netip.ParseAddr(strings.Trim(given, "[]")); err == nil {
		return net.JoinHostPort(ip.String(), strconv.Itoa(DefaultPeerPort)), nil
	}
	if !strings.Contains(given, ":") {
		given = net.JoinHostPort(given, strconv.Itoa(DefaultPeerPort))
	}
	host, ok := splitAddress(given)
	if !ok || host == "" {
		return "", &net.AddrError{Err: "--join wants HOST or HOST:PORT, the peer address of a member", Addr: given}
	}
	return given, nil
}
