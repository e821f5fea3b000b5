package config

import (
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/command"
)

// value is one field of a configuration, as text. Implementations point into
// the configuration they were made for.
type value interface {
	set(text string) *fault // nil: done; otherwise the field is as before
	text() string           // what set would take; empty only for empty text
	field() any             // the pointer to the field
}

// list is a value that has several elements in the file. As a value its text is
// the elements with spaces between them.
type list interface {
	value
	setList(items []string) *fault
	items() []string
}

// fault is what is wrong with a value.
type fault struct{ problem, hint string }

func wrong(text, what, hint string) *fault {
	return &fault{fmt.Sprintf("%q is not %s", text, what), hint}
}

// byteCount is a number of bytes, with units.
type byteCount[T int | uint64] struct {
	p         *T
	low, high uint64 // both included; zero is allowed as well when zero is set
	zero      bool
}

func bytesOf[T int | uint64](p *T, low, high uint64, zero bool) value {
	return &byteCount[T]{p, low, high, zero}
}

func (v *byteCount[T]) field() any   { return v.p }
func (v *byteCount[T]) text() string { return FormatBytes(uint64(*v.p)) }

func (v *byteCount[T]) set(text string) *fault {
	n, ok := ParseBytes(text)
	if !ok {
		return wrong(text, "a number of bytes", "write a number with or without a unit, such as 65536, 64kb, 512mb or 2gb")
	}
	if (n < v.low || n > v.high) && !(n == 0 && v.zero) {
		problem := fmt.Sprintf("%s is not between %s and %s", text, FormatBytes(v.low), FormatBytes(v.high))
		if v.high == math.MaxInt64 {
			problem = fmt.Sprintf("%s is less than %s", text, FormatBytes(v.low))
		}
		return &fault{problem, "write another size" + ifElse(v.zero, ", or 0 for no limit", "")}
	}
	*v.p = T(n)
	return nil
}

func ifElse(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

// memoryLimit is a number of bytes or a share of the machine's memory, which
// becomes a number of bytes when it is read.
type memoryLimit struct{ p *uint64 }

// minMemory is the least a node can work with: the Go runtime takes some 10 MB
// of it, each shard its first pages.
const minMemory = 32 << 20

func (v memoryLimit) field() any   { return v.p }
func (v memoryLimit) text() string { return FormatBytes(*v.p) }

func (v memoryLimit) set(text string) *fault {
	const hint = "write a size such as 512mb or 2gb, a share of the machine's memory such as 75%, or 0 for no limit"
	n, ok := ParseBytes(text)
	if digits, isShare := strings.CutSuffix(text, "%"); isShare {
		share, err := strconv.ParseFloat(digits, 64)
		if err != nil || !(share > 0 && share <= 100) {
			return wrong(text, "a share between 0% and 100%", hint)
		}
		if MachineMemory() == 0 {
			return &fault{fmt.Sprintf("%s of an unknown size: this system does not tell how much memory it has", text), "write a size such as 2gb"}
		}
		n, ok = shareOfMemory(share), true
	}
	if !ok {
		return wrong(text, "an amount of memory", hint)
	}
	if n != 0 && n < minMemory {
		return &fault{fmt.Sprintf("%s is too little to run in", text), fmt.Sprintf("write %s or more, or 0 for no limit", FormatBytes(minMemory))}
	}
	if n > math.MaxInt64 {
		return &fault{text + " is more than any machine has", hint}
	}
	*v.p = n
	return nil
}

// ParseBytes reads a number of bytes with an optional unit in any case: those
// Redis knows, of which k, m and g are powers of 1000 and kb, mb and gb powers
// of 1024, and kib, mib, gib, which are the latter.
func ParseBytes(text string) (uint64, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	for _, unit := range []string{"kib", "mib", "gib"} {
		if digits, ok := strings.CutSuffix(text, unit); ok {
			text = digits + unit[:1] + "b"
			break
		}
	}
	n, ok := command.ParseBytes(text)
	return uint64(n), ok
}

// FormatBytes writes a number of bytes with the largest of the units kb, mb and
// gb in which it is a whole number.
func FormatBytes(n uint64) string {
	for _, unit := range []struct {
		size uint64
		name string
	}{{1 << 30, "gb"}, {1 << 20, "mb"}, {1 << 10, "kb"}} {
		if n >= unit.size && n%unit.size == 0 {
			return strconv.FormatUint(n/unit.size, 10) + unit.name
		}
	}
	return strconv.FormatUint(n, 10)
}

// duration is a length of time with units.
type duration struct {
	p *time.Duration
	// off is the word for a negative duration, empty when there is none.
	off string
}

func durationOf(p *time.Duration) value { return &duration{p: p} }

func (v *duration) field() any { return v.p }

func (v *duration) text() string {
	if *v.p < 0 && v.off != "" {
		return v.off
	}
	return FormatDuration(*v.p)
}

func (v *duration) set(text string) *fault {
	if v.off != "" && strings.EqualFold(text, v.off) {
		*v.p = -1
		return nil
	}
	d, ok := ParseDuration(text)
	switch {
	case !ok:
		hint := "write a number and a unit, such as 500ms, 30s, 5m, 12h or 7d"
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			hint = fmt.Sprintf("add the unit, such as %ss or %sms", text, text)
		}
		return wrong(text, "a duration", hint)
	case d < 0:
		return &fault{text + " is negative", "write a duration from 0 on" + ifElse(v.off != "", ", or "+v.off, "")}
	}
	*v.p = d
	return nil
}

