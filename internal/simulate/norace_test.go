//go:build !race

package simulate

const seedsShare = 1
