package command

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/resp"
)

// monitors are the clients that watch all requests (MONITOR). While there are
// none it costs nothing: the executor's gate is open.
type monitors struct {
	mu   sync.RWMutex
	list []*Session // GUARDED_BY(mu)
}

func (m *monitors) add(x *Executor, s *Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.list, s) {
		m.list = append(m.list, s)
	}
	s.set(flagMonitor, true)
	x.gate(gateMonitor, true)
}

func (m *monitors) remove(x *Executor, s *Session) {
	if !s.has(flagMonitor) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = slices.DeleteFunc(m.list, func(other *Session) bool { return other == s })
	s.set(flagMonitor, false)
	x.gate(gateMonitor, len(m.list) > 0)
}

func (m *monitors) len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.list)
}

// feed shows a request that is about to run to those who watch.
func (m *monitors) feed(x *Executor, s *Session, cmd *Command, args [][]byte) {
	if cmd.Flags&(SkipMonitor|Admin) != 0 {
		return
	}
	now := time.Now()
	line := make([]byte, 0, 128)
	line = strconv.AppendInt(line, now.Unix(), 10)
	line = append(line, '.')
	micros := strconv.Itoa(now.Nanosecond() / 1000)
	line = append(line, "000000"[:6-len(micros)]...)
	line = append(line, micros...)
	line = append(line, " ["...)
	line = strconv.AppendInt(line, int64(s.DB), 10)
	line = append(line, ' ')
	if s.has(flagUnixSocket) {
		line = append(line, "unix:"...)
		line = append(line, unixPath(s.Link.LocalAddr())...)
	} else {
		line = append(line, s.Link.RemoteAddr()...)
	}
	line = append(line, ']')
	for _, arg := range redact(cmd, args) {
		line = append(line, ' ')
		line = appendQuoted(line, arg)
	}
	w := resp.Writer{Version: resp.RESP2}
	w.Simple(string(line))
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, watcher := range m.list {
		watcher.Link.Push(w.Buf)
	}
}

// unixPath returns the path of an address "path:0".
func unixPath(addr string) string {
	if n := len(addr) - 2; n >= 0 && addr[n:] == ":0" {
		return addr[:n]
	}
	return addr
}

// appendQuoted appends bytes in double quotes, with escapes for what does not
// print.
func appendQuoted(dst, word []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, b := range word {
		switch {
		case b == '\\' || b == '"':
			dst = append(dst, '\\', b)
		case b == '\n':
			dst = append(dst, `\n`...)
		case b == '\r':
			dst = append(dst, `\r`...)
		case b == '\t':
			dst = append(dst, `\t`...)
		case b == '\a':
			dst = append(dst, `\a`...)
		case b == '\b':
			dst = append(dst, `\b`...)
		case b < ' ' || b > '~':
			dst = append(dst, '\\', 'x', digits[b>>4], digits[b&15])
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, '"')
}

func runMonitor(c *Context) {
	c.Exec.monitors.add(c.Exec, c.Session)
	c.Out.OK()
}
