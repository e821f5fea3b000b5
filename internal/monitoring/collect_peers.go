package monitoring

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/larder-cache/larder/internal/cluster/peer"
)

// peerNumber is a number of the connections between nodes that has no label.
type peerNumber struct {
	family
	value func(*peer.Stats) uint64
}

var peerNumbers = []peerNumber{
	{gauge("larder_peer_links", "Links to other nodes."), func(s *peer.Stats) uint64 { return uint64(s.Links) }},
	{gauge("larder_peer_links_up", "Links to other nodes that are connected."), func(s *peer.Stats) uint64 { return uint64(s.LinksUp) }},
	{gauge("larder_peer_accepted", "Connections of other nodes that are served."), func(s *peer.Stats) uint64 { return uint64(s.Inbound) }},
	{counter("larder_peer_connects_total", "Connections to other nodes that came up."), func(s *peer.Stats) uint64 { return s.Connects }},
	{counter("larder_peer_accepts_total", "Connections of other nodes that came up."), func(s *peer.Stats) uint64 { return s.Accepts }},
	{counter("larder_peer_strangers_total", "Connections of whoever did not prove to be a node."), func(s *peer.Stats) uint64 { return s.Strangers }},
	{counter("larder_peer_crowded_total", "Connections closed for too many handshakes at a time."), func(s *peer.Stats) uint64 { return s.Crowded }},
	{counter("larder_peer_full_total", "Requests refused since the link was full."), func(s *peer.Stats) uint64 { return s.Busy }},
	{counter("larder_peer_unreachable_total", "Requests refused since the link was down."), func(s *peer.Stats) uint64 { return s.Down }},
	{counter("larder_peer_lost_total", "Requests whose reply was lost with the connection."), func(s *peer.Stats) uint64 { return s.Lost }},
}

// peerTraffic is what has gone over links and accepted connections.
var peerTraffic = []struct {
	family
	in, out func(*peer.Traffic) uint64
}{
	{counter("larder_peer_bytes_total", "Bytes to and from other nodes.", "direction"),
		func(t *peer.Traffic) uint64 { return t.BytesIn }, func(t *peer.Traffic) uint64 { return t.BytesOut }},
	{counter("larder_peer_frames_total", "Requests, replies and signs of life to and from other nodes.", "direction"),
		func(t *peer.Traffic) uint64 { return t.FramesIn }, func(t *peer.Traffic) uint64 { return t.FramesOut }},
}

// peerCollector exports the connections between nodes; nothing for one that is
// alone.
func (m *Monitor) peerCollector() prometheus.Collector {
	failures := counter("larder_peer_failures_total", "Connections to and from other nodes that failed, by reason.", "reason")
	families := slices.Concat([]family{failures}, familiesOf(peerNumbers), familiesOf(peerTraffic))
	return &collector{families, func(s sink) {
		if m.cfg.Peers == nil {
			return
		}
		stats := m.cfg.Peers()
		for _, n := range peerNumbers {
			s.put(n.family, float64(n.value(&stats)))
		}
		for reason, n := range stats.Failures {
			s.count(failures, n, peer.Reason(reason).String())
		}
		for _, t := range peerTraffic {
			s.count(t.family, t.in(&stats.Outbound)+t.in(&stats.Served), "in")
			s.count(t.family, t.out(&stats.Outbound)+t.out(&stats.Served), "out")
		}
	}}
}
