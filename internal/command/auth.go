package command

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"

	"github.com/larder-cache/larder/internal/resp"
)

// defaultUser is the one user there is.
const defaultUser = "default"

const (
	errNoAuth        = "NOAUTH Authentication required."
	errHelloNoAuth   = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
	errWrongPassword = "WRONGPASS invalid username-password pair or user is disabled."
	errNoPassword    = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
	errDebugDisabled = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server."
)

// needsAuth reports whether a password is asked of the client that it has not
// given. One that connected while none was asked for stays in.
func (x *Executor) needsAuth(s *Session) bool {
	return !s.Authenticated && x.Options().Password != ""
}

// authenticate checks a user's password and, when it is right, logs the client
// in.
func (x *Executor) authenticate(s *Session, user, password []byte) bool {
	want := x.Options().Password
	if string(user) != defaultUser || want != "" && !samePassword(password, want) {
		x.stats.authFailed.Add(1)
		return false
	}
	x.leaveAllowance(s)
	s.login(defaultUser, want != "")
	return true
}

// samePassword compares in a time that tells nothing about either.
func samePassword(given []byte, want string) bool {
	a, b := sha256.Sum256(given), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// allowsDebug reports whether enable-debug-command lets the client use DEBUG.
func (x *Executor) allowsDebug(s *Session) bool {
	switch x.Options().Debug {
	case "yes":
		return true
	case "local":
		addr := s.Link.RemoteAddr()
		return s.has(flagUnixSocket) || strings.HasPrefix(addr, "127.") || strings.HasPrefix(addr, "[::1]:")
	}
	return false
}

func runAuth(c *Context) {
	user, password := []byte(defaultUser), c.Args[1]
	switch len(c.Args) {
	case 2:
		if c.Exec.Options().Password == "" {
			c.Error(errNoPassword)
			return
		}
	case 3:
		user, password = c.Args[1], c.Args[2]
	default:
		c.Error(errSyntax)
		return
	}
	if !c.Exec.authenticate(c.Session, user, password) {
		c.Error(errWrongPassword)
		return
	}
	c.Out.OK()
}

// runHello agrees on the version of the protocol: HELLO [version [AUTH user
// password] [SETNAME name]].
func runHello(c *Context) {
	version := c.Out.Version
	next := 1
	if len(c.Args) > 1 {
		v, ok := parseInt(c.Args[1])
		if !ok {
			c.Error("ERR Protocol version is not an integer or out of range")
			return
		}
		if v < 2 || v > 3 {
			c.Error("NOPROTO unsupported protocol version")
			return
		}
		version, next = resp.Version(v), 2
	}
	var user, password, name []byte
	for i := next; i < len(c.Args); i++ {
		more := len(c.Args) - i - 1
		switch {
		case equalFold(c.Args[i], "auth") && more >= 2:
			user, password = c.Args[i+1], c.Args[i+2]
			i += 2
		case equalFold(c.Args[i], "setname") && more >= 1:
			name = c.Args[i+1]
			if !validClientName(name) {
				c.Error(errClientName)
				return
			}
			i++
		default:
			c.Error("ERR Syntax error in HELLO option '" + string(clip(c.Args[i], shownWords)) + "'")
			return
		}
	}
	if user != nil && !c.Exec.authenticate(c.Session, user, password) {
		c.Error(errWrongPassword)
		return
	}
	if c.Exec.needsAuth(c.Session) {
		c.Error(errHelloNoAuth)
		return
	}
	if name != nil {
		c.Session.rename(string(name))
	}
	c.Session.speak(version)
	c.Out.Map(7)
	c.Out.BulkString("server")
	c.Out.BulkString("redis")
	c.Out.BulkString("version")
	c.Out.BulkString(RedisVersion)
	c.Out.BulkString("proto")
	c.Out.Int(int64(version))
	c.Out.BulkString("id")
	c.Out.Int(c.Session.ID)
	c.Out.BulkString("mode")
	c.Out.BulkString(mode(c.Redirects))
	c.Out.BulkString("role")
	c.Out.BulkString("master")
	c.Out.BulkString("modules")
	c.Out.Array(0)
}

// randomHex returns n random hexadecimal digits.
func randomHex(n int) string {
	b := make([]byte, (n+1)/2)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)[:n]
}
