package server

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// System calls on non-blocking descriptors, made without telling Go's
// scheduler: they return at once, so that handing the processor to another
// thread would only cost. These are the only uses of unsafe in this package.
//
// Invariant: every pointer passed is to memory that the caller keeps alive and
// that outlives the call; its length is passed with it and is above zero.

// rawRead reads into p. Zero bytes without an error mean the end of the stream.
func rawRead(fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(n), errno
}

// rawReadv reads into p and then q, of which one may be empty.
func rawReadv(fd int, p, q []byte) (int, syscall.Errno) {
	var vec [2]unix.Iovec
	count := fill(vec[:], p, q)
	n, _, errno := syscall.RawSyscall(unix.SYS_READV, uintptr(fd), uintptr(unsafe.Pointer(&vec)), uintptr(count))
	return int(n), errno
}

// rawWrite writes p.
func rawWrite(fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(n), errno
}

// writevChunks is the most that rawWritev writes at once.
const writevChunks = 16

// rawWritev writes the chunks in order.
func rawWritev(fd int, chunks [][]byte) (int, syscall.Errno) {
	var vec [writevChunks]unix.Iovec
	count := fill(vec[:], chunks...)
	n, _, errno := syscall.RawSyscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&vec)), uintptr(count))
	return int(n), errno
}

func fill(vec []unix.Iovec, chunks ...[]byte) (count int) {
	for _, c := range chunks {
		if len(c) > 0 {
			vec[count].Base = unsafe.SliceData(c)
			vec[count].SetLen(len(c))
			count++
		}
	}
	return count
}

// rawEpollWait collects events without waiting for any.
func rawEpollWait(epfd int, events []unix.EpollEvent) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	return int(n), errno
}
