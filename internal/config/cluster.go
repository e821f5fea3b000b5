package config

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
	"github.com/larder-cache/larder/internal/cluster/identity"
)

// Cluster configures a node as one of several.
type Cluster struct {
	// Enabled makes the node one of a cluster: it begins a new one, or goes on as
	// the member that its data directory says. Join implies it.
	Enabled bool
	// Join has peer addresses of members to ask for admission, host or host:port.
	Join []string
	// Token is what an operator of the cluster has given for joining.
	Token string
	// Identity has the data directory and the certificates.
	Identity identity.Config

	// Name is what people call the node. Default: the host's name.
	Name string
	// Zone is where it stands. Copies of a partition are put into different zones.
	Zone string
	// Weight is its share of the partitions. Default 100, zero owns nothing.
	Weight int
	// Peer is the address to listen on for other nodes. Default 127.0.0.1:7380.
	Peer string
	// Listen are the addresses for clients of the Redis Cluster protocol. Default
	// 127.0.0.1:7379.
	Listen []string
	// Advertise is the host that other nodes and clients reach this one at.
	// Default: that of Peer.
	Advertise string

	Etcd      Etcd
	Rebalance Rebalance

	// Replicas is how many copies of each partition are kept beside the owner's.
	// Default 0.
	Replicas int
	// SyncInterval is how often a two-hundredth of the partitions is compared with
	// their copies. Default 100 ms, zero never.
	SyncInterval time.Duration
	// HandoverTimeout is how long a node that is to stop goes on serving while it
	// hands what it owns over to copies. Default 10 s; zero: it does not.
	HandoverTimeout time.Duration
}

// Etcd configures the configuration service.
type Etcd struct {
	// Endpoints of an etcd cluster of the operator's. None: the first three nodes
	// run one.
	Endpoints []string
	// CA, Cert and Key are PEM files for these endpoints; User and Password for
	// an etcd with authentication.
	CA, Cert, Key  string
	User, Password string
	// Coordinator says whether this node may run a member: auto (as long as there
	// are fewer than three), yes or no.
	Coordinator string
	// Client and Peer are the addresses that a member listens on. Default: the
	// host of Cluster.Peer with its port plus 1 and plus 2.
	Client, Peer string
}

// Rebalance bounds what moving partitions may cost.
type Rebalance struct {
	// Moves is how many partitions move from or to one node at once. Default 16.
	Moves int
	// BytesPerSecond is how fast a node copies to others at most. Zero: no limit.
	BytesPerSecond int
	// Delay is how long a dead node keeps its partitions. Default 30 s.
	Delay time.Duration
}

// On reports whether the node is one of a cluster.
func (c *Cluster) On() bool { return c.Enabled || len(c.Join) > 0 }

// defaultCluster returns the defaults of the section.
func defaultCluster() Cluster {
	return Cluster{
		Identity: identity.Config{DataDir: identity.DefaultDirectory},
		Weight:   cluster.DefaultWeight,
		Peer:     net.JoinHostPort("127.0.0.1", strconv.Itoa(identity.DefaultPeerPort)),
		Listen:   []string{"127.0.0.1:7379"},
		Replicas: 1,
		Etcd:     Etcd{Coordinator: "auto"},
		Rebalance: Rebalance{
			Moves: 16, Delay: controller.DefaultSettings().RebalanceDelay,
		},
		SyncInterval:    100 * time.Millisecond,
		HandoverTimeout: 10 * time.Second,
	}
}

