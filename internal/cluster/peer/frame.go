package peer

import (
	"encoding/binary"
	"fmt"
)

// A frame on the wire, numbers in little endian:
//
//	0  u32  length of the payload
//	4  u8   version of the frame format
//	5  u8   type: request, reply, ping, pong
//	6  u8   kind of a request, which the callers define
//	7  u8   status of a reply, which the callers define
//	8  u32  id of the request
//	12      payload
const (
	headerSize   = 12
	frameVersion = 1
)

// frameLimit is the most that [Config].MaxFrame may be.
const frameLimit = 1 << 30

// frameType says what a frame is.
type frameType uint8

const (
	frameRequest frameType = 1 + iota
	frameReply
	framePing // without payload; answered by a pong with the same id
	framePong
)

// header is the fixed beginning of a frame.
type header struct {
	length uint32
	typ    frameType
	kind   uint8
	status uint8
	id     uint32
}

// append appends the header to b.
func (h header) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, h.length)
	b = append(b, frameVersion, byte(h.typ), h.kind, h.status)
	return binary.LittleEndian.AppendUint32(b, h.id)
}

// parseHeader reads the header at the start of b, which has at least headerSize
// bytes, and refuses what can be no frame of at most maxFrame bytes of payload.
// It is called before memory is taken for the payload.
func parseHeader(b []byte, maxFrame uint32) (header, error) {
	_ = b[headerSize-1]
	h := header{
		length: binary.LittleEndian.Uint32(b),
		typ:    frameType(b[5]),
		kind:   b[6],
		status: b[7],
		id:     binary.LittleEndian.Uint32(b[8:]),
	}
	switch {
	case b[4] != frameVersion:
		return header{}, fmt.Errorf("%w: frame version %d", errProtocol, b[4])
	case h.typ < frameRequest || h.typ > framePong:
		return header{}, fmt.Errorf("%w: frame type %d", errProtocol, h.typ)
	case h.length > maxFrame:
		return header{}, fmt.Errorf("%w: frame of %d bytes", errProtocol, h.length)
	case h.typ >= framePing && h.length != 0:
		return header{}, fmt.Errorf("%w: heartbeat of %d bytes", errProtocol, h.length)
	}
	return h, nil
}

// Releaser is told when a piece of memory is no longer used.
type Releaser interface{ Release() }

// Attachment is memory that is sent from where it lies. It must not change until
// Owner is released, which happens exactly once: after the bytes were given to
// the kernel, or when the connection is over. Owner may be nil.
type Attachment struct {
	Parts [][]byte
	Owner Releaser
}

// Payload is what a frame carries: Head and Body, which are copied before the
// call returns, then the attachment, which is not copied. Each may be empty.
// Attach what is larger than some 16 KiB; below, a copy is cheaper.
type Payload struct {
	Head, Body []byte
	Attach     Attachment
}

// size returns the length of the payload.
func (p *Payload) size() int {
	n := len(p.Head) + len(p.Body)
	for _, part := range p.Attach.Parts {
		n += len(part)
	}
	return n
}
