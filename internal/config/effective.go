package config

import (
	"cmp"
	"io"
	"strings"

	"github.com/larder-cache/larder/internal/source"
)

// WriteEffective writes a configuration as a file: every setting, with the
// default beside those that differ from it. Secrets are left out; only that
// they are set is told.
func WriteEffective(w io.Writer, c Config) error {
	defaults := Default()
	standard := bind(settings, &defaults)
	d := &document{}
	for i, l := range bind(settings, &c) {
		remark := ""
		if l.value.text() != standard[i].value.text() {
			remark = "  # default " + cmp.Or(l.shown, yamlValue(standard[i].value))
		}
		d.effective(l, "", remark)
	}
	writeEntries(d, "sources", c.Sources, sourceSettings, source.Config.WithDefaults)
	writeEntries(d, "namespaces", c.Namespaces, namespaceSettings, Namespace.WithDefaults)
	_, err := io.WriteString(w, strings.TrimPrefix(d.String(), "\n"))
	return err
}

func writeEntries[T any](d *document, section string, entries map[string]T, table []setting[T], complete func(T) T) {
	if len(entries) == 0 {
		return
	}
	d.WriteString("\n" + section + ":\n")
	for _, name := range sortedNames(entries) {
		entry := complete(entries[name])
		d.WriteString("  " + yamlText(name) + ":\n")
		d.open = nil
		for _, l := range bind(table, &entry) {
			switch l.value.text() {
			case "", "0", "false": // off
			default:
				d.effective(l, "    ", "")
			}
		}
	}
}

// effective writes one setting without its meaning.
func (d *document) effective(l line, margin, remark string) {
	sections, name := l.split()
	at := d.enter(sections, margin, func(_, at string) {
		if at == "" {
			d.WriteString("\n")
		}
	})
	text := yamlValue(l.value)
	switch {
	case l.secrecy == secret && l.value.text() != "":
		d.WriteString(at + "# " + name + " is set and not shown\n")
		return
	case l.secrecy == locators:
		text = yamlText(RedactDSN(l.value.text()))
	}
	d.WriteString(at + name + ": " + text + remark + "\n")
}
