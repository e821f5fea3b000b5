package config

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// parseTree returns the document of a file, nil when there is none in it.
func parseTree(data []byte) (body ast.Node, err error) {
	// The parser is for well-meaning input; some nonsense makes it panic.
	defer func() {
		if p := recover(); p != nil {
			body, err = nil, errors.New("the file is not YAML")
		}
	}()
	if err := bounded(data); err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, err
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			return nil, errSecondDocument
		}
		body = doc.Body
	}
	return body, nil
}

// The parser recurses into brackets, and its time grows with the square of what
// is nested within a line. The settings need three levels and a line of SQL.
const (
	maxDepth = 100
	maxLine  = 16 << 10 // bytes
)

// bounded refuses what would keep the parser busy for long.
func bounded(data []byte) error {
	now, column := 0, 0
	for _, b := range data {
		column++
		switch b {
		case '\n':
			column = 0
		case '[', '{':
			now++
		case ']', '}':
			now = max(now-1, 0)
		}
		if now > maxDepth {
			return errors.New("brackets are nested too deep")
		}
		if column > maxLine {
			return errors.New("a line is longer than 16 KB")
		}
	}
	return nil
}

// read fills the configuration with what the file says.
func (l *loader) read(data []byte) {
	body, err := parseTree(data)
	if err != nil {
		l.problems = append(l.problems, l.syntax(err))
		return
	}
	if body == nil {
		return
	}
	pairs, ok := l.mapping(body, "")
	if !ok {
		return
	}
	names := append(below(settings, ""), "sources", "namespaces")
	for _, p := range pairs {
		switch p.name {
		case "sources":
			l.config.Sources = entries(l, p, sourceSettings, l.config.Sources)
		case "namespaces":
			l.config.Namespaces = entries(l, p, namespaceSettings, l.config.Namespaces)
		default:
			fill(l, &l.config, settings, "", "", p, names)
		}
	}
}

// errSecondDocument is no [yaml.SyntaxError]: YAML allows it.
var errSecondDocument = errors.New("has a second document behind ---; a configuration is one")

// syntax makes a problem of what the parser says.
func (l *loader) syntax(err error) Problem {
	p := Problem{File: l.file, Text: err.Error()}
	var s *yaml.SyntaxError
	if !errors.As(err, &s) {
		return p
	}
	p.Text, p.Hint = s.Message, "put a text with special characters in it into quotes"
	if s.Token == nil {
		return p
	}
	at := placeOf(s.Token)
	p.Line, p.Column = at.line, at.column
	switch {
	case strings.Contains(s.Message, "'\t'"), strings.Contains(s.Message, "tab"):
		p.Text, p.Hint = "a tab stands where YAML wants spaces", "indent with spaces"
	case strings.Contains(s.Message, "end character of"):
		p.Hint = "close the quote"
	}
	return p
}

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{}
	}
	return place{line: t.Position.Line, column: t.Position.Column}
}

// pair is a key of a mapping with what stands behind it.
type pair struct {
	name  string
	at    place // of the key
	key   *token.Token
	value ast.Node
}

// mapping returns the pairs of a section; ok is false when it is not a mapping.
// A section without anything in it is an empty one.
func (l *loader) mapping(n ast.Node, path string) (pairs []pair, ok bool) {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	case *ast.NullNode, *ast.CommentGroupNode, nil:
		return nil, true
	default:
		at := placeOf(n.GetToken())
		p := Problem{File: l.file, Line: at.line, Column: at.column, Setting: path,
			Text: "this is a section, not a single value", Hint: "write its settings below it, indented, each as name: value"}
		if path == "" {
			p.Text, p.Hint = "a configuration is made of sections", "such as memory: and, indented below it, maxmemory: 512mb"
		}
		l.problems = append(l.problems, p)
		return nil, false
	}
	first := map[string]int{}
	for _, v := range values {
		key := v.Key.GetToken()
		at := placeOf(key)
		name, readable := scalarText(v.Key)
		switch {
		case v.Key.IsMergeKey():
			l.problems = append(l.problems, Problem{File: l.file, Line: at.line, Column: at.column,
				Text: "<< is not supported", Hint: "write the settings out"})
		case !readable:
			l.problems = append(l.problems, Problem{File: l.file, Line: at.line, Column: at.column,
				Text: "a name of a setting is expected here", Hint: "the settings: larder config reference"})
		case first[name] != 0:
			p := Problem{File: l.file, Line: at.line, Column: at.column, Setting: join(path, name),
				Text: fmt.Sprintf("is set a second time, first in line %d", first[name]), Hint: "remove one of them"}
			l.problems = append(l.problems, p)
		default:
			first[name] = max(at.line, 1)
			pairs = append(pairs, pair{name, at, key, v.Value})
		}
	}
	return pairs, true
}

