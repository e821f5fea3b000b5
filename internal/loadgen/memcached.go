package loadgen

import (
	"bytes"
	"fmt"
)

// memcachedReader reads the replies of memcached's text and meta protocols to
// commands of a single key. The zero value is at the start of a reply.
type memcachedReader struct {
	lines lines
	state reply
	skip  int64 // bytes of a value to come, its CR LF included
	end   bool  // an END line follows the value (text protocol)
	value bool  // a value of this reply was read
	text  []byte
}

func (m *memcachedReader) next(p []byte) (n int, done *reply, err error) {
	for n < len(p) {
		if m.skip > 0 {
			k := min(m.skip, int64(len(p)-n))
			n += int(k)
			if m.skip -= k; m.skip > 0 {
				return n, nil, nil
			}
			if !m.end {
				return n, m.reply(0), nil
			}
			continue
		}
		line, k, err := m.lines.next(p[n:])
		n += k
		if err != nil || line == nil {
			return n, nil, err
		}
		done, err := m.line(line)
		if done != nil || err != nil {
			return n, done, err
		}
	}
	return n, nil, nil
}

func (m *memcachedReader) line(line []byte) (*reply, error) {
	word, rest, _ := bytes.Cut(line, []byte(" "))
	switch string(word) {
	case "VALUE": // VALUE <key> <flags> <bytes> [<cas>]
		fields := rest
		for range 2 {
			_, fields, _ = bytes.Cut(fields, []byte(" "))
		}
		return nil, m.begin(fields, true)
	case "VA": // VA <bytes> <flags>*
		return nil, m.begin(rest, false)
	case "END":
		if m.value {
			return m.reply(0), nil
		}
		return m.reply(1), nil
	case "EN":
		return m.reply(1), nil
	case "STORED", "HD", "DELETED", "NOT_FOUND", "NF", "TOUCHED", "OK":
		return m.reply(0), nil
	case "ERROR", "CLIENT_ERROR", "SERVER_ERROR", "NOT_STORED", "EXISTS", "NS", "EX":
		m.text = append(m.text[:0], line[:min(len(line), maxErrorText)]...)
		r := m.reply(0)
		r.errText = m.text
		return r, nil
	}
	return nil, fmt.Errorf("%.40q is not a reply of memcached", line)
}

func (m *memcachedReader) begin(fields []byte, end bool) error {
	size, _, _ := bytes.Cut(fields, []byte(" "))
	n, err := parseLength(size)
	if err != nil {
		return err
	}
	if n < 0 {
		return fmt.Errorf("length %d of a value is negative", n)
	}
	m.skip, m.end, m.value = n+2, end, true
	return nil
}

// reply completes the reply under way.
func (m *memcachedReader) reply(nulls int) *reply {
	m.value = false
	m.state = reply{values: 1, nulls: nulls}
	return &m.state
}