// ParseDuration reads what [time.ParseDuration] reads, and days in front of it:
// 7d, 1d12h.
func ParseDuration(text string) (time.Duration, bool) {
	const day = 24 * time.Hour
	days, rest, hasDays := strings.Cut(text, "d")
	if !hasDays {
		d, err := time.ParseDuration(text)
		return d, err == nil
	}
	n, err := strconv.ParseUint(days, 10, 16) // 65535 days fit into a Duration
	if err != nil {
		return 0, false
	}
	d := time.Duration(n) * day
	if rest == "" {
		return d, true
	}
	more, err := time.ParseDuration(rest)
	return d + more, err == nil && more >= 0 && more < day
}

// FormatDuration writes a duration as [ParseDuration] reads it, without parts
// that are zero: 5m rather than 5m0s, 7d rather than 168h.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d < (1<<16)*day {
		text := strconv.Itoa(int(d/day)) + "d"
		if d %= day; d > 0 {
			text += FormatDuration(d)
		}
		return text
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	if d == 0 {
		return "0"
	}
	return text
}

// integer is a whole number.
type integer struct {
	p         *int
	low, high int // both included
}

func intOf(p *int, low, high int) value { return &integer{p: p, low: low, high: high} }

func (v *integer) field() any   { return v.p }
func (v *integer) text() string { return strconv.Itoa(*v.p) }

func (v *integer) set(text string) *fault {
	n, err := strconv.Atoi(text)
	if err != nil {
		return wrong(text, "a whole number", fmt.Sprintf("write a number from %d to %d", v.low, v.high))
	}
	if n < v.low || n > v.high {
		return &fault{text + " is out of range", fmt.Sprintf("write a number from %d to %d", v.low, v.high)}
	}
	*v.p = n
	return nil
}

// fraction is a number from low to high, both included.
type fraction struct {
	p         *float64
	low, high float64
}

func (v *fraction) field() any   { return v.p }
func (v *fraction) text() string { return strconv.FormatFloat(*v.p, 'g', -1, 64) }

func (v *fraction) set(text string) *fault {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f >= v.low && f <= v.high) {
		return wrong(text, fmt.Sprintf("a number from %g to %g", v.low, v.high), fmt.Sprintf("write for example %g", v.high/10))
	}
	*v.p = f
	return nil
}

// truth is true or false.
type truth struct{ p *bool }

func (v truth) field() any   { return v.p }
func (v truth) text() string { return strconv.FormatBool(*v.p) }