// fill reads one pair of a section into a configuration of type T. base is the
// path of that configuration in the file, section the section's path below it.
func fill[T any](l *loader, target *T, table []setting[T], base, section string, p pair, siblings []string) {
	path := join(section, p.name)
	full := join(base, path)
	if s := find(table, path); s != nil {
		l.places[full] = p.at
		if l.scope == ScopeCluster && base == "" && s.scope == ScopeNode {
			l.report(full, textOfNode, hintOfNode)
			return
		}
		l.assign(full, s.at(target), p.value)
		return
	}
	names := below(table, path)
	if len(names) == 0 {
		l.unknown(p.at, join(base, section), p.name, siblings)
		return
	}
	l.places[full] = p.at
	pairs, _ := l.mapping(p.value, full)
	for _, sub := range pairs {
		fill(l, target, table, base, path, sub, names)
	}
}

// entries reads a section whose names are the user's, over those there are.
func entries[T any](l *loader, section pair, table []setting[T], there map[string]T) map[string]T {
	l.places[section.name] = section.at
	pairs, _ := l.mapping(section.value, section.name)
	if len(pairs) == 0 {
		return there
	}
	m := maps.Clone(there)
	if m == nil {
		m = map[string]T{}
	}
	for _, entry := range pairs {
		target := m[entry.name]
		path := join(section.name, entry.name)
		l.places[path] = entry.at
		if !validName(entry.name) {
			l.report(path, fmt.Sprintf("%q is not a name", entry.name), "write letters, digits, - and _")
			continue
		}
		fields, _ := l.mapping(entry.value, path)
		for _, p := range fields {
			fill(l, &target, table, path, "", p, below(table, ""))
		}
		m[entry.name] = target
	}
	return m
}

// validName reports whether a source or namespace may be called so: the name is
// part of metrics and paths.
func validName(name string) bool {
	return name != "" && len(name) <= 100 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// assign reads a node into a field.
func (l *loader) assign(path string, v value, n ast.Node) {
	many, isList := v.(list)
	if seq, ok := n.(*ast.SequenceNode); ok && isList {
		var items []string
		for _, item := range seq.Values {
			text, ok := scalarText(item)
			if !ok {
				l.fail(path, &fault{"an element of the list is not a single value", "write the elements as [a, b]"})
				return
			}
			items = append(items, text)
		}
		if f := many.setList(items); f != nil {
			l.fail(path, f)
		}
		return
	}
	text, ok := scalarText(n)
	if !ok {
		l.fail(path, shapeFault(n, isList))
		return
	}
	if f := v.set(text); f != nil {
		l.fail(path, f)
	}
}

// shapeFault says what a node is that is not a value.
func shapeFault(n ast.Node, isList bool) *fault {
	switch n.(type) {
	case *ast.NullNode, nil:
		return &fault{"has no value", `write one, or "" for an empty text, or remove the line`}
	case *ast.MappingNode, *ast.MappingValueNode:
		return &fault{"this is a setting, not a section", "write one value behind the colon" + ifElse(isList, ", or a list as [a, b]", "")}
	case *ast.SequenceNode:
		return &fault{"is a list", "write one value"}
	case *ast.AnchorNode, *ast.AliasNode:
		return &fault{"anchors and aliases are not supported", "write the value out; quote a text that begins with & or *"}
	case *ast.TagNode:
		return &fault{"tags are not supported", "remove the tag; quote a text that begins with !"}
	}
	return &fault{"is not a single value", "write one value behind the colon"}
}

// scalarText returns the text of a scalar as it was written, without quotes.
// What YAML takes for a number or a truth value is a text as well: the setting
// decides what it must be.
func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode:
		return n.Token.Value, true
	case *ast.FloatNode:
		return n.Token.Value, true
	case *ast.BoolNode:
		return n.Token.Value, true
	case *ast.InfinityNode:
		return n.Token.Value, true
	case *ast.NanNode:
		return n.Token.Value, true
	}
	return "", false
}
