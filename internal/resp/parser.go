package resp

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrIncomplete says that the buffer ends before the request does: read more
// and call Next again with the same bytes in front.
var ErrIncomplete = errors.New("resp: request is not complete")

// ProtocolError is a request that can not be understood. The connection is
// answered with Error() as its text and closed, since the start of the next
// request is unknown.
type ProtocolError string

func (e ProtocolError) Error() string { return "Protocol error: " + string(e) }

// Limits bound what a request may ask for before any memory is taken for it.
type Limits struct {
	// MaxBulk is the length in bytes of the longest argument. Zero means 512 MiB.
	MaxBulk int
	// MaxArgs is the largest number of arguments. Zero means 1 Mi.
	MaxArgs int
	// MaxInline is the length in bytes of the longest inline request and of
	// the longest header line. Zero means 64 KiB.
	MaxInline int
	// Large is the length from which on an argument that has not arrived whole
	// is announced by [Parser.Large] so that it can be read straight into its
	// final place. Zero means 64 KiB.
	Large int

	// stranger words the errors of the first two limits as those of a client
	// that has not authenticated.
	stranger bool
}

func (l Limits) withDefaults() Limits {
	if l.MaxBulk == 0 {
		l.MaxBulk = 512 << 20
	}
	if l.MaxArgs == 0 {
		l.MaxArgs = 1 << 20
	}
	if l.MaxInline == 0 {
		l.MaxInline = 64 << 10
	}
	if l.Large == 0 {
		l.Large = 64 << 10
	}
	return l
}

// Unauthenticated are the limits of a client that has not shown who it is.
var Unauthenticated = Limits{MaxBulk: 16 << 10, MaxArgs: 10, stranger: true}

// Parser splits a stream of bytes into requests. The zero value is not usable;
// see [NewParser]. It is not safe for concurrent use.
//
// A request that arrives in pieces is not parsed twice: the parser remembers
// how far it came, relative to the start of the request.
type Parser struct {
	limits Limits

	args     [][]byte // the request returned last, or what Large has returned
	spans    []span   // where the arguments of the request under construction are
	provided [][]byte // arguments of it that are not in the buffer
	pos      int      // bytes of the request understood so far
	left     int      // arguments still to come; 0 between requests
	bulk     int      // length of the argument being read, -1 when its header is next
	large    bool     // the argument being read is to be supplied by Provide
}

// span is one argument: the bytes from:to of the request or, when from is
// negative, provided[to].
type span struct{ from, to int }

// complete, as the number of arguments still to come, marks a request of which
// all have come but which Next has not returned yet.
const complete = -1

// keptArgs is the number of arguments up to which the room for them is kept
// for the next request.
const keptArgs = 1024

// NewParser returns a parser that refuses what is beyond the limits.
func NewParser(l Limits) *Parser {
	return &Parser{limits: l.withDefaults(), bulk: -1}
}

// SetLimits changes the limits from the next request on.
func (p *Parser) SetLimits(l Limits) { p.limits = l.withDefaults() }

// Next returns the first request in buf and the bytes it took. The arguments
// alias buf (or memory given to Provide) and the outer slice is reused: both
// are valid until the next call. An empty request (a blank line, or *0) returns
// no arguments and n > 0, and is to be skipped.
//
// Errors: [ErrIncomplete] when buf ends too early, in which case n is 0 and the
// next call must pass a buffer that begins with the same bytes; a
// [ProtocolError] for everything that is not RESP or is beyond the limits,
// after which the parser is of no further use.
func (p *Parser) Next(buf []byte) (args [][]byte, n int, err error) {
	p.large = false
	if p.left == 0 {
		if len(buf) == 0 {
			return nil, 0, ErrIncomplete
		}
		p.release()
		if buf[0] != '*' {
			return p.inline(buf)
		}
		if args, n, ok := p.fast(buf); ok {
			return args, n, nil
		}
		count, next, err := p.count(buf)
		if err != nil {
			return nil, 0, err
		}
		if count <= 0 {
			return nil, next, nil
		}
		p.pos, p.left, p.bulk = next, count, -1
	}
	for p.left > 0 {
		if p.bulk < 0 {
			if err := p.length(buf); err != nil {
				return nil, 0, err
			}
		}
		if len(buf)-p.pos < p.bulk+2 {
			p.large = p.bulk >= p.limits.Large
			return nil, 0, ErrIncomplete
		}
		// Like Redis, the two bytes behind an argument are not looked at.
		p.spans = append(p.spans, span{from: p.pos, to: p.pos + p.bulk})
		p.pos += p.bulk + 2
		p.left--
		p.bulk = -1
	}
	n = p.pos
	p.pos, p.left = 0, 0
	return p.locate(buf), n, nil
}

