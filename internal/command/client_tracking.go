package command

import (
	"slices"
	"strings"
)

func runClientTracking(c *Context) {
	s, t := c.Session, &c.Exec.tracker
	mode, ok := c.trackingMode()
	if !ok {
		return
	}
	on, ok := c.onOff(2)
	if !ok {
		return
	}
	if !on {
		t.stop(s)
		c.Out.OK()
		return
	}
	if text := s.trackingConflict(&mode); text != "" {
		c.Error(text)
		return
	}
	if s.routes != nil && !s.Redirects {
		if !c.raise([]want{{kind: wantChanges}}) {
			return
		}
		defer c.endRaise()
	}
	if mode.broadcast {
		if text := prefixOverlap(mode.prefixes, s.tracking.mode.prefixes); text != "" {
			c.Error(text)
			return
		}
		if len(mode.prefixes) == 0 && len(s.tracking.mode.prefixes) == 0 {
			mode.prefixes = []string{""}
		}
	}
	t.start(s, mode)
	c.Out.OK()
}

// trackingMode reads the options of CLIENT TRACKING; when they are wrong the
// error is the reply and ok is false.
func (c *Context) trackingMode() (m trackingMode, ok bool) {
	for i := 3; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		switch option := c.Args[i]; {
		case equalFold(option, "redirect") && more:
			i++
			if m.redirect != 0 {
				c.Error("ERR A client can only redirect to a single other client")
				return m, false
			}
			if m.redirect, ok = c.Int(i); !ok {
				return m, false
			}
			if c.Exec.sessions.find(m.redirect) == nil {
				c.Error("ERR The client ID you want redirect to does not exist")
				return m, false
			}
		case equalFold(option, "bcast"):
			m.broadcast = true
		case equalFold(option, "optin"):
			m.optIn = true
		case equalFold(option, "optout"):
			m.optOut = true
		case equalFold(option, "noloop"):
			m.noLoop = true
		case equalFold(option, "prefix") && more:
			i++
			m.prefixes = append(m.prefixes, string(c.Args[i]))
		default:
			c.Error(errSyntax)
			return m, false
		}
	}
	return m, true
}

// trackingConflict returns the error for options that exclude one another or
// what is in force, "" when there is none.
func (s *Session) trackingConflict(m *trackingMode) string {
	now := &s.tracking.mode
	switch {
	case !m.broadcast && len(m.prefixes) > 0:
		return "ERR PREFIX option requires BCAST mode to be enabled"
	case s.tracking.on && now.broadcast != m.broadcast:
		return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
	case m.broadcast && (m.optIn || m.optOut):
		return "ERR OPTIN and OPTOUT are not compatible with BCAST"
	case m.optIn && m.optOut:
		return "ERR You can't specify both OPTIN mode and OPTOUT mode"
	case m.optIn && now.optOut, m.optOut && now.optIn:
		return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."
	}
	return ""
}

// prefixOverlap returns the error for new prefixes of which one begins with
// another or with one in force, since a key would be told twice.
func prefixOverlap(added, old []string) string {
	for i, p := range added {
		for _, other := range old {
			if strings.HasPrefix(p, other) || strings.HasPrefix(other, p) {
				return "ERR Prefix '" + p + "' overlaps with an existing prefix '" + other + "'. Prefixes for a single client must not overlap."
			}
		}
		for _, other := range added[i+1:] {
			if strings.HasPrefix(p, other) || strings.HasPrefix(other, p) {
				return "ERR Prefix '" + p + "' overlaps with another provided prefix '" + other + "'. Prefixes for a single client must not overlap."
			}
		}
	}
	return ""
}

func runClientCaching(c *Context) {
	state := &c.Session.tracking
	if !state.on {
		c.Error("ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled")
		return
	}
	switch {
	case equalFold(c.Args[2], "yes"):
		if !state.mode.optIn {
			c.Error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
			return
		}
		state.caching = cachingYes
	case equalFold(c.Args[2], "no"):
		if !state.mode.optOut {
			c.Error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
			return
		}
		state.caching = cachingNo
	default:
		c.Error(errSyntax)
		return
	}
	c.Out.OK()
}

func runClientGetredir(c *Context) { c.Out.Int(c.Session.redirectID()) }

func runClientTrackinginfo(c *Context) {
	s := c.Session
	mode := &s.tracking.mode
	flags := []string{"off"}
	if s.tracking.on {
		flags[0] = "on"
	}
	for _, f := range []struct {
		on   bool
		name string
	}{
		{mode.broadcast, "bcast"},
		{mode.optIn, "optin"},
		{mode.optIn && s.tracking.caching == cachingYes, "caching-yes"},
		{mode.optOut, "optout"},
		{mode.optOut && s.tracking.caching == cachingNo, "caching-no"},
		{mode.noLoop, "noloop"},
		{s.has(flagTrackingBroken), "broken_redirect"},
	} {
		if f.on {
			flags = append(flags, f.name)
		}
	}
	c.Out.Map(3)
	c.Out.BulkString("flags")
	c.Out.Set(len(flags))
	for _, f := range flags {
		c.Out.BulkString(f)
	}
	c.Out.BulkString("redirect")
	c.Out.Int(s.redirectID())
	c.Out.BulkString("prefixes")
	prefixes := slices.Clone(mode.prefixes)
	slices.Sort(prefixes)
	c.Out.Array(len(prefixes))
	for _, p := range prefixes {
		c.Out.BulkString(p)
	}
}
