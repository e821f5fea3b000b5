// Package query reads the SQL text of a namespace: it finds the named
// parameters (:id) outside of literals, quoted identifiers and comments, and
// writes them as the placeholders of a database, so that values travel beside
// the text and never in it.
//
// [Parse] takes the text apart once, when the configuration is read; [Query.Bind]
// connects its parameters with the parts of a key pattern and refuses what is
// unknown on either side. Everything here is pure.
package query

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Dialect is the lexical grammar of a database and its placeholders.
type Dialect uint8

const (
	// SQLite: `id` and [id] quote too, no dollar quoting, placeholders ?1.
	SQLite Dialect = iota
	// PostgreSQL: dollar quoting, E'strings', nested comments, casts with ::,
	// placeholders $1.
	PostgreSQL
)

// Error is a query that cannot be used.
type Error struct {
	Line, Column int    // of the problem, from 1; the column counts bytes
	Problem      string // what is wrong there and what to write instead
}

// Error names line and column.
func (e *Error) Error() string {
	return fmt.Sprintf("query line %d, column %d: %s", e.Line, e.Column, e.Problem)
}

// Query is parsed SQL. It is immutable and safe for concurrent use.
type Query struct {
	text    string
	dialect Dialect
	pieces  []piece
	names   []string // distinct, in order of first occurrence
}

// piece is a stretch of the text: SQL to copy, or a parameter.
type piece struct {
	from, to int
	param    int // index in names; -1: copy
}

// Parse reads one SQL statement. The error is an [*Error].
func Parse(text string, d Dialect) (*Query, error) {
	l := lexer{text: text, dialect: d}
	q := &Query{text: text, dialect: d}
	if at := firstUnsendable(text); at >= 0 {
		return nil, l.fail(at, "a byte that no database accepts in SQL; save the text as UTF-8 without NUL")
	}
	copied := 0 // everything before is in pieces
	empty, ended := true, false
	for {
		tok, err := l.next()
		if err != nil {
			return nil, err
		}
		switch tok.kind {
		case tokenEnd:
			if empty {
				return nil, l.fail(0, "the query is empty; write a SELECT for one row")
			}
			q.pieces = append(q.pieces, piece{copied, len(text), -1})
			return q, nil
		case tokenSpace:
			continue
		case tokenSemicolon:
			ended = true
			continue
		case tokenParam:
			q.pieces = append(q.pieces,
				piece{copied, tok.from, -1},
				piece{tok.from, tok.to, q.intern(text[tok.from+1 : tok.to])})
			copied = tok.to
		}
		if ended {
			return nil, l.fail(tok.from, "a second statement begins here; write one statement only")
		}
		empty = false
	}
}

func (q *Query) intern(name string) int {
	if i := slices.Index(q.names, name); i >= 0 {
		return i
	}
	q.names = append(q.names, name)
	return len(q.names) - 1
}

// firstUnsendable returns the offset of the first NUL or broken UTF-8, or -1.
func firstUnsendable(text string) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// Names returns the parameters in the order of their placeholders' numbers.
// The slice is the caller's.
func (q *Query) Names() []string { return slices.Clone(q.names) }

// SQL returns the statement with numbered placeholders.
func (q *Query) SQL() string {
	var b strings.Builder
	for _, p := range q.pieces {
		switch {
		case p.param < 0:
			b.WriteString(q.text[p.from:p.to])
		case q.dialect == PostgreSQL:
			b.WriteString("$" + strconv.Itoa(p.param+1))
		default:
			b.WriteString("?" + strconv.Itoa(p.param+1))
		}
	}
	return b.String()
}

// Bound is a query whose parameters all come from a pattern's parts.
type Bound struct {
	// SQL is the text for the database.
	SQL string
	// Args[i] is the index of the part that placeholder i+1 stands for.
	Args []int
}

// Bind connects the parameters with the parts of a pattern, given by name. It
// refuses a parameter that no part feeds, and a part that no parameter uses:
// several keys would then share one answer.
func (q *Query) Bind(parts []string) (*Bound, error) {
	b := &Bound{SQL: q.SQL(), Args: make([]int, len(q.names))}
	for i, name := range q.names {
		b.Args[i] = slices.Index(parts, name)
		if b.Args[i] < 0 {
			return nil, q.unknown(name, i, parts)
		}
	}
	for _, part := range parts {
		if !slices.Contains(q.names, part) {
			return nil, fmt.Errorf("query does not use :%s, so all keys that differ only there would get the same answer; use :%s in the query, or write the pattern without {%s}", part, part, part)
		}
	}
	return b, nil
}

func (q *Query) unknown(name string, index int, parts []string) error {
	at := slices.IndexFunc(q.pieces, func(p piece) bool { return p.param == index })
	known := "the pattern has no named parts"
	if len(parts) > 0 {
		known = "the pattern has :" + strings.Join(parts, ", :")
	}
	line, column := position(q.text, q.pieces[at].from)
	return &Error{line, column, fmt.Sprintf("parameter :%s is unknown; %s (a colon that begins no parameter needs a space after it)", name, known)}
}

// position returns line and column, from 1, of a byte offset.
func position(text string, offset int) (line, column int) {
	before := text[:offset]
	return strings.Count(before, "\n") + 1, offset - strings.LastIndexByte(before, '\n')
}
