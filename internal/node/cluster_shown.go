package node

import (
	"github.com/larder-cache/larder/internal/cluster/peer"
	"github.com/larder-cache/larder/internal/monitoring"
	"github.com/larder-cache/larder/internal/monitoring/status"
)

// shown is what the monitor shows of the cluster. It may be called at any time.
func (c *clustered) shown() status.Cluster {
	s := status.Cluster{ID: string(c.id.Cluster), Name: c.self.Name}
	member := c.joined.Load()
	if member == nil {
		return s
	}
	m := member.Status()
	s.View, s.Routed, s.Away, s.CutOff = m.View, m.View > 0, m.Away, m.CutOff
	problem := c.service.problem.Load()
	s.Service = !m.Away && (problem == nil || *problem == "")
	s.Moving, s.Unowned, s.Unserved, s.Controller = len(m.Moving), m.Unowned, m.Unserved, m.Controller == m.Self
	for i := range m.Nodes {
		n := &m.Nodes[i]
		if n.Alive {
			s.NodesUp++
		} else {
			s.NodesDown++
		}
		if n.ID == m.Self {
			s.Owned, s.Leaving, s.Coming = n.Partitions, n.Leaving, n.Coming
			s.Coordinator, s.CoordinatorUp = n.Coordinator, c.service.runs.Load() != nil
		}
	}
	return s
}

// peers are the connections to other nodes. It may be called at any time.
func (c *clustered) peers() peer.Stats {
	if c.joined.Load() == nil {
		return peer.Stats{}
	}
	return c.network.Stats()
}

// copies is what the monitor shows of replication. It may be called at any time.
func (c *clustered) copies() monitoring.Replication {
	member := c.joined.Load()
	if member == nil {
		return monitoring.Replication{}
	}
	return monitoring.Replication{Replicas: member.Logs().Stats(), Counters: member.Counters()}
}
