package config

import (
	"errors"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// ErrNotRewritten says that a file is written in a way that [Rewrite] does not
// know how to change. The file is as it was.
var ErrNotRewritten = errors.New("the file is not written in a way that could be changed automatically; set it by hand")

// edit is a file, line by line, in the making.
type edit struct{ lines []string }

// writeSetting returns the text of a file with one setting changed or added.
// text is the value as YAML. It works on lines, so that nothing else is
// touched; the caller checks that the result means what it should.
func writeSetting(data []byte, path, text string) ([]byte, error) {
	body, err := parseTree(data)
	if err != nil {
		return nil, err
	}
	e := &edit{lines: strings.SplitAfter(string(data), "\n")}
	names := strings.Split(path, ".")
	var section ast.Node = body
	var above *token.Token // the key of section; nil: the top
	for i, name := range names {
		values, flow := pairsOf(section)
		found := slices.IndexFunc(values, func(v *ast.MappingValueNode) bool {
			written, _ := scalarText(v.Key)
			return written == name
		})
		var ok bool
		switch {
		case found < 0 && flow != nil:
			ok = e.insertFlow(flow, names[i:], text)
		case found < 0:
			e.insert(above, values, names[i:], text)
			ok = true
		case i == len(names)-1:
			ok = e.replace(values[found], text, flow != nil)
		default:
			above, section = values[found].Key.GetToken(), values[found].Value
			continue
		}
		if !ok {
			return nil, ErrNotRewritten
		}
		return []byte(strings.Join(e.lines, "")), nil
	}
	return nil, ErrNotRewritten
}

// pairsOf returns the pairs of a mapping, and its opening brace when it is
// written with braces.
func pairsOf(n ast.Node) (values []*ast.MappingValueNode, brace *token.Token) {
	switch n := n.(type) {
	case *ast.MappingNode:
		if n.IsFlowStyle {
			return n.Values, n.Start
		}
		return n.Values, nil
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, nil
	}
	return nil, nil
}

// insert adds a setting below the key of its section, or at the end of the file
// when the section is the top. siblings show the indentation.
func (e *edit) insert(above *token.Token, siblings []*ast.MappingValueNode, names []string, text string) {
	at, margin := len(e.lines), ""
	if above != nil {
		at = min(above.Position.Line, len(e.lines))
		margin = strings.Repeat(" ", above.Position.Column+1)
		if len(siblings) > 0 {
			margin = strings.Repeat(" ", siblings[0].Key.GetToken().Position.Column-1)
		}
	}
	if at > 0 && !strings.HasSuffix(e.lines[at-1], "\n") {
		if e.lines[at-1] != "" {
			e.lines[at-1] += "\n"
		}
	}
	var added []string
	if above == nil && len(e.lines) > 1 {
		added = append(added, "\n")
	}
	for i, name := range names {
		l := margin + strings.Repeat("  ", i) + name + ":"
		if i == len(names)-1 {
			l += " " + text
		}
		added = append(added, l+"\n")
	}
	e.lines = slices.Insert(e.lines, at, added...)
}

// insertFlow adds a setting behind an opening brace.
func (e *edit) insertFlow(brace *token.Token, names []string, text string) bool {
	for i, name := range slices.Backward(names) {
		text = name + ": " + text
		if i > 0 {
			text = "{" + text + "}"
		}
	}
	line, before, after, ok := e.cut(brace)
	if !ok || !strings.HasPrefix(after, "{") {
		return false
	}
	if !strings.HasPrefix(strings.TrimSpace(after[1:]), "}") {
		text += ", "
	}
	e.lines[line] = before + "{" + text + after[1:]
	return true
}

// replace writes another value behind a key.
func (e *edit) replace(v *ast.MappingValueNode, text string, flow bool) bool {
	key := v.Key.GetToken()
	line, before, after, ok := e.cut(key)
	if !ok {
		return false
	}
	rest, isKey := strings.CutPrefix(after, key.Value)
	colon := len(rest) - len(strings.TrimLeft(rest, " \t"))
	if !isKey || !strings.HasPrefix(rest[colon:], ":") {
		return false
	}
	value := rest[colon+1:]
	end := valueEnd(value, flow)
	e.lines[line] = before + key.Value + rest[:colon] + ": " + text + value[end:]
	if last := lastLine(v.Value); last > line && !flow {
		if last >= len(e.lines) {
			return false
		}
		e.lines = slices.Delete(e.lines, line+1, last+1)
	}
	return true
}

// cut returns the line a token is in, counted from 0, and what of it is before
// and from the token on.
func (e *edit) cut(t *token.Token) (line int, before, after string, ok bool) {
	line = t.Position.Line - 1
	if line < 0 || line >= len(e.lines) {
		return 0, "", "", false
	}
	runes := []rune(e.lines[line])
	column := t.Position.Column - 1
	if column < 0 || column > len(runes) {
		return 0, "", "", false
	}
	return line, string(runes[:column]), string(runes[column:]), true
}

// valueEnd returns where the value at the beginning of text ends; what follows
// is a comment, the rest of a flow mapping, or the end of the line.
func valueEnd(text string, flow bool) int {
	var quote rune
	open, escaped := 0, false
	previous := ' '
	for i, r := range text {
		switch {
		case escaped:
			escaped = false
		case quote != 0:
			escaped = r == '\\' && quote == '"'
			if r == quote {
				quote = 0
			}
		case (r == '"' || r == '\'') && strings.ContainsRune(" [,", previous):
			quote = r
		case r == '[' || r == '{':
			open++
		case (r == ']' || r == '}') && open > 0:
			open--
		case flow && open == 0 && (r == ',' || r == '}'), r == '#' && previous == ' ':
			return len(strings.TrimRight(text[:i], " \t"))
		}
		previous = r
	}
	return len(strings.TrimRight(text, " \t\r\n"))
}

// lastLine returns the last line that a node has a token in, counted from 0.
func lastLine(n ast.Node) int {
	last := 0
	ast.Walk(visitor(func(n ast.Node) {
		if t := n.GetToken(); t != nil && t.Position != nil {
			last = max(last, t.Position.Line-1)
		}
	}), n)
	return last
}

type visitor func(ast.Node)

// Visit implements [ast.Visitor].
func (v visitor) Visit(n ast.Node) ast.Visitor {
	v(n)
	return v
}