func (v truth) set(text string) *fault {
	switch strings.ToLower(text) {
	case "true":
		*v.p = true
	case "false":
		*v.p = false
	default:
		return wrong(text, "true or false", "write true or false")
	}
	return nil
}

// plain is any text.
type plain[T ~string] struct{ p *T }

func textOf[T ~string](p *T) value { return &plain[T]{p} }

func (v *plain[T]) field() any   { return v.p }
func (v *plain[T]) text() string { return string(*v.p) }

func (v *plain[T]) set(text string) *fault {
	*v.p = T(text)
	return nil
}

// word is one of a few words, in any case.
type word[T ~string] struct {
	p     *T
	words []T
}

func wordOf[T ~string](p *T, words ...T) value { return &word[T]{p, words} }

func (v *word[T]) field() any   { return v.p }
func (v *word[T]) text() string { return string(*v.p) }

func (v *word[T]) set(text string) *fault {
	known := make([]string, len(v.words))
	for i, w := range v.words {
		if strings.EqualFold(string(w), text) {
			*v.p = w
			return nil
		}
		known[i] = string(w)
	}
	hint := "write one of " + strings.Join(known, ", ")
	if near := Nearest(text, known); near != "" {
		hint = "did you mean " + near + "?"
	}
	return &fault{fmt.Sprintf("%q is unknown", text), hint}
}

// level is a level of the log.
type level struct{ p *slog.Level }

func (v level) field() any   { return v.p }
func (v level) text() string { return strings.ToLower(v.p.String()) }

func (v level) set(text string) *fault {
	name := text
	if f := wordOf(&name, "debug", "info", "warn", "error").set(text); f != nil {
		return f
	}
	_ = v.p.UnmarshalText([]byte(name)) // knows these four words
	return nil
}

// permission is the mode of a file, in octal.
type permission struct{ p *uint32 }

func (v permission) field() any   { return v.p }
func (v permission) text() string { return fmt.Sprintf("%04o", *v.p) }

func (v permission) set(text string) *fault {
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(text), "0o"), 8, 32)
	if err != nil || n > 0o777 {
		return wrong(text, "a file mode", "write three or four octal digits, such as 0700 or 0660")
	}
	*v.p = uint32(n)
	return nil
}

// events are classes of keyspace notifications in Redis's letters.
type events struct{ p *command.NotifyClass }

func (v events) field() any   { return v.p }
func (v events) text() string { return v.p.String() }

func (v events) set(text string) *fault {
	classes, ok := command.ParseNotifyClasses(text)
	if !ok {
		return wrong(text, "a set of event classes", "write letters of KEg$lshzxetdmnA as in Redis, such as Ex for expired keys")
	}
	*v.p = classes
	return nil
}

// texts is a list of texts.
type texts struct{ p *[]string }

func (v texts) field() any             { return v.p }
func (v texts) text() string           { return strings.Join(*v.p, " ") }
func (v texts) items() []string        { return *v.p }
func (v texts) set(text string) *fault { return v.setList([]string{text}) }

func (v texts) setList(items []string) *fault {
	*v.p = slices.Clone(items)
	return nil
}

// percentiles is a list of numbers from 0 to 100.
type percentiles struct{ p *[]float64 }

func (v percentiles) field() any             { return v.p }
func (v percentiles) text() string           { return strings.Join(v.items(), " ") }
func (v percentiles) set(text string) *fault { return v.setList(strings.Fields(text)) }

func (v percentiles) items() []string {
	items := make([]string, len(*v.p))
	for i, f := range *v.p {
		items[i] = strconv.FormatFloat(f, 'g', -1, 64)
	}
	return items
}

func (v percentiles) setList(items []string) *fault {
	read := make([]float64, 0, len(items))
	for _, item := range items {
		f, err := strconv.ParseFloat(item, 64)
		if err != nil || !(f >= 0 && f <= 100) {
			return wrong(item, "a percentile", "write numbers from 0 to 100, such as [50, 99, 99.9]")
		}
		read = append(read, f)
	}
	*v.p = read
	return nil
}
