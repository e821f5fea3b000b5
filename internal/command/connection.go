package command

func runEcho(c *Context) { c.Out.Bulk(c.Args[1]) }

// runPing answers PONG or its argument. A subscriber of RESP2 gets it as a
// message, since it could not tell it from one otherwise.
func runPing(c *Context) {
	if len(c.Args) > 2 {
		c.Error("ERR wrong number of arguments for 'ping' command")
		return
	}
	if c.Session.gates&gateSubscribed != 0 && c.Session.stillSubscribed() {
		c.Out.Array(2)
		c.Out.BulkString("pong")
		if len(c.Args) == 2 {
			c.Out.Bulk(c.Args[1])
			return
		}
		c.Out.BulkString("")
		return
	}
	if len(c.Args) == 2 {
		c.Out.Bulk(c.Args[1])
		return
	}
	c.Out.Simple("PONG")
}

func runQuit(c *Context) {
	c.Out.OK()
	c.Close()
}

func runSelect(c *Context) {
	v, ok := parseInt(c.Args[1])
	switch {
	case !ok:
		c.Error(errNotInteger)
	case v != int64(int32(v)):
		c.Error("ERR value is out of range, value must between -2147483648 and 2147483647")
	case v < 0 || v >= int64(c.Exec.store.Databases()):
		c.Error("ERR DB index is out of range")
	case v != 0 && c.oneDatabase():
		c.Error("ERR SELECT is not allowed in cluster mode")
	default:
		c.Session.selectDB(int(v))
		c.Out.OK()
	}
}

// runReset puts the connection into the state it began with.
func runReset(c *Context) {
	s, x := c.Session, c.Exec
	x.discard(s)
	x.tracker.stop(s)
	x.monitors.remove(x, s)
	x.pubsub.removeAll(s)
	s.shared.class.Store(int32(ClassNormal))
	s.selectDB(0)
	s.speak(2)
	s.set(flagNoEvict|flagNoTouch, false)
	s.gate(gateNoTouch, false)
	s.reply = replyOn
	s.gate(gateReply, false)
	s.rename("")
	s.mu.Lock()
	s.user = defaultUser
	s.mu.Unlock()
	x.leaveAllowance(s)
	s.User, s.knownUser = defaultUser, false
	s.Authenticated = x.Options().Password == ""
	s.gate(gateAuth, !s.Authenticated)
	c.Out.Simple("RESET")
}
