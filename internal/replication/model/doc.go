// Package model searches all that can happen to one partition on three nodes,
// in a small scope: every order in which records, views and promises arrive,
// nodes die and begin anew with nothing, streams break, nodes are suspected,
// rightly or not, leases run out, learners come, copies leave, owners change by
// promotion and by plan. It is the protocol alone, as small as it can be said;
// the code that does it is in replication, cluster/controller and
// cluster/membership.
//
// What is adversarial at once happens at once: a write is acknowledged, and a
// read answered, as soon as the owner may do so, for more acknowledged and more
// seen is harder to keep. What takes time is a step of its own, taken at any time
// or never; a node that does not act is one that is dead or cut off.
//
// Invariant: no read misses a write that was acknowledged or seen by a read
// before it.
// Invariant: who may follow the owner has every acknowledged write.
// Invariant: a whole copy that takes the owner's stream has a part of the owner's
// history from its beginning.
// Invariant: as long as one of the owner and those in sync has not died, one of
// them has every acknowledged write.
//
// Each rule of the protocol can be left out ([Fault]); a test shows that the
// search then finds what goes wrong, and how.
package model
