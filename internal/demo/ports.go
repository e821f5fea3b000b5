package demo

import "github.com/larder-cache/larder/internal/ports"

// Places of a node's listeners in its block of ports. A coordinator takes the two
// behind the one for other nodes.
const (
	placeRESP = iota
	placeCluster
	placeHTTP
	placePeer
)

// The ports of the first demonstration on a machine are the same every time, and
// easy to type: 7100, 7200.
const usualPort, usualStep = 7100, 100

// claimPorts finds free ports for the node of a number from 0.
func claimPorts(number int) (*ports.Block, error) {
	if b, err := ports.At(usualPort + usualStep*number); err == nil {
		return b, nil
	}
	return ports.Claim()
}
