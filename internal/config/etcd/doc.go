// Package etcd is the strongly consistent store behind larder's own words: keys
// with revisions, conditions, watches, leases, elections, coordinators. No type
// of etcd's is seen outside of it.
//
// A coordinator runs a [Member] in this process: [Form] begins a cluster of one,
// [Join] adds a member to one that exists, [Restart] goes on from the data
// directory. Everything that reads and writes does it through a [Store], which is
// either the member's own ([Member.Store], no socket in between) or connected to
// endpoints ([Connect]); an operator's own etcd cluster is the latter.
//
//	 controller, membership, settings
//	               │
//	             Store ── Get List Put Delete Commit ─┐  each bounded in time:
//	               │      Members RemoveMember Health ┘  ErrUnavailable, never a hang
//	               ├───── Watch ── resumes; resyncs after a compaction
//	               ├───── Register ── a key that lives as long as the process
//	               └───── Campaign ── Leadership: Done, and IfOwner on every write
//	               │
//	    in process │ or over gRPC with mutual TLS
//	               │
//	Member A ── raft ── Member B ── raft ── Member C
//
// Joining never costs quorum: the newcomer is added as a learner, which has no
// vote, is started, and promotes itself when it has caught up. One that dies
// before leaves a learner behind, which the next attempt replaces; one that dies
// with its data directory written finishes joining in Restart.
//
// A leader that was deposed without noticing (a paused process, a partition)
// cannot write: [IfOwner] compares the revision at which its election key was
// created, and a successor's key was created later.
//
// Time here is only ever this process's monotonic clock. A lease counts as lost
// on our side before it can have expired on the other, because it is counted from
// before the renewal was sent.
package etcd
