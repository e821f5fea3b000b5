package demo

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Places of a node's listeners in its block. A coordinator takes the two behind
// the one for other nodes.
const (
	placeRESP = iota
	placeCluster
	placeHTTP
	placePeer
	placeEtcdClient
	placeEtcdPeer
	placeClaim // held by this process while the block is used
	blockSize
)

// The blocks of the first demonstration on a machine are the same every time,
// and easy to type: 7100, 7200. All lie below the ports that systems take for
// outgoing connections.
const (
	usualPort, usualStep = 7100, 100
	otherPorts           = 15_000
	otherBlocks          = 2_000
)

// block is a run of ports that is a node's own.
type block struct {
	first int
	claim net.Listener
}

// claimBlock finds free ports for the node of a number from 0.
func claimBlock(number int) (*block, error) {
	b, err := claim(usualPort + usualStep*number)
	for try := 0; err != nil && try < 100; try++ {
		b, err = claim(otherPorts + 8*rand.IntN(otherBlocks))
	}
	if err != nil {
		return nil, fmt.Errorf("no %d free ports in a row on loopback: %w", blockSize, err)
	}
	return b, nil
}

// claim takes the block that begins at a port if all of it is free.
func claim(first int) (*block, error) {
	b := &block{first: first}
	var err error
	if b.claim, err = net.Listen("tcp", b.address(placeClaim)); err != nil {
		return nil, err
	}
	for place := range placeClaim {
		l, err := net.Listen("tcp", b.address(place))
		if err != nil {
			b.claim.Close()
			return nil, err
		}
		l.Close()
	}
	return b, nil
}

func (b *block) address(place int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.first+place))
}
