//go:build larderdebug

package offheap

const debug = true