// Moved returns again the arguments of the request that Next has returned last,
// now that its bytes are at the start of buf. It is how a request outlives the
// buffer it was read into.
func (p *Parser) Moved(buf []byte) [][]byte {
	if len(p.spans) > 0 {
		return p.locate(buf)
	}
	if args, _, ok := p.fast(buf); ok {
		return args
	}
	return p.args // inline: the words are copies
}

// release forgets the request returned last and what it made the parser keep.
func (p *Parser) release() {
	p.spans = p.spans[:0]
	if len(p.provided) > 0 {
		clear(p.provided)
		p.provided = p.provided[:0]
	}
	if cap(p.args) > keptArgs || cap(p.spans) > keptArgs {
		p.args, p.spans = nil, nil
	}
}

// locate turns the spans into slices of buf.
func (p *Parser) locate(buf []byte) [][]byte {
	if cap(p.args) < len(p.spans) {
		p.args = make([][]byte, 0, len(p.spans))
	}
	args := p.args[:0]
	for _, s := range p.spans {
		if s.from < 0 {
			args = append(args, p.provided[s.to])
			continue
		}
		args = append(args, buf[s.from:s.to:s.to])
	}
	p.args = args
	return args
}

// fast parses a request of up to nine short arguments that is wholly in buf:
// nearly all of them. Everything unusual is left to the general path.
func (p *Parser) fast(buf []byte) (args [][]byte, n int, ok bool) {
	if len(buf) < 4 || buf[2] != '\r' || buf[3] != '\n' {
		return nil, 0, false
	}
	count := int(buf[1]) - '0'
	if count < 1 || count > 9 || count > p.limits.MaxArgs {
		return nil, 0, false
	}
	args = p.args[:0]
	pos := 4
	for range count {
		if len(buf)-pos < 6 || buf[pos] != '$' {
			return nil, 0, false
		}
		length := int(buf[pos+1]) - '0'
		if uint(length) > 9 || length == 0 && buf[pos+2] != '\r' {
			return nil, 0, false
		}
		pos += 2
		for buf[pos] != '\r' {
			d := int(buf[pos]) - '0'
			if uint(d) > 9 || length > 99999 {
				return nil, 0, false
			}
			length = length*10 + d
			pos++
			if pos+3 >= len(buf) {
				return nil, 0, false
			}
		}
		if buf[pos+1] != '\n' || length > p.limits.MaxBulk {
			return nil, 0, false
		}
		pos += 2
		end := pos + length
		if end+2 > len(buf) {
			return nil, 0, false
		}
		args = append(args, buf[pos:end:end])
		pos = end + 2
	}
	p.args = args
	return args, pos, true
}

