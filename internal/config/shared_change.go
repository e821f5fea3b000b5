package config

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Change is one setting of a cluster to be changed.
type Change struct {
	// Path of the setting: "limits.clients".
	Path string
	// Value as it would stand in a larder.yaml; elements of a list with commas
	// or blanks between them, brackets around them or not. The text by which a
	// secret is shown leaves it as it is.
	Value string
	// Remove takes the setting out, so that it has its default again. Path may
	// be a section or an entry then: everything below goes.
	Remove bool
}

// With returns the settings with changes made, all or none of them. The result
// is judged as a whole; the error is a [Problems] with all that is wrong.
func (s Shared) With(changes []Change) (Shared, error) {
	next := Shared{texts: maps.Clone(s.texts)}
	if next.texts == nil {
		next.texts = map[string]text{}
	}
	l := &loader{config: Default(), places: map[string]place{}}
	for _, c := range changes {
		if c.Remove {
			l.remove(&next, c.Path)
		} else {
			l.change(&next, s, c)
		}
	}
	if err := l.verdict(next); err != nil {
		return Shared{}, err
	}
	return next, nil
}

// verdict judges settings as a whole, of which some have failed already.
func (l *loader) verdict(s Shared) error {
	l.readShared(s)
	l.problems = append(l.problems, l.judge()...)
	if size := len(s.Document()); size > MaxSharedBytes {
		l.problems = append(l.problems, Problem{
			Text: fmt.Sprintf("the settings of the cluster would have %d bytes, more than %d", size, MaxSharedBytes),
			Hint: "shorten queries, or remove sources and namespaces that nobody uses"})
	}
	if len(l.problems) > 0 {
		return l.problems.sorted()
	}
	return nil
}

func (l *loader) change(next *Shared, before Shared, c Change) {
	row, known := locate(c.Path)
	switch {
	case !known:
		l.unknownPath(c.Path)
		return
	case row.scope != ScopeCluster:
		l.fail(c.Path, &fault{textOfNode, hintOfNode})
		return
	}
	scratch := l.config.cloned()
	v, _ := row.of(&scratch)
	t := text{items: []string{c.Value}}
	if _, isList := v.(list); isList {
		t = text{itemsOf(c.Value), true}
	}
	next.set(l, row, before, t)
}

// itemsOf splits the text of a list.
func itemsOf(text string) []string {
	text = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "["), "]")
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// set gives a setting a text that was written by a person, or reports what
// speaks against it.
func (s *Shared) set(l *loader, row located, before Shared, written text) {
	old, had := before.texts[row.path]
	t, f := unveil(row, old, had, written)
	if f == nil {
		scratch := l.config.cloned()
		v, _ := row.of(&scratch)
		if f = t.into(v); f == nil {
			t = normal(v, t)
			f = storable(row.path, t)
		}
	}
	if f != nil {
		l.fail(row.path, f)
		return
	}
	s.texts[row.path] = t
}

// normal returns the one text of all that mean the same value.
func normal(v value, t text) text {
	if p, ok := v.(portable); ok {
		return text{items: []string{p.portable(t.items[0])}}
	}
	return textsOf(v)
}

// unveil puts the secret in place of what it was shown as.
func unveil(row located, old text, had bool, t text) (text, *fault) {
	if row.secrecy == public || t.list {
		return t, nil
	}
	written := t.items[0]
	if had && written == row.shownText(old.items[0]) {
		return old, nil
	}
	if row.secrecy == secret && written == redacted {
		return t, &fault{redacted + " stands for a secret that is not shown, and there is none", "write the secret itself"}
	}
	if row.secrecy == locators && strings.Contains(written, redacted) && RedactDSN(written) == written {
		return t, &fault{redacted + " stands for a password that is not shown", "with another change in the same text the password must be written out"}
	}
	return t, nil
}

// storable refuses what would not read back from a document as it was.
func storable(path string, t text) *fault {
	one := Shared{texts: map[string]text{path: t}}
	if again, err := DecodeShared(one.Document()); err != nil || !again.Equal(one) {
		return &fault{"cannot be stored as it is", "write text in UTF-8, at most 16 KB of it"}
	}
	return nil
}

