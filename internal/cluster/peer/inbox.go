package peer

import "io"

const (
	// minRead is the least room that is worth a read of the socket.
	minRead = 2 << 10
	// firstGrowth is what is taken at once for a large frame. More is taken as
	// its bytes arrive, so that a length alone costs the receiver little.
	firstGrowth = 4 << 20
)

// inbox cuts what arrives at a connection into frames. The payloads are views
// into the chunk that was read into; they stay valid as long as a reference to
// that chunk is held. One goroutine uses it.
//
// Invariant: 0 <= given <= filled <= len(chunk.buf); bytes below given belong
// to whom they were given, those up to filled wait to be cut.
type inbox struct {
	from          io.Reader
	maxFrame      uint32
	chunk         *chunk
	given, filled int
}

// next returns the next frame if all of it has arrived. It never changes the
// chunk: all frames between two calls of fill lie in the same one.
func (in *inbox) next() (h header, payload []byte, ok bool, err error) {
	if in.filled-in.given < headerSize {
		return header{}, nil, false, nil
	}
	h, err = parseHeader(in.chunk.buf[in.given:in.filled], in.maxFrame)
	if err != nil {
		return header{}, nil, false, err
	}
	end := in.given + headerSize + int(h.length)
	if end > in.filled {
		return header{}, nil, false, nil
	}
	payload = in.chunk.buf[in.given+headerSize : end : end]
	in.given = end
	return h, payload, true, nil
}

// fill reads once. To be called when next has no frame.
func (in *inbox) fill() error {
	n, err := in.from.Read(in.room())
	in.filled += n
	if n > 0 {
		return nil
	}
	return err
}

// room returns free memory to read into, behind the bytes that wait.
func (in *inbox) room() []byte {
	if in.chunk == nil {
		in.chunk = newChunk(chunkSize)
	}
	waiting := in.filled - in.given
	need := in.need(waiting)
	if in.crowded(waiting, need) {
		in.move(waiting, need)
	}
	if in.large() {
		// A large frame has its chunk for itself.
		return in.chunk.buf[in.filled:min(in.given+need, len(in.chunk.buf))]
	}
	return in.chunk.buf[in.filled:]
}

// large says whether the chunk was taken for one large frame.
func (in *inbox) large() bool { return len(in.chunk.buf) > chunkSize+chunkSlack }

// crowded says whether another chunk is needed to go on reading; it starts
// again at the beginning of this one when nobody else looks at it.
func (in *inbox) crowded(waiting, need int) bool {
	free := len(in.chunk.buf) - in.filled
	switch {
	case waiting == 0 && in.large():
		return true
	case waiting == 0 && in.chunk.refs.Load() == 1:
		in.given, in.filled = 0, 0
		return false
	case waiting < headerSize:
		return free < minRead
	case in.large() && in.given == 0:
		return free == 0 // it grows as the frame arrives
	}
	return in.given+need > len(in.chunk.buf)
}

// need returns how long the frame that has begun is, as far as is known.
func (in *inbox) need(waiting int) int {
	if waiting < headerSize {
		return headerSize
	}
	h, err := parseHeader(in.chunk.buf[in.given:in.filled], in.maxFrame)
	if err != nil {
		return headerSize // next has reported it
	}
	return headerSize + int(h.length)
}

// move brings the waiting bytes into a chunk with room for more: for all that
// is needed up to firstGrowth, beyond that for twice what has arrived.
func (in *inbox) move(waiting, need int) {
	size := max(chunkSize, min(need, max(firstGrowth, 2*waiting)))
	to := newChunk(size)
	copy(to.buf, in.chunk.buf[in.given:in.filled])
	in.chunk.Release()
	in.chunk, in.given, in.filled = to, 0, waiting
}

// close gives the chunk back. Frames that were given out stay valid.
func (in *inbox) close() {
	if in.chunk != nil {
		in.chunk.Release()
		in.chunk = nil
	}
	in.given, in.filled = 0, 0
}
