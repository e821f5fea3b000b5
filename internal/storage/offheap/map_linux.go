package offheap

import "golang.org/x/sys/unix"

const (
	noReserve  = unix.MAP_NORESERVE
	adviceFree = unix.MADV_DONTNEED
)
