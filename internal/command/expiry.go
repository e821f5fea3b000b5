package command

import "math"

// expiryKind is how the expiry options of SET and GETEX name a time.
type expiryKind uint8

const (
	noExpiry      expiryKind = iota // none given: SET removes the expiry, GETEX leaves it
	inSeconds                       // EX
	inMillis                        // PX
	atSeconds                       // EXAT
	atMillis                        // PXAT
	keepExpiry                      // KEEPTTL of SET
	persistExpiry                   // PERSIST of GETEX
)

// expiryOption is what a request says about expiry.
type expiryOption struct {
	kind expiryKind
	arg  []byte // the number, when the kind takes one
}

func (o expiryOption) takesTime() bool { return o.kind >= inSeconds && o.kind <= atMillis }

// parse understands the option at position i of a request and returns the
// position of the next one; ok is false when it is none of the expiry options,
// lacks its number, or contradicts another. The same option may be repeated.
func (o *expiryOption) parse(args [][]byte, i int) (next int, ok bool) {
	kind := expiryWord(args[i])
	if kind == noExpiry || o.kind != noExpiry && o.kind != kind {
		return i, false
	}
	o.kind = kind
	if !o.takesTime() {
		return i + 1, true
	}
	if i+1 >= len(args) {
		return i, false
	}
	o.arg = args[i+1]
	return i + 2, true
}

func expiryWord(word []byte) expiryKind {
	switch {
	case equalFold(word, "ex"):
		return inSeconds
	case equalFold(word, "px"):
		return inMillis
	case equalFold(word, "exat"):
		return atSeconds
	case equalFold(word, "pxat"):
		return atMillis
	case equalFold(word, "keepttl"):
		return keepExpiry
	case equalFold(word, "persist"):
		return persistExpiry
	}
	return noExpiry
}

// parseGetex parses the options of GETEX; when they are wrong that is the
// reply.
func (c *Context) parseGetex() (o expiryOption, ok bool) {
	for i := 2; i < len(c.Args); {
		if i, ok = o.parse(c.Args, i); !ok || o.kind == keepExpiry {
			c.Error(errSyntax)
			return o, false
		}
	}
	return o, true
}

// expiryTime returns the time an option stands for in Unix milliseconds, which
// is positive. When the number is wrong that is the reply.
func (c *Context) expiryTime(o expiryOption) (at int64, ok bool) {
	at, ok = parseInt(o.arg)
	if !ok {
		c.Error(errNotInteger)
		return 0, false
	}
	seconds := o.kind == inSeconds || o.kind == atSeconds
	if at <= 0 || seconds && at > math.MaxInt64/1000 {
		c.badExpiry()
		return 0, false
	}
	if seconds {
		at *= 1000
	}
	if o.kind == inSeconds || o.kind == inMillis {
		at += c.Now
	}
	if at <= 0 { // beyond 64 bits
		c.badExpiry()
		return 0, false
	}
	return at, true
}

func (c *Context) badExpiry() {
	c.Error("ERR invalid expire time in '" + c.Cmd.FullName() + "' command")
}
