package resp

import "strconv"

// Version of the protocol a client speaks.
type Version uint8

// The two versions there are. A connection starts with RESP2.
const (
	RESP2 Version = 2
	RESP3 Version = 3
)

// Attachment is a run of bytes that belongs into the output but is not copied
// into the buffer, and leaves by writev; or a hole, which waits for its bytes.
type Attachment struct {
	At      int    // position in Buf before which Data is to be sent
	Data    []byte // must stay unchanged until Release
	Release func() // called once when Data has been sent or dropped; may be nil

	serial uint64 // ascends with the place in the list; of a hole its id
	open   bool   // a hole that is not filled
}

// Writer appends replies to a buffer. The zero value writes RESP2 to an empty
// buffer after Version has been set. It is not safe for concurrent use.
//
// Who sends the output takes it with [Writer.Chunks] and [Writer.Sent]; what
// has been sent stays in front of Buf until all is, so that positions in Buf
// keep their meaning.
//
// A reply that is not known yet has a hole in its place; see [Writer.Hole].
//
// Invariant: the output is front, then Buf with the attachments at their
// positions; of Buf the first sent bytes, of front the first sentFront bytes
// and of the first attachment the first sentRef bytes are gone. Nothing behind
// an open hole is sent.
type Writer struct {
	Buf         []byte
	Attachments []Attachment
	Version     Version

	attached int // bytes in Attachments not sent yet
	sent     int // bytes of Buf sent already
	sentRef  int // bytes of the first attachment sent already

	whole     []Attachment // the memory of Attachments from its start on, empty
	forgotten int          // attachments at the start of whole that are in front of Attachments

	front     []byte // output before Buf: what stood before the first open hole
	sentFront int    // bytes of front sent already
	waiting   int    // open holes
	serial    uint64 // of the newest attachment
}

// Size returns the bytes waiting to be sent, attachments included. With open
// holes not all of them can be sent; see [Writer.Ready].
func (w *Writer) Size() int {
	return len(w.Buf) - w.sent + w.attached + len(w.front) - w.sentFront
}

// Attached returns the bytes of attachments waiting to be sent.
func (w *Writer) Attached() int { return w.attached }

// Reset drops all output, releases the attachments and forgets the holes. The
// buffer is kept.
func (w *Writer) Reset() {
	w.Truncate(Mark{})
	w.sent, w.sentRef = 0, 0
	w.front, w.sentFront = w.front[:0], 0
}

// Mark is a place between two replies.
type Mark struct {
	at     int
	serial uint64
}

// Mark returns the place behind all that was written. It is valid until Compact
// or until the output before it has been sent.
func (w *Writer) Mark() Mark { return Mark{len(w.Buf), w.serial} }

// Truncate drops all output behind a mark, attachments and holes included. Used
// to take back a reply: nothing may have been sent since the mark was taken, and
// no hole behind it filled.
// What comes for a hole that was dropped is dropped too.
func (w *Writer) Truncate(m Mark) {
	w.Buf = w.Buf[:m.at]
	for last := len(w.Attachments) - 1; last >= 0 && w.Attachments[last].serial > m.serial; last-- {
		if w.Attachments[last].open {
			w.waiting--
		}
		w.attached -= len(w.Attachments[last].Data)
		w.drop(last)
		w.Attachments = w.Attachments[:last]
	}
	if len(w.Attachments) == 0 {
		w.attached = 0
	}
}

// Simple writes a status such as OK. s must not contain CR or LF.
func (w *Writer) Simple(s string) { w.line('+', s) }

// OK writes the status OK.
func (w *Writer) OK() { w.Buf = append(w.Buf, "+OK\r\n"...) }

// Error writes an error: a code in capitals, a blank, a sentence. CR and LF
// become blanks.
func (w *Writer) Error(s string) {
	w.Buf = append(w.Buf, '-')
	for i := range len(s) {
		c := s[i]
		if c == '\r' || c == '\n' {
			c = ' '
		}
		w.Buf = append(w.Buf, c)
	}
	w.Buf = append(w.Buf, '\r', '\n')
}

// Int writes an integer.
func (w *Writer) Int(v int64) {
	if uint64(v) < 10 {
		w.Buf = append(w.Buf, ':', byte('0'+v), '\r', '\n')
		return
	}
	w.Buf = append(w.Buf, ':')
	w.Buf = strconv.AppendInt(w.Buf, v, 10)
	w.Buf = append(w.Buf, '\r', '\n')
}

// Bulk writes a string of any bytes; b is copied.
func (w *Writer) Bulk(b []byte) {
	w.head('$', len(b))
	w.Buf = append(w.Buf, b...)
	w.Buf = append(w.Buf, '\r', '\n')
}

