package top

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// style is how a piece of text is set. The colours are those of the
// terminal's own palette, so that they are legible on its ground.
type style string

const (
	plain  style = ""
	bold   style = "1"
	label  style = "2"
	accent style = "36"
	good   style = "32"
	warn   style = "33"
	bad    style = "1;31"
	invert style = "7"
)

// pen sets text, or leaves it as it is without colour.
type pen bool

func (p pen) set(s style, text string) string {
	if !p || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// clean makes text safe for a terminal: what controls one is replaced.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// left returns text cut or filled to a width, right the same set to the right.
func left(s string, width int) string {
	s = ansi.Truncate(s, max(width, 0), "…")
	return s + strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
}

func right(s string, width int) string {
	s = ansi.Truncate(s, max(width, 0), "…")
	return strings.Repeat(" ", max(0, width-ansi.StringWidth(s))) + s
}

// number writes a count or a rate: 0.4, 12, 12,345, 1.23 M.
func number(v float64) string {
	switch {
	case v > 0 && v < 9.95:
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
	case v < 999999.5:
		return grouped(int64(v + 0.5))
	case v < 999.995e6:
		return fmt.Sprintf("%.2f M", v/1e6)
	}
	return fmt.Sprintf("%.2f G", v/1e9)
}

func count(n uint64) string { return number(float64(n)) }

func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func percent(r float64) string {
	if r >= 0.9995 {
		return "100 %"
	}
	return fmt.Sprintf("%.1f %%", 100*r)
}

func size[N int | uint64 | float64](n N) string {
	v, unit := float64(n), 0
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	for v >= 999.5 && unit < len(units)-1 {
		v /= 1024
		unit++
	}
	if unit > 0 && v < 99.95 {
		return fmt.Sprintf("%.1f %s", v, units[unit])
	}
	return fmt.Sprintf("%.0f %s", v, units[unit])
}

// duration writes a time in seconds; none is a dash.
func duration(seconds float64) string {
	switch {
	case seconds <= 0:
		return "–"
	case seconds < 9.95e-6:
		return fmt.Sprintf("%.1f µs", seconds*1e6)
	case seconds < 999.5e-6:
		return fmt.Sprintf("%.0f µs", seconds*1e6)
	case seconds < 9.95e-3:
		return fmt.Sprintf("%.1f ms", seconds*1e3)
	case seconds < 999.5e-3:
		return fmt.Sprintf("%.0f ms", seconds*1e3)
	}
	return fmt.Sprintf("%.1f s", seconds)
}

// age writes how long a node is up.
func age(seconds float64) string {
	d := time.Duration(seconds) * time.Second
	h, m := int(d.Hours()), int(d.Minutes())
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", m)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", h, m%60)
	}
	return fmt.Sprintf("%d d %d h", h/24, h%24)
}

var levels = []rune(" ▁▂▃▄▅▆▇█")

// spark draws the last values as columns up to top, or to the largest of them
// when top is 0. Values below 0 are unknown and left blank.
func spark(values []float64, width int, top float64) string {
	values = values[max(0, len(values)-width):]
	if top == 0 {
		for _, v := range values {
			top = max(top, v)
		}
	}
	out := make([]rune, 0, width)
	for range width - len(values) {
		out = append(out, ' ')
	}
	for _, v := range values {
		level := 0
		switch {
		case v >= 0 && top > 0:
			level = 1 + int(min(v/top, 1)*float64(len(levels)-2)+0.5)
		case v >= 0:
			level = 1
		}
		out = append(out, levels[level])
	}
	return string(out)
}

// bar draws a share, 0 to 1, of a width.
func bar(share float64, width int) (full, rest string) {
	n := min(max(int(share*float64(width)+0.5), 0), width)
	return strings.Repeat("█", n), strings.Repeat("░", width-n)
}
