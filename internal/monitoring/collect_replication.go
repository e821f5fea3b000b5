package monitoring

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/larder-cache/larder/internal/replication"
)

// Replication is what a node does to have several copies of partitions.
type Replication struct {
	// Replicas are the nodes that have copies of this node's partitions.
	Replicas []replication.ReplicaStats
	Counters *replication.Counters
}

// replicaNumbers are by the node that has the copies.
var replicaNumbers = []struct {
	family
	value func(*replication.ReplicaStats) float64
}{
	{gauge("larder_replication_copies", "Partitions of this node of which another has, or is getting, a copy.", "node"),
		func(r *replication.ReplicaStats) float64 { return float64(r.Copies) }},
	{gauge("larder_replication_copies_in_sync", "Copies that a write has to reach before it is acknowledged.", "node"),
		func(r *replication.ReplicaStats) float64 { return float64(r.InSync) }},
	{gauge("larder_replication_copies_broken", "Copies in sync that nothing reaches at this moment.", "node"),
		func(r *replication.ReplicaStats) float64 { return float64(r.Broken) }},
	{gauge("larder_replication_copies_scanning", "Copies that do not have everything yet.", "node"),
		func(r *replication.ReplicaStats) float64 { return float64(r.Scanning) }},
	{gauge("larder_replication_unacknowledged_bytes", "Bytes on their way to the copies of a node.", "node"),
		func(r *replication.ReplicaStats) float64 { return float64(r.Unacked) }},
	{gauge("larder_replication_lag_seconds", "For how long something has not been acknowledged by a copy in sync.", "node"),
		func(r *replication.ReplicaStats) float64 { return r.Lag.Seconds() }},
}

// streamNumbers are of the streams to and from all nodes, those of partitions that
// move as well.
var streamNumbers = []struct {
	family
	value func(*replication.Counters) uint64
}{
	{counter("larder_replication_copies_begun_total", "Copies of partitions that were begun."), func(c *replication.Counters) uint64 { return c.Begun.Load() }},
	{counter("larder_replication_copies_handed_over_total", "Copies that ended with the partition handed over."), func(c *replication.Counters) uint64 { return c.Finished.Load() }},
	{counter("larder_replication_copies_failed_total", "Copies that failed or were given up."), func(c *replication.Counters) uint64 { return c.Failed.Load() }},
	{counter("larder_replication_late_total", "Times that a node was given up since it did not acknowledge in time."), func(c *replication.Counters) uint64 { return c.Late.Load() }},
	{counter("larder_replication_overrun_total", "Times that a node was given up since more than the backlog was queued for it."), func(c *replication.Counters) uint64 { return c.Overrun.Load() }},
	{counter("larder_replication_sent_bytes_total", "Bytes of effects sent."), func(c *replication.Counters) uint64 { return c.BytesOut.Load() }},
	{counter("larder_replication_received_bytes_total", "Bytes of effects received."), func(c *replication.Counters) uint64 { return c.BytesIn.Load() }},
	{counter("larder_replication_applied_puts_total", "Entries of other nodes stored."), func(c *replication.Counters) uint64 { return c.Puts.Load() }},
	{counter("larder_replication_applied_deletes_total", "Deletions of other nodes applied."), func(c *replication.Counters) uint64 { return c.Deletes.Load() }},
	{counter("larder_replication_refused_batches_total", "Batches refused: of streams that are over, or damaged."), func(c *replication.Counters) uint64 { return c.Refused.Load() }},
	{counter("larder_replication_sync_rounds_total", "Times that all copies of what this node owns were compared with it."), func(c *replication.Counters) uint64 { return c.SyncRounds.Load() }},
	{counter("larder_replication_sync_entries_total", "Entries digested to compare copies with what their owners have, as an owner and as a copy."), func(c *replication.Counters) uint64 { return c.SyncEntries.Load() }},
	{counter("larder_replication_sync_bytes_total", "Bytes of keys and values digested for that."), func(c *replication.Counters) uint64 { return c.SyncBytes.Load() }},
	{counter("larder_replication_sync_differences_total", "Copies of this node that were not what their owners have: each is made anew."), func(c *replication.Counters) uint64 { return c.SyncDifferences.Load() }},
	{counter("larder_replication_sync_repairs_total", "Copies of what this node owns that differed and are made anew."), func(c *replication.Counters) uint64 { return c.SyncRepairs.Load() }},
	{counter("larder_replication_sync_late_total", "Ranges that were not judged: by the clock of this node what expires may have gone already."), func(c *replication.Counters) uint64 { return c.SyncLate.Load() }},
	{counter("larder_replication_sync_thinned_total", "Ranges of copies that lack what this node has evicted, and are left so while memory is short."), func(c *replication.Counters) uint64 { return c.SyncThinned.Load() }},
	{counter("larder_replication_copy_evictions_total", "Entries of copies that this node has evicted: their owners may have them still."), func(c *replication.Counters) uint64 { return c.CopyEvictions.Load() }},
}

// replicationCollector exports copies and streams; nothing for a node that is
// alone.
func (m *Monitor) replicationCollector() prometheus.Collector {
	families := append(familiesOf(replicaNumbers), familiesOf(streamNumbers)...)
	return &collector{families, func(s sink) {
		if m.cfg.Replication == nil {
			return
		}
		r := m.cfg.Replication()
		if r.Counters == nil {
			return // the node has not joined yet
		}
		for i := range r.Replicas {
			for _, n := range replicaNumbers {
				s.put(n.family, n.value(&r.Replicas[i]), r.Replicas[i].Node)
			}
		}
		for _, n := range streamNumbers {
			s.count(n.family, n.value(r.Counters))
		}
	}}
}
