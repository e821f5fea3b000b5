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
var Unauthenticated = Limits{MaxBulk: 16 << 10, MaxArgs: 10}

// Parser splits a stream of bytes into requests. The zero value is not usable;
// see [NewParser]. It is not safe for concurrent use.
//
// A request that arrives in pieces is not parsed twice: the parser remembers
// how far it came, relative to the start of the request.
type Parser struct {
	limits Limits

	args  [][]byte // the request returned last, or under construction
	spans []span   // where the arguments of the request under construction are
	pos   int      // bytes of the request understood so far
	left  int      // arguments still to come; 0 between requests
	bulk  int      // length of the argument being read, -1 when its header is next
	large bool     // the argument being read is to be supplied by Provide
}

// span is one argument: bytes from:to of the request, or outside of it.
type span struct {
	from, to int
	outside  []byte
}

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
// [ProtocolError] for everything that is not RESP or is beyond the limits.
func (p *Parser) Next(buf []byte) (args [][]byte, n int, err error) {
	if p.left == 0 {
		if len(buf) == 0 {
			return nil, 0, ErrIncomplete
		}
		if buf[0] != '*' {
			return p.inline(buf)
		}
		if args, n, ok := p.fast(buf); ok {
			return args, n, nil
		}
		count, next, err := p.header(buf, 0, '*')
		if err != nil {
			return nil, 0, err
		}
		if count > p.limits.MaxArgs {
			if p.limits.MaxArgs < 1<<10 {
				return nil, 0, ProtocolError("unauthenticated multibulk length")
			}
			return nil, 0, ProtocolError("invalid multibulk length")
		}
		if count <= 0 {
			return nil, next, nil
		}
		p.pos, p.left, p.bulk, p.spans = next, count, -1, p.spans[:0]
	}
	for p.left > 0 {
		if p.bulk < 0 {
			if p.pos < len(buf) && buf[p.pos] != '$' {
				return nil, 0, ProtocolError(fmt.Sprintf("expected '$', got '%s'", printable(buf[p.pos])))
			}
			length, next, err := p.header(buf, p.pos, '$')
			if err != nil {
				return nil, 0, err
			}
			if length < 0 || length > p.limits.MaxBulk {
				if p.limits.MaxBulk <= 16<<10 && length > 0 {
					return nil, 0, ProtocolError("unauthenticated bulk length")
				}
				return nil, 0, ProtocolError("invalid bulk length")
			}
			p.bulk, p.pos = length, next
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
	p.args = p.args[:0]
	for _, s := range p.spans {
		if s.outside != nil {
			p.args = append(p.args, s.outside)
			continue
		}
		p.args = append(p.args, buf[s.from:s.to:s.to])
	}
	n = p.pos
	p.pos, p.left, p.large = 0, 0, false
	return p.args, n, nil
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
		if uint(length) > 9 {
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

// Large tells, after ErrIncomplete, whether the request waits for a large
// argument: its length n, the arguments before it (valid until the next call),
// and from which byte of the buffer on it has arrived. The caller may then read
// the argument into memory of its own and hand it over with [Parser.Provide],
// or ignore this and keep reading into the buffer.
func (p *Parser) Large(buf []byte) (before [][]byte, n, from int, ok bool) {
	if !p.large {
		return nil, 0, 0, false
	}
	p.args = p.args[:0]
	for _, s := range p.spans {
		if s.outside != nil {
			p.args = append(p.args, s.outside)
			continue
		}
		p.args = append(p.args, buf[s.from:s.to:s.to])
	}
	return p.args, p.bulk, p.pos, true
}

// Provide supplies the large argument announced by [Parser.Large]. The bytes
// of the argument and the two behind it must be gone from the buffer: the next
// call of Next passes a buffer that continues, at the position Large returned,
// with what follows them. data must stay valid until the request is executed.
func (p *Parser) Provide(data []byte) {
	p.spans = append(p.spans, span{outside: data})
	p.left--
	p.bulk = -1
	p.large = false
	if p.left == 0 {
		p.left = complete
	}
}

// complete, as the number of arguments still to come, marks a request of which
// all have come but which Next has not returned yet.
const complete = -1

// Pending tells whether a request has begun to arrive and is not complete.
func (p *Parser) Pending() bool { return p.left != 0 }

// header parses the line "<mark><integer>\r\n" at from and returns the integer
// and the position behind the line.
func (p *Parser) header(buf []byte, from int, mark byte) (value, next int, err error) {
	rest := buf[from:]
	eol := bytes.IndexByte(rest, '\r')
	if eol < 0 || eol+1 >= len(rest) {
		if len(rest) > p.limits.MaxInline {
			if mark == '*' {
				return 0, 0, ProtocolError("too big mbulk count string")
			}
			return 0, 0, ProtocolError("too big bulk count string")
		}
		return 0, 0, ErrIncomplete
	}
	v, ok := ParseInt(rest[1:eol])
	if !ok || v != int64(int(v)) {
		if mark == '*' {
			return 0, 0, ProtocolError("invalid multibulk length")
		}
		return 0, 0, ProtocolError("invalid bulk length")
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