// remove takes a setting and all below it out.
func (l *loader) remove(next *Shared, path string) {
	found := false
	for at := range maps.Keys(next.texts) {
		if at == path || strings.HasPrefix(at, path+".") {
			delete(next.texts, at)
			found = true
		}
	}
	if row, known := locate(path); !found && !known {
		l.unknownPath(path)
	} else if !found && row.scope != ScopeCluster {
		l.fail(path, &fault{textOfNode, hintOfNode})
	}
}

// unknownPath reports a path of no setting, unless it is one of a section.
func (l *loader) unknownPath(path string) {
	if entry := entryOf(path); entry != "" && !validName(entry) {
		l.fail(path, &fault{fmt.Sprintf("%q is not a name", entry), "write letters, digits, - and _"})
		return
	}
	section, names := "", append(below(settings, ""), "sources", "namespaces")
	for part := range strings.SplitSeq(path, ".") {
		at := join(section, part)
		inside := below(settings, at)
		switch {
		case section == "" && (part == "sources" || part == "namespaces"):
			inside = []string{"NAME"}
		case section == "sources":
			inside = below(sourceSettings, "")
		case section == "namespaces":
			inside = below(namespaceSettings, "")
		case entryOf(at) != "":
			_, field, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(at, "sources."), "namespaces."), ".")
			inside = below(sourceSettings, field)
			if strings.HasPrefix(at, "namespaces.") {
				inside = below(namespaceSettings, field)
			}
		}
		if len(inside) == 0 {
			l.fail(path, &fault{"there is no such setting", l.remedy(section, part, names)})
			return
		}
		section, names = at, inside
	}
	l.fail(path, &fault{"this is a section, not a setting", "the settings of it are " + section + "." + strings.Join(names, ", "+section+".")})
}

// ParseShared reads settings that a person has written in place of others, with
// secrets as they were shown, and judges them as a whole. name is what problems
// call the document. The error is a [Problems] with lines.
func ParseShared(name string, data []byte, before Shared) (Shared, error) {
	l := &loader{file: name, scope: ScopeCluster, config: Default(), places: map[string]place{}}
	l.tolerated = func(path string) bool { return before.covers(path) }
	if !bytes.Equal(bytes.ToValidUTF8(data, nil), data) {
		return Shared{}, Problems{{File: name, Text: "is not text in UTF-8", Hint: "save it in that encoding"}}
	}
	l.read(data)
	written, err := DecodeShared(data)
	if len(l.problems) > 0 {
		return Shared{}, l.problems.sorted()
	}
	if err != nil {
		return Shared{}, Problems{{File: name, Text: err.Error()}}
	}
	// Values are now read a second time, with the secrets in place.
	l.config = Default()
	next := Shared{texts: map[string]text{}}
	for _, path := range written.Paths() {
		t := written.texts[path]
		row, known := locate(path)
		if !known {
			if t.equal(redactText(path, before.texts[path])) {
				t = before.texts[path]
			}
			next.texts[path] = t
			continue
		}
		scratch := l.config.cloned()
		if v, _ := row.of(&scratch); !t.list {
			if _, isList := v.(list); isList {
				t = text{itemsOf(t.items[0]), true}
			}
		}
		next.set(l, row, before, t)
	}
	if err := l.verdict(next); err != nil {
		return Shared{}, err
	}
	return next, nil
}

// covers reports whether there is a setting of this path or below it.
func (s Shared) covers(path string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(s.texts)), func(at string) bool {
		return at == path || strings.HasPrefix(at, path+".")
	})
}

// Changes returns what makes other settings of these, in the order of the
// reference.
func (s Shared) Changes(to Shared) []Change {
	var changes []Change
	for _, path := range s.Differences(to) {
		t, kept := to.texts[path]
		if !kept {
			changes = append(changes, Change{Path: path, Remove: true})
			continue
		}
		v := t.items
		if t.list {
			changes = append(changes, Change{Path: path, Value: "[" + strings.Join(v, ", ") + "]"})
			continue
		}
		changes = append(changes, Change{Path: path, Value: v[0]})
	}
	return changes
}

// Differences returns the paths that differ, in the order of the reference.
func (s Shared) Differences(other Shared) []string {
	var paths []string
	for path, t := range s.texts {
		if o, there := other.texts[path]; !there || !t.equal(o) {
			paths = append(paths, path)
		}
	}
	for path := range other.texts {
		if _, there := s.texts[path]; !there {
			paths = append(paths, path)
		}
	}
	slices.SortFunc(paths, comparePaths)
	return paths
}
