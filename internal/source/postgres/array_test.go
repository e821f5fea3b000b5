package postgres

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/larder-cache/larder/internal/source"
	"github.com/larder-cache/larder/internal/source/row"
)

// FuzzArray guards the invariant that whatever a server sends as an array
// becomes valid JSON or an error.
func FuzzArray(f *testing.F) {
	for _, s := range []string{`{}`, `{1,NULL,"a\"b"}`, `{{a},{b}}`, `[0:1]={x,y}`, `{`, `{,}`, `{"\`, `{a}b`} {
		f.Add(s)
	}
	types := pgtype.NewMap()
	f.Fuzz(func(t *testing.T, text string) {
		cell, err := decodeArray(types, pgtype.TextOID, text)
		if err != nil || !utf8.ValidString(text) {
			return
		}
		v, err := row.Encode(source.ResultJSON, []string{"a"}, []row.Cell{cell})
		if err != nil || !json.Valid(v.Data) {
			t.Fatalf("%q became %s, %v", text, v.Data, err)
		}
	})
}

func TestMalformedArrays(t *testing.T) {
	types := pgtype.NewMap()
	for _, text := range []string{"", "1", "{", "{1", "{1,}", "{,1}", "{1}x", `{"a}`, `{"a\`, "[1:2]", "{{{{{{{1}}}}}}}", `{a"b}`, "{x}"} {
		if cell, err := decodeArray(types, pgtype.Int4OID, text); err == nil {
			t.Errorf("%q became %v", text, cell)
		}
	}
}
