// Package hashing decides where a key belongs. It is pure: no state, no clock,
// no randomness.
//
// A key has a slot, one of [Slots], by the rules of Redis Cluster: clients
// compute it too. Sixteen slots in a row are a partition, the unit that is
// owned by a node, moved and replicated.
package hashing
