package monitoring

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/larder-cache/larder/internal/server"
)

// serverNumber is a number of the server that has no label.
type serverNumber struct {
	family
	value func(*server.Stats) uint64
}

var serverNumbers = []serverNumber{
	{counter("larder_server_input_bytes_total", "Bytes received from clients."), func(s *server.Stats) uint64 { return s.Total.BytesIn }},
	{counter("larder_server_output_bytes_total", "Bytes sent to clients."), func(s *server.Stats) uint64 { return s.Total.BytesOut }},
	{counter("larder_server_reads_total", "System calls that read from clients."), func(s *server.Stats) uint64 { return s.Total.Reads }},
	{counter("larder_server_writes_total", "System calls that wrote to clients."), func(s *server.Stats) uint64 { return s.Total.Writes }},
	{counter("larder_server_wakeups_total", "Times an event loop had slept and was woken."), func(s *server.Stats) uint64 { return s.Total.Wakeups }},
	{counter("larder_server_parks_total", "Requests that left their event loop since they may wait."), func(s *server.Stats) uint64 { return s.Total.Parks }},
	{counter("larder_server_parked_gone_total", "Clients that went away while their request waited."), func(s *server.Stats) uint64 { return s.Total.ParkedGone }},
	{counter("larder_server_pushes_total", "Messages pushed to clients."), func(s *server.Stats) uint64 { return s.Total.Pushes }},
	{counter("larder_server_large_arguments_total", "Large arguments read straight into engine memory."), func(s *server.Stats) uint64 { return s.Total.Received }},
	{counter("larder_server_connections_accepted_total", "Connections taken over by an event loop."), func(s *server.Stats) uint64 { return s.Total.Accepted }},
	{counter("larder_server_accept_errors_total", "Failures to accept a connection that no limit explains."), func(s *server.Stats) uint64 { return s.AcceptErrors }},
	{gauge("larder_server_parked_requests", "Requests that wait outside of the event loops."), func(s *server.Stats) uint64 { return uint64(max(0, s.Parked)) }},
}

// limitHits tells how often each limit was hit.
func limitHits(s *server.Stats) map[string]uint64 {
	return map[string]uint64{
		"clients":           s.RefusedClients,
		"descriptors":       s.RefusedDescriptors,
		"parked_requests":   s.Total.ParkRefused,
		"idle_time":         s.Total.Closed[server.ClosedIdle],
		"query_buffer":      s.Total.Closed[server.ClosedQueryLimit],
		"output_hard_limit": s.Total.Closed[server.ClosedOutputHard],
		"output_soft_limit": s.Total.Closed[server.ClosedOutputSoft],
	}
}

// serverCollector exports what the server counts.
func (m *Monitor) serverCollector() prometheus.Collector {
	closed := counter("larder_server_connections_closed_total", "Connections closed, by reason.", "reason")
	limits := counter("larder_server_limit_hits_total", "Clients refused or closed, and requests refused, for a limit.", "limit")
	connections := gauge("larder_server_connections", "Connections that an event loop serves now.", "loop")
	families := []family{closed, limits, connections}
	return &collector{append(families, familiesOf(serverNumbers)...), func(s sink) {
		stats := m.cfg.Server()
		for _, n := range serverNumbers {
			s.count(n.family, n.value(&stats))
		}
		for reason, n := range stats.Total.Closed {
			if reason > 0 { // 0 is a connection that is open
				s.count(closed, n, server.CloseReason(reason).String())
			}
		}
		for limit, n := range limitHits(&stats) {
			s.count(limits, n, limit)
		}
		for i := range stats.Loops {
			s.put(connections, float64(stats.Loops[i].Connections), strconv.Itoa(i))
		}
	}}
}
