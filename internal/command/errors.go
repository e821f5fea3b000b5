package command

import (
	"errors"

	"github.com/larder-cache/larder/internal/storage/memory"
)

// Error texts as Redis words them; clients and test suites compare them.
const (
	errSyntax      = "ERR syntax error"
	errWrongType   = "WRONGTYPE Operation against a key holding the wrong kind of value"
	errNotInteger  = "ERR value is not an integer or out of range"
	errNotFloat    = "ERR value is not a valid float"
	errNoKey       = "ERR no such key"
	errOutOfRange  = "ERR index out of range"
	errSameObject  = "ERR source and destination objects are the same"
	errOOM         = "OOM command not allowed when used memory > 'maxmemory'."
	errStringLimit = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	errOverflow    = "ERR increment or decrement would overflow"
	errBitOffset   = "ERR bit offset is not an integer or out of range"
	errDBIndex     = "ERR DB index is out of range"
	errDigest      = "ERR must be exactly 16 hexadecimal characters"
	errBusyKey     = "BUSYKEY Target key name already exists."

	// Of RESTORE: the footer is of an unknown version or the payload is damaged;
	// the checksum is right and the content is not; a list, a hash ...
	errDumpSum    = "ERR DUMP payload version or checksum are wrong"
	errDumpFormat = "ERR Bad data format"
	errDumpType   = "ERR DUMP payload holds no string, the only type supported"
)

// wire is the one table from sentinel errors to what a client is told.
var wire = []struct {
	err  error
	text string
}{
	{memory.ErrFull, errOOM},
}

// Fail answers with the text of a sentinel error, or with ERR and the error's
// own words.
func (c *Context) Fail(err error) {
	for _, row := range wire {
		if errors.Is(err, row.err) {
			c.Error(row.text)
			return
		}
	}
	c.Error("ERR " + err.Error())
}

// Error answers with an error: a code in capitals, a blank, a sentence.
func (c *Context) Error(text string) {
	c.Out.Error(text)
	c.failed = text
}

// Int parses argument i; when it is no integer that is the reply and ok is false.
func (c *Context) Int(i int) (v int64, ok bool) {
	v, ok = parseInt(c.Args[i])
	if !ok {
		c.Error(errNotInteger)
	}
	return v, ok
}
