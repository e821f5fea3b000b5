package command

import (
	"math"
	"time"
)

const errClientName = "ERR Client names cannot contain spaces, newlines or special characters."

// validClientName reports whether a name is printable and without blanks.
func validClientName(name []byte) bool {
	for _, b := range name {
		if b < '!' || b > '~' {
			return false
		}
	}
	return true
}

// rename gives the connection a name; empty: none.
func (s *Session) rename(name string) {
	s.mu.Lock()
	s.name = name
	s.mu.Unlock()
}

func runClientID(c *Context) { c.Out.Int(c.Session.ID) }

func runClientGetname(c *Context) {
	c.Session.mu.Lock()
	name := c.Session.name
	c.Session.mu.Unlock()
	if name == "" {
		c.Out.Null()
		return
	}
	c.Out.BulkString(name)
}

func runClientSetname(c *Context) {
	if !validClientName(c.Args[2]) {
		c.Error(errClientName)
		return
	}
	c.Session.rename(string(c.Args[2]))
	c.Out.OK()
}

func runClientSetinfo(c *Context) {
	s := c.Session
	var field *string
	label := ""
	switch option := c.Args[2]; {
	case equalFold(option, "lib-name"):
		field, label = &s.libName, "lib-name"
	case equalFold(option, "lib-ver"):
		field, label = &s.libVer, "lib-ver"
	default:
		c.Error("ERR Unrecognized option '" + string(clip(option, shownWords)) + "'")
		return
	}
	if !validClientName(c.Args[3]) {
		c.Error("ERR " + label + " cannot contain spaces, newlines or special characters.")
		return
	}
	s.mu.Lock()
	*field = string(c.Args[3])
	s.mu.Unlock()
	c.Out.OK()
}

// onOff reads an argument that must be ON or OFF; otherwise the reply is a
// syntax error and ok is false.
func (c *Context) onOff(i int) (on, ok bool) {
	switch {
	case equalFold(c.Args[i], "on"):
		return true, true
	case equalFold(c.Args[i], "off"):
		return false, true
	}
	c.Error(errSyntax)
	return false, false
}

func runClientNoEvict(c *Context) {
	if on, ok := c.onOff(2); ok {
		c.Session.set(flagNoEvict, on)
		c.Out.OK()
	}
}

func runClientNoTouch(c *Context) {
	if on, ok := c.onOff(2); ok {
		c.Session.set(flagNoTouch, on)
		c.Session.gate(gateNoTouch, on)
		c.Out.OK()
	}
}

// runClientReply switches replies. Only ON answers, the others being the
// first requests that go without.
func runClientReply(c *Context) {
	s := c.Session
	switch {
	case equalFold(c.Args[2], "on"):
		s.reply = replyOn
		s.gate(gateReply, false)
		c.Out.OK()
	case equalFold(c.Args[2], "off"):
		s.reply = replyOff
		s.gate(gateReply, true)
	case equalFold(c.Args[2], "skip"):
		if s.reply != replyOff {
			s.reply = replySkipNext
			s.gate(gateReply, true)
		}
	default:
		c.Error(errSyntax)
	}
}

func runClientPause(c *Context) {
	all := true
	if len(c.Args) > 4 {
		c.subcommandSyntax()
		return
	}
	if len(c.Args) == 4 {
		switch {
		case equalFold(c.Args[3], "write"):
			all = false
		case !equalFold(c.Args[3], "all"):
			c.Error("ERR CLIENT PAUSE mode must be WRITE or ALL")
			return
		}
	}
	ms, ok := c.timeout(2)
	if !ok {
		return
	}
	c.Exec.pause.begin(c.Exec, time.Duration(ms)*time.Millisecond, all)
	c.Out.OK()
}

// timeout reads a number of milliseconds; when it is none that can be used the
// error is the reply and ok is false.
func (c *Context) timeout(i int) (ms int64, ok bool) {
	ms, ok = parseInt(c.Args[i])
	switch {
	case !ok:
		c.Error("ERR timeout is not an integer or out of range")
	case ms < 0:
		c.Error("ERR timeout is negative")
		ok = false
	case ms > math.MaxInt64-c.Now || ms > math.MaxInt64/int64(time.Millisecond):
		c.Error("ERR timeout is out of range")
		ok = false
	}
	return ms, ok
}

func runClientUnpause(c *Context) {
	c.Exec.pause.end(c.Exec, nil)
	c.Out.OK()
}

func runClientUnblock(c *Context) {
	cause := unblockTimeout
	if len(c.Args) > 4 {
		c.subcommandSyntax()
		return
	}
	if len(c.Args) == 4 {
		switch {
		case equalFold(c.Args[3], "timeout"):
		case equalFold(c.Args[3], "error"):
			cause = unblockError
		default:
			c.Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
			return
		}
	}
	id, ok := c.Int(2)
	if !ok {
		return
	}
	if target := c.Exec.sessions.find(id); target != nil && target.wait.unblock(cause) {
		c.Out.Int(1)
		return
	}
	c.Out.Int(0)
}

func runClientHelp(c *Context) {
	c.help("CLIENT",
		"CACHING (YES|NO)",
		"    Track the keys of the next request, or do not, with OPTIN or OPTOUT.",
		"GETNAME",
		"    Return the name of this connection.",
		"GETREDIR",
		"    Return the id of the client that gets our invalidations.",
		"ID",
		"    Return the id of this connection.",
		"INFO",
		"    Describe this connection.",
		"KILL <ip:port>",
		"    Close the connection from <ip:port>.",
		"KILL <option> <value> [<option> <value> [...]]",
		"    Close the connections for which all hold:",
		"    * ID <client-id>, ADDR <ip:port>, LADDR <ip:port>, USER <username>,",
		"      TYPE (NORMAL|MASTER|REPLICA|PUBSUB), SKIPME (YES|NO) (default: yes)",
		"LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <client-id> [...]]",
		"    Describe connections, one a line.",
		"NO-EVICT (ON|OFF)",
		"    Do not close this connection to free memory.",
		"NO-TOUCH (ON|OFF)",
		"    Reads of this connection do not count for eviction.",
		"PAUSE <timeout> [WRITE|ALL]",
		"    Hold requests back for <timeout> milliseconds.",
		"REPLY (ON|OFF|SKIP)",
		"    Switch the replies to this connection.",
		"SETINFO (LIB-NAME|LIB-VER) <value>",
		"    Note what the client's library is.",
		"SETNAME <name>",
		"    Give this connection a name.",
		"TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
		"         [OPTIN] [OPTOUT] [NOLOOP]",
		"    Tell this client when keys it has read change.",
		"TRACKINGINFO",
		"    Tell how this connection tracks keys.",
		"UNBLOCK <client-id> [TIMEOUT|ERROR]",
		"    End the waiting of a client.",
		"UNPAUSE",
		"    End a pause.")
}
