//go:build !larderdebug

package memory

const debugChecks = false
