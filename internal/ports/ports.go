// Package ports finds ports on loopback for processes that are started, killed and
// started again at the same addresses.
//
// They lie below those that the kernel takes for outgoing connections: one of these
// is lost for good when, while its process is down, some client gets it as its own
// end. They come in blocks, and each is claimed by a listener of this process, so
// that others with this package choose others.
package ports

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Size is how many ports a block has.
const Size = 7

// Blocks lie in [first, first+blocks*step), below the ephemeral ports of Linux
// (32768) and of macOS.
const (
	first  = 15_000
	step   = Size + 1 // the last is the claim
	blocks = 2_200
)

// Block is a run of Size ports on 127.0.0.1, this process's own until Release.
type Block struct {
	first int
	claim net.Listener
}

// Claim finds a block of which every port is free now. What is not of this package
// may still take one before its process does; that does not start then.
func Claim() (*Block, error) {
	var last error
	for range 200 {
		b, err := At(first + step*rand.IntN(blocks))
		if err == nil {
			return b, nil
		}
		last = err
	}
	return nil, fmt.Errorf("no %d free ports in a row on loopback: %w", Size, last)
}

// At claims the block that begins at a port, or returns why one of it is not free.
func At(port int) (*Block, error) {
	b := &Block{first: port}
	var err error
	if b.claim, err = net.Listen("tcp", b.Address(Size)); err != nil {
		return nil, err
	}
	for place := range Size {
		l, err := net.Listen("tcp", b.Address(place))
		if err != nil {
			b.Release()
			return nil, err
		}
		_ = l.Close() // nothing was accepted
	}
	return b, nil
}

// Port returns the port at a place from 0 to Size-1.
func (b *Block) Port(place int) int { return b.first + place }

// Address returns the address of the port at a place from 0 to Size-1.
func (b *Block) Address(place int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.Port(place)))
}

// Release gives the block back.
func (b *Block) Release() { _ = b.claim.Close() } // nothing was accepted
