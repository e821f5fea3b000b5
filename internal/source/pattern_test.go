package source_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/source"
)

func ExamplePattern_Params() {
	p, _ := source.ParsePattern("shop:{tenant}:price:{sku:int}")
	params, ok := p.Params([]byte("shop:acme:price:42"))
	fmt.Println(ok, params.Text(0), params.Int(1))
	fmt.Println(p.Match([]byte("shop:acme:price:blue")))
	// Output:
	// true acme 42
	// false
}

func mustPattern(t testing.TB, text string) *source.Pattern {
	t.Helper()
	p, err := source.ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPatternMatch(t *testing.T) {
	for _, tt := range []struct {
		name, pattern, key string
		want               []string // nil: no match
	}{
		{"one part", "user:{id}", "user:7", []string{"7"}},
		{"empty part", "user:{id}", "user:", nil},
		{"other prefix", "user:{id}", "usr:7", nil},
		{"last part takes the rest", "user:{id}", "user:7:x", []string{"7:x"}},
		{"two parts", "a:{x}:{y}", "a:1:2", []string{"1", "2"}},
		{"first literal ends a part", "a:{x}:{y}", "a:1:2:3", []string{"1", "2:3"}},
		{"empty middle part", "a:{x}:{y}", "a::2", nil},
		{"missing part", "a:{x}:{y}", "a:1", nil},
		{"closing literal", "{x}:end", "a:end:end", []string{"a:end"}},
		{"closing literal missing", "{x}:end", "a:en", nil},
		{"overlapping literals", "ab{x}bc", "abc", nil},
		{"only a part", "{x}", "anything", []string{"anything"}},
		{"empty key", "{x}", "", nil},
		{"no part", "home", "home", []string{}},
		{"no part, longer key", "home", "homes", nil},
		{"braces", "{{user:{id}}}:p", "{user:7}:p", []string{"7"}},
		{"int", "u:{id:int}", "u:-12", []string{"-12"}},
		{"int zero", "u:{id:int}", "u:0", []string{"0"}},
		{"int minus zero", "u:{id:int}", "u:-0", nil},
		{"int leading zero", "u:{id:int}", "u:07", nil},
		{"int plus", "u:{id:int}", "u:+7", nil},
		{"int minus alone", "u:{id:int}", "u:-", nil},
		{"int text", "u:{id:int}", "u:x", nil},
		{"int largest", "u:{id:int}", "u:9223372036854775807", []string{"9223372036854775807"}},
		{"int too large", "u:{id:int}", "u:9223372036854775808", nil},
		{"int smallest", "u:{id:int}", "u:-9223372036854775808", []string{"-9223372036854775808"}},
		{"int too small", "u:{id:int}", "u:-9223372036854775809", nil},
		{"int 20 digits", "u:{id:int}", "u:18446744073709551617", nil},
		{"uuid", "{id:uuid}", "01234567-89ab-cdef-0123-456789abcdef", []string{"01234567-89ab-cdef-0123-456789abcdef"}},
		{"uuid upper case", "{id:uuid}", "01234567-89AB-cdef-0123-456789abcdef", nil},
		{"uuid dashes", "{id:uuid}", "0123456789-ab-cdef-0123-456789abcdef", nil},
		{"text refuses broken UTF-8", "u:{id}", "u:\xff", nil},
		{"text refuses NUL", "u:{id:text}", "u:a\x00", nil},
		{"bytes accepts both", "u:{id:bytes}", "u:\xff\x00", []string{"\xff\x00"}},
		{"binary literal", "\xfe{id}", "\xfea", []string{"a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := mustPattern(t, tt.pattern)
			params, ok := p.Params([]byte(tt.key))
			if ok != p.Match([]byte(tt.key)) {
				t.Error("Match and Params disagree")
			}
			if ok != (tt.want != nil) || params.Len() != len(tt.want) {
				t.Fatalf("match = %v with %d parts, want %q", ok, params.Len(), tt.want)
			}
			for i, want := range tt.want {
				if params.Text(i) != want {
					t.Errorf("part %d = %q, want %q", i, params.Text(i), want)
				}
			}
		})
	}
}

func TestPatternRefused(t *testing.T) {
	for _, tt := range []struct {
		pattern, problem string
		offset           int
	}{
		{"", "is empty", 0},
		{"user:{id", "not closed", 5},
		{"user:id}", "without {", 7},
		{"user:{}", "no valid name", 5},
		{"user:{1d}", "no valid name", 5},
		{"user:{a b}", "no valid name", 5},
		{"user:{id:float}", "text, int, uuid, bytes", 5},
		{"{a}{b}", "{b} follows {a} directly", 3},
		{"{a}:{a}", "occurs twice", 4},
		{"{a}:{b}:{c}:{d}:{e}:{f}:{g}:{h}:{i}", "more than 8", 32},
	} {
		_, err := source.ParsePattern(tt.pattern)
		var e *source.PatternError
		if !errors.As(err, &e) || e.Offset != tt.offset || !strings.Contains(e.Problem, tt.problem) {
			t.Errorf("%q: %v, want offset %d: …%s…", tt.pattern, err, tt.offset, tt.problem)
		}
	}
}

func TestPatternMatchDoesNotAllocate(t *testing.T) {
	p := mustPattern(t, "shop:{tenant}:price:{sku:int}")
	for _, key := range []string{"shop:acme:price:42", "shop:acme:price:x", "session:1", ""} {
		b := []byte(key)
		if n := testing.AllocsPerRun(100, func() { p.Match(b) }); n != 0 {
			t.Errorf("Match(%q) allocates %v times", key, n)
		}
	}
}

// rebuild puts literals and parts together again; it is written for patterns as
// ParsePattern accepts them.
func rebuild(p *source.Pattern, params source.Params) string {
	s := p.String()
	var b strings.Builder
	part := 0
	for i := 0; i < len(s); i++ {
		switch {
		case (s[i] == '{' || s[i] == '}') && i+1 < len(s) && s[i+1] == s[i]:
			b.WriteByte(s[i])
			i++
		case s[i] == '{':
			b.WriteString(params.Text(part))
			part++
			i += strings.IndexByte(s[i:], '}')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func FuzzPattern(f *testing.F) {
	f.Add("user:{id}", []byte("user:7"))
	f.Add("{{u:{id:int}}}:{x:bytes}", []byte("{u:7}:\xff"))
	f.Add("a{x}b{y}c", []byte("a1b2c"))
	f.Add("{a:uuid}", []byte("01234567-89ab-cdef-0123-456789abcdef"))
	f.Fuzz(func(t *testing.T, text string, key []byte) {
		p, err := source.ParsePattern(text)
		if err != nil {
			var e *source.PatternError
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(text) || e.Problem == "" {
				t.Fatalf("error without position: %v", err)
			}
			return
		}
		params, ok := p.Params(key)
		if !ok {
			return
		}
		if !strings.HasPrefix(string(key), p.Prefix()) || params.Key() != string(key) {
			t.Fatalf("key %q: prefix %q, copy %q", key, p.Prefix(), params.Key())
		}
		// The key is a function of its parts: so no two keys share them.
		if got := rebuild(p, params); got != string(key) {
			t.Fatalf("pattern %q, key %q: the parts make %q", text, key, got)
		}
		for i := range params.Len() {
			if params.Text(i) == "" {
				t.Fatalf("pattern %q, key %q: part %d is empty", text, key, i)
			}
			if params.Type(i) == source.PartInt && fmt.Sprint(params.Int(i)) != params.Text(i) {
				t.Fatalf("int part %q is %d", params.Text(i), params.Int(i))
			}
		}
	})
}

func BenchmarkPatternMatch(b *testing.B) {
	p := mustPattern(b, "shop:{tenant}:price:{sku:int}")
	for name, key := range map[string][]byte{"match": []byte("shop:acme:price:42"), "miss": []byte("session:1234")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Match(key)
			}
		})
	}
}
