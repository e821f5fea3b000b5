package query

import (
	"fmt"
	"strings"
)

type tokenKind uint8

const (
	tokenEnd       tokenKind = iota
	tokenSpace               // white space or a comment
	tokenSemicolon           // ends the statement
	tokenParam               // :name
	tokenOther               // copied as it is
)

type token struct {
	kind     tokenKind
	from, to int
}

// lexer splits SQL just far enough to know what is text of the statement and
// what is inside quotes or comments. Where databases or their versions would
// disagree about that, it refuses rather than guesses.
//
// REQUIRES: text is UTF-8 without NUL.
type lexer struct {
	text    string
	dialect Dialect
	at      int
}

func (l *lexer) fail(offset int, format string, args ...any) error {
	line, column := position(l.text, offset)
	return &Error{line, column, fmt.Sprintf(format, args...)}
}

// rest returns the text from the current position.
func (l *lexer) rest() string { return l.text[l.at:] }

// next returns the next token. Tokens cover the text without gaps.
func (l *lexer) next() (token, error) {
	from := l.at
	kind, err := l.scan()
	return token{kind, from, l.at}, err
}

func (l *lexer) scan() (tokenKind, error) {
	rest := l.rest()
	if rest == "" {
		return tokenEnd, nil
	}
	switch c := rest[0]; {
	case isSpace(c):
		l.at++
		return tokenSpace, nil
	case strings.HasPrefix(rest, "--"):
		l.lineComment()
		return tokenSpace, nil
	case strings.HasPrefix(rest, "/*"):
		return tokenSpace, l.blockComment()
	case c == '\'', c == '"':
		return tokenOther, l.quoted(c)
	case c == '`' && l.dialect == SQLite:
		return tokenOther, l.quoted(c)
	case c == '[' && l.dialect == SQLite:
		return tokenOther, l.bracketed()
	case isWordByte(c):
		return tokenOther, l.word()
	case c == '$':
		return tokenOther, l.dollar()
	case c == ':':
		return l.colon()
	case c == ';':
		l.at++
		return tokenSemicolon, nil
	case l.dialect == SQLite && (c == '?' || c == '@'):
		return 0, l.fail(l.at, "%c begins a positional parameter; write a named one, for example :id", c)
	}
	l.at++
	return tokenOther, nil
}

// quoted passes a literal or identifier whose quote is escaped by doubling.
func (l *lexer) quoted(quote byte) error {
	from := l.at
	for l.at++; l.at < len(l.text); l.at++ {
		switch c := l.text[l.at]; {
		case c != quote:
		case strings.HasPrefix(l.text[l.at+1:], string(quote)):
			l.at++
		default:
			l.at++
			return nil
		}
	}
	return l.fail(from, "%c is not closed", quote)
}

// bracketed passes SQLite's [identifier], which has no escape.
func (l *lexer) bracketed() error {
	end := strings.IndexByte(l.rest(), ']')
	if end < 0 {
		return l.fail(l.at, "[ is not closed")
	}
	l.at += end + 1
	return nil
}

// lineComment passes a comment up to the end of its line, which for PostgreSQL
// a lone carriage return is too.
func (l *lexer) lineComment() {
	ends := "\n"
	if l.dialect == PostgreSQL {
		ends = "\n\r"
	}
	if end := strings.IndexAny(l.rest(), ends); end >= 0 {
		l.at += end + 1
	} else {
		l.at = len(l.text)
	}
}

// blockComment passes a comment; PostgreSQL's nest, SQLite's do not.
func (l *lexer) blockComment() error {
	from, depth := l.at, 0
	for l.at < len(l.text) {
		switch rest := l.rest(); {
		case strings.HasPrefix(rest, "/*") && (depth == 0 || l.dialect == PostgreSQL):
			depth++
			l.at += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			l.at += 2
			if depth == 0 {
				return nil
			}
		default:
			l.at++
		}
	}
	return l.fail(from, "/* is not closed")
}

// word passes a keyword, identifier or number, and the E'string' it may begin.
func (l *lexer) word() error {
	from := l.at
	for l.at < len(l.text) && (isWordByte(l.text[l.at]) || l.text[l.at] == '$') {
		l.at++
	}
	word := l.text[from:l.at]
	if isDigit(word[0]) && strings.Contains(word, "$") {
		return l.fail(from, "$ directly after a number; put a space between them")
	}
	if l.dialect == PostgreSQL && (word == "e" || word == "E") && strings.HasPrefix(l.rest(), "'") {
		return l.escapeString()
	}
	return nil
}

