package resp

import "bytes"

// inline parses a request typed by a person: one line, arguments separated by
// blanks, with quotes as in a shell.
func (p *Parser) inline(buf []byte) (args [][]byte, n int, err error) {
	eol := bytes.IndexByte(buf[:min(len(buf), p.limits.MaxInline+1)], '\n')
	if eol < 0 {
		if len(buf) > p.limits.MaxInline {
			return nil, 0, ProtocolError("too big inline request")
		}
		return nil, 0, ErrIncomplete
	}
	line := bytes.TrimSuffix(buf[:eol], []byte{'\r'})
	args, ok := SplitLine(line)
	if !ok {
		return nil, 0, ProtocolError("unbalanced quotes in request")
	}
	p.args = append(p.args[:0], args...)
	return p.args, eol + 1, nil
}

// SplitLine splits a line into words. Double quotes allow the escapes \n \r \t
// \b \a \xHH and a backslash before any other byte; single quotes only \'. It
// reports false when a quote is not closed, or is not followed by a blank.
// The words do not alias line.
func SplitLine(line []byte) (words [][]byte, ok bool) {
	for i := 0; ; {
		for i < len(line) && isBlank(line[i]) {
			i++
		}
		if i == len(line) {
			return words, true
		}
		word := []byte{}
		for i < len(line) && !isBlank(line[i]) {
			switch line[i] {
			case '"':
				i++
				if word, i, ok = doubleQuoted(line, i, word); !ok {
					return nil, false
				}
			case '\'':
				i++
				if word, i, ok = singleQuoted(line, i, word); !ok {
					return nil, false
				}
			default:
				word = append(word, line[i])
				i++
				continue
			}
			if i < len(line) && !isBlank(line[i]) {
				return nil, false
			}
		}
		words = append(words, word)
	}
}

func doubleQuoted(line []byte, i int, word []byte) ([]byte, int, bool) {
	for i < len(line) {
		switch c := line[i]; {
		case c == '"':
			return word, i + 1, true
		case c == '\\' && i+3 < len(line) && line[i+1] == 'x' && isHex(line[i+2]) && isHex(line[i+3]):
			word = append(word, unhex(line[i+2])<<4|unhex(line[i+3]))
			i += 4
		case c == '\\' && i+1 < len(line):
			word = append(word, unescape(line[i+1]))
			i += 2
		default:
			word = append(word, c)
			i++
		}
	}
	return nil, 0, false
}

func singleQuoted(line []byte, i int, word []byte) ([]byte, int, bool) {
	for i < len(line) {
		switch c := line[i]; {
		case c == '\'':
			return word, i + 1, true
		case c == '\\' && i+1 < len(line) && line[i+1] == '\'':
			word = append(word, '\'')
			i += 2
		default:
			word = append(word, c)
			i++
		}
	}
	return nil, 0, false
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}

func isBlank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f' || c == 0
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}