// Glance looks at the request that begins buf without parsing it: it returns its
// second argument, which is the key of most commands, nil when there is none,
// and its length in bytes. A length of zero says that it is incomplete or
// unusual. Nothing is checked that Next will check.
func Glance(buf []byte) (key []byte, n int) {
	if len(buf) < 4 || buf[0] != '*' || buf[2] != '\r' {
		return nil, 0
	}
	count := int(buf[1]) - '0'
	if uint(count) > 9 {
		return nil, 0
	}
	pos := 4
	for i := range count {
		if len(buf)-pos < 6 {
			return nil, 0
		}
		length := 0
		for pos++; buf[pos] != '\r'; pos++ {
			length = length*10 + int(buf[pos]) - '0'
			if uint(length) > 1<<20 || pos+3 >= len(buf) {
				return nil, 0
			}
		}
		pos += 2
		if length > len(buf)-pos-2 {
			return nil, 0
		}
		if i == 1 {
			key = buf[pos : pos+length]
		}
		pos += length + 2
	}
	return key, pos
}

// Large tells, after ErrIncomplete, whether the request waits for a large
// argument: its length n, the arguments before it (valid until the next call),
// and from which byte of the buffer on it has arrived. The caller may then read
// the argument into memory of its own and hand it over with [Parser.Provide],
// or ignore this and keep reading into the buffer.
func (p *Parser) Large(buf []byte) (before [][]byte, n, from int, ok bool) {
	if !p.large {
		return nil, 0, 0, false
	}
	return p.locate(buf), p.bulk, p.pos, true
}

// Provide supplies the large argument announced by [Parser.Large]. The bytes
// of the argument and the two behind it must be gone from the buffer: the next
// call of Next passes a buffer that continues, at the position Large returned,
// with what follows them. data must stay valid until the request is executed.
func (p *Parser) Provide(data []byte) {
	p.spans = append(p.spans, span{from: -1, to: len(p.provided)})
	p.provided = append(p.provided, data)
	p.bulk = -1
	p.large = false
	if p.left--; p.left == 0 {
		p.left = complete
	}
}

// count parses the line "*<arguments>\r\n" that begins a request.
func (p *Parser) count(buf []byte) (count, next int, err error) {
	count, next, err = p.header(buf, 0, "mbulk", "multibulk")
	if err != nil || count <= p.limits.MaxArgs {
		return count, next, err
	}
	if p.limits.stranger {
		return 0, 0, ProtocolError("unauthenticated multibulk length")
	}
	return 0, 0, ProtocolError("invalid multibulk length")
}

// length parses the line "$<bytes>\r\n" that announces an argument.
func (p *Parser) length(buf []byte) error {
	if p.pos < len(buf) && buf[p.pos] != '$' {
		return ProtocolError(fmt.Sprintf("expected '$', got '%s'", printable(buf[p.pos])))
	}
	length, next, err := p.header(buf, p.pos, "bulk", "bulk")
	if err != nil {
		return err
	}
	if length < 0 || length > p.limits.MaxBulk {
		if p.limits.stranger && length > 0 {
			return ProtocolError("unauthenticated bulk length")
		}
		return ProtocolError("invalid bulk length")
	}
	p.bulk, p.pos = length, next
	return nil
}

// header parses the line "<mark><integer>\r\n" at from and returns the integer
// and the position behind the line. The two words are Redis's for the line and
// for its number.
func (p *Parser) header(buf []byte, from int, line, number string) (value, next int, err error) {
	rest := buf[from:]
	if len(rest) > p.limits.MaxInline+1 {
		rest = rest[:p.limits.MaxInline+1]
	}
	eol := bytes.IndexByte(rest, '\r')
	if eol < 0 {
		if len(rest) > p.limits.MaxInline {
			return 0, 0, ProtocolError("too big " + line + " count string")
		}
		return 0, 0, ErrIncomplete
	}
	if from+eol+1 >= len(buf) {
		return 0, 0, ErrIncomplete
	}
	v, ok := ParseInt(rest[1:eol])
	if !ok || v != int64(int(v)) {
		return 0, 0, ProtocolError("invalid " + number + " length")
	}
	return int(v), from + eol + 2, nil
}

// printable shows a byte in an error text without breaking the line.
func printable(b byte) string {
	if b < ' ' || b > '~' {
		return fmt.Sprintf("\\x%02x", b)
	}
	return string(rune(b))
}