// escapeString passes the quoted part of PostgreSQL's E'it\'s'.
func (l *lexer) escapeString() error {
	from := l.at
	for l.at++; l.at < len(l.text); l.at++ {
		switch c := l.text[l.at]; {
		case c == '\\':
			l.at++
		case c != '\'':
		case strings.HasPrefix(l.text[l.at+1:], "'"):
			l.at++
		default:
			l.at++
			return l.refuseContinuation()
		}
	}
	return l.fail(from, "' is not closed")
}

// refuseContinuation guards the one place where a quote's meaning depends on
// what came lines before: after E'..' and a line break, a plain '..' continues
// the string, escapes included.
func (l *lexer) refuseContinuation() error {
	ahead := *l
	lines := false
	for {
		from := ahead.at
		kind, err := ahead.scan()
		switch {
		case err == nil && kind == tokenSpace && !strings.HasPrefix(l.text[from:], "/*"):
			lines = lines || strings.ContainsAny(l.text[from:ahead.at], "\n\r")
			continue
		case lines && strings.HasPrefix(l.text[from:], "'"):
			return l.fail(from, "this continues the E'...' string of the line before; write the string in one piece")
		}
		return nil
	}
}

// dollar passes PostgreSQL's $tag$ ... $tag$.
func (l *lexer) dollar() error {
	if l.dialect == SQLite {
		return l.fail(l.at, "$ begins a positional parameter; write a named one, for example :id")
	}
	rest := l.rest()
	end := 1
	for end < len(rest) && isWordByte(rest[end]) {
		end++
	}
	if end > 1 && isDigit(rest[1]) {
		return l.fail(l.at, "%s is a positional parameter; write a named one, for example :id", rest[:end])
	}
	if end == len(rest) || rest[end] != '$' {
		return l.fail(l.at, "$ begins neither a parameter nor a quoted text; write :name for a parameter, $$ for a quote")
	}
	tag := rest[:end+1]
	length := strings.Index(rest[len(tag):], tag)
	if length < 0 {
		return l.fail(l.at, "%s is not closed", tag)
	}
	l.at += 2*len(tag) + length
	return nil
}

// colon passes ::, := or a lone colon, or returns a parameter.
func (l *lexer) colon() (tokenKind, error) {
	from, rest := l.at, l.rest()
	if strings.HasPrefix(rest, "::") || strings.HasPrefix(rest, ":=") {
		l.at += 2
		return tokenOther, nil
	}
	end := 1
	for end < len(rest) && isNameByte(rest[end]) {
		end++
	}
	l.at += end
	switch {
	case end == 1:
		if l.dialect == SQLite && len(rest) > 1 && (rest[1] >= 0x80 || rest[1] == '$') {
			break
		}
		return tokenOther, nil
	case isDigit(rest[1]) && l.dialect == PostgreSQL:
		return tokenOther, l.wordAfterColon(from) // the upper bound of a slice: a[1:2]
	case isDigit(rest[1]):
		return 0, l.fail(from, "%s is a positional parameter; write a named one, for example :id", rest[:end])
	}
	if end < len(rest) && (rest[end] >= 0x80 || rest[end] == '$') || end == 1 {
		return 0, l.fail(from, "a parameter's name has letters a to z, digits and _ only")
	}
	if from > 0 && (isWordByte(l.text[from-1]) || l.text[from-1] == '$') {
		return 0, l.fail(from, "%s follows a word or number directly; put a space before the parameter, or after the colon when it is none", rest[:end])
	}
	return tokenParam, nil
}

// wordAfterColon re-reads what follows a colon as an ordinary word.
func (l *lexer) wordAfterColon(colon int) error {
	l.at = colon + 1
	return l.word()
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isNameByte tells bytes of parameter names.
func isNameByte(c byte) bool {
	return isDigit(c) || c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// isWordByte tells bytes of identifiers and numbers, except $.
func isWordByte(c byte) bool { return isNameByte(c) || c >= 0x80 }
