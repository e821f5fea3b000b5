package command

import (
	"bytes"
	"strconv"
	"sync"
	"time"
)

// Bounds of what one entry of the slow log keeps of a request.
const (
	slowLogArgs  = 32
	slowLogBytes = 128
)

// slowEntry is one command that took long. It is immutable.
type slowEntry struct {
	id       int64
	at       time.Time
	duration time.Duration
	args     [][]byte
	client   string // address
	name     string // of the client
}

// slowLog keeps the last commands that took long. It is safe for concurrent
// use.
type slowLog struct {
	mu      sync.Mutex
	entries []*slowEntry // GUARDED_BY(mu), newest last
	next    int64        // GUARDED_BY(mu): id of the next entry
	max     int          // GUARDED_BY(mu): entries to keep
}

func (l *slowLog) add(s *Session, cmd *Command, d time.Duration) {
	s.mu.Lock()
	name := s.name
	s.mu.Unlock()
	e := &slowEntry{
		at: time.Now(), duration: d,
		args:   abbreviate(redact(cmd, s.ctx.Args)),
		client: s.Link.RemoteAddr(), name: name,
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.id = l.next
	l.next++
	l.entries = append(l.entries, e)
	l.trim()
}

// REQUIRES: l.mu held.
func (l *slowLog) trim() {
	if extra := len(l.entries) - l.max; extra > 0 {
		l.entries = append([]*slowEntry(nil), l.entries[extra:]...)
	}
}

func (l *slowLog) resize(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.max = n
	l.trim()
}

func (l *slowLog) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

func (l *slowLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = nil
}

// last returns up to n entries, the newest first; n < 0 means all.
func (l *slowLog) last(n int64) []*slowEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 0 || n > int64(len(l.entries)) {
		n = int64(len(l.entries))
	}
	list := make([]*slowEntry, 0, n)
	for i := len(l.entries) - 1; int64(len(list)) < n; i-- {
		list = append(list, l.entries[i])
	}
	return list
}

// abbreviate copies the words of a request, leaving out what is too much.
func abbreviate(args [][]byte) [][]byte {
	kept := make([][]byte, 0, min(len(args), slowLogArgs))
	for i, arg := range args {
		if i == slowLogArgs-1 && len(args) > slowLogArgs {
			more := "... (" + strconv.Itoa(len(args)-i) + " more arguments)"
			return append(kept, []byte(more))
		}
		if len(arg) <= slowLogBytes {
			kept = append(kept, bytes.Clone(arg))
			continue
		}
		more := "... (" + strconv.Itoa(len(arg)-slowLogBytes) + " more bytes)"
		kept = append(kept, append(bytes.Clone(arg[:slowLogBytes]), more...))
	}
	return kept
}

var redacted = []byte("(redacted)")

// redact returns the words of a request without the secrets in it.
func redact(cmd *Command, args [][]byte) [][]byte {
	if cmd == nil {
		return args
	}
	switch cmd.full {
	case "auth":
		return redactFrom(args, 1)
	case "hello":
		for i := 2; i < len(args); i++ {
			if equalFold(args[i], "auth") {
				out := append([][]byte(nil), args...)
				for j := i + 1; j <= i+2 && j < len(args); j++ {
					out[j] = redacted
				}
				return out
			}
		}
	case "config|set":
		out := append([][]byte(nil), args...)
		for i := 2; i+1 < len(args); i += 2 {
			if equalFold(args[i], "requirepass") || equalFold(args[i], "masterauth") {
				out[i+1] = redacted
			}
		}
		return out
	case "acl|setuser", "larder|config":
		return redactFrom(args, 3)
	}
	return args
}

func redactFrom(args [][]byte, from int) [][]byte {
	out := append([][]byte(nil), args...)
	for i := from; i < len(out); i++ {
		out[i] = redacted
	}
	return out
}

func runSlowlogGet(c *Context) {
	n := int64(10)
	if len(c.Args) > 3 {
		c.subcommandSyntax()
		return
	}
	if len(c.Args) == 3 {
		v, ok := parseInt(c.Args[2])
		if !ok || v < -1 {
			c.Error("ERR count should be greater than or equal to -1")
			return
		}
		n = v
	}
	entries := c.Exec.slowLog.last(n)
	c.Out.Array(len(entries))
	for _, e := range entries {
		c.Out.Array(6)
		c.Out.Int(e.id)
		c.Out.Int(e.at.Unix())
		c.Out.Int(e.duration.Microseconds())
		c.Out.Array(len(e.args))
		for _, arg := range e.args {
			c.Out.Bulk(arg)
		}
		c.Out.BulkString(e.client)
		c.Out.BulkString(e.name)
	}
}

func runSlowlogLen(c *Context) { c.Out.Int(int64(c.Exec.slowLog.len())) }

func runSlowlogReset(c *Context) {
	c.Exec.slowLog.reset()
	c.Out.OK()
}

func runSlowlogHelp(c *Context) {
	c.help("SLOWLOG",
		"GET [<count>]",
		"    List the newest <count> entries (10 unless given, -1 for all), each as id,",
		"    Unix time, microseconds, arguments, client address, client name.",
		"LEN",
		"    Tell how many entries there are.",
		"RESET",
		"    Forget all entries.")
}
