package config

import (
	"io"
	"strings"

	"github.com/larder-cache/larder/internal/source"
)

const referenceHead = `# Every setting of larder with its default. It can be used as larder.yaml as it
# is; in a file of your own, keep the lines that you change. To check a file:
# larder config check larder.yaml
#
# Sizes take the units kb, mb, gb (powers of 1024), k, m, g (of 1000), durations
# ms, s, m, h and d. Flags of larder serve go before the file. A setting marked
# "Live" can be changed while the node runs, by CONFIG SET and the name given;
# the others need a restart.
#
# In a cluster the settings marked "Cluster" are kept by the cluster, for all
# nodes: larder config set. A node that has one of them in its own file or flags
# goes by its own; larder config get shows where.
`

// WriteReference writes every setting with its meaning and default, as a
// configuration that could be used: it reads back as [Default].
func WriteReference(w io.Writer) error {
	c := Default()
	shop := source.Config{}.WithDefaults()
	shop.MaxConnections = 0 // means as many as concurrency
	users := Namespace{}

	d := &document{}
	d.WriteString(referenceHead)
	d.settings(bind(settings, &c), "")
	d.example("sources", "shop", bind(sourceSettings, &shop))
	d.example("namespaces", "users", bind(namespaceSettings, &users))
	_, err := io.WriteString(w, d.String())
	return err
}

// line is a setting of any table, bound to a configuration.
type line struct {
	path, doc, zero, redis string
	shown                  string // in the reference, in place of the value
	scope                  Scope
	live                   bool
	secrecy                secrecy
	value                  value
}

// bind makes lines of a table.
func bind[T any](table []setting[T], target *T) []line {
	lines := make([]line, len(table))
	for i, s := range table {
		shown := s.shown
		if s.example != "" {
			shown = yamlText(s.example)
		}
		lines[i] = line{s.path, s.doc, s.zero, s.redis, shown, s.scope, s.live, s.secrecy, s.at(target)}
	}
	return lines
}

// split returns the sections of a path and the name in them.
func (l *line) split() (sections []string, name string) {
	parts := strings.Split(l.path, ".")
	return parts[:len(parts)-1], parts[len(parts)-1]
}

// document is a YAML file in the making. open are the sections that the next
// line may be in.
type document struct {
	strings.Builder
	open []string
}

// comment writes text as lines of comment behind margin.
func (d *document) comment(text, margin string) {
	for _, l := range Wrap(text, textWidth, margin+"# ", margin+"# ") {
		d.WriteString(l + "\n")
	}
}

// enter writes the sections of a setting that are not open yet, and returns the
// margin of the lines in them. before is called for each with its path and
// margin.
func (d *document) enter(sections []string, margin string, before func(path, margin string)) string {
	same := 0
	for same < len(d.open) && same < len(sections) && d.open[same] == sections[same] {
		same++
	}
	for i := same; i < len(sections); i++ {
		at := margin + strings.Repeat("  ", i)
		before(strings.Join(sections[:i+1], "."), at)
		d.WriteString(at + sections[i] + ":\n")
	}
	d.open = sections
	return margin + strings.Repeat("  ", len(sections))
}

// settings writes settings with their comments.
func (d *document) settings(lines []line, margin string) {
	d.open = nil
	for _, l := range lines {
		sections, name := l.split()
		at := d.enter(sections, margin, func(path, at string) {
			if at == "" {
				d.WriteString("\n")
			}
			if doc := sectionDocs[path]; doc != "" {
				d.comment(doc, at)
			}
		})
		d.comment(l.notes(), at)
		text := l.shown
		if text == "" {
			text = yamlValue(l.value)
		}
		d.WriteString(at + name + ": " + text + "\n")
	}
}

// notes is all that the reference says about a setting.
func (l *line) notes() string {
	notes := l.doc
	if l.zero != "" {
		notes += " " + l.zero
	}
	if l.scope == ScopeCluster {
		notes += " Cluster."
	}
	if l.redis != "" {
		notes += " Live: " + l.redis + "."
	} else if l.live {
		notes += " Live: larder config set."
	}
	return notes
}

// example writes a section of entries with one that is a comment.
func (d *document) example(section, name string, lines []line) {
	d.WriteString("\n")
	d.comment(sectionDocs[section]+" An example, to be uncommented:", "")
	d.WriteString(section + ":\n  # " + name + ":\n")
	d.settings(lines, "  #   ")
}
