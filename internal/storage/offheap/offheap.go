// Package offheap is the one place that handles memory the garbage collector
// does not know: reserved stretches of address space, committed piece by piece,
// and typed views of what lies in them.
//
// Everything unsafe about the storage engine is in here. The rules:
//
// Invariant: a [Region] is mapped at one address from Reserve to Free.
// Invariant: a view is only made of bytes below the committed length, and is
// not used after the bytes were decommitted or the region freed; its user, one
// shard under its lock, sees to it.
// Invariant: types viewed with [At] contain no Go pointers, and an offset is a
// multiple of 8, so that every field is aligned.
//
// With the build tag larderdebug every view checks its bounds.
package offheap

import (
	"fmt"
	"unsafe"
)

// PageSize is the granularity, in bytes, in which memory is committed and
// returned. Systems with larger pages return memory in multiples of theirs.
const PageSize = 4096

// commitStep is how many bytes are made accessible at a time: changing the
// protection of a mapping is a system call.
const commitStep = 64 << 20

// Region is a contiguous stretch of address space outside the Go heap. Bytes
// take memory only once they have been written. Not safe for concurrent use.
type Region struct {
	base      unsafe.Pointer
	size      uintptr
	committed uintptr
}

// Reserve takes size bytes of address space without any memory behind it.
func Reserve(size uint64) (Region, error) {
	size = (size + commitStep - 1) &^ (commitStep - 1)
	base, err := reserve(uintptr(size))
	if err != nil {
		return Region{}, fmt.Errorf("reserve %d MiB of address space: %w (is there a limit on virtual memory, ulimit -v?)", size>>20, err)
	}
	return Region{base: base, size: uintptr(size)}, nil
}

// Size returns the reserved bytes.
func (r *Region) Size() uint64 { return uint64(r.size) }

// Commit makes the bytes below end accessible. They read as zero until written.
func (r *Region) Commit(end uint64) error {
	if uintptr(end) <= r.committed {
		return nil
	}
	if uintptr(end) > r.size {
		return fmt.Errorf("commit %d MiB: only %d MiB are reserved", end>>20, r.size>>20)
	}
	next := (uintptr(end) + commitStep - 1) &^ (commitStep - 1)
	if err := commit(unsafe.Add(r.base, r.committed), next-r.committed); err != nil {
		return fmt.Errorf("commit %d MiB: %w", next>>20, err)
	}
	r.committed = next
	return nil
}

// Decommit gives the whole pages in [from, from+n) back to the system. The
// bytes stay accessible and read as zero.
func (r *Region) Decommit(from, n uint64) {
	first := (uintptr(from) + PageSize - 1) &^ (PageSize - 1)
	last := uintptr(from+n) &^ (PageSize - 1)
	if first < last {
		decommit(unsafe.Add(r.base, first), last-first)
	}
}

// Free gives up the region. Using it afterwards, or a view of it, crashes.
func (r *Region) Free() {
	if r.base != nil {
		free(r.base, r.size)
		*r = Region{}
	}
}

// Bytes returns a view of n bytes at off.
func (r *Region) Bytes(off, n uint64) []byte {
	r.check(off, n)
	return unsafe.Slice((*byte)(unsafe.Add(r.base, off)), n)
}

// Contains reports whether b lies within the region.
func (r *Region) Contains(b []byte) bool {
	p := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return p >= uintptr(r.base) && p < uintptr(r.base)+r.size
}

// At returns a view of the T at off, which must be a multiple of 8.
func At[T any](r *Region, off uint64) *T {
	r.check(off, 1)
	return (*T)(unsafe.Add(r.base, off))
}

// Words returns a view of n 64-bit words at off.
func (r *Region) Words(off, n uint64) []uint64 {
	r.check(off, 8*n)
	return unsafe.Slice((*uint64)(unsafe.Add(r.base, off)), n)
}

func (r *Region) check(off, n uint64) {
	if debug && (uintptr(off) > r.committed || uintptr(n) > r.committed-uintptr(off)) {
		panic(fmt.Sprintf("offheap: view of %d bytes at %d, %d committed", n, off, r.committed))
	}
}

// ReserveSmall returns a region of just size bytes, rounded up to whole pages,
// that is accessible at once.
func ReserveSmall(size uint64) (Region, error) {
	size = (size + PageSize - 1) &^ (PageSize - 1)
	base, err := reserve(uintptr(size))
	if err == nil {
		err = commit(base, uintptr(size))
	}
	if err != nil {
		return Region{}, fmt.Errorf("map %d bytes: %w", size, err)
	}
	return Region{base: base, size: uintptr(size), committed: uintptr(size)}, nil
}

// Address is a place in memory that may be gone by now: good for [Prefetch]
// and nothing else.
type Address uintptr

// AddressOf returns the address of an offset.
func (r *Region) AddressOf(off uint64) Address { return Address(uintptr(r.base) + uintptr(off)) }

// AddressIn returns the address of Go's own memory; nil has address 0.
func AddressIn[T any](p *T) Address { return Address(uintptr(unsafe.Pointer(p))) }

// Prefetch asks the processor to have the cache line at an address at hand soon.
// It is a hint: nothing happens when the address is not mapped any more.
func Prefetch(a Address) { prefetch(uintptr(a)) }
