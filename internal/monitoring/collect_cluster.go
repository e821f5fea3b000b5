package monitoring

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/larder-cache/larder/internal/monitoring/status"
)

// clusterNumber is a number of the cluster, as this node knows it, without label.
type clusterNumber struct {
	family
	value func(*status.Cluster) int
}

func ofCluster(name, help string, value func(*status.Cluster) int) clusterNumber {
	return clusterNumber{gauge("larder_cluster_"+name, help), value}
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// clusterNumbers are what the routes of the executor do not tell: that exports
// the view, and this node's partitions.
var clusterNumbers = []clusterNumber{
	ofCluster("nodes_up", "Nodes of the cluster that are up, this one included.", func(c *status.Cluster) int { return c.NodesUp }),
	ofCluster("nodes_down", "Nodes of the cluster that are down.", func(c *status.Cluster) int { return c.NodesDown }),
	ofCluster("moves", "Partitions on their way from any node to another.", func(c *status.Cluster) int { return c.Moving }),
	ofCluster("partitions_down", "Partitions whose owner is down, and those without one.", func(c *status.Cluster) int { return c.Unserved + c.Unowned }),
	ofCluster("controller", "Whether this node decides what moves.", func(c *status.Cluster) int { return one(c.Controller) }),
	ofCluster("coordinator", "Whether this node is to run a member of the configuration service.", func(c *status.Cluster) int { return one(c.Coordinator) }),
	ofCluster("coordinator_up", "Whether the member of the configuration service on this node works.", func(c *status.Cluster) int { return one(c.CoordinatorUp) }),
	ofCluster("service_up", "Whether the configuration service takes changes, seen from this node.", func(c *status.Cluster) int { return one(c.Service) }),
	ofCluster("away", "Whether this node has started without the configuration service and serves by what was known last.", func(c *status.Cluster) int { return one(c.Away) }),
	ofCluster("cut_off", "Whether this node hears less than half of the nodes, and answers nothing that takes the others.", func(c *status.Cluster) int { return one(c.CutOff) }),
}

// clusterCollector exports what the node knows of its cluster; nothing for one
// that is alone.
func (m *Monitor) clusterCollector() prometheus.Collector {
	return &collector{familiesOf(clusterNumbers), func(s sink) {
		if m.cfg.Cluster == nil {
			return
		}
		c := m.cfg.Cluster()
		for _, n := range clusterNumbers {
			s.put(n.family, float64(n.value(&c)))
		}
	}}
}

// complainOfCluster says what is wrong with the cluster that clients may notice,
// or operators have to know.
func complainOfCluster(c *status.Cluster, complain func(format string, args ...any)) {
	if !c.Routed {
		complain("the node does not know yet which node owns what")
		return
	}
	switch {
	case c.CutOff:
		complain("the node hears less than half of the nodes: it answers nothing that takes the others")
	case c.Away:
		complain("the configuration service cannot be reached since the start: the node serves by what was known last")
	case !c.Service:
		complain("the configuration service takes no changes: it has no quorum, or its disks are full")
	case c.Coordinator && !c.CoordinatorUp:
		complain("the coordinator on this node does not work")
	}
	if c.Unserved+c.Unowned > 0 {
		complain("%d partitions are not served: their nodes are down", c.Unserved+c.Unowned)
	} else if c.NodesDown > 0 {
		complain("%d of %d nodes are down", c.NodesDown, c.NodesDown+c.NodesUp)
	}
}