// clusterSettings is the section of the file.
var clusterSettings = []setting[Config]{
	{
		path: "cluster.enabled",
		doc:  "Makes this node the first of a new cluster, or the member that its data directory says it is.",
		at:   func(c *Config) value { return truth{&c.Cluster.Enabled} },
	},
	{
		path: "cluster.join",
		doc:  "Peer addresses of nodes to ask for admission, host or host:port. They may stay when the node is a member.",
		zero: "An empty list: the node joins nobody.",
		at:   func(c *Config) value { return texts{&c.Cluster.Join} },
	},
	{
		path:    "cluster.token",
		doc:     "What larder cluster token has printed on a member. Needed to join, except where all nodes listen on this machine only.",
		zero:    "Empty: none.",
		secrecy: secret,
		at:      func(c *Config) value { return textOf(&c.Cluster.Token) },
	},
	{
		path: "cluster.data_dir",
		doc:  "Directory for what makes the node a member: its id, its certificate, and the configuration service on coordinators. Nobody else may read it.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Identity.DataDir) },
	},
	{
		path: "cluster.name",
		doc:  "What people call the node.",
		zero: "Empty: the name of the host.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Name) },
	},
	{
		path: "cluster.zone",
		doc:  "Where the node stands: a rack, a room, a region. Copies of a partition are put into different zones.",
		zero: "Empty: all such nodes are in one zone.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Zone) },
	},
	{
		path: "cluster.weight",
		doc:  "Share of the partitions: a node of weight 200 owns twice as many as one of 100.",
		zero: "0: the node owns nothing.",
		at:   func(c *Config) value { return intOf(&c.Cluster.Weight, 0, 10_000) },
	},
	{
		path: "cluster.peer",
		doc:  "Address for other nodes, host:port. They authenticate with certificates of the cluster.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Peer) },
	},
	{
		path: "cluster.listen",
		doc:  "Addresses for clients that speak the Redis Cluster protocol, each host:port. More than loopback needs auth.password.",
		zero: "An empty list: none.",
		at:   func(c *Config) value { return texts{&c.Cluster.Listen} },
	},
	{
		path: "cluster.advertise",
		doc:  "Host that other nodes and clients reach this node at, a name or an IP address without port.",
		zero: "Empty: the host of cluster.peer.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Advertise) },
	},
	{
		path: "cluster.tls.ca",
		doc:  "Certificate of the authority for the traffic between nodes, PEM.",
		zero: "Empty: the first node makes an authority for the cluster.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Identity.TLS.CA) },
	},
	{
		path: "cluster.tls.ca_key",
		doc:  "Its key, PEM: the cluster then signs the certificates of its nodes with it. Needed by the first node only.",
		zero: "Empty: none.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Identity.TLS.CAKey) },
	},
	{
		path: "cluster.tls.cert",
		doc:  "Certificate of this node, PEM, when certificates come from elsewhere.",
		zero: "Empty: the cluster makes it.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Identity.TLS.Cert) },
	},
	{
		path: "cluster.tls.key",
		doc:  "Key of that certificate, PEM.",
		zero: "Empty: none.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Identity.TLS.Key) },
	},
	{
		path: "cluster.tls.server_name",
		doc:  "DNS name that every certificate from elsewhere has, and that makes its holder a node.",
		zero: "Empty: larder-node.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Identity.TLS.ServerName) },
	},
	{
		path:  "cluster.replicas",
		scope: ScopeCluster,
		doc:   "Copies of each partition that other nodes keep, in different zones where there are some. A write is acknowledged when all that are in sync have it; when a node dies a copy takes over.",
		zero:  "0: none. What a node that dies has is lost, and comes back from the sources.",
		at:    func(c *Config) value { return intOf(&c.Cluster.Replicas, 0, cluster.MaxReplicas) },
	},
	{
		path:  "cluster.sync_interval",
		scope: ScopeCluster,
		doc:   "How often a node compares a two-hundredth of what it owns with the copies, which are made anew where they differ: with 100ms all of it within 20s, or more slowly when that were over 32 MB a second, each entry counting for 512 bytes more than it has.",
		zero:  "0: never.",
		at:    func(c *Config) value { return durationOf(&c.Cluster.SyncInterval) },
	},
	{
		path: "cluster.handover_timeout",
		doc:  "How long a node that is to stop goes on serving, at most, while it hands what it owns over to copies.",
		zero: "0: it does not. The copies take over when it has ended.",
		at:   func(c *Config) value { return durationOf(&c.Cluster.HandoverTimeout) },
	},
	{
		path: "cluster.etcd.endpoints",
		doc:  "Addresses of an etcd cluster that is to be the configuration service, each host:port or a URL. The same on all nodes.",
		zero: "An empty list: the first three nodes run one in process.",
		at:   func(c *Config) value { return texts{&c.Cluster.Etcd.Endpoints} },
	},
	{
		path: "cluster.etcd.ca",
		doc:  "Certificate of the authority of these endpoints, PEM.",
		zero: "Empty: they speak plain text.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Etcd.CA) },
	},
	{
		path: "cluster.etcd.cert",
		doc:  "Certificate that this node shows to them, PEM.",
		zero: "Empty: none.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Etcd.Cert) },
	},
	{
		path: "cluster.etcd.key",
		doc:  "Key of that certificate, PEM.",
		zero: "Empty: none.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Etcd.Key) },
	},
	{
		path: "cluster.etcd.user",
		doc:  "User for an etcd with authentication.",
		zero: "Empty: none.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Etcd.User) },
	},
	{
		path:    "cluster.etcd.password",
		doc:     "Password of that user.",
		zero:    "Empty: none.",
		secrecy: secret,
		at:      func(c *Config) value { return textOf(&c.Cluster.Etcd.Password) },
	},
	{
		path: "cluster.etcd.coordinator",
		doc:  "Whether this node may run a member of the configuration service: auto (as long as there are fewer than three), yes or no.",
		at:   func(c *Config) value { return wordOf(&c.Cluster.Etcd.Coordinator, "auto", "yes", "no") },
	},
	{
		path: "cluster.etcd.client",
		doc:  "Address that such a member listens on for the nodes, host:port.",
		zero: "Empty: the host of cluster.peer and its port plus 1.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Etcd.Client) },
	},
	{
		path: "cluster.etcd.peer",
		doc:  "Address that it listens on for the other members, host:port.",
		zero: "Empty: the host of cluster.peer and its port plus 2.",
		at:   func(c *Config) value { return textOf(&c.Cluster.Etcd.Peer) },
	},
	{
		path:  "cluster.rebalance.moves",
		scope: ScopeCluster,
		doc:   "Partitions that move from or to one node at once.",
		at:    func(c *Config) value { return intOf(&c.Cluster.Rebalance.Moves, 1, 1024) },
	},
	{
		path:  "cluster.rebalance.bytes_per_second",
		scope: ScopeCluster,
		doc:   "How fast a node copies partitions to others at most. It gives way to requests anyway.",
		zero:  "0: no limit.",
		at: func(c *Config) value {
			return bytesOf(&c.Cluster.Rebalance.BytesPerSecond, 1<<20, math.MaxInt64, true)
		},
	},
	{
		path:  "cluster.rebalance.delay",
		scope: ScopeCluster,
		doc:   "How long the partitions of a dead node wait for it to come back.",
		zero:  "0: not at all.",
		at:    func(c *Config) value { return durationOf(&c.Cluster.Rebalance.Delay) },
	},
}

