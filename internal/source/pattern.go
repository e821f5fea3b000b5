package source

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxParts is the largest number of named parts in a pattern.
const MaxParts = 8

// PartType says which text a named part accepts. What it refuses is not asked
// of the source.
type PartType uint8

const (
	// PartText accepts UTF-8 without NUL, which is what a text column of any
	// database can hold. It is the type of a part that names none.
	PartText PartType = iota
	// PartInt accepts a 64-bit integer in its shortest decimal form: «7», not
	// «007» or «+7», so that a row has one key and an invalidation finds it.
	PartInt
	// PartUUID accepts a UUID in its canonical form: 8-4-4-4-12, lower case.
	PartUUID
	// PartBytes accepts anything and is a BLOB or bytea parameter.
	PartBytes
)

var partTypeNames = []string{"text", "int", "uuid", "bytes"}

// String returns the type as written in a pattern.
func (t PartType) String() string { return partTypeNames[t] }

// Part is a named part of a pattern.
type Part struct {
	Name string
	Type PartType
}

// Pattern describes the keys of a namespace: literal text with named parts,
// user:{id:int}:{field}. A literal brace is doubled. A part is one or more bytes
// and ends where the literal after it first occurs; one before the closing
// literal, or at the end, takes all that is left. Keys are bytes, not text.
//
// A Pattern is immutable and safe for concurrent use.
//
// Invariant: two different keys never give the same parts.
type Pattern struct {
	text  string
	parts []Part
	// literals[i] stands before parts[i]; the last one closes the key.
	// Invariant: len(literals) == len(parts)+1; only the first and the last
	// may be empty.
	literals [][]byte
}

// PatternError is a pattern that cannot be used.
type PatternError struct {
	Pattern string
	Offset  int    // byte offset of the problem, from 0
	Problem string // what is wrong there and what to write instead
}

// Error names the column, counted in bytes from 1.
func (e *PatternError) Error() string {
	return fmt.Sprintf("pattern %q, column %d: %s", e.Pattern, e.Offset+1, e.Problem)
}

// ParsePattern reads a pattern. The error is a [*PatternError].
func ParsePattern(text string) (*Pattern, error) {
	p := &Pattern{text: text}
	fail := func(offset int, format string, args ...any) (*Pattern, error) {
		return nil, &PatternError{Pattern: text, Offset: offset, Problem: fmt.Sprintf(format, args...)}
	}
	if text == "" {
		return fail(0, "is empty; write the form of the keys, for example user:{id}")
	}
	var literal []byte
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case (c == '{' || c == '}') && strings.HasPrefix(text[i+1:], string(c)):
			literal = append(literal, c)
			i += 2
		case c == '}':
			return fail(i, "} without {; write }} for a literal brace")
		case c == '{':
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return fail(i, "{ is not closed; write {{ for a literal brace")
			}
			part, problem := parsePart(text[i+1 : i+end])
			switch {
			case problem != "":
				return fail(i, "%s", problem)
			case len(p.parts) > 0 && len(literal) == 0:
				return fail(i, "{%s} follows {%s} directly, so where one ends is undefined; put a literal between them, for example a colon",
					part.Name, p.parts[len(p.parts)-1].Name)
			case p.indexOf(part.Name) >= 0:
				return fail(i, "{%s} occurs twice; give each part its own name", part.Name)
			case len(p.parts) == MaxParts:
				return fail(i, "more than %d parts; put fewer values into the key", MaxParts)
			}
			p.parts = append(p.parts, part)
			p.literals = append(p.literals, literal)
			literal = nil
			i += end + 1
		default:
			literal = append(literal, c)
			i++
		}
	}
	p.literals = append(p.literals, literal)
	return p, nil
}

// parsePart reads «name» or «name:type».
func parsePart(text string) (part Part, problem string) {
	name, typeName, typed := strings.Cut(text, ":")
	if !isName(name) {
		return part, fmt.Sprintf("{%s} has no valid name; write letters, digits and _, not starting with a digit, for example {id}", text)
	}
	part.Name = name
	if !typed {
		return part, ""
	}
	for t, n := range partTypeNames {
		if n == typeName {
			part.Type = PartType(t)
			return part, ""
		}
	}
	return part, fmt.Sprintf("{%s} has an unknown type; write one of %s", text, strings.Join(partTypeNames, ", "))
}

