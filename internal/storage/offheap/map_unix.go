//go:build unix

package offheap

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func reserve(size uintptr) (unsafe.Pointer, error) {
	return unix.MmapPtr(-1, 0, nil, size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|noReserve)
}

func commit(p unsafe.Pointer, n uintptr) error {
	return unix.Mprotect(unsafe.Slice((*byte)(p), n), unix.PROT_READ|unix.PROT_WRITE)
}

func decommit(p unsafe.Pointer, n uintptr) {
	// An error leaves the memory in use, which the accounting of resident
	// bytes will show; there is nothing else to do about it.
	_ = unix.Madvise(unsafe.Slice((*byte)(p), n), adviceFree)
}

func free(p unsafe.Pointer, n uintptr) { _ = unix.MunmapPtr(p, n) }
