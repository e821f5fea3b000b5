//go:build race

package simulate

// seedsShare: of so many seeds one is tried. A simulation is one goroutine, in which
// the race detector has little to find, and takes ten times as long.
const seedsShare = 10