// isName tells whether s can name a part and, as :s, a query's parameter.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func (p *Pattern) indexOf(name string) int {
	for i := range p.parts {
		if p.parts[i].Name == name {
			return i
		}
	}
	return -1
}

// String returns the pattern as it was written.
func (p *Pattern) String() string { return p.text }

// Parts returns the named parts in their order. The slice is the caller's.
func (p *Pattern) Parts() []Part { return append([]Part(nil), p.parts...) }

// Names returns the parts' names in their order. The slice is the caller's.
func (p *Pattern) Names() []string {
	names := make([]string, len(p.parts))
	for i := range p.parts {
		names[i] = p.parts[i].Name
	}
	return names
}

// Prefix returns the literal with which every matching key begins; it may be
// empty.
func (p *Pattern) Prefix() string { return string(p.literals[0]) }

// Match tells whether key has the pattern's form. It does not allocate.
func (p *Pattern) Match(key []byte) bool {
	var spans [MaxParts]span
	return p.match(key, &spans)
}

// Params takes key apart. It copies the key, and only when it matches.
func (p *Pattern) Params(key []byte) (Params, bool) {
	params := Params{pattern: p}
	if !p.match(key, &params.spans) {
		return Params{}, false
	}
	params.key = string(key)
	return params, true
}

// span is a half-open range of bytes of a key.
type span struct{ from, to int }

func (p *Pattern) match(key []byte, spans *[MaxParts]span) bool {
	if !bytes.HasPrefix(key, p.literals[0]) {
		return false
	}
	at := len(p.literals[0])
	last := len(p.parts) - 1
	if last < 0 {
		return at == len(key)
	}
	for i := range last {
		literal := p.literals[i+1]
		length := bytes.Index(key[at:], literal)
		if length < 1 || !p.parts[i].Type.accepts(key[at:at+length]) {
			return false
		}
		spans[i] = span{at, at + length}
		at += length + len(literal)
	}
	closing := p.literals[last+1]
	end := len(key) - len(closing)
	if end <= at || !bytes.HasSuffix(key, closing) || !p.parts[last].Type.accepts(key[at:end]) {
		return false
	}
	spans[last] = span{at, end}
	return true
}

func (t PartType) accepts(b []byte) bool {
	switch t {
	case PartInt:
		return isShortestInt(b)
	case PartUUID:
		return isCanonicalUUID(b)
	case PartText:
		return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0
	default:
		return true
	}
}

func isShortestInt(b []byte) bool {
	digits := b
	if b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 19 || digits[0] == '0' && len(b) > 1 {
		return false
	}
	var n uint64 // 19 digits fit
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
		n = n*10 + uint64(c-'0')
	}
	if b[0] == '-' {
		return n <= 1<<63
	}
	return n < 1<<63
}

func isCanonicalUUID(b []byte) bool {
	if len(b) != 36 {
		return false
	}
	for i, c := range b {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Params are the parts of one key. It is a value; it holds its own copy of the
// key.
type Params struct {
	pattern *Pattern
	key     string
	spans   [MaxParts]span
}

// Key returns the whole key.
func (p Params) Key() string { return p.key }

// Len returns the number of parts.
func (p Params) Len() int {
	if p.pattern == nil {
		return 0
	}
	return len(p.pattern.parts)
}

// Type returns the type of part i. It panics when i is out of range.
func (p Params) Type(i int) PartType { return p.pattern.parts[i].Type }

// Text returns the bytes of part i. It panics when i is out of range.
func (p Params) Text(i int) string {
	_ = p.pattern.parts[i]
	return p.key[p.spans[i].from:p.spans[i].to]
}

// Int returns part i, which must be a [PartInt], as a number.
func (p Params) Int(i int) int64 {
	n, err := strconv.ParseInt(p.Text(i), 10, 64)
	if err != nil || p.Type(i) != PartInt {
		panic("source: Params.Int of a part that is not an int")
	}
	return n
}
