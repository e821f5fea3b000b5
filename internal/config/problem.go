package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	File         string // as it was named; empty for a flag
	Line, Column int    // from 1; zero: the file as a whole
	Flag         string // "--maxmemory" when a flag is wrong; then there is no line
	Setting      string // its path: "memory.maxmemory"; empty: the file as a whole
	Text         string // what is wrong, goes on after the setting and a colon
	Hint         string // what to write instead; may be empty
}

// Error returns «where: setting: what is wrong; what to do» in one line.
func (p Problem) Error() string {
	s := p.headline()
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	return s
}

func (p Problem) headline() string {
	var parts []string
	if at := p.position(); at != "" {
		parts = append(parts, at)
	}
	if p.Setting != "" && p.Flag == "" {
		parts = append(parts, p.Setting)
	}
	return strings.Join(append(parts, p.Text), ": ")
}

// position returns where the problem is, as far as that is known.
func (p Problem) position() string {
	switch {
	case p.Flag != "":
		return p.Flag
	case p.File != "" && p.Column > 0:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	case p.File != "" && p.Line > 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return p.File
}

// Problems are all that is wrong with a configuration, in the order of the
// file, flags behind it. It is never empty as an error.
type Problems []Problem

// Error returns a paragraph per problem, for a terminal of 80 columns: the
// problem, and indented below it the hint.
func (p Problems) Error() string {
	var b strings.Builder
	for i, problem := range p {
		if i > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString(strings.Join(Wrap(problem.headline(), textWidth, "", "    "), "\n"))
		if problem.Hint != "" {
			b.WriteString("\n" + strings.Join(Wrap(problem.Hint, textWidth, "    ", "    "), "\n"))
		}
	}
	return b.String()
}

// Unwrap returns the single problems.
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p))
	for i := range p {
		errs[i] = p[i]
	}
	return errs
}

// sorted brings the problems into the order of [Problems].
func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Flag, b.Flag), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return p
}

// textWidth is the number of columns that messages and comments stay within.
const textWidth = 80

// Wrap breaks text at spaces into lines of at most width columns. The first
// line begins with first, the others with rest. A longer word stays whole.
func Wrap(text string, width int, first, rest string) []string {
	var lines []string
	line, empty := first, true
	for _, word := range strings.Fields(text) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > width {
			lines = append(lines, line)
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	return append(lines, line)
}
