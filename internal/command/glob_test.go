package command

import (
	"bytes"
	"strings"
	"testing"
)

func TestGlobMatch(t *testing.T) {
	tests := []struct {
		pattern, text string
		fold, want    bool
	}{
		{"", "", false, true},
		{"*", "", false, false},
		{"", "a", false, false},
		{"*", "a", false, true},
		{"**", "abc", false, true},
		{"a*", "a", false, true},
		{"a**", "a", false, true},
		{"a*c", "abbbc", false, true},
		{"a*c", "abbbcd", false, false},
		{"*a*b*c*", "xxaxxbxxcxx", false, true},
		{"*aab", "aaaab", false, true},
		{"h?llo", "hello", false, true},
		{"h?llo", "hllo", false, false},
		{"h[ae]llo", "hallo", false, true},
		{"h[ae]llo", "hillo", false, false},
		{"h[^e]llo", "hallo", false, true},
		{"h[^e]llo", "hello", false, false},
		{"h[a-b]llo", "hbllo", false, true},
		{"h[b-a]llo", "hallo", false, true},
		{"h[a-", "ha", false, true},
		{"h[a-", "h-", false, true},
		{"h[a", "ha", false, true},
		{"h[", "h", false, false},
		{"h[", "hx", false, false},
		{"h[^", "hx", false, true},
		{"[a-]", "_", false, true}, // the range from a to ], and no end
		{`[\]]`, "]", false, true},
		{`[\a-c]`, "-", false, true},
		{`[\`, `\`, false, true},
		{`\*`, "*", false, true},
		{`\*`, "a", false, false},
		{`a\`, `a\`, false, true},
		{"ABC", "abc", true, true},
		{"[A-C]", "b", true, true},
		{`[\A]`, "a", true, false},
		{"[^x]*", "abc", false, true},
		{"[a-\xff]", "\xfe", false, false}, // signed: -1 to 97
		{"[a-\xff]", "\x01", false, true},
		{"\xff*", "\xff\x00", false, true},
	}
	for _, tt := range tests {
		if got := globMatch([]byte(tt.pattern), []byte(tt.text), tt.fold); got != tt.want {
			t.Errorf("globMatch(%q, %q, %v) = %v, want %v", tt.pattern, tt.text, tt.fold, got, tt.want)
		}
	}
}

// Would not return if the time were exponential in the number of stars.
func TestGlobMatchManyStars(t *testing.T) {
	pattern := []byte(strings.Repeat("a*", 50) + "b")
	text := bytes.Repeat([]byte("a"), 20000)
	if globMatch(pattern, text, false) {
		t.Error("matched")
	}
}

// slowGlob is the obvious matcher: a star stands for any run.
func slowGlob(pattern, text []byte, fold bool) bool {
	if len(pattern) == 0 {
		return len(text) == 0
	}
	if pattern[0] == '*' {
		for i := 0; i <= len(text); i++ {
			if slowGlob(pattern[1:], text[i:], fold) {
				return true
			}
		}
		return false
	}
	if len(text) == 0 {
		return false
	}
	next, ok := globOne(pattern, 0, text[0], fold)
	return ok && slowGlob(pattern[next:], text[1:], fold)
}

func FuzzGlobMatch(f *testing.F) {
	f.Add([]byte("a*b[c-d]?\\x"), []byte("aabcyx"), false)
	f.Add([]byte("[^"), []byte("q"), true)
	f.Fuzz(func(t *testing.T, pattern, text []byte, fold bool) {
		if len(pattern) > 12 || len(text) > 12 || len(text) == 0 {
			globMatch(pattern, text, fold)
			return
		}
		if got, want := globMatch(pattern, text, fold), slowGlob(pattern, text, fold); got != want {
			t.Fatalf("globMatch(%q, %q, %v) = %v, want %v", pattern, text, fold, got, want)
		}
	})
}
