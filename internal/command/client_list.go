package command

import (
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/larder-cache/larder/internal/resp"
)

// clientType is a value of the TYPE filter of CLIENT LIST and KILL.
type clientType int32

// typeMaster is the type of a connection to a primary, of which there are none.
const typeMaster = clientType(3)

// clientTypeByName returns a type by name.
func clientTypeByName(word []byte) (t clientType, ok bool) {
	switch {
	case equalFold(word, "normal"):
		return clientType(ClassNormal), true
	case equalFold(word, "slave"), equalFold(word, "replica"):
		return clientType(ClassReplica), true
	case equalFold(word, "pubsub"):
		return clientType(ClassPubSub), true
	case equalFold(word, "master"):
		return typeMaster, true
	}
	return 0, false
}

func runClientInfo(c *Context) {
	c.Out.Verbatim("txt", string(append(c.Session.describe(nil, time.UnixMilli(c.Now), c), '\n')))
}

func runClientList(c *Context) {
	now := time.UnixMilli(c.Now)
	var text []byte
	switch {
	case len(c.Args) == 2:
		for _, s := range c.Exec.sessions.all() {
			text = append(s.describe(text, now, c), '\n')
		}
	case len(c.Args) == 4 && equalFold(c.Args[2], "type"):
		t, ok := clientTypeByName(c.Args[3])
		if !ok {
			c.Error("ERR Unknown client type '" + string(clip(c.Args[3], shownWords)) + "'")
			return
		}
		for _, s := range c.Exec.sessions.all() {
			if clientType(s.Class()) == t {
				text = append(s.describe(text, now, c), '\n')
			}
		}
	case len(c.Args) > 3 && equalFold(c.Args[2], "id"):
		for _, word := range c.Args[3:] {
			id, ok := parseInt(word)
			if !ok {
				c.Error("ERR Invalid client ID")
				return
			}
			if s := c.Exec.sessions.find(id); s != nil {
				text = append(s.describe(text, now, c), '\n')
			}
		}
	default:
		c.Error(errSyntax)
		return
	}
	c.Out.Verbatim("txt", string(text))
}

// describe appends the line of CLIENT LIST about a client, without its end, for
// the client that c is about. Safe for concurrent use.
func (s *Session) describe(dst []byte, now time.Time, c *Context) []byte {
	s.mu.Lock()
	name, libName, libVer, user := s.name, s.libName, s.libVer, s.user
	s.mu.Unlock()
	query, queryFree, output := s.Link.Buffers()
	if query == 0 && c.Session == s {
		query = requestBytes(c.Args) // the buffer is looked at between batches
	}
	idle := max(0, now.UnixMilli()-s.LastActive()) / 1000
	lastCommand := "NULL"
	if cmd := s.shared.lastCommand.Load(); cmd != nil {
		lastCommand = cmd.full
	}
	number := func(label string, v int64) {
		dst = append(dst, label...)
		dst = strconv.AppendInt(dst, v, 10)
	}
	text := func(label, v string) {
		dst = append(dst, label...)
		dst = append(dst, v...)
	}
	number("id=", s.ID)
	text(" addr=", s.Link.RemoteAddr())
	text(" laddr=", s.Link.LocalAddr())
	number(" fd=", int64(s.Link.FD()))
	text(" name=", name)
	number(" age=", int64(max(0, now.Sub(s.Created)/time.Second)))
	number(" idle=", idle)
	text(" flags=", s.flagLetters())
	number(" db=", int64(s.shared.db.Load()))
	number(" sub=", int64(s.shared.subs.Load()))
	number(" psub=", int64(s.shared.psubs.Load()))
	number(" ssub=", int64(s.shared.ssubs.Load()))
	if s.has(flagMulti) {
		number(" multi=", int64(s.shared.queued.Load()))
	} else {
		number(" multi=", -1)
	}
	number(" qbuf=", int64(query))
	number(" qbuf-free=", int64(queryFree))
	number(" argv-mem=", 0)
	number(" multi-mem=", s.shared.queuedBytes.Load())
	number(" rbs=", int64(output))
	number(" rbp=", int64(output))
	number(" obl=", int64(output))
	number(" oll=", 0)
	number(" omem=", 0)
	number(" tot-mem=", int64(query+queryFree+output)+s.shared.queuedBytes.Load()+int64(unsafe.Sizeof(*s)))
	text(" events=", "r")
	text(" cmd=", lastCommand)
	text(" user=", user)
	number(" redir=", s.redirectID())
	number(" resp=", int64(resp.Version(s.shared.version.Load())))
	text(" lib-name=", libName)
	text(" lib-ver=", libVer)
	return dst
}

// requestBytes returns how long a request is on the wire.
func requestBytes(args [][]byte) int {
	n := len("*\r\n") + len(strconv.Itoa(len(args)))
	for _, arg := range args {
		n += len("$\r\n\r\n") + len(strconv.Itoa(len(arg))) + len(arg)
	}
	return n
}

// redirectID returns the client that gets the invalidations, -1 without
// tracking.
func (s *Session) redirectID() int64 {
	if !s.has(flagTracking) {
		return -1
	}
	return s.tracking.redirect.Load()
}

// flagLetters returns the letters of CLIENT LIST, N for none.
func (s *Session) flagLetters() string {
	var b strings.Builder
	for _, f := range []struct {
		on     bool
		letter byte
	}{
		{s.has(flagMonitor), 'O'},
		{s.subscriptionCount() > 0, 'P'},
		{s.has(flagMulti), 'x'},
		{s.shared.blocked.Load(), 'b'},
		{s.has(flagTracking), 't'},
		{s.has(flagTrackingBroken), 'R'},
		{s.has(flagTrackingBroadcast), 'B'},
		{s.has(flagUnixSocket), 'U'},
		{s.has(flagNoEvict), 'e'},
		{s.has(flagNoTouch), 'T'},
	} {
		if f.on {
			b.WriteByte(f.letter)
		}
	}
	if b.Len() == 0 {
		return "N"
	}
	return b.String()
}