// BulkString writes a string of any bytes.
func (w *Writer) BulkString(s string) {
	w.head('$', len(s))
	w.Buf = append(w.Buf, s...)
	w.Buf = append(w.Buf, '\r', '\n')
}

// BulkInt writes an integer as a string.
func (w *Writer) BulkInt(v int64) {
	var digits [20]byte
	w.Bulk(strconv.AppendInt(digits[:0], v, 10))
}

// BulkRef writes a string without copying it. The writer owns data until it
// calls release, which happens exactly once.
func (w *Writer) BulkRef(data []byte, release func()) {
	w.head('$', len(data))
	w.attach(Attachment{At: len(w.Buf), Data: data, Release: release})
	w.attached += len(data)
	w.Buf = append(w.Buf, '\r', '\n')
}

// RawRef appends bytes that are RESP already without copying them. The writer
// owns data until it calls release, which happens exactly once.
func (w *Writer) RawRef(data []byte, release func()) {
	w.attach(Attachment{At: len(w.Buf), Data: data, Release: release})
	w.attached += len(data)
}

// Null writes the absence of a value.
func (w *Writer) Null() {
	if w.Version == RESP3 {
		w.Buf = append(w.Buf, "_\r\n"...)
		return
	}
	w.Buf = append(w.Buf, "$-1\r\n"...)
}

// NullArray writes the absence of an array.
func (w *Writer) NullArray() {
	if w.Version == RESP3 {
		w.Buf = append(w.Buf, "_\r\n"...)
		return
	}
	w.Buf = append(w.Buf, "*-1\r\n"...)
}

// Array announces n elements.
func (w *Writer) Array(n int) { w.head('*', n) }

// Map announces n pairs; in RESP2 an array of 2n elements.
func (w *Writer) Map(n int) {
	if w.Version == RESP3 {
		w.head('%', n)
		return
	}
	w.head('*', 2*n)
}

// Set announces n different elements; in RESP2 an array.
func (w *Writer) Set(n int) {
	if w.Version == RESP3 {
		w.head('~', n)
		return
	}
	w.head('*', n)
}

// Push announces n elements that are not the answer to a request; in RESP2 an
// array.
func (w *Writer) Push(n int) {
	if w.Version == RESP3 {
		w.head('>', n)
		return
	}
	w.head('*', n)
}

// Bool writes a truth value; in RESP2 1 or 0.
func (w *Writer) Bool(v bool) {
	switch {
	case w.Version == RESP3 && v:
		w.Buf = append(w.Buf, "#t\r\n"...)
	case w.Version == RESP3:
		w.Buf = append(w.Buf, "#f\r\n"...)
	case v:
		w.Int(1)
	default:
		w.Int(0)
	}
}

// Double writes a floating point number; in RESP2 a string.
func (w *Writer) Double(v float64) {
	text := FormatDouble(v)
	if w.Version == RESP3 {
		w.line(',', text)
		return
	}
	w.BulkString(text)
}

// BigNumber writes an integer of any length given in decimal; in RESP2 a string.
func (w *Writer) BigNumber(s string) {
	if w.Version == RESP3 {
		w.line('(', s)
		return
	}
	w.BulkString(s)
}

// Verbatim writes a text with its format, three letters such as txt or mkd; in
// RESP2 the text alone.
func (w *Writer) Verbatim(format, s string) {
	if w.Version != RESP3 {
		w.BulkString(s)
		return
	}
	w.head('=', len(s)+4)
	w.Buf = append(w.Buf, format...)
	w.Buf = append(w.Buf, ':')
	w.Buf = append(w.Buf, s...)
	w.Buf = append(w.Buf, '\r', '\n')
}

// Attribute announces n pairs of data about the reply that follows. It exists
// in RESP3 only and reports whether it was written.
func (w *Writer) Attribute(n int) bool {
	if w.Version != RESP3 {
		return false
	}
	w.head('|', n)
	return true
}

// Raw appends bytes that are RESP already.
func (w *Writer) Raw(b []byte) { w.Buf = append(w.Buf, b...) }

func (w *Writer) line(mark byte, s string) {
	w.Buf = append(w.Buf, mark)
	w.Buf = append(w.Buf, s...)
	w.Buf = append(w.Buf, '\r', '\n')
}

func (w *Writer) head(mark byte, n int) {
	switch {
	case uint(n) < 10:
		w.Buf = append(w.Buf, mark, byte('0'+n), '\r', '\n')
	case uint(n) < 100:
		w.Buf = append(w.Buf, mark, byte('0'+n/10), byte('0'+n%10), '\r', '\n')
	default:
		w.Buf = append(w.Buf, mark)
		w.Buf = strconv.AppendInt(w.Buf, int64(n), 10)
		w.Buf = append(w.Buf, '\r', '\n')
	}
}