// leastSyncInterval is how often partitions are compared at most: more often the
// bound on bytes would be what counts.
const leastSyncInterval = 5 * time.Millisecond

// notOfHost reports whether a letter cannot be in the name of a host.
func notOfHost(r rune) bool {
	return r != '-' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// judgeCluster returns what is wrong with the section.
func (l *loader) judgeCluster() {
	c := &l.config.Cluster
	l.adopt("cluster", c.Identity.Validate())
	if c.Enabled && len(c.Join) > 0 {
		l.objection("cluster.join", "contradicts cluster.enabled: the first node begins a cluster, the others join it", "remove one of them")
	}
	for path, address := range map[string]string{"cluster.peer": c.Peer, "cluster.etcd.client": c.Etcd.Client, "cluster.etcd.peer": c.Etcd.Peer} {
		if address == "" {
			continue
		}
		if err := checkAddress(address, "7380"); err != nil {
			l.objection(path, err.problem, err.hint)
		}
	}
	for _, address := range c.Listen {
		if err := checkAddress(address, "7379"); err != nil {
			l.objection("cluster.listen", err.problem, err.hint)
		}
	}
	for _, address := range c.Join {
		if _, err := identity.PeerAddress(address); err != nil {
			l.objection("cluster.join", err.Error(), "write host or host:port")
		}
	}
	if host := c.Advertise; host != "" && net.ParseIP(host) == nil && strings.ContainsFunc(host, notOfHost) {
		l.objection("cluster.advertise", fmt.Sprintf("%q is no host", host), "write a name or an IP address, without a port")
	}
	if c.Token != "" {
		if _, err := identity.ParseToken(c.Token); err != nil {
			l.objection("cluster.token", err.Error(), "copy the whole line that larder cluster token printed")
		}
	}
	if c.SyncInterval > 0 && c.SyncInterval < leastSyncInterval {
		l.objection("cluster.sync_interval", FormatDuration(c.SyncInterval)+" is less than "+FormatDuration(leastSyncInterval),
			"write at least that, or 0 to compare nothing")
	}
	if !c.On() {
		return
	}
	if c.Peer == "" {
		l.objection("cluster.peer", "is empty: other nodes must reach this one", "write for example 0.0.0.0:7380")
	}
	if host, _, err := net.SplitHostPort(c.Peer); err == nil && c.Advertise == "" {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			l.objection("cluster.advertise", fmt.Sprintf("is empty, and %s is no address that others can connect to", c.Peer),
				"write the name or the IP address of this machine")
		}
	}
}

// judgeClusterExposure refuses to serve strangers by the Redis Cluster protocol.
func (l *loader) judgeClusterExposure() {
	c := &l.config.Cluster
	if !c.On() || l.config.Auth.Insecure || l.config.Command.Password != "" {
		return
	}
	for _, address := range c.Listen {
		if !loopback(address) {
			l.objection("cluster.listen", address+" is open to other machines, and no password is set",
				"set auth.password (LARDER_PASSWORD), or listen on 127.0.0.1; auth.insecure: true (--insecure) allows it without")
			return
		}
	}
}
