package nodes

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Places of listeners in a block. A coordinator takes the two ports behind the
// one for other nodes.
const (
	portClaim = iota // held by this process as long as the block is used
	portRESP
	portRESPCluster
	portHTTP
	portPeer
	portEtcdClient
	portEtcdPeer
	blockSize
)

// Blocks lie in [firstPort, firstPort+blocks*blockSize), below the ephemeral
// ports of Linux (32768) and of macOS.
const (
	firstPort = 15_000
	blocks    = 2_400
)

// block is a run of ports that is this process's own.
type block struct {
	first int
	claim net.Listener
}

// claimBlock finds a block of which every port is free now. What is not of this
// package may still take one before a node does; the node then does not start.
func claimBlock() (*block, error) {
	var last error
	for range 200 {
		b := &block{first: firstPort + blockSize*rand.IntN(blocks)}
		if b.claim, last = net.Listen("tcp", b.address(portClaim)); last != nil {
			continue
		}
		if last = b.free(); last == nil {
			return b, nil
		}
		_ = b.claim.Close() // nothing was accepted
	}
	return nil, fmt.Errorf("no %d free ports in a row on loopback: %w", blockSize, last)
}

// free reports, as an error, the first port of the block that is taken.
func (b *block) free() error {
	for place := portClaim + 1; place < blockSize; place++ {
		l, err := net.Listen("tcp", b.address(place))
		if err != nil {
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (b *block) address(place int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.first+place))
}

// release gives the block back.
func (b *block) release() { _ = b.claim.Close() } // nothing was accepted
