package node

import (
	"fmt"
	"net"
	"os"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/config"
)

// describeSelf tells how the node wants to be known.
func describeSelf(cfg config.Config, build Build) (n cluster.Node, err error) {
	c := &cfg.Cluster
	n = cluster.Node{Name: c.Name, Zone: c.Zone, Weight: uint32(c.Weight), State: cluster.Active, Version: build.Version}
	if n.Name == "" {
		if n.Name, err = os.Hostname(); err != nil {
			return n, fmt.Errorf("name of this node: %w; set cluster.name", err)
		}
	}
	host, _, err := net.SplitHostPort(c.Peer)
	if err != nil {
		return n, err
	}
	if c.Advertise != "" {
		host = c.Advertise
	}
	for _, a := range []struct {
		to     *string
		listen []string
	}{
		{&n.Peer, []string{c.Peer}}, {&n.RESP, cfg.Server.Listen}, {&n.RESPCluster, c.Listen}, {&n.HTTP, []string{cfg.HTTP.Listen}},
	} {
		if len(a.listen) == 0 || a.listen[0] == "" {
			continue
		}
		if *a.to, err = advertised(a.listen[0], host); err != nil {
			return n, err
		}
	}
	return n, nil
}

// advertised returns how others reach what listens on an address.
func advertised(listen, host string) (string, error) {
	own, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", err
	}
	if port == "0" {
		return "", fmt.Errorf("%s: the nodes of a cluster have fixed ports: write one", listen)
	}
	if ip := net.ParseIP(own); own != "" && (ip == nil || !ip.IsUnspecified()) && ip != nil && ip.IsLoopback() {
		return net.JoinHostPort(own, port), nil // nobody else reaches it
	}
	return net.JoinHostPort(host, port), nil
}
