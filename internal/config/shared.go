package config

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// MaxSharedBytes is the size of the largest settings of a cluster, as a
// document.
const MaxSharedBytes = 256 << 10

// Shared is the settings that the nodes of a cluster have in common: those that
// somebody has set, as they would stand in a larder.yaml. Settings of a later
// version are kept although nothing is known about them. A Shared is immutable
// and safe for concurrent use; the zero one has no settings.
type Shared struct{ texts map[string]text }

// text is a value as it was written.
type text struct {
	items []string // one, or the elements of a list
	list  bool
}

func textsOf(v value) text {
	if many, ok := v.(list); ok {
		return text{slices.Clone(many.items()), true}
	}
	return text{[]string{v.text()}, false}
}

// into reads the text into a field.
func (t text) into(v value) *fault {
	many, isList := v.(list)
	switch {
	case isList:
		return many.setList(t.items)
	case t.list:
		return &fault{"is a list", "write one value"}
	}
	return v.set(t.items[0])
}

func (t text) equal(other text) bool {
	return t.list == other.list && slices.Equal(t.items, other.items)
}

// yaml writes the text as the value of a setting.
func (t text) yaml() string {
	if !t.list {
		return yamlText(t.items[0])
	}
	items := make([]string, len(t.items))
	for i, item := range t.items {
		items[i] = yamlText(item)
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// portable is a value whose text depends on the machine: as a setting of many
// machines it must stay as it was written.
type portable interface{ portable(text string) string }

// portable implements the interface of that name: a share of the memory is
// another number of bytes on each machine.
func (v memoryLimit) portable(text string) string {
	if strings.HasSuffix(text, "%") {
		return text
	}
	return v.text()
}

// Paths returns the settings there are, in the order of the reference. The
// caller owns the slice.
func (s Shared) Paths() []string {
	return slices.SortedFunc(maps.Keys(s.texts), comparePaths)
}

// comparePaths orders as the reference does; what is unknown comes last.
func comparePaths(a, b string) int {
	rank := func(path string) int {
		row, known := locate(path)
		section, _, _ := strings.Cut(path, ".")
		switch {
		case section == "sources":
			return 1 << 16
		case section == "namespaces":
			return 1 << 17
		case !known:
			return 1 << 18
		}
		return row.rank
	}
	if d := cmp.Compare(rank(a), rank(b)); d != 0 {
		return d
	}
	if d := cmp.Compare(entryOf(a), entryOf(b)); d != 0 {
		return d
	}
	first, _ := locate(a)
	second, _ := locate(b)
	return cmp.Or(cmp.Compare(first.rank, second.rank), cmp.Compare(a, b))
}

// entryOf returns the name of the source or namespace that a setting is of.
func entryOf(path string) string {
	section, rest, _ := strings.Cut(path, ".")
	if section != "sources" && section != "namespaces" {
		return ""
	}
	name, _, _ := strings.Cut(rest, ".")
	return name
}

// Equal reports whether two have the same settings.
func (s Shared) Equal(other Shared) bool { return maps.EqualFunc(s.texts, other.texts, text.equal) }

// Document returns the settings as a larder.yaml, with secrets: what is stored.
func (s Shared) Document() []byte { return s.document(false) }

// Redacted returns the settings as a larder.yaml, with xxxxx in place of
// secrets: what people see.
func (s Shared) Redacted() []byte { return s.document(true) }

func (s Shared) document(hide bool) []byte {
	var b strings.Builder
	var open []string
	for _, path := range s.Paths() {
		parts := strings.Split(path, ".")
		sections := parts[:len(parts)-1]
		same := 0
		for same < len(open) && same < len(sections) && open[same] == sections[same] {
			same++
		}
		for i := same; i < len(sections); i++ {
			b.WriteString(strings.Repeat("  ", i) + yamlText(sections[i]) + ":\n")
		}
		open = sections
		t := s.texts[path]
		if hide {
			t = redactText(path, t)
		}
		b.WriteString(strings.Repeat("  ", len(sections)) + yamlText(parts[len(parts)-1]) + ": " + t.yaml() + "\n")
	}
	return []byte(b.String())
}

// redactText returns a text as people see it. What is unknown might be a
// secret of a later version.
func redactText(path string, t text) text {
	row, known := locate(path)
	switch {
	case !known:
		return text{items: []string{redacted}}
	case t.list:
		return t
	}
	return text{items: []string{row.shownText(t.items[0])}}
}

// DecodeShared reads a stored document. It does not judge what it reads: an
// earlier or a later version has written it.
func DecodeShared(data []byte) (Shared, error) {
	body, err := parseTree(data)
	if err != nil {
		return Shared{}, err
	}
	s := Shared{texts: map[string]text{}}
	if body == nil {
		return s, nil
	}
	return s, s.flatten("", body)
}

var errNotSettings = errors.New("the document is not one of settings")

// flatten adds what stands in a section.
func (s *Shared) flatten(section string, n ast.Node) error {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	case *ast.SequenceNode:
		if section == "" {
			return errNotSettings
		}
		t := text{list: true}
		for _, item := range n.Values {
			one, ok := scalarText(item)
			if !ok {
				return errNotSettings
			}
			t.items = append(t.items, one)
		}
		s.texts[section] = t
		return nil
	case *ast.NullNode, *ast.CommentGroupNode, nil:
		return nil
	default:
		one, ok := scalarText(n)
		if !ok || section == "" {
			return errNotSettings
		}
		s.texts[section] = text{items: []string{one}}
		return nil
	}
	for _, v := range values {
		name, ok := scalarText(v.Key)
		if !ok || name == "" || strings.Contains(name, ".") {
			return errNotSettings
		}
		if err := s.flatten(join(section, name), v.Value); err != nil {
			return err
		}
	}
	return nil
}
