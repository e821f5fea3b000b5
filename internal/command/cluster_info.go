package command

import "github.com/larder-cache/larder/internal/cluster"

// infoCluster shows what part this node has in a cluster. A client of the
// protocol of Redis Cluster is told that this is one; any other is not, in
// cluster_enabled, redis_mode and HELLO: what listens at its end is to it a
// server that has every key, and a library that learns of a cluster would begin
// to look for slots.
func (x *Executor) infoCluster(w *infoWriter) {
	w.field("cluster_enabled", w.redirects)
	if x.Routes() == nil {
		return
	}
	s := x.clusterSnapshot()
	w.field("cluster_view_version", s.ViewVersion)
	w.field("cluster_nodes", s.Nodes)
	w.field("cluster_partitions_owned", s.PartitionsOwned)
	w.field("cluster_partitions_moving", s.PartitionsMoving)
	w.field("cluster_partitions_arriving", s.PartitionsArriving)
	w.field("cluster_partitions_unserved", s.PartitionsUnserved)
	w.field("cluster_forwarded", x.forwarding.sent.Load())
	w.field("cluster_forward_errors", x.forwarding.errors.Load())
	w.field("cluster_forward_retries", x.forwarding.retries.Load())
	w.field("cluster_relayed", x.forwarding.relayed.Load())
	w.field("cluster_served", x.forwarding.served.Load())
	w.field("cluster_links", s.Links)
	w.field("cluster_news_lost", s.NewsLost)
	s.Near.info(w)
}

// mode is the word of INFO and HELLO for how a client sees the server.
func mode(redirects bool) string {
	if redirects {
		return "cluster"
	}
	return "standalone"
}

// ClusterSnapshot is a node's part in a cluster at one time. All is zero when
// the node is alone.
type ClusterSnapshot struct {
	ViewVersion        uint64
	Nodes              int // known nodes, this one included
	PartitionsOwned    int // by this node, those that arrive included
	PartitionsMoving   int // from this node or to it
	PartitionsArriving int // that this node owns but does not serve yet
	PartitionsUnserved int // that nobody owns
	Links              int // connections to other nodes that are up
	// NewsLost counts messages of publishers, and batches of names of changed keys,
	// that did not get to a node, or of which that is not known.
	NewsLost uint64
	Near     NearSnapshot
}

// clusterSnapshot returns the state of the routes in force.
func (x *Executor) clusterSnapshot() (s ClusterSnapshot) {
	r := x.Routes()
	if r == nil {
		return s
	}
	s.ViewVersion, s.Nodes = r.Version(), len(r.View.Nodes)
	s.Links, s.NewsLost, s.Near = len(x.links()), x.neighbours.lost.Load(), x.nearSnapshot()
	for p := range r.View.Rows {
		row := &r.View.Rows[p]
		if row.Owner == r.Self {
			s.PartitionsOwned++
		}
		if row.Target != cluster.NoNode && (row.Owner == r.Self || row.Target == r.Self) {
			s.PartitionsMoving++
		}
		switch r.At(p).Kind {
		case cluster.Arriving:
			s.PartitionsArriving++
		case cluster.Nowhere:
			s.PartitionsUnserved++
		}
	}
	return s
}

// clusterCounters are the numbers of a cluster among those of [Counters].
func clusterCounters() []CounterInfo {
	return []CounterInfo{
		{"cluster_view_version", "version", "Version of the view in force; 0: the node is alone.", true, func(s *Snapshot) float64 { return float64(s.Cluster.ViewVersion) }},
		{"cluster_nodes", "nodes", "Known nodes of the cluster, this one included.", true, func(s *Snapshot) float64 { return float64(s.Cluster.Nodes) }},
		{"cluster_partitions_owned", "partitions", "Partitions that this node owns.", true, func(s *Snapshot) float64 { return float64(s.Cluster.PartitionsOwned) }},
		{"cluster_partitions_moving", "partitions", "Partitions that move from this node or to it.", true, func(s *Snapshot) float64 { return float64(s.Cluster.PartitionsMoving) }},
		{"cluster_partitions_arriving", "partitions", "Partitions that this node owns but does not serve yet.", true, func(s *Snapshot) float64 { return float64(s.Cluster.PartitionsArriving) }},
		{"cluster_partitions_unserved", "partitions", "Partitions that no node owns.", true, func(s *Snapshot) float64 { return float64(s.Cluster.PartitionsUnserved) }},
		{"cluster_links_up", "connections", "Connections to other nodes that are up.", true, func(s *Snapshot) float64 { return float64(s.Cluster.Links) }},
		{"cluster_news_lost_total", "messages", "Messages and batches of changed keys for clients of other nodes that may not have arrived.", false, func(s *Snapshot) float64 { return float64(s.Cluster.NewsLost) }},
	}
}
