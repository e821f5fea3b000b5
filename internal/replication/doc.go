// Package replication carries what is stored in a partition to another node and
// keeps it equal there: today for partitions that move, as one stream per pair
// of nodes.
//
//	engine ─tap─▶ Copy ─▶ Sender ═══ batches ═══▶ Receiver ─▶ engine
//	        scan ╯        (one per target node)
//
// A [Copy] attaches a tap to its partition and then scans it. What the scan
// meets and what changes meanwhile goes into one ordered stream, each as the
// state of an entry at that moment, taken under the shard's lock: so whatever
// order the stream has is right for every key, and the last record of a key is
// its present state. When all of it has been applied the copy has caught up,
// and stays so, since the tap goes on. [Copy.HandOver] ends it: nothing of the
// partition follows behind that record.
//
// Where copies are kept, [Logs.Sync] has them compared all the time: the stream also
// carries what a range of entries comes to at that place.
//
// A node that does not keep up is given up: see [Limits].
//
// What is sent are effects, not commands: entries with their expiry, deletions,
// and nothing that has to be decided again.
package replication
