//go:build !amd64 && !arm64

package offheap

func prefetch(uintptr) {}
