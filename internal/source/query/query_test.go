package query_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/larder-cache/larder/internal/source/query"
)

func ExampleQuery_Bind() {
	q, _ := query.Parse(`SELECT name FROM users WHERE id = :id::int -- not :this`, query.PostgreSQL)
	b, _ := q.Bind([]string{"id"})
	fmt.Println(b.SQL)
	// Output: SELECT name FROM users WHERE id = $1::int -- not :this
}

func TestTranslate(t *testing.T) {
	for _, tt := range []struct {
		name    string
		dialect query.Dialect
		text    string
		want    string
		names   string
	}{
		{"one", query.PostgreSQL, "SELECT a FROM t WHERE id=:id", "SELECT a FROM t WHERE id=$1", "id"},
		{"numbered by first use", query.PostgreSQL, "SELECT :b, :a, :b", "SELECT $1, $2, $1", "b a"},
		{"sqlite placeholders", query.SQLite, "SELECT :b, :a, :b", "SELECT ?1, ?2, ?1", "b a"},
		{"no parameter", query.SQLite, "SELECT 1", "SELECT 1", ""},
		{"literal", query.SQLite, "SELECT ':a', 'it''s :b', :c", "SELECT ':a', 'it''s :b', ?1", "c"},
		{"identifier", query.PostgreSQL, `SELECT ":a""b:c" FROM t WHERE x=:x`, `SELECT ":a""b:c" FROM t WHERE x=$1`, "x"},
		{"back quotes and brackets", query.SQLite, "SELECT `:a``:b`, [:c] FROM t WHERE x=:x", "SELECT `:a``:b`, [:c] FROM t WHERE x=?1", "x"},
		{"array subscript", query.PostgreSQL, "SELECT a[:i], a[1:2]", "SELECT a[$1], a[1:2]", "i"},
		{"line comment", query.SQLite, "SELECT 1 -- :a ' \n, :b", "SELECT 1 -- :a ' \n, ?1", "b"},
		{"line comment ends at CR in PostgreSQL", query.PostgreSQL, "SELECT 1 -- :a\r, :b", "SELECT 1 -- :a\r, $1", "b"},
		{"line comment passes CR in SQLite", query.SQLite, "SELECT 1 -- :a\r, :b", "SELECT 1 -- :a\r, :b", ""},
		{"nested comment", query.PostgreSQL, "SELECT /* /* :a */ :b */ :c", "SELECT /* /* :a */ :b */ $1", "c"},
		{"flat comment", query.SQLite, "SELECT /* /* :a */ :b", "SELECT /* /* :a */ ?1", "b"},
		{"dollar quote", query.PostgreSQL, "SELECT $$:a$$, $t$ :b $$ $t$, :c", "SELECT $$:a$$, $t$ :b $$ $t$, $1", "c"},
		{"dollar in identifier", query.PostgreSQL, "SELECT a$b$ FROM t$ WHERE x=:x", "SELECT a$b$ FROM t$ WHERE x=$1", "x"},
		{"casts", query.PostgreSQL, "SELECT :a::text, 'x'::text, b::int", "SELECT $1::text, 'x'::text, b::int", "a"},
		{"named notation", query.PostgreSQL, "SELECT f(a := :a)", "SELECT f(a := $1)", "a"},
		{"escape string", query.PostgreSQL, `SELECT E'it\'s :a', :b`, `SELECT E'it\'s :a', $1`, "b"},
		{"backslash is literal elsewhere", query.PostgreSQL, `SELECT '\', :b, name'\'`, `SELECT '\', $1, name'\'`, "b"},
		{"no escape strings in SQLite", query.SQLite, `SELECT E'\', :b`, `SELECT E'\', ?1`, "b"},
		{"json operators", query.PostgreSQL, `SELECT j->>'a', j ? 'b', j @> '{}' FROM t WHERE x=:x`, `SELECT j->>'a', j ? 'b', j @> '{}' FROM t WHERE x=$1`, "x"},
		{"closing semicolon", query.SQLite, "SELECT :a ; -- done\n", "SELECT ?1 ; -- done\n", "a"},
		{"other scripts", query.PostgreSQL, "SELECT größe FROM t WHERE x=:x", "SELECT größe FROM t WHERE x=$1", "x"},
		{"colon with a space is no parameter", query.PostgreSQL, "SELECT a[1: n]", "SELECT a[1: n]", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q, err := query.Parse(tt.text, tt.dialect)
			if err != nil {
				t.Fatal(err)
			}
			if got := q.SQL(); got != tt.want {
				t.Errorf("SQL = %s\nwant  %s", got, tt.want)
			}
			if got := strings.Join(q.Names(), " "); got != tt.names {
				t.Errorf("names = %q, want %q", got, tt.names)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		name         string
		dialect      query.Dialect
		text         string
		line, column int
		problem      string
	}{
		{"empty", query.SQLite, " -- only a comment", 1, 1, "empty"},
		{"open literal", query.SQLite, "SELECT\n 'a''", 2, 2, "not closed"},
		{"open comment", query.PostgreSQL, "SELECT /* /* */ 1", 1, 8, "not closed"},
		{"open dollar quote", query.PostgreSQL, "SELECT $a$ x $b$", 1, 8, "$a$ is not closed"},
		{"open escape string", query.PostgreSQL, `SELECT E'\'`, 1, 9, "not closed"},
		{"open bracket", query.SQLite, "SELECT [a", 1, 8, "not closed"},
		{"two statements", query.SQLite, "SELECT 1;\nDELETE FROM t", 2, 1, "one statement"},
		{"dollar number", query.PostgreSQL, "SELECT $1", 1, 8, "positional"},
		{"question mark", query.SQLite, "SELECT ?", 1, 8, "positional"},
		{"at sign", query.SQLite, "SELECT @a", 1, 8, "positional"},
		{"colon number", query.SQLite, "SELECT :1", 1, 8, "positional"},
		{"dollar name", query.SQLite, "SELECT $a", 1, 8, "positional"},
		{"after a word", query.PostgreSQL, "SELECT a:id", 1, 9, "put a space"},
		{"after a number", query.PostgreSQL, "SELECT a[1:id]", 1, 11, "put a space"},
		{"name beyond ASCII", query.SQLite, "SELECT :größe", 1, 8, "letters a to z"},
		{"NUL", query.SQLite, "SELECT 'a\x00'", 1, 10, "without NUL"},
		{"broken UTF-8", query.SQLite, "SELECT \xff", 1, 8, "UTF-8"},
		{"continued escape string", query.PostgreSQL, "SELECT E'a'\n -- x\n 'b\\', :c'", 3, 2, "one piece"},
		{"dollar after number", query.PostgreSQL, "SELECT 1$$", 1, 8, "space"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := query.Parse(tt.text, tt.dialect)
			var e *query.Error
			if !errors.As(err, &e) {
				t.Fatalf("error = %v, want a *query.Error", err)
			}
			if e.Line != tt.line || e.Column != tt.column || !strings.Contains(e.Problem, tt.problem) {
				t.Errorf("error = %v\nwant line %d, column %d, …%s…", e, tt.line, tt.column, tt.problem)
			}
		})
	}
}

func TestBind(t *testing.T) {
	parse := func(text string) *query.Query {
		q, err := query.Parse(text, query.SQLite)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	b, err := parse("SELECT :b, :a, :b").Bind([]string{"a", "b"})
	if err != nil || !slices.Equal(b.Args, []int{1, 0}) {
		t.Errorf("Args = %v, %v; want [1 0]", b, err)
	}
	if _, err := parse("SELECT\n :a, :c").Bind([]string{"a"}); err == nil || !strings.Contains(err.Error(), "line 2, column 6: parameter :c is unknown; the pattern has :a") {
		t.Errorf("unknown parameter: %v", err)
	}
	if _, err := parse("SELECT :a").Bind([]string{"a", "b"}); err == nil || !strings.Contains(err.Error(), "does not use :b") {
		t.Errorf("unused part: %v", err)
	}
	if _, err := parse("SELECT :a").Bind(nil); err == nil || !strings.Contains(err.Error(), "no named parts") {
		t.Errorf("no parts: %v", err)
	}
}

// The judge: one regular expression that passes everything quoted and finds
// parameters in the rest. It accepts more than the lexer, so it judges only what
// the lexer accepted.
var judges = map[query.Dialect]*regexp.Regexp{
	query.SQLite: regexp.MustCompile("(?s)'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\\[[^\\]]*\\]" +
		"|--[^\\n]*|/\\*.*?\\*/|::|:=|[\\pL\\pN_$\u0080-\U0010ffff]+|(:[A-Za-z_][A-Za-z0-9_]*)|."),
	query.PostgreSQL: regexp.MustCompile("(?s)[eE]'(?:[^'\\\\]|''|\\\\.)*'|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"" +
		"|--[^\\n\\r]*|\\$\\$.*?\\$\\$|::|:=|[A-Za-z0-9_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*|(:[A-Za-z_][A-Za-z0-9_]*)|."),
}

func judge(text string, d query.Dialect) string {
	var names []string
	return judges[d].ReplaceAllStringFunc(text, func(tok string) string {
		m := judges[d].FindStringSubmatch(tok)
		if m == nil || m[1] == "" || m[1] != tok {
			return tok
		}
		i := slices.Index(names, tok)
		if i < 0 {
			names = append(names, tok)
			i = len(names) - 1
		}
		return fmt.Sprintf("%c%d", "?$"[d], i+1)
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"SELECT :a, ':b', \":c\", `:d`, [:e], $$:f$$ -- :g\n /* :h */ ::int",
		"SELECT E'\\':a', :b", "SELECT /* /* :a */ */ :b;", "a[1:2] :=:c", "e'a'\n'b'", "$x$:a$x$:b", "1$:a", ":a:b::c:::d",
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, text string, postgres bool) {
		d := query.SQLite
		if postgres {
			d = query.PostgreSQL
		}
		q, err := query.Parse(text, d)
		if err != nil {
			var e *query.Error
			if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Problem == "" {
				t.Fatalf("error without position: %v", err)
			}
			return
		}
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			t.Fatal("accepted a text that cannot be sent")
		}
		if _, err := q.Bind(q.Names()); err != nil {
			t.Fatalf("Bind to its own names: %v", err)
		}
		judgeable := !postgres || !strings.Contains(text, "/*") && !regexp.MustCompile(`\$[^$]+\$`).MatchString(text)
		if want := judge(text, d); judgeable && q.SQL() != want {
			t.Fatalf("text %q\n got %q\nwant %q", text, q.SQL(), want)
		}
	})
}
