// Package memory is the storage engine: keys and values in memory outside the
// Go heap, so that ten million entries cost the garbage collector nothing.
//
// A [Store] is split into shards by the key's hash; each has one mutex that
// guards everything in it. The way of a read: [Store.Lock] hashes the key and
// locks its shard; [Handle.Find] goes from the index (a table sorted by hash,
// 8 bytes per slot) to the entry (header, key and value in one block of the
// shard's arena), drops it if it has expired, and tells the eviction policy;
// the caller uses the value where it lies and calls [Handle.Release]. A write
// finds the old entry, reuses its block when the new value fits, and otherwise
// takes a block from a hole, the open segment, a new segment, or, at the
// limit, from entries the policy gives up.
//
// In a cluster ([Config.Partitions]) the slot of a key decides its shard, and
// each partition has keyspaces of its own; a [Tap] is told of every change of a
// partition under its lock, so that another node can have a copy.
//
//	Store ── shard 0..n-1 ─┬─ keyspaces: index (index.go, packed.go)
//	                       ├─ taps, by partition (tap.go)
//	                       ├─ arena: segments, holes, runs of pages (arena.go, runs.go)
//	                       ├─ entries: the format of a block (entry.go)
//	                       ├─ wheel: what expires when (wheel.go)
//	                       └─ eviction.Policy
//
// Locks: a goroutine holds one shard's lock, or several taken in ascending
// order by [Store.LockAll]. Nothing waits while holding one.
package memory

import "errors"

// ErrFull says that memory is at its limit and nothing can be evicted: the
// policy is noeviction, or no entry is a candidate.
var ErrFull = errors.New("memory is full and nothing can be evicted")
