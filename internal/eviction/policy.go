// Package eviction holds the policies that decide which entry leaves a full
// cache. A policy is a pure structure: no lock, no goroutine, no clock. The
// caller serialises calls (the storage engine owns one policy per shard and
// calls it under the shard's lock; the trace simulator owns one per run), tells
// it what happened to which entry, and asks for the next [Policy.Victim].
//
// A policy keeps no memory per resident entry of its own: its links and bits
// live in the entry's header as a [Node], outside the Go heap, and are reached
// through [Entries]. Ghosts (remembered keys that are no longer resident) are
// hashes in flat slices, so nothing here is ever scanned by the collector.
package eviction

// Ref names a resident entry. It is stable until the caller says otherwise with
// [Policy.Move]. Zero is no entry.
type Ref uint32

// Time is when an entry was used, in a unit that the caller chooses. The highest
// bit is zero. Times that are told one after the other may be equal or fall back a
// little, as the system's clock does.
type Time uint32

// Node is the part of a resident entry's header that belongs to the policy.
// The first three bytes belong to the entry and must not be touched.
//
// Invariant: a Node is 12 bytes; memory.header starts with the same layout.
type Node struct {
	_    [3]byte
	Bits uint8 // queue, frequency, visited bit ...: the policy's own encoding
	Prev Ref
	Next Ref
}

// Entries gives a policy its view of the resident entries. All methods are O(1)
// and valid only for refs that were added and have not been removed.
type Entries interface {
	// Node returns the policy's part of the entry's header.
	Node(Ref) *Node
	// Hash returns the 64-bit hash of the entry's key.
	Hash(Ref) uint64
	// Size returns the bytes the entry occupies in memory, header included.
	Size(Ref) uint32
}

// Sampler is implemented by [Entries] from which a random entry can be drawn,
// so that a policy that looks for victims at random needs no list of them.
type Sampler interface {
	// Random returns an entry that is known to the policy, each about as often
	// as any other when random is; zero when there is none.
	Random(random uint64) Ref
}

// Policy decides the order in which entries leave. None of its methods may be
// called concurrently.
type Policy interface {
	// Add is called once when an entry becomes resident. Its node is zeroed.
	Add(r Ref, hash uint64, size uint32, now Time)
	// Touch is called on every hit of a resident entry, reads and overwrites alike.
	Touch(r Ref, hash uint64, now Time)
	// Resize is called after a resident entry changed its size in place.
	Resize(r Ref, before, after uint32)
	// Remove is called before an entry leaves for another reason than
	// eviction: deletion, expiry, flush.
	Remove(r Ref)
	// Move is called after an entry was copied, header included, from one
	// place to another; from must not be read any more.
	Move(from, to Ref)
	// Victim returns the entry to evict next, zero when there is none. It may
	// reorder entries on the way but removes none; the caller follows up with
	// Evicted (or not at all, when it changed its mind).
	Victim() Ref
	// Evicted is called before the entry returned by Victim leaves: it is
	// unlinked and, where the policy has ghosts, remembered.
	Evicted(r Ref)
	// SetCapacity tells the bytes that resident entries may take together.
	// Called before the first Add and whenever the limit changes; zero means
	// unlimited.
	SetCapacity(bytes uint64)
}
