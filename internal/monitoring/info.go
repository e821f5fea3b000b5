package monitoring

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/larder-cache/larder/internal/command"
)

// infoKeys is how many hot and big keys INFO shows.
const infoKeys = 10

// Sections returns the sections hotkeys and bigkeys of INFO; see
// [command.Hooks].
func (m *Monitor) Sections() []command.Section {
	return []command.Section{m.hotSection(), m.bigSection()}
}

func (m *Monitor) hotSection() command.Section {
	s := command.Section{Name: "hotkeys", Title: "Hotkeys"}
	add := func(name string, value string) {
		s.Fields = append(s.Fields, command.Parameter{Name: name, Value: value})
	}
	add("hotkeys_sampled", strconv.FormatUint(m.cfg.HotKeys.Seen(), 10))
	for i, k := range m.hotKeys(infoKeys) {
		add(fmt.Sprintf("hotkey_%d", i), fmt.Sprintf("db=%d,requests_per_sec=%.1f,share=%.4f,writes=%.2f,key=%s",
			k.DB, k.RequestsPerSecond, k.Share, k.Writes, k.Key))
	}
	return s
}

func (m *Monitor) bigSection() command.Section {
	s := command.Section{Name: "bigkeys", Title: "Bigkeys"}
	add := func(name string, value string) {
		s.Fields = append(s.Fields, command.Parameter{Name: name, Value: value})
	}
	r := m.big.Report(infoKeys)
	add("bigkeys_scanned", strconv.FormatUint(r.Scanned, 10))
	add("bigkeys_passes", strconv.FormatUint(r.Passes, 10))
	add("bigkeys_last_pass_sec", strconv.FormatFloat(r.PassTime.Seconds(), 'f', 2, 64))
	for i, n := range r.Counts {
		add("entries_of_"+sizeClass(r.Bounds, i)+"_bytes", strconv.FormatUint(n, 10))
	}
	for i, e := range remarkable(r.Largest) {
		add(fmt.Sprintf("bigkey_%d", i), fmt.Sprintf("db=%d,bytes=%d,key=%s", e.DB, e.Bytes, e.Key))
	}
	return s
}

// sizeClass names a class of sizes: up_to_64, more_than_1024.
func sizeClass(bounds []int, i int) string {
	if i < len(bounds) {
		return "up_to_" + strconv.Itoa(bounds[i])
	}
	return "more_than_" + strconv.Itoa(bounds[len(bounds)-1])
}

// maxPrinted is how many bytes of a key are shown.
const maxPrinted = 256

// printable returns a key as one line of text: bytes that are no text are
// written as \x00, and what is too long is cut.
func printable(key string) string {
	var b strings.Builder
	for i := 0; i < len(key); {
		if b.Len() >= maxPrinted {
			b.WriteString("…")
			break
		}
		r, n := utf8.DecodeRuneInString(key[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, key[i])
		case r == '\\':
			b.WriteString(`\\`)
		case !unicode.IsPrint(r):
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}
