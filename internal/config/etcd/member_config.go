package etcd

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// MemberConfig is what an embedded member needs. All members of a cluster have
// the same Heartbeat, Election, TLS mode and limits.
type MemberConfig struct {
	// Dir is the member's own directory, created with mode 0700 when missing.
	Dir string
	// Name is the node's id; unique in the cluster.
	Name string
	// Cluster is the id of the larder cluster. Form mixes it into the ids of etcd's
	// members, so that members of two clusters never take each other for their own.
	Cluster string
	// PeerListen and ClientListen are the IP:port (or localhost:port) that members
	// and stores connect to.
	PeerListen, ClientListen string
	// PeerAdvertise and ClientAdvertise are the host:port that others reach them at.
	// Default: the listening address, which then must not be a wildcard.
	PeerAdvertise, ClientAdvertise string
	// TLS for both listeners and for connections to other members. Zero: plain.
	TLS TLS
	// Heartbeat between members (default 200 ms) and Election time-out (default
	// 1 s, at least 5 heartbeats): when a leader dies, writes wait about one to two
	// election time-outs, unless somebody who notices calls [Member.Succeed].
	// Heartbeats are most of what a cluster at rest costs: every one is four
	// messages between three members.
	Heartbeat, Election time.Duration
	// QuotaBytes is the most the store's file may take; then it refuses writes with
	// [ErrFull]. Default 512 MiB.
	QuotaBytes int64
	// KeepRevisions is how many revisions of history a watch can resume over
	// (checked every 5 minutes). Default 1000. By count rather than by age, because
	// a rebalance writes the view often.
	KeepRevisions int
	// Log receives etcd's lines at debug level. Nil: nowhere.
	Log *slog.Logger
}

const (
	defaultHeartbeat     = 200 * time.Millisecond
	defaultElection      = time.Second
	defaultQuotaBytes    = 512 << 20
	defaultKeepRevisions = 1000

	// maxTxnOps and maxCommitBytes (keys and values, with room for their wrapping)
	// bound one commit.
	maxTxnOps      = 1024
	maxCommitBytes = embed.DefaultMaxRequestBytes - 64<<10
	// keptEntries of the raft log stay in memory for a follower that is behind;
	// one that is further behind gets a snapshot. The view is some 16 KB, so that
	// this many of it cost 3 MB; etcd's own default of 5000 would cost 80.
	keptEntries = 200
	// snapshotEntries is how many entries lie between two snapshots on disk.
	snapshotEntries = 1000
	// batchEvery is how often what was written goes from the log to the store's file.
	// etcd looks ten times a second by default, also when nothing was written; until
	// then a write is in the log of a quorum.
	batchEvery = time.Second
	// maxLearners is more than one, so that a joiner that died does not keep the
	// next one out.
	maxLearners = 8
)

// filled is c with its defaults, validated.
func (c MemberConfig) filled() (MemberConfig, error) {
	c.PeerAdvertise = orString(c.PeerAdvertise, c.PeerListen)
	c.ClientAdvertise = orString(c.ClientAdvertise, c.ClientListen)
	if c.Heartbeat == 0 {
		c.Heartbeat = defaultHeartbeat
	}
	if c.Election == 0 {
		c.Election = max(defaultElection, 5*c.Heartbeat)
	}
	if c.QuotaBytes == 0 {
		c.QuotaBytes = defaultQuotaBytes
	}
	if c.KeepRevisions == 0 {
		c.KeepRevisions = defaultKeepRevisions
	}
	return c, c.validate()
}

func (c MemberConfig) validate() error {
	switch {
	case c.Dir == "":
		return errors.New("coordinator: no data directory given")
	case c.Name == "":
		return errors.New("coordinator: no name given")
	case c.Heartbeat < time.Millisecond || c.Election < 5*c.Heartbeat:
		return fmt.Errorf("coordinator: election time-out %v must be at least 5 heartbeats of %v", c.Election, c.Heartbeat)
	case c.QuotaBytes < 0 || c.KeepRevisions < 0:
		return errors.New("coordinator: quota and kept revisions must not be negative")
	}
	for _, address := range []string{c.PeerListen, c.ClientListen} {
		if err := checkListen(address); err != nil {
			return err
		}
	}
	for _, address := range []string{c.PeerAdvertise, c.ClientAdvertise} {
		if err := checkAdvertise(address); err != nil {
			return err
		}
	}
	return c.TLS.validate()
}

func checkListen(address string) error {
	host, _, err := splitAddress(address)
	if err != nil {
		return err
	}
	if host != "localhost" && net.ParseIP(host) == nil {
		return fmt.Errorf("coordinator: listen address %q: host must be an IP address", address)
	}
	return nil
}

func checkAdvertise(address string) error {
	host, _, err := splitAddress(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return fmt.Errorf("coordinator: others cannot reach address %q; give the one to advertise", address)
	}
	return nil
}

func splitAddress(address string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("coordinator: address %q: want host:port", address)
	}
	if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("coordinator: address %q: port must be 1 to 65535", address)
	}
	return host, port, nil
}

func orString(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (c MemberConfig) url(address string) url.URL {
	return url.URL{Scheme: c.TLS.scheme(), Host: address}
}

// peerURL is how the cluster knows this member.
func (c MemberConfig) peerURL() string {
	u := c.url(c.PeerAdvertise)
	return u.String()
}

// embed is c as etcd wants it. initial lists the members the cluster begins with,
// or has; state is new or existing. Both count only for an empty directory.
func (c MemberConfig) embed(j *journal, initial, state string) *embed.Config {
	e := embed.NewConfig()
	e.Dir, e.Name = c.Dir, c.Name
	e.InitialCluster, e.ClusterState, e.InitialClusterToken = initial, state, c.Cluster
	e.ListenPeerUrls, e.AdvertisePeerUrls = []url.URL{c.url(c.PeerListen)}, []url.URL{c.url(c.PeerAdvertise)}
	e.ListenClientUrls, e.AdvertiseClientUrls = []url.URL{c.url(c.ClientListen)}, []url.URL{c.url(c.ClientAdvertise)}
	e.PeerTLSInfo, e.ClientTLSInfo = c.TLS.info(), c.TLS.info()
	e.TickMs, e.ElectionMs = uint(c.Heartbeat.Milliseconds()), uint(c.Election.Milliseconds())
	e.BackendBatchInterval = batchEvery
	e.QuotaBackendBytes = c.QuotaBytes
	e.AutoCompactionMode, e.AutoCompactionRetention = embed.CompactorModeRevision, strconv.Itoa(c.KeepRevisions)
	e.MaxTxnOps, e.MaxLearners = maxTxnOps, maxLearners
	e.SnapshotCount, e.SnapshotCatchUpEntries = snapshotEntries, keptEntries
	// etcd's strict check wants every member connected for 5 s before the next may
	// join. Learners make joining safe without it; RemoveMember does its own check.
	e.StrictReconfigCheck = false
	e.EnableGRPCGateway = false
	e.MaxSnapFiles, e.MaxWalFiles = 2, 2
	e.ZapLoggerBuilder = embed.NewZapLoggerBuilder(j.logger())
	return e
}
