package cluster

import (
	"strconv"
	"testing"

	"github.com/larder-cache/larder/internal/ports"
)

// claim returns free ports that are the test's own.
func claim(t *testing.T) *ports.Block {
	t.Helper()
	b, err := ports.Claim()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Release)
	return b
}

// anyAddress returns an address on all interfaces whose port, and the two behind
// it, are free.
func anyAddress(t *testing.T) string { return "0.0.0.0:" + strconv.Itoa(claim(t).Port(0)) }
