package command

// killFilter selects the clients to close; zero fields select all.
type killFilter struct {
	id           int64
	addr, laddr  string
	user         string
	kind         clientType
	byKind, self bool // self: the client that asks may be closed too
}

func (f *killFilter) matches(s *Session) bool {
	s.mu.Lock()
	user := s.user
	s.mu.Unlock()
	return (f.id == 0 || s.ID == f.id) &&
		(f.addr == "" || s.Link.RemoteAddr() == f.addr) &&
		(f.laddr == "" || s.Link.LocalAddr() == f.laddr) &&
		(f.user == "" || user == f.user) &&
		(!f.byKind || clientType(s.Class()) == f.kind)
}

func runClientKill(c *Context) {
	if len(c.Args) == 3 {
		if c.kill(killFilter{addr: string(c.Args[2]), self: true}) == 0 {
			c.Error("ERR No such client")
			return
		}
		c.Out.OK()
		return
	}
	filter, ok := c.killFilter()
	if !ok {
		return
	}
	c.Out.Int(int64(c.kill(filter)))
}

// kill closes the clients that match and returns how many they are. The one
// that asks is closed after its reply.
func (c *Context) kill(f killFilter) (n int) {
	for _, s := range c.Exec.sessions.all() {
		if !f.matches(s) {
			continue
		}
		if s == c.Session {
			if f.self {
				c.Close()
				n++
			}
			continue
		}
		s.Interrupt()
		s.Link.Kill(false)
		n++
	}
	return n
}

// killFilter reads the options of CLIENT KILL; when they are wrong the error
// is the reply and ok is false.
func (c *Context) killFilter() (f killFilter, ok bool) {
	for i := 2; i < len(c.Args); i += 2 {
		if i+1 == len(c.Args) {
			c.Error(errSyntax)
			return f, false
		}
		value := c.Args[i+1]
		switch option := c.Args[i]; {
		case equalFold(option, "id"):
			if f.id, ok = parseInt(value); !ok || f.id < 1 {
				c.Error("ERR client-id should be greater than 0")
				return f, false
			}
		case equalFold(option, "type"):
			if f.kind, ok = clientTypeByName(value); !ok {
				c.Error("ERR Unknown client type '" + string(clip(value, shownWords)) + "'")
				return f, false
			}
			f.byKind = true
		case equalFold(option, "addr"):
			f.addr = string(value)
		case equalFold(option, "laddr"):
			f.laddr = string(value)
		case equalFold(option, "user"):
			if string(value) != defaultUser {
				c.Error("ERR No such user '" + string(clip(value, shownWords)) + "'")
				return f, false
			}
			f.user = defaultUser
		case equalFold(option, "skipme") && equalFold(value, "yes"):
			f.self = false
		case equalFold(option, "skipme") && equalFold(value, "no"):
			f.self = true
		default:
			c.Error(errSyntax)
			return f, false
		}
	}
	return f, true
}
