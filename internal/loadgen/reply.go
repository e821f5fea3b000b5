package loadgen

import (
	"bytes"
	"errors"
	"fmt"
)

// reply is what a load generator wants to know of one.
type reply struct {
	errText []byte // text of the (first) error in it, valid until the next call; nil without one
	values  int    // scalar values in it, nulls included
	nulls   int    // nulls among them
}

// replyReader finds the ends of replies in a stream of bytes without keeping
// the values.
//
// next reads from p and returns how many bytes it took, and the reply when one
// is complete; the reply is valid until the next call. Without a reply it has
// taken all of p. An error means that the stream is not the protocol, and is final.
type replyReader interface {
	next(p []byte) (n int, r *reply, err error)
}

func newReplyReader(p Protocol) replyReader {
	if p == Memcached || p == MemcachedMeta {
		return &memcachedReader{}
	}
	return &respReader{}
}

// maxLine bounds what is kept of a line that arrives in parts.
const maxLine = 64 << 10

var errLongLine = errors.New("a line of the reply is longer than 64 KiB")

// lines cuts a stream into lines; the beginning of one that arrives in parts
// is kept in carry.
type lines struct {
	carry []byte
	whole bool // carry was returned by the last call, and is free
}

// next returns the next line without CR LF, valid until the next call, and the
// number of bytes taken. A nil line means that p, taken whole, did not end it.
func (l *lines) next(p []byte) (line []byte, n int, err error) {
	if l.whole {
		l.carry, l.whole = l.carry[:0], false
	}
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		if len(l.carry)+len(p) > maxLine {
			return nil, 0, errLongLine
		}
		l.carry = append(l.carry, p...)
		return nil, len(p), nil
	}
	line = p[:i+1]
	if len(l.carry) > 0 {
		l.carry = append(l.carry, line...)
		line, l.whole = l.carry, true
	}
	if len(line) < 2 || line[len(line)-2] != '\r' {
		return nil, 0, fmt.Errorf("line %.40q does not end in CR LF", line)
	}
	return line[:len(line)-2], i + 1, nil
}

// parseLength reads a decimal number, or -1.
func parseLength(b []byte) (int64, error) {
	if len(b) == 2 && b[0] == '-' && b[1] == '1' {
		return -1, nil
	}
	if len(b) == 0 || len(b) > 15 {
		return 0, fmt.Errorf("length %.40q is not a number", b)
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("length %.40q is not a number", b)
		}
		n = n*10 + int64(c-'0')
	}
	return n, nil
}
