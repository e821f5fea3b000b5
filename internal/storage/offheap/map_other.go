//go:build unix && !linux

package offheap

import "golang.org/x/sys/unix"

// Outside Linux memory is reserved lazily anyway, and MADV_FREE is the advice
// that lets the system take pages back; they may keep their old content until
// it does, so users clear what they rely on being zero.
const (
	noReserve  = 0
	adviceFree = unix.MADV_FREE
)
