package peer

// Sink takes the outcome of requests. Both methods are called by the goroutine
// that reads a connection and must not block; the methods of one sink may be
// called at the same time by different links. A sink is a pointer: links compare
// sinks to tell each of them once.
type Sink interface {
	// Complete is called exactly once for each request that was accepted, with
	// the tag it was submitted with. The reply belongs to the sink, which calls
	// its Release when it needs the bytes no longer. With an error ([ErrLost],
	// [ErrUnreachable], [ErrClosed]) there is no reply.
	Complete(tag uint64, r Reply, err error)
	// Flush is called at least once after the last Complete of each batch.
	Flush()
}

// Reply is the answer to a request. Data is valid until Release and shares its
// memory with other replies, so it is not to be kept for long.
type Reply struct {
	Status uint8
	Data   []byte
	chunk  *chunk
}

// Release gives the memory of the reply back. To be called once; the zero Reply
// may be released.
func (r Reply) Release() {
	if r.chunk != nil {
		r.chunk.Release()
	}
}

// Owner returns what releases the reply, to pass it on as an [Attachment]
// instead of calling Release. It takes no memory.
func (r Reply) Owner() Releaser {
	if r.chunk == nil {
		return nil
	}
	return r.chunk
}

// The id of a request is the place of its entry in the table and, above, how
// often the place was used, so that a wrong reply finds nothing.
const (
	placeBits = 20
	placeMask = 1<<placeBits - 1
	maxPlaces = 1 << placeBits
)

// waiting is a request that has not been answered.
type waiting struct {
	sink  Sink // nil: the place is free
	tag   uint64
	size  int    // bytes of the frame
	batch uint64 // number of the write that it leaves with
	uses  uint32
}

// pendingTable has the outstanding requests of one connection. It takes no
// memory per request once it has grown. Not safe for concurrent use.
type pendingTable struct {
	places []waiting
	free   []uint32
	n      int
	bytes  int
}

// add enters a request and returns its id.
func (t *pendingTable) add(w waiting) uint32 {
	if len(t.free) == 0 {
		t.grow()
	}
	place := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	p := &t.places[place]
	w.uses = p.uses + 1
	*p = w
	t.n++
	t.bytes += w.size
	return place | w.uses<<placeBits
}

// grow doubles the places.
func (t *pendingTable) grow() {
	old := len(t.places)
	grown := make([]waiting, max(64, 2*old))
	copy(grown, t.places)
	t.places = grown
	for place := len(grown) - 1; place >= old; place-- {
		t.free = append(t.free, uint32(place))
	}
}

// take removes the request with this id; ok is false if there is none.
func (t *pendingTable) take(id uint32) (w waiting, ok bool) {
	place := id & placeMask
	if int(place) >= len(t.places) {
		return waiting{}, false
	}
	p := &t.places[place]
	if p.sink == nil || (p.uses<<placeBits)>>placeBits != id>>placeBits {
		return waiting{}, false
	}
	w = *p
	p.sink = nil
	t.free = append(t.free, place)
	t.n--
	t.bytes -= w.size
	return w, true
}

// takeAll removes all requests.
func (t *pendingTable) takeAll() []waiting {
	all := make([]waiting, 0, t.n)
	for i := range t.places {
		if t.places[i].sink != nil {
			all = append(all, t.places[i])
		}
	}
	*t = pendingTable{}
	return all
}
