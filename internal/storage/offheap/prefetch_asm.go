//go:build amd64 || arm64

package offheap

// prefetch asks the processor to load the cache line of an address. It never
// faults, whatever the address.
//
//go:noescape
func prefetch(p uintptr)
