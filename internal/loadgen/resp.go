package loadgen

import (
	"errors"
	"fmt"
)

// respReader reads RESP2 and RESP3. The zero value is at the start of a reply.
//
// Nested replies need no stack: an aggregate of n elements is a value that is
// replaced by n more to come, so one count of what is still to come is enough.
type respReader struct {
	lines lines
	state reply
	begun bool
	push  bool  // the value under way is a push message, which answers nothing
	left  int64 // values to come until the reply is complete
	skip  int64 // bytes of a bulk string to come, its CR LF included
	blob  bool  // skip is of a bulk error: its beginning is the text
	text  []byte
}

// maxErrorText is how much of a bulk error is kept.
const maxErrorText = 512

func (r *respReader) next(p []byte) (n int, done *reply, err error) {
	for n < len(p) {
		if r.skip > 0 {
			k := min(r.skip, int64(len(p)-n))
			if r.blob {
				r.keep(p[n : n+int(k)])
			}
			n += int(k)
			if r.skip -= k; r.skip > 0 {
				return n, nil, nil
			}
			if r.blob {
				r.blob = false
				r.fail(trimCRLF(r.text))
			}
			if r.value() {
				return n, &r.state, nil
			}
			continue
		}
		line, k, err := r.lines.next(p[n:])
		n += k
		if err != nil || line == nil {
			return n, nil, err
		}
		if !r.begun {
			r.begun, r.left, r.state = true, 1, reply{}
			r.push = len(line) > 0 && line[0] == '>'
		}
		complete, err := r.line(line)
		if err != nil {
			return n, nil, err
		}
		if complete {
			return n, &r.state, nil
		}
	}
	return n, nil, nil
}

// line takes a type byte with what follows it, and reports whether that
// completed the reply.
func (r *respReader) line(line []byte) (bool, error) {
	if len(line) == 0 {
		return false, errors.New("an empty line where a reply should begin")
	}
	switch line[0] {
	case '$', '=', '!':
		size, err := parseLength(line[1:])
		if err != nil {
			return false, err
		}
		r.state.values++
		if size < 0 {
			r.state.nulls++
			return r.value(), nil
		}
		r.skip = size + 2
		if line[0] == '!' && r.state.errText == nil {
			r.blob, r.text = true, r.text[:0]
		}
		return false, nil
	case '-':
		r.fail(line[1:])
		r.state.values++
	case '_':
		r.state.values++
		r.state.nulls++
	case '+', ':', ',', '#', '(':
		r.state.values++
	case '*', '~', '>', '%', '|':
		return r.aggregate(line)
	default:
		return false, fmt.Errorf("%.40q does not begin as a RESP reply", line)
	}
	return r.value(), nil
}

// aggregate takes the header of a value that consists of others.
func (r *respReader) aggregate(line []byte) (bool, error) {
	n, err := parseLength(line[1:])
	if err != nil {
		return false, err
	}
	if n < 0 {
		r.state.values++
		r.state.nulls++
		n = 0
	}
	switch line[0] {
	case '%':
		n *= 2
	case '|': // attributes come before the value and are none
		r.left += 2 * n
		return false, nil
	}
	r.left += n
	return r.value(), nil
}

// value counts a value as read. It reports whether the reply is complete; a
// push message is read and forgotten.
func (r *respReader) value() bool {
	if r.left--; r.left > 0 {
		return false
	}
	r.begun = false
	if r.push {
		r.push = false
		return false
	}
	return true
}

func (r *respReader) fail(text []byte) {
	if r.state.errText == nil {
		r.text = append(r.text[:0], text[:min(len(text), maxErrorText)]...)
		r.state.errText = r.text
	}
}

func (r *respReader) keep(b []byte) {
	r.text = append(r.text, b[:min(len(b), maxErrorText+2-len(r.text))]...)
}

func trimCRLF(b []byte) []byte {
	if n := len(b); n >= 2 && b[n-2] == '\r' && b[n-1] == '\n' {
		return b[:n-2]
	}
	return b
}
