package peer

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// chunkSize is the size of the chunks that small frames are read into: a read
// of the socket takes at most that much.
const chunkSize = 32 << 10

// chunk is memory that a connection reads into and that the frames in it share.
// It goes back to its pool when the last of them is released.
//
// Invariant: refs counts the reader, while it reads into the chunk, and every
// frame that was given out and not released.
type chunk struct {
	refs atomic.Int32
	buf  []byte
}

const (
	chunkClasses = 8       // 32 KiB to 4 MiB
	chunkSlack   = 4 << 10 // so that a value of a power of two fits with its header
)

// chunkPools has a pool for each class of sizes. What is larger than the last
// class is left to the garbage collector: such frames are rare, and a pool
// would keep gigabytes.
var chunkPools [chunkClasses]sync.Pool

// chunkClass returns the smallest class that holds size bytes, chunkClasses if
// none does.
func chunkClass(size int) int {
	if size <= chunkSize+chunkSlack {
		return 0
	}
	return min(bits.Len(uint(size-chunkSlack-1)/chunkSize), chunkClasses)
}

// newChunk returns a chunk with at least size bytes and one reference.
func newChunk(size int) *chunk {
	class := chunkClass(size)
	if class == chunkClasses {
		c := &chunk{buf: make([]byte, size)}
		c.refs.Store(1)
		return c
	}
	c, ok := chunkPools[class].Get().(*chunk)
	if !ok {
		c = &chunk{buf: make([]byte, chunkSize<<class+chunkSlack)}
	}
	c.refs.Store(1)
	return c
}

// Release gives up one reference.
func (c *chunk) Release() {
	switch n := c.refs.Add(-1); {
	case n > 0:
		return
	case n < 0:
		panic("peer: chunk released more often than it was given out")
	}
	if class := chunkClass(len(c.buf)); class < chunkClasses {
		chunkPools[class].Put(c)
	}
}
