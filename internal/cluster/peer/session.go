package peer

import "encoding/binary"

// Handler opens a session for each connection that another node makes. Called by
// several goroutines.
type Handler interface {
	// Open returns the session that serves a connection; an error refuses it, and
	// its text is told to the other node. The responder stays usable until the
	// session is closed, and harmless after it.
	Open(from Info, lane string, r *Responder) (Session, error)
}

// Session serves the requests of one connection. All methods are called by the
// goroutine that reads the connection. While they do not return, nothing more is
// read, and heartbeats are not answered: what takes long answers later, through
// the [Responder].
type Session interface {
	// Serve is called for each request in the order of arrival. It answers through
	// out, or keeps the id and answers through the responder: once for each request.
	Serve(r Request, out *Batch)
	// EndBatch is called after the last request that has arrived, before the
	// connection is read again; then what is in out is sent.
	EndBatch(out *Batch)
	// Close is called once, after the last Serve; the error says why.
	Close(err error)
}

// Request is what another node asks. Data is valid until Serve returns, or until
// what Retain returns is released.
type Request struct {
	ID    uint32
	Kind  uint8
	Data  []byte
	chunk *chunk
}

// Retain keeps Data valid until the result is released. Data shares its memory
// with other requests, so it is not to be kept for long.
func (r Request) Retain() Releaser {
	r.chunk.refs.Add(1)
	return r.chunk
}

// Batch gathers replies inside Serve and EndBatch, where alone it may be used.
type Batch struct {
	b        batch
	maxFrame int
	start    int // of the reply between Begin and End
}

// Begin starts a reply and returns the buffer to append it to. The bytes that are
// in it are not the caller's. End has to follow before anything else.
func (b *Batch) Begin(id uint32, status uint8) []byte {
	b.start = len(b.b.buf)
	return header{typ: frameReply, status: status, id: id}.append(b.b.buf)
}

// End ends the reply that Begin has started: buf is what Begin returned with the
// reply appended, and the attachment follows it. With ErrTooLarge nothing is
// answered yet and the attachment is still the caller's.
func (b *Batch) End(buf []byte, a Attachment) error {
	p := Payload{Attach: a}
	n := len(buf) - b.start - headerSize + p.size()
	if n > b.maxFrame {
		b.b.buf = buf[:b.start]
		return ErrTooLarge
	}
	binary.LittleEndian.PutUint32(buf[b.start:], uint32(n))
	b.b.buf = buf
	b.b.attach(a)
	b.b.size += headerSize + n
	b.b.frames++
	return nil
}

// Reply answers with a payload; the errors are those of End.
func (b *Batch) Reply(id uint32, status uint8, p Payload) error {
	if p.size() > b.maxFrame {
		return ErrTooLarge
	}
	b.b.add(header{typ: frameReply, status: status, id: id}, &p)
	return nil
}

// Responder answers requests from any goroutine, in any order. Safe for
// concurrent use.
type Responder struct{ c *inbound }

// Reply answers a request and sees to it that the reply is sent. With an error
// nothing was taken and the attachment is still the caller's: ErrUnreachable
// says that the connection is over, ErrBusy that it is closed now because the
// other node does not read, ErrTooLarge that the reply exceeds MaxFrame.
func (r *Responder) Reply(id uint32, status uint8, p Payload) error {
	return r.c.reply(id, status, &p, true)
}

// Queue is Reply for callers with a batch: nothing need leave before Flush.
func (r *Responder) Queue(id uint32, status uint8, p Payload) error {
	return r.c.reply(id, status, &p, false)
}

// Flush sends what was queued, without waiting.
func (r *Responder) Flush() {
	r.c.out.mu.Lock()
	r.c.out.sendUnlock()
}
