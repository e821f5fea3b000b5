package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/larder-cache/larder/internal/source"
)

// Database holds the rows of the demonstration. Its methods are for one
// goroutine; the rows may be read by anybody meanwhile.
type Database interface {
	// Source says how the node reaches the rows.
	Source() source.Config
	// Rows is the number of rows in it.
	Rows() int
	// Where describes the database to the audience.
	Where() string
	// Hang makes every query wait until resume is called.
	Hang(ctx context.Context) (resume func() error, err error)
	// Close ends the database and removes its files.
	Close() error
}

// Progress is told how many of total rows are stored.
type Progress func(done, total int)

// table is what both databases are given. The lookups of the demonstration go
// by code, which has an index; those by script and name are slow on purpose.
const table = `CREATE TABLE characters (
	code text PRIMARY KEY, decimal integer NOT NULL, character text NOT NULL, name text NOT NULL,
	category text, script text, bidi text, width text,
	upper text, lower text, nfd text, nfkd text, utf16 text, utf8 text, html text, about text
)`

// ErrDiskFull says that the database did not fit on the disk.
var ErrDiskFull = errors.New("no room on the disk for the demonstration's database")

// spaceNeeded is what the text of [ErrDiskFull] recommends.
const spaceNeeded = "about 100 MB"

// explain makes an error of a full disk one that says what to do.
func explain(err error, dir string) error {
	if err == nil || errors.Is(err, ErrDiskFull) {
		return err
	}
	text := err.Error()
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	for _, sign := range []string{"disk is full", "No space left on device", "Disk quota exceeded"} {
		full = full || strings.Contains(text, sign)
	}
	if full {
		return fmt.Errorf("%w in %q; free %s, or set TMPDIR to a directory that has it: %w", ErrDiskFull, dir, spaceNeeded, err)
	}
	return err
}
