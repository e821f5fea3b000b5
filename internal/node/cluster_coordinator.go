package node

import (
	"context"
	"errors"
	"net"
	"strconv"

	"github.com/larder-cache/larder/internal/config/etcd"
)

// coordinate makes the node a coordinator when it was told to be one. When that
// fails the node goes on without, and keepRole tries again: it is a member all the
// same, and on the list of those who are to be coordinators.
func (c *clustered) coordinate(ctx context.Context) error {
	if !c.id.Coordinator {
		return nil
	}
	member, err := etcd.Join(ctx, c.memberConfig(), c.store)
	if err != nil {
		c.log.Error("this node could not become a coordinator, and tries again while it serves", "reason", err)
		c.self.Coordinator = false
		return c.setCoordinating(false)
	}
	c.coordinator, c.self.Coordinator = member, true
	through := c.store
	c.store = member.Store(c.prefix())
	through.Close()
	_, err = c.amendCoordinators(ctx, func(list []coordinatorRecord) []coordinatorRecord {
		if i := at(list, c.id.Node); i >= 0 {
			list[i].Client = c.memberConfig().ClientAdvertise
		}
		return list
	})
	return err
}

// connect opens the configuration service over the network.
func (c *clustered) connect(ctx context.Context) (err error) {
	cfg := etcd.ClientConfig{
		Endpoints: c.cfg.Etcd.Endpoints, User: c.cfg.Etcd.User, Password: c.cfg.Etcd.Password, Prefix: c.prefix(), Log: c.log,
		TLS: etcd.TLS{CAFile: c.cfg.Etcd.CA, CertFile: c.cfg.Etcd.Cert, KeyFile: c.cfg.Etcd.Key},
	}
	if len(cfg.Endpoints) == 0 {
		cfg.Endpoints, cfg.TLS = c.known.Coordinators, c.tls()
	}
	if len(cfg.Endpoints) == 0 {
		return errors.New("no coordinator is known, and cluster.etcd.endpoints is empty: one node at least must be a coordinator")
	}
	c.store, err = etcd.Connect(ctx, cfg)
	return err
}

// prefix is what stands before every key of this cluster.
func (c *clustered) prefix() string { return "/larder/" + string(c.id.Cluster) + "/" }

// tls returns the files for connections of the configuration service.
func (c *clustered) tls() etcd.TLS {
	f := c.credentials.Files()
	return etcd.TLS{CAFile: f.CA, CertFile: f.Certificate, KeyFile: f.Key, ServerName: c.credentials.ServerName()}
}

// memberConfig describes the member of the configuration service on this node.
func (c *clustered) memberConfig() etcd.MemberConfig {
	client, peers := c.cfg.Etcd.Client, c.cfg.Etcd.Peer
	if client == "" {
		client = besides(c.cfg.Peer, 1)
	}
	if peers == "" {
		peers = besides(c.cfg.Peer, 2)
	}
	host, _, _ := net.SplitHostPort(c.self.Peer)
	advertise := func(address string) string {
		_, port, _ := net.SplitHostPort(address)
		return net.JoinHostPort(host, port)
	}
	return etcd.MemberConfig{
		Dir: c.dir.Etcd(), Name: string(c.id.Node), Cluster: string(c.id.Cluster), Log: c.log, TLS: c.tls(),
		ClientListen: client, PeerListen: peers, ClientAdvertise: advertise(client), PeerAdvertise: advertise(peers),
	}
}

// besides returns an address whose port is higher by n.
func besides(address string, n int) string {
	host, port, _ := net.SplitHostPort(address)
	number, _ := strconv.Atoi(port)
	return net.JoinHostPort(host, strconv.Itoa(number+n))
}
